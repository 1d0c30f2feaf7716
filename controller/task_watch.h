/* task_watch: the tasks of one service as the controller has seen them over time: since when healthy, since when on the
 * way out, whether an end was ordered by us and why. Fed once a turn with every task; hands the reconciler its
 * observations, says which tasks ended by themselves and which somebody else removed. Control thread only. Embedded in its service. Times are monotonic milliseconds.
 */
#ifndef CONTROLLER_TASK_WATCH_H
#define CONTROLLER_TASK_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/reconciler.h"
#include "controller/stop_cause.h"
#include "discovery/task_registry.h"

#define TASK_WATCH_STREAM_MS 5000 /* in flight, and nothing begins for so long: that is a stream, not load */

struct watched_task;

struct task_counts {
    int64_t running, pending, healthy, draining; /* of all tasks */
    int64_t managed_running, managed_pending, managed_healthy, managed_draining;
    int64_t managed_ended;   /* stopped or stopping, and still there */
    int64_t occupied;        /* managed, active, with an open tunnel or a stream: scaling in would cut it */
    int64_t on_their_way;    /* managed, active, not healthy: a scale-in would be premature */
    int64_t other_revision;  /* managed, active, created from something else than `revision` */
    int64_t current_healthy; /* managed, active, healthy, of `revision` */
};

/* A managed task that ended, and nobody here had ordered it. */
struct task_loss {
    char id[TASK_ID_SIZE];
    char revision[TASK_REVISION_SIZE];
    bool has_exit_code; /* false: it just vanished */
    int32_t exit_code;
    bool is_signalled; /* somebody had its stop signal sent */
    int64_t lived_ms;
};
typedef void (*task_loss_cb)(void *owner, const struct task_loss *loss);

/* A managed task that had run, and that the registry has lost although we do not remove it. */
struct task_departure {
    const char *id, *name, *image_id, *revision; /* valid during the callback */
    int64_t started_at_wall_us;                  /* 0: unknown */
    bool has_exit_code;                          /* false: it was not seen stopped */
    int32_t exit_code;
    struct stop_cause cause;
};
typedef void (*task_departure_cb)(void *owner, const struct task_departure *departure);

struct task_watch {
    struct watched_task *tasks;     /* owned, by id */
    struct observed_task *observed; /* owned; of this turn */
    size_t observed_count, observed_size;
    struct task_counts counts; /* of this turn */
    bool is_taken_over;        /* what was there before this process has been seen: the owner says so, once */
};

struct task_facts {
    bool is_starting, is_busy; /* controller/actuator.h */
    bool is_out_of_rotation;
    bool is_drain_ordered; /* by an operator */
    uint64_t in_flight;    /* UINT64_MAX: unknown */
    uint64_t tunnels, requests;
};

void task_watch_init(struct task_watch *w);
void task_watch_fini(struct task_watch *w);

void task_watch_begin_turn(struct task_watch *w);
/* task is borrowed until the turn's plan is made. revision: the service's own; "" when it has none. */
void task_watch_see(struct task_watch *w, const struct task *task, const struct task_facts *facts, const char *revision,
                    int64_t now_ms);
void task_watch_end_turn(struct task_watch *w, int64_t now_ms, task_loss_cb on_loss, task_departure_cb on_departure,
                         void *owner);

/* Its end is told of elsewhere: it is no loss. */
void task_watch_expect_end(struct task_watch *w, const char *task_id);
/* The same of one that we end by this action, whose reason is why, unless something was why before. */
void task_watch_order_end(struct task_watch *w, const struct action *action);
/* It is there still, and may be removed by somebody else. */
void task_watch_note_failed_removal(struct task_watch *w, const char *task_id);

/* Why it ended, or is ending; null for a task that is not watched. */
const struct stop_cause *task_watch_find_cause(const struct task_watch *w, const char *task_id);

/* A managed task of this revision, first seen after `since_ms`, has been healthy for at least `duration_ms`. */
bool task_watch_has_proven(const struct task_watch *w, const char *revision, int64_t since_ms, int64_t duration_ms,
                           int64_t now_ms);

#endif
