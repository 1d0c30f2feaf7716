#include "controller/reconciler.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A slow starter gets more time after each try: up to eight times the grace. */
#define NEVER_HEALTHY_GRACE_DOUBLINGS 3

/* What is counted while walking over the tasks: active ones are neither draining nor ending. */
struct head_count {
    int64_t current, current_healthy;
    int64_t outdated;
    bool is_reaping; /* a task that never became healthy is on its way out */
};

static const char *const action_names[] = { "create", "drain", "stop", "remove" };
static_assert(sizeof action_names / sizeof action_names[0] == ACTION_KIND_COUNT, "one name each");

const char *action_kind_to_str(enum action_kind kind)
{
    return (unsigned)kind < ACTION_KIND_COUNT ? action_names[kind] : "unknown";
}

int64_t reconciler_backoff_ms(int64_t failure_count)
{
    if (failure_count <= 0)
        return 0;
    int64_t delay_ms = RECONCILER_BACKOFF_FIRST_MS;
    for (int64_t i = 1; i < failure_count && delay_ms < RECONCILER_BACKOFF_MAX_MS; i++)
        delay_ms *= 2;
    return delay_ms < RECONCILER_BACKOFF_MAX_MS ? delay_ms : RECONCILER_BACKOFF_MAX_MS;
}

/* A plan that is full drops the rest: it is said again at the next turn. */
__attribute__((format(printf, 4, 5))) static void add(struct plan *plan, enum action_kind kind,
                                                      const struct observed_task *t, const char *reason, ...)
{
    if (plan->action_count == PLAN_ACTIONS_MAX)
        return;
    struct action *action = &plan->actions[plan->action_count++];
    action->kind = kind;
    action->is_start_failure = false;
    snprintf(action->task_id, sizeof action->task_id, "%s", t != NULL ? t->task->spec.id : "");
    va_list args;
    va_start(args, reason);
    vsnprintf(action->reason, sizeof action->reason, reason, args);
    va_end(args);
}

static bool is_active(const struct observed_task *t)
{
    return t->task->spec.managed && t->task->admin == TASK_ADMIN_READY &&
           (t->task->spec.state == TASK_PENDING || t->task->spec.state == TASK_RUNNING);
}

bool reconciler_is_outdated(const struct observed_task *t, const char *revision, int64_t now_ms)
{
    if (strcmp(t->task->spec.revision, revision) != 0)
        return true;
    return t->was_healthy && !t->is_healthy && now_ms - t->unhealthy_since_ms >= RECONCILER_DOWN_REPLACE_MS;
}

/* Created by a run of ours that was killed before it could start it: nobody else ever will. */
static bool is_orphan(const struct observed_task *t, int64_t now_ms)
{
    return t->task->spec.state == TASK_PENDING && !t->is_starting && !t->was_healthy &&
           now_ms - t->task->first_seen_at_ms >= RECONCILER_ORPHAN_MS;
}

static void plan_stop(const struct desired_service *desired, const struct observed_task *t, int64_t now_ms,
                      struct plan *plan)
{
    if (t->is_out_of_rotation && t->in_flight == 0) {
        add(plan, ACTION_STOP, t, "out of rotation, no request in flight");
        return;
    }
    if (now_ms - t->ending_since_ms < desired->deregistration_delay_ms)
        return;
    if (t->in_flight == UINT64_MAX)
        add(plan, ACTION_STOP, t, "deregistration delay is over, requests in flight unknown");
    else
        add(plan, ACTION_STOP, t, "deregistration delay is over, %llu requests in flight",
            (unsigned long long)t->in_flight);
}

/* A restart by hand stops it first: removing it in between would make that fail. It is replaced meanwhile all the same. */
static bool may_be_restarting(const struct observed_task *t, int64_t now_ms)
{
    return t->was_healthy && t->task->admin == TASK_ADMIN_READY &&
           now_ms - t->stopped_since_ms < RECONCILER_RESTART_GRACE_MS;
}

/* Tasks that are on their way out already. True when the task is one of those. */
static bool plan_ending(const struct desired_service *desired, const struct observed_task *t, int64_t now_ms,
                        struct plan *plan)
{
    switch (t->task->spec.state) {
    case TASK_STOPPED:
        if (may_be_restarting(t, now_ms))
            return true;
        add(plan, ACTION_REMOVE, t, "stopped with exit code %d", (int)t->task->spec.exit_code);
        return true;
    case TASK_STOPPING:
        if (now_ms - t->ending_since_ms >= RECONCILER_STUCK_MS)
            add(plan, ACTION_STOP, t, "still running long after its stop signal");
        return true;
    default:
        break;
    }
    if (is_orphan(t, now_ms)) {
        add(plan, ACTION_REMOVE, t, "created but never started");
        return true;
    }
    if (t->task->admin == TASK_ADMIN_READY)
        return false;
    plan_stop(desired, t, now_ms, plan);
    return true;
}

static struct head_count take_count(const struct desired_service *desired, const struct observed_task *tasks, size_t n,
                                    int64_t now_ms)
{
    struct head_count count = { 0 };
    for (size_t i = 0; i < n; i++) {
        const struct observed_task *t = &tasks[i];
        if (!t->task->spec.managed)
            continue;
        if (!is_active(t)) {
            count.is_reaping |= t->task->spec.state != TASK_STOPPED && !t->was_healthy;
        } else if (reconciler_is_outdated(t, desired->revision, now_ms)) {
            count.outdated++;
        } else {
            count.current++;
            count.current_healthy += t->is_healthy;
        }
    }
    return count;
}

/* One that serves nobody goes first, then one to be replaced, then the least busy, then the youngest. */
static bool goes_before(const struct observed_task *a, const struct observed_task *b, const char *revision,
                        int64_t now_ms)
{
    if (a->is_healthy != b->is_healthy)
        return !a->is_healthy;
    bool a_is_outdated = reconciler_is_outdated(a, revision, now_ms),
         b_is_outdated = reconciler_is_outdated(b, revision, now_ms);
    if (a_is_outdated != b_is_outdated)
        return a_is_outdated;
    if (a->in_flight != b->in_flight)
        return a->in_flight < b->in_flight;
    const struct task_spec *x = &a->task->spec, *y = &b->task->spec;
    if (x->started_at_wall_us != y->started_at_wall_us)
        return x->started_at_wall_us > y->started_at_wall_us;
    return strcmp(x->id, y->id) < 0;
}

static bool is_in_plan(const struct plan *plan, const struct observed_task *t)
{
    for (size_t i = 0; i < plan->action_count; i++)
        if (strcmp(plan->actions[i].task_id, t->task->spec.id) == 0)
            return true;
    return false;
}

static const struct observed_task *choose_leaver(const struct desired_service *desired,
                                                 const struct observed_task *tasks, size_t n, bool only_outdated,
                                                 int64_t now_ms, const struct plan *plan)
{
    const struct observed_task *best = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct observed_task *t = &tasks[i];
        if (!is_active(t) || t->is_busy || is_in_plan(plan, t))
            continue;
        if (only_outdated && !reconciler_is_outdated(t, desired->revision, now_ms))
            continue;
        if (best == NULL || goes_before(t, best, desired->revision, now_ms))
            best = t;
    }
    return best;
}

static void plan_surplus(const struct desired_service *desired, const struct observed_task *tasks, size_t n,
                         int64_t surplus, int64_t now_ms, struct plan *plan)
{
    for (; surplus > 0 && plan->action_count < PLAN_ACTIONS_MAX; surplus--) {
        const struct observed_task *t = choose_leaver(desired, tasks, n, false, now_ms, plan);
        if (t == NULL)
            return;
        add(plan, ACTION_START_DRAIN, t, "more tasks than the %lld desired", (long long)desired->count);
    }
}

static void plan_creates(const struct desired_service *desired, int64_t wanted, int64_t now_ms, const char *why,
                         struct plan *plan)
{
    if (!desired->may_create || now_ms < desired->next_start_at_ms)
        return;
    int64_t limit = RECONCILER_CREATES_MAX - desired->creating_count;
    if (desired->failure_count > 0)
        limit = 1; /* one is enough to find out whether it works again */
    if (limit > desired->create_budget)
        limit = desired->create_budget;
    for (int64_t i = 0; i < wanted && i < limit; i++)
        add(plan, ACTION_CREATE, NULL, "%s", why);
}

static void plan_replacement(const struct desired_service *desired, const struct head_count *count,
                             const struct observed_task *tasks, size_t n, int64_t now_ms, struct plan *plan)
{
    int64_t total = count->current + desired->creating_count + count->outdated;
    bool is_waiting = desired->creating_count > 0 || count->current_healthy < count->current;
    if (total <= desired->count) {
        plan_creates(desired, desired->count + (is_waiting ? 0 : 1) - total, now_ms, "replaces a task", plan);
        return;
    }
    plan_surplus(desired, tasks, n, total - (desired->count + 1), now_ms, plan);
    if (is_waiting || plan->action_count >= PLAN_ACTIONS_MAX || total > desired->count + 1)
        return;
    const struct observed_task *t = choose_leaver(desired, tasks, n, true, now_ms, plan);
    if (t != NULL && strcmp(t->task->spec.revision, desired->revision) != 0)
        add(plan, ACTION_START_DRAIN, t, "replaced: revision %s -> %s", t->task->spec.revision, desired->revision);
    else if (t != NULL)
        add(plan, ACTION_START_DRAIN, t, "replaced: unhealthy for %lld s",
            (long long)(now_ms - t->unhealthy_since_ms) / 1000);
}

/* The image may know better than the configuration how long it takes. */
static int64_t start_grace_ms_of(const struct desired_service *desired, const struct observed_task *t)
{
    int64_t own_ms = t->task->spec.start_period_ms;
    return own_ms > desired->start_grace_ms ? own_ms : desired->start_grace_ms;
}

/* A task that never becomes healthy holds its place until the grace is over: then one at a time is given up. */
static void plan_reaping(const struct desired_service *desired, const struct head_count *count,
                         const struct observed_task *tasks, size_t n, int64_t now_ms, struct plan *plan)
{
    if (count->is_reaping || now_ms < desired->next_start_at_ms)
        return;
    int64_t doublings =
        desired->failure_count < NEVER_HEALTHY_GRACE_DOUBLINGS ? desired->failure_count : NEVER_HEALTHY_GRACE_DOUBLINGS;
    for (size_t i = 0; i < n; i++) {
        const struct observed_task *t = &tasks[i];
        int64_t grace_ms = start_grace_ms_of(desired, t) << doublings;
        if (!is_active(t) || t->is_healthy || t->was_healthy || t->is_busy || is_in_plan(plan, t) ||
            now_ms - t->task->first_seen_at_ms < grace_ms)
            continue;
        add(plan, ACTION_START_DRAIN, t, "not healthy within %lld s of its start", (long long)grace_ms / 1000);
        plan->actions[plan->action_count - 1].is_start_failure = strcmp(t->task->spec.revision, desired->revision) == 0;
        return;
    }
}

void reconciler_plan(const struct desired_service *desired, const struct observed_task *tasks, size_t n, int64_t now_ms,
                     struct plan *plan)
{
    plan->action_count = 0;
    plan->replace_count = 0;
    for (size_t i = 0; i < n; i++)
        if (tasks[i].task->spec.managed && !tasks[i].is_busy && plan->action_count < PLAN_ACTIONS_MAX)
            plan_ending(desired, &tasks[i], now_ms, plan);
    struct head_count count = take_count(desired, tasks, n, now_ms);
    int64_t total = count.current + desired->creating_count + count.outdated;
    if (desired->count == 0) {
        plan_surplus(desired, tasks, n, count.current + count.outdated, now_ms, plan);
        return;
    }
    if (count.outdated > 0) {
        plan->replace_count = count.outdated;
        plan_replacement(desired, &count, tasks, n, now_ms, plan);
    } else if (total < desired->count) {
        plan_creates(desired, desired->count - total, now_ms, "fewer than desired", plan);
    } else {
        plan_surplus(desired, tasks, n, count.current - desired->count, now_ms, plan);
    }
    if (plan->action_count < PLAN_ACTIONS_MAX)
        plan_reaping(desired, &count, tasks, n, now_ms, plan);
}
