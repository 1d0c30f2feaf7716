/* service: one service in the controller: what is wanted of it, what is seen of it, how its last starts went. Holds the
 * state between the pure parts (scaler, reconciler); has no effects but events. Control thread only; owned by the
 * controller.
 *
 * A service is managed (has a configuration), retired (left the configuration, its tasks are being drained) or
 * discovered (somebody else's containers or a file name it). */
#ifndef CONTROLLER_SERVICE_H
#define CONTROLLER_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "config/config.h"
#include "controller/actuator.h"
#include "controller/controller.h"
#include "controller/event_log.h"
#include "controller/image_pin.h"
#include "controller/outage.h"
#include "controller/reconciler.h"
#include "controller/scaler.h"
#include "controller/stopped_book.h"
#include "controller/task_watch.h"

#define SERVICE_PROVEN_MS 10000 /* a task healthy for so long ends the back-off */

/* Starts that failed since the last good one. */
struct start_backoff {
    int64_t failure_count;
    int64_t next_start_at_ms;
    int64_t last_failure_at_ms;
    bool is_image_missing;
    uint64_t total_count; /* for the status */
};

struct service {
    char name[TASK_NAME_SIZE];                 /* key */
    const struct config_service *config;       /* borrowed from the controller's configuration; null unless managed */
    char definition[TASK_REVISION_SIZE];       /* "" unless managed */
    char revision[TASK_REVISION_SIZE];         /* of definition and image; "" unless managed */
    char counted_revision[TASK_REVISION_SIZE]; /* that watch.counts are about */
    struct image_pin image;
    int64_t stop_timeout_ms, deregistration_delay_ms,
        tunnel_deregistration_delay_ms; /* kept when the configuration goes */
    bool is_looked_at;                  /* in this turn */
    struct service *next_looked_at;     /* while the turn looks */
    bool has_news;                      /* something may be other than at the last look */
    int64_t looked_at_ms;
    bool is_adopted;        /* what ran before us has been taken into account */
    bool is_deploying;      /* tasks of another revision are being replaced */
    bool is_store_refusing; /* a decision could not be made durable; said once */
    bool is_in_config;      /* while a new configuration is taken over */
    bool has_record;        /* the store remembers what is desired */
    bool is_record_due;     /* beside an older configuration, until the controller is held no more */
    bool is_image_stored;   /* and the image */
    struct scaler scaler;
    struct task_watch watch;
    struct start_backoff backoff;
    struct outage outage;
    char host[TASK_HOST_SIZE], path[TASK_PATH_SIZE]; /* of a discovered one: from its labels */
    UT_hash_handle hh;
};

struct service *service_new(const char *name, int64_t now_ms);
void service_free(struct service *s);

/* record: what the store remembers; null: nothing, or the service is known already. */
void service_set_config(struct service *s, const struct config_service *config, const struct store_record *record,
                        int64_t now_ms);
/* At the first configuration of this process, after it was set. image: what the store remembers; null: nothing. */
void service_recall_image(struct service *s, const struct store_image *image);
void service_retire(struct service *s, struct event_log *events, int64_t now_ms);

bool service_is_managed(const struct service *s);
bool service_is_gone(const struct service *s); /* nothing is wanted and nothing is left */

/* ---- a turn ---- */

/* Is there anything that a look at its tasks could find? Not while all is as it should be, nobody has said otherwise, and
 * nothing is in flight where that would count. It is looked at once in five seconds all the same. */
#define SERVICE_REST_MS 5000
bool service_needs_look(const struct service *s, int64_t creating_count, int64_t now_ms);
void service_begin_turn(struct service *s, int64_t now_ms);
void service_see_task(struct service *s, const struct task *task, const struct task_facts *facts, int64_t now_ms);
/* stopped: takes the tasks that are gone. */
void service_end_turn(struct service *s, struct event_log *events, struct stopped_book *stopped, int64_t now_ms);

/* ---- its image ---- */

/* Looks at what runs where nothing else tells. True: the engine should be asked now what the image's name stands for. */
bool service_follow_image(struct service *s, struct event_log *events, int64_t now_ms);
struct image_answer {
    uint64_t question;
    enum runtime_result result;
    const char *id, *text; /* as of runtime_ops.resolve */
};
void service_note_image(struct service *s, const struct image_answer *answer, struct event_log *events,
                        struct stopped_book *stopped, int64_t now_ms);

/* ---- a plan ---- */

/* What there is to act with. */
struct service_means {
    bool has_runtime, is_reachable;
    struct creating_count creating;
    int64_t create_budget; /* at most so many more now */
};
/* The plan's ids are copies. */
void service_plan(struct service *s, const struct service_means *means, int64_t now_ms, struct plan *plan);
void service_note_deployment(struct service *s, int64_t creating_count, struct event_log *events);
/* After a sample: requests that were answered 503, and why. */
void service_note_refusals(struct service *s, struct event_log *events, int64_t now_ms);
void service_note_outcome(struct service *s, const struct actuator_outcome *outcome, struct event_log *events,
                          int64_t now_ms);
/* what: "task 3f2a ended with exit code 1 after 0.2 s" */
void service_note_failed_start(struct service *s, const char *what, struct event_log *events, int64_t now_ms);

/* ---- for people ---- */
void service_fill_status(const struct service *s, int64_t creating_count, int64_t now_ms, struct service_status *out);

#endif
