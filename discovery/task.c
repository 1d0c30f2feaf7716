#include "discovery/task.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[] = { "PENDING", "RUNNING", "STOPPING", "STOPPED" };
_Static_assert(sizeof state_names / sizeof *state_names == TASK_STATE_COUNT, "a name for every state");
static const char *const health_names[] = { "UNKNOWN", "UP", "DOWN" };
_Static_assert(sizeof health_names / sizeof *health_names == TASK_HEALTH_COUNT, "a name for every health");
static const char *const admin_names[] = { "READY", "DRAINING", "REMOVED" };
_Static_assert(sizeof admin_names / sizeof *admin_names == TASK_ADMIN_COUNT, "a name for every order");

bool task_is_unusable(const struct task *task)
{
    return task->spec.problem[0] != '\0';
}

static bool may_be_sent_to(const struct task *task)
{
    return task->spec.state == TASK_RUNNING && !task_is_unusable(task) && task->spec.address[0] &&
           task->admin == TASK_ADMIN_READY;
}

bool task_is_routable(const struct task *task)
{
    return may_be_sent_to(task) && task_health_of(task) == TASK_HEALTH_UP;
}

/* One that is presumed to have been healthy is not DOWN before it has failed for as long as a new one may. */
bool task_is_last_resort(const struct task *task)
{
    enum task_health health = task_health_of(task);
    bool was_asked = task->probe_health == TASK_HEALTH_UNKNOWN && task->probe_words[0];
    return may_be_sent_to(task) && task->was_healthy &&
           (health == TASK_HEALTH_DOWN || (health == TASK_HEALTH_UNKNOWN && was_asked));
}

bool task_awaits_probe(const struct task *task)
{
    return may_be_sent_to(task) && task->probe_health == TASK_HEALTH_UNKNOWN;
}

enum task_health task_health_of(const struct task *task)
{
    enum task_health engine = task->spec.has_engine_health ? task->spec.engine_health : TASK_HEALTH_UP;
    if (engine == TASK_HEALTH_DOWN || task->probe_health == TASK_HEALTH_DOWN)
        return TASK_HEALTH_DOWN;
    return engine == TASK_HEALTH_UP && task->probe_health == TASK_HEALTH_UP ? TASK_HEALTH_UP : TASK_HEALTH_UNKNOWN;
}

void task_health_explain(const struct task *task, char out[TASK_REASON_SIZE])
{
    const struct task_spec *spec = &task->spec;
    out[0] = '\0';
    if (spec->state != TASK_RUNNING)
        return;
    bool engine_decides = spec->has_engine_health && spec->engine_health != TASK_HEALTH_UP &&
                          (task->probe_health != TASK_HEALTH_DOWN || spec->engine_health == TASK_HEALTH_DOWN);
    if (engine_decides)
        snprintf(out, TASK_REASON_SIZE, "the engine's check: %s",
                 spec->engine_words[0]                     ? spec->engine_words
                 : spec->engine_health == TASK_HEALTH_DOWN ? "unhealthy"
                                                           : "starting");
    else
        snprintf(out, TASK_REASON_SIZE, "%s", task->probe_words[0] ? task->probe_words : "not checked yet");
}

const char *task_state_to_str(enum task_state state)
{
    return state < TASK_STATE_COUNT ? state_names[state] : "?";
}

const char *task_health_to_str(enum task_health health)
{
    return health < TASK_HEALTH_COUNT ? health_names[health] : "?";
}

const char *task_admin_to_str(enum task_admin admin)
{
    return admin < TASK_ADMIN_COUNT ? admin_names[admin] : "?";
}
