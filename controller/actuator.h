/* actuator: carries out the actions of a plan through a runtime, and remembers what is under way, so that a slow engine
 * is not asked twice: one outstanding action per task. An action that failed waits (100 ms, doubled, at most a minute)
 * before it may be tried again; one that was not tried, because the engine was not there, does not wait. Control thread
 * only.
 *
 * A creation counts from the moment it is asked for until the registry shows its task, or it is known that there is
 * none: a container that exists is never forgotten because an answer, or the sight of it, was lost.
 *
 *   ASKED -> STARTED -> (seen running, or gone)          CANCELLED -> (gone)
 *      \-> DOUBTFUL (the answer was lost) -> (seen, or missing from a complete list)
 *   STARTED, DOUBTFUL, never seen -> STOPPING -> REMOVING -> (gone): by its id, or by its name
 *
 * A turn: actuator_begin_turn(), actuator_see_task() for every managed task, actuator_end_turn(), then plan and run. */
#ifndef CONTROLLER_ACTUATOR_H
#define CONTROLLER_ACTUATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/reconciler.h"
#include "controller/runtime/runtime.h"
#include "controller/stop_cause.h"

#define ACTUATOR_CREATIONS_MAX 32 /* under way at once, all services together */
#define ACTUATOR_SETTLE_MS 10000 /* an action that succeeded is not repeated for so long, whatever the registry shows */
#define ACTUATOR_APPEAR_MS 30000 /* a task that does not show up for so long is done away with */

struct actuator;

struct actuator_outcome {
    enum action_kind kind;
    enum runtime_result result;
    const char *service, *task_id, *text; /* never null; valid during the callback */
    const char *name, *revision;          /* of a creation's container; else null */
    const struct last_words *last_words;  /* of a removal, as of runtime_done_cb; else null */
    const struct stop_cause *cause;       /* of a removal: why the task ended; null if nothing is known */
};
/* One call per action, from the loop or from inside actuator_run(). For a task that was started, never showed up, and was
 * done away with, its removal (ACTION_REMOVE), then ACTION_CREATE, RUNTIME_FAILED if its failure was not told before. */
typedef void (*actuator_cb)(void *owner, const struct actuator_outcome *outcome);

/* runtime is borrowed, and used by nobody else. */
struct actuator *actuator_new(struct runtime *runtime, actuator_cb on_outcome, void *owner);
void actuator_free(struct actuator *a); /* abandons what is under way; the engine may still do it */

bool actuator_is_reachable(const struct actuator *a); /* false: nothing that is asked for now would be tried */

struct actuator_target {
    const char *cluster, *service_name, *revision, *image_id;
    const struct config_service *service; /* null unless something is to be created */
    int64_t stop_timeout_ms;
    const struct stop_cause *cause; /* of what is removed; handed on with the outcome; may be null */
};
/* CREATE, CANCEL, STOP or REMOVE. Everything is borrowed for the call. Without a task id, CANCEL means the newest
 * creation of the service that was not seen yet, of this revision or, with is_outdated, of another. */
void actuator_run(struct actuator *a, const struct actuator_target *target, const struct action *action,
                  int64_t now_ms);

struct actuator_view {
    bool is_starting; /* we are creating it, or have just done so */
    bool is_busy;     /* an action is outstanding; without is_starting it is on its way out */
};
void actuator_begin_turn(struct actuator *a);
struct actuator_view actuator_see_task(struct actuator *a, const struct task *task, int64_t now_ms);
/* lists: of the runtime's provider. */
void actuator_end_turn(struct actuator *a, struct task_lists lists, int64_t now_ms);

/* Creations of the service that the turn's tasks did not show, and that are not cancelled. */
struct creating_count {
    int64_t current;   /* of this revision */
    int64_t outdated;  /* of others, and can still be cancelled */
    int64_t lingering; /* of others, and past that: they will be seen, or done away with */
};
struct creating_count actuator_creating(const struct actuator *a, const char *service, const char *revision);
int64_t actuator_creations(const struct actuator *a); /* of all services, shown or not, cancelled or not */

#endif
