/* policy: how many tasks a service should have, from what the proxy saw. Each policy is a pure function: same input,
 * same decision; its memory is the scaling_state that the caller keeps. Control thread only; nothing is allocated.
 *
 * Growing is fast: the last second of samples, at once, at most doubled (or +4) in one decision. Shrinking is slow: the
 * largest number needed at any moment of the cooldown, at most halved (or -4), never while a task is still starting,
 * and never without a whole cooldown of unbroken numbers. Missing, stale or senseless numbers change nothing.
 *
 * Use is use, with every policy: at zero an arriving request asks for one task; with requests in flight it is never
 * zero; and open tunnels and streams hold as many tasks as they are spread over.
 *
 * To add one: write policy/<name>.c with `const struct scaling_policy_ops policy_<name>`, add one X() below. */
#ifndef CONTROLLER_POLICY_POLICY_H
#define CONTROLLER_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define POLICY_LIST(X) X(requests_per_second_per_task) X(in_flight_per_task) X(latency_p99)

#define POLICY_OUT_WINDOW_MS 1000 /* what a decision to grow looks at */
#define POLICY_STALE_MS 1000      /* a newest sample older than this is no sample */
#define POLICY_TOLERANCE 0.10     /* of the target, either way, before anything changes */
#define POLICY_STEP_MIN 4         /* a decision may always add or take this many */
#define NEEDED_RING_SIZE 32

/* One interval between two readings of the counters; oldest first in arrays. */
struct load_sample {
    int64_t at_ms;         /* end of the interval, monotonic */
    int64_t span_ms;       /* its length */
    double finished;       /* requests that ended in it */
    double arrived;        /* finished + growth of in-flight: saturated tasks finish fewer than arrive */
    double in_flight;      /* at its end */
    double latency_count;  /* requests behind latency_p99_ms */
    double latency_p99_ms; /* of the last two seconds; 0 when latency_count is */
};

struct scaling_spec {
    int64_t min, max;
    double target;
    int64_t scale_in_cooldown_ms;
};

/* The largest number of tasks needed in each 1/31 of the cooldown. */
struct needed_ring {
    int64_t slots[NEEDED_RING_SIZE]; /* now_ms / slot width; says which time `needed` is of */
    int64_t needed[NEEDED_RING_SIZE];
};

struct scaling_state {
    int64_t desired;
    int64_t pending_count;     /* tasks on their way; from the caller, before each decision */
    int64_t occupied_count;    /* tasks with open tunnels or streams; the same */
    int64_t complete_since_ms; /* when the last task that was on its way arrived; the same */
    int64_t covered_since_ms;  /* numbers are unbroken since; negative: they are not */
    int64_t changed_at_ms;     /* last change of desired, by anyone */
    struct needed_ring ring;
    double saturated_rate; /* latency policy: requests/s per task at which the target was last missed; 0: unknown */
    int64_t saturated_at_ms;
};

struct scaling_decision {
    int64_t desired;
    bool changed;
    bool is_known;         /* false: the numbers were missing or senseless, nothing was decided */
    int64_t needed;        /* what the load needs now, with room; remembered for scale-in */
    double saturated_rate; /* > 0: newly learned */
    char why[160];
};

struct scaling_policy_ops {
    const char *name, *summary;
    double (*target)(const struct config_scaling *config); /* > 0: this policy is the one configured */
    /* Pure. Fills why[]. samples: oldest first, n may be 0. */
    struct scaling_decision (*decide)(const struct scaling_spec *spec, const struct load_sample *samples, size_t n,
                                      const struct scaling_state *state, int64_t now_ms);
};

#define POLICY_DECLARE(name) extern const struct scaling_policy_ops policy_##name;
POLICY_LIST(POLICY_DECLARE)
#undef POLICY_DECLARE

extern const struct scaling_policy_ops *const policy_list[];
extern const size_t policy_list_count;

const struct scaling_policy_ops *policy_find(const struct config_scaling *config); /* null when scaling is off */

void scaling_state_init(struct scaling_state *state, int64_t desired, int64_t now_ms);
/* Someone (a policy, an operator, a restart) changed desired: the cooldown starts again. */
void scaling_state_set_desired(struct scaling_state *state, int64_t desired, int64_t now_ms);
/* Remembers what a decision learned; desired itself is the caller's to change, once it is durable. */
void scaling_state_remember(struct scaling_state *state, const struct scaling_spec *spec,
                            const struct scaling_decision *decision, int64_t now_ms);

/* ---- for the policies ---- */

/* The newest samples that together span POLICY_OUT_WINDOW_MS. */
struct load_window {
    int64_t span_ms;
    double finished, arrived;
    double in_flight_mean;
    double latency_count, latency_p99_ms; /* the newest sample's */
    bool is_used;                         /* something arrived, or is in flight */
    bool is_draining;                     /* clearly more ends than arrives: what was done last is at work */
};

/* False, with the reason in why, when the numbers are missing, stale, torn or senseless. */
bool load_window_fill(struct load_window *window, const struct load_sample *samples, size_t n, int64_t now_ms,
                      char why[160]);

struct scaling_need {
    int64_t out;     /* more than desired: grow towards it */
    int64_t in;      /* enough with room to spare */
    bool is_used;    /* of the window */
    char metric[96]; /* "182.0 requests/s over 1.0 s, target 60 per task" */
};

/* Proportional need: ceil(load / target), within the tolerance. */
struct scaling_need scaling_need_of(const struct load_window *window, double load, const struct scaling_spec *spec,
                                    int64_t desired);
struct scaling_decision scaling_settle(const struct scaling_spec *spec, const struct scaling_state *state,
                                       const struct scaling_need *need, int64_t now_ms);
struct scaling_decision scaling_hold(const struct scaling_state *state, const char *why);

#endif
