#include "controller/outage.h"

#include <stdio.h>
#include <string.h>

#define TASKS_NAMED_MAX 2

static void describe(const struct task *task, char *out, size_t size)
{
    char why[TASK_REASON_SIZE];
    if (task_is_unusable(task)) {
        snprintf(out, size, "task %.12s: UNUSABLE: %.100s", task->spec.id, task->spec.problem);
        return;
    }
    const char *what = task->admin != TASK_ADMIN_READY    ? task_admin_to_str(task->admin)
                       : task->spec.state != TASK_RUNNING ? task_state_to_str(task->spec.state)
                                                          : task_health_to_str(task_health_of(task));
    task_health_explain(task, why);
    bool has_reason = task->admin == TASK_ADMIN_READY && why[0] != '\0';
    snprintf(out, size, "task %.12s: %s%s%.100s", task->spec.id, what, has_reason ? ": " : "", has_reason ? why : "");
}

void outage_explain(const struct observed_task *tasks, size_t task_count, char out[OUTAGE_REASON_SIZE])
{
    char one[160];
    size_t named = task_count < TASKS_NAMED_MAX ? task_count : TASKS_NAMED_MAX, len = 0;
    if (task_count == 0)
        snprintf(out, OUTAGE_REASON_SIZE, "it has no task");
    for (size_t i = 0; i < named; i++) {
        describe(tasks[i].task, one, sizeof one);
        len += (size_t)snprintf(out + len, OUTAGE_REASON_SIZE - len, "%s%s", i > 0 ? "; " : "", one);
    }
    if (task_count > named)
        snprintf(out + len, OUTAGE_REASON_SIZE - len, "; and %zu more", task_count - named);
}

void outage_follow(struct outage *o, uint64_t refused_count, const struct observed_task *tasks, size_t task_count,
                   const char *service, struct event_log *events, int64_t now_ms)
{
    if (!o->has_count || refused_count < o->reported_count) {
        o->has_count = true;
        o->reported_count = refused_count;
        return;
    }
    uint64_t new_count = refused_count - o->reported_count;
    if (new_count == 0 || (o->reported_at_ms != 0 && now_ms - o->reported_at_ms < OUTAGE_REPEAT_MS))
        return;
    char why[OUTAGE_REASON_SIZE];
    outage_explain(tasks, task_count, why);
    o->reported_count = refused_count;
    o->reported_at_ms = now_ms;
    event_log_warn(events, service, "%llu request%s answered 503, no task is routable: %s",
                   (unsigned long long)new_count, new_count == 1 ? "" : "s", why);
}
