/* scaler: how many tasks one service should have, and why. Joins the metrics window, the configured policy, what an
 * operator patched and what the store remembers. It decides nothing durable itself: the caller writes scaler_record()
 * to the store, then calls scaler_accept(). Control thread only. Embedded in its service.
 *
 * Which value counts: the last one that was set. A patch beats the configuration until the configuration itself is
 * edited there. With a scaling policy the configured desired count is only where to start. */
#ifndef CONTROLLER_SCALER_H
#define CONTROLLER_SCALER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "config/limits.h"
#include "controller/controller.h"
#include "controller/metrics_window.h"
#include "controller/policy/policy.h"
#include "controller/store/store.h"

#define SCALER_TASKS_MAX LIMIT_TASKS_OWN /* as many as the configuration may name */

struct scaler {
    const struct scaling_policy_ops *policy; /* null: no scaling */
    struct scaling_spec spec;                /* min and max are 0 and SCALER_TASKS_MAX without policy */
    struct scaling_state state;              /* state.desired is the one desired count */
    int64_t config_desired, config_min, config_max;
    struct metrics_window *window; /* owned; null before the first reading */
    bool is_quiet;           /* at the last sample nothing was in flight, and nothing had been since the one before */
    bool is_blind;           /* the last decision lacked numbers */
    char last_decision[224]; /* "scale out 1 -> 3: ..." */
    int64_t last_decision_at_wall_us;
    uint64_t out_count, in_count;
    bool knows_refused;
    uint64_t refused_count; /* requests answered 503 for want of an endpoint, as the data plane last said */
};

void scaler_init(struct scaler *s, int64_t now_ms);
void scaler_fini(struct scaler *s);

/* record: what the store or the running scaler remembers; null: nothing. */
void scaler_set_config(struct scaler *s, const struct config_service *config, const struct store_record *record,
                       int64_t now_ms);
void scaler_retire(struct scaler *s, int64_t now_ms); /* the service left the configuration: none is desired */

/* After a restart: tasks that run are not taken away because a number was forgotten. True when desired changed. */
bool scaler_adopt(struct scaler *s, int64_t running_count, int64_t now_ms);

void scaler_sample(struct scaler *s, const struct data_plane *data_plane, const char *service, int64_t now_ms);
bool scaler_has_traffic(const struct scaler *s, int64_t now_ms);

/* What the tasks say, beside the traffic. */
struct scaler_sight {
    int64_t pending_count;  /* on their way */
    int64_t occupied_count; /* with open tunnels or streams */
};
/* Asks the policy, with what it learned remembered. False: nothing to change. */
bool scaler_decide(struct scaler *s, const struct scaler_sight *sight, int64_t now_ms,
                   struct scaling_decision *decision);
/* The decision is durable: it counts from now on. */
void scaler_accept(struct scaler *s, const struct scaling_decision *decision, int64_t now_ms);

/* Checks a patch; fills the record to store. False with an error that names the field. */
bool scaler_check_patch(const struct scaler *s, const char *service, const struct service_patch *patch,
                        struct store_record *record, struct error *error);
void scaler_apply_patch(struct scaler *s, const struct store_record *record, int64_t now_ms);
/* For people, before it is applied: "set by an operator: desired 1 -> 3". */
void scaler_describe_patch(const struct scaler *s, const struct store_record *record, struct error *out);

/* What the store should hold, with this desired count. */
void scaler_record(const struct scaler *s, const char *service, int64_t desired, struct store_record *out);

#endif
