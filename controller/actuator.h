/* actuator: carries out the actions of a plan through a runtime, and remembers what is under way, so that a slow engine
 * is not asked twice: one outstanding action per task, and a creation counts until the registry shows its task, or it
 * fails. An action that failed waits (100 ms, doubled, at most a minute) before it may be tried again. Control thread
 * only.
 *
 * A turn: actuator_begin_turn(), actuator_see_task() for every managed task, actuator_end_turn(), then plan and run. */
#ifndef CONTROLLER_ACTUATOR_H
#define CONTROLLER_ACTUATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/reconciler.h"
#include "controller/runtime/runtime.h"

#define ACTUATOR_CREATIONS_MAX 32 /* under way at once, all services together */
#define ACTUATOR_SETTLE_MS 10000 /* an action that succeeded is not repeated for so long, whatever the registry shows */
#define ACTUATOR_APPEAR_MS 30000 /* a task that was started and never shows up is not waited for any longer */

struct actuator;

struct actuator_outcome {
    enum action_kind kind;
    enum runtime_result result;
    const char *service, *task_id, *text; /* never null; valid during the callback */
};
/* One call per action, from the loop or from inside actuator_run(). */
typedef void (*actuator_cb)(void *owner, const struct actuator_outcome *outcome);

/* runtime is borrowed, and used by nobody else. */
struct actuator *actuator_new(struct runtime *runtime, actuator_cb on_outcome, void *owner);
void actuator_free(struct actuator *a); /* abandons what is under way; the engine may still do it */

struct actuator_target {
    const char *cluster, *service_name, *revision;
    const struct config_service *service; /* null unless something is to be created */
    int64_t stop_timeout_ms;
};
/* CREATE, STOP or REMOVE. Everything is borrowed for the call. */
void actuator_run(struct actuator *a, const struct actuator_target *target, const struct action *action,
                  int64_t now_ms);

struct actuator_view {
    bool is_starting; /* we are creating it, or have just done so */
    bool is_busy;     /* leave it alone for now */
};
void actuator_begin_turn(struct actuator *a);
struct actuator_view actuator_see_task(struct actuator *a, const struct task *task, int64_t now_ms);
void actuator_end_turn(struct actuator *a, int64_t now_ms); /* forgets what the registry has lost */

/* Creations of this service that the turn's tasks did not show; null: of all services, shown or not. */
int64_t actuator_creating_count(const struct actuator *a, const char *service);

#endif
