#include "controller/reconciler.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "discovery/revision.h"

/* A slow starter gets more time after each try: up to eight times the grace. */
#define NEVER_HEALTHY_GRACE_DOUBLINGS 3

/* A plan in the making. Active tasks are neither draining nor ending; what is given up is taken off at once, so that
 * the counts are always those after the plan. */
struct planning {
    const struct desired_service *desired;
    const struct observed_task *tasks;
    size_t n;
    int64_t now_ms;
    struct plan *plan;
    int64_t current, current_healthy; /* active; `current` includes what is being created */
    int64_t outdated;
    int64_t healthy;       /* active, of all revisions */
    int64_t creating_left; /* creations that were not seen and are not cancelled */
    bool is_reaping;       /* a task that never became healthy is on its way out */
};

static const char *const action_names[] = { "create", "cancel", "drain", "stop", "remove" };
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
    action->is_outdated = action->is_start_failure = false;
    snprintf(action->task_id, sizeof action->task_id, "%s", t != NULL ? t->task->spec.id : "");
    va_list args;
    va_start(args, reason);
    vsnprintf(action->reason, sizeof action->reason, reason, args);
    va_end(args);
}

enum standing reconciler_standing_of(const struct observed_task *t)
{
    if (t->is_healthy)
        return STANDING_HEALTHY;
    if (t->was_healthy)
        return STANDING_UNHEALTHY;
    if (task_is_unusable(t->task))
        return STANDING_FAILED;
    if (t->is_starting && t->is_busy)
        return STANDING_NOT_CREATED;
    bool is_unknown = t->task->spec.state == TASK_RUNNING && task_health_of(t->task) == TASK_HEALTH_UNKNOWN;
    return t->is_inherited && is_unknown ? STANDING_UNKNOWN : STANDING_STARTING;
}

bool reconciler_is_outdated(const struct observed_task *t, const char *revision, int64_t now_ms)
{
    if (!revision_is_same(t->task->spec.revision, revision))
        return true;
    return t->was_healthy && !t->is_healthy && now_ms - t->unhealthy_since_ms >= RECONCILER_DOWN_REPLACE_MS;
}

/* Created, and nobody is starting it: it needs no stop. */
static bool is_unstarted(const struct observed_task *t)
{
    return t->task->spec.state == TASK_PENDING && !t->is_starting;
}

/* Created by a run of ours that was killed before it could start it: nobody else ever will. */
static bool is_orphan(const struct observed_task *t, int64_t now_ms)
{
    return is_unstarted(t) && !t->was_healthy && now_ms - t->task->first_seen_at_ms >= RECONCILER_ORPHAN_MS;
}

static bool is_active(const struct observed_task *t, int64_t now_ms)
{
    enum task_state state = t->task->spec.state;
    return t->task->spec.managed && t->task->admin == TASK_ADMIN_READY &&
           (state == TASK_PENDING || state == TASK_RUNNING) && (t->is_starting || !t->is_busy) && !is_orphan(t, now_ms);
}

/* The close of a tunnel is the task's to send, at its stop signal: there is nothing better than to wait. */
static int64_t longest_wait_ms(const struct desired_service *desired, const struct observed_task *t)
{
    bool has_more_time = t->tunnels > 0 && desired->tunnel_deregistration_delay_ms > desired->deregistration_delay_ms;
    return has_more_time ? desired->tunnel_deregistration_delay_ms : desired->deregistration_delay_ms;
}

static void plan_stop(const struct desired_service *desired, const struct observed_task *t, int64_t now_ms,
                      struct plan *plan)
{
    if (t->is_out_of_rotation && t->in_flight == 0) {
        add(plan, ACTION_STOP, t, "out of rotation, no request in flight");
        return;
    }
    if (now_ms - t->ending_since_ms < longest_wait_ms(desired, t))
        return;
    if (t->in_flight == UINT64_MAX)
        add(plan, ACTION_STOP, t, "deregistration delay is over, requests in flight unknown");
    else
        add(plan, ACTION_STOP, t, "deregistration delay is over, %llu requests in flight, %llu of them tunnels",
            (unsigned long long)t->in_flight, (unsigned long long)t->tunnels);
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
    if (is_unstarted(t))
        add(plan, ACTION_REMOVE, t, "not started, and out of rotation");
    else
        plan_stop(desired, t, now_ms, plan);
    return true;
}

static void take_count(struct planning *p)
{
    p->current = p->creating_left = p->desired->creating_count;
    p->outdated = p->desired->lingering_count;
    for (size_t i = 0; i < p->n; i++) {
        const struct observed_task *t = &p->tasks[i];
        if (!t->task->spec.managed)
            continue;
        if (!is_active(t, p->now_ms)) {
            p->is_reaping |= t->task->spec.state != TASK_STOPPED && !t->was_healthy;
            continue;
        }
        bool is_outdated = reconciler_is_outdated(t, p->desired->revision, p->now_ms);
        p->outdated += is_outdated;
        p->current += !is_outdated;
        p->healthy += t->is_healthy;
        p->current_healthy += t->is_healthy && !is_outdated;
    }
}

static int64_t total_of(const struct planning *p)
{
    return p->current + p->outdated;
}

static bool is_full(const struct planning *p)
{
    return p->plan->action_count == PLAN_ACTIONS_MAX;
}

/* ---- giving up ---- */

static bool goes_before(const struct planning *p, const struct observed_task *a, const struct observed_task *b)
{
    enum standing of_a = reconciler_standing_of(a), of_b = reconciler_standing_of(b);
    if (of_a != of_b)
        return of_a < of_b;
    bool a_is_outdated = reconciler_is_outdated(a, p->desired->revision, p->now_ms),
         b_is_outdated = reconciler_is_outdated(b, p->desired->revision, p->now_ms);
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

/* The floor. What may be serving goes only where enough others are known to. */
static bool may_spare(const struct planning *p, const struct observed_task *t)
{
    switch (reconciler_standing_of(t)) {
    case STANDING_HEALTHY:
        return p->healthy > p->desired->count;
    case STANDING_UNKNOWN:
        return p->healthy >= p->desired->count;
    default:
        return true;
    }
}

static const struct observed_task *choose_leaver(const struct planning *p, bool only_outdated)
{
    const struct observed_task *best = NULL;
    for (size_t i = 0; i < p->n; i++) {
        const struct observed_task *t = &p->tasks[i];
        if (!is_active(t, p->now_ms) || is_in_plan(p->plan, t) || !may_spare(p, t))
            continue;
        if (only_outdated && !reconciler_is_outdated(t, p->desired->revision, p->now_ms))
            continue;
        if (best == NULL || goes_before(p, t, best))
            best = t;
    }
    return best;
}

__attribute__((format(printf, 3, 4))) static void give_up(struct planning *p, const struct observed_task *t,
                                                          const char *reason, ...)
{
    enum action_kind kind = ACTION_START_DRAIN;
    char text[sizeof p->plan->actions[0].reason];
    if (reconciler_standing_of(t) == STANDING_NOT_CREATED)
        kind = ACTION_CANCEL;
    else if (is_unstarted(t))
        kind = ACTION_REMOVE;
    va_list args;
    va_start(args, reason);
    vsnprintf(text, sizeof text, reason, args);
    va_end(args);
    add(p->plan, kind, t, "%s", text);
    bool is_outdated = reconciler_is_outdated(t, p->desired->revision, p->now_ms);
    p->outdated -= is_outdated;
    p->current -= !is_outdated;
    p->healthy -= t->is_healthy;
    p->current_healthy -= t->is_healthy && !is_outdated;
}

static void cancel_unseen(struct planning *p, const char *reason)
{
    add(p->plan, ACTION_CANCEL, NULL, "%s", reason);
    p->creating_left--;
    p->current--;
}

static void plan_surplus(struct planning *p, int64_t limit)
{
    char reason[64];
    snprintf(reason, sizeof reason, "more tasks than the %lld desired", (long long)p->desired->count);
    while (total_of(p) > limit && !is_full(p)) {
        const struct observed_task *t = choose_leaver(p, false);
        if (p->creating_left > 0 && (t == NULL || reconciler_standing_of(t) >= STANDING_NOT_CREATED))
            cancel_unseen(p, reason);
        else if (t != NULL)
            give_up(p, t, "%s", reason);
        else
            return;
    }
}

/* They would be replaced before they served anybody. */
static void plan_outdated_starts(struct planning *p)
{
    for (int64_t i = 0; i < p->desired->creating_outdated_count && !is_full(p); i++) {
        add(p->plan, ACTION_CANCEL, NULL, "another revision is wanted by now");
        p->plan->actions[p->plan->action_count - 1].is_outdated = true;
    }
    while (!is_full(p)) {
        const struct observed_task *t = choose_leaver(p, true);
        if (t == NULL || reconciler_standing_of(t) > STANDING_STARTING)
            return;
        give_up(p, t, "never healthy, and another revision is wanted by now: %s -> %s", t->task->spec.revision,
                p->desired->revision);
    }
}

/* ---- creating and replacing ---- */

static void plan_creates(const struct planning *p, int64_t wanted, const char *why)
{
    const struct desired_service *desired = p->desired;
    if (!desired->may_create || p->now_ms < desired->next_start_at_ms)
        return;
    int64_t limit = RECONCILER_CREATES_MAX - p->creating_left;
    if (desired->failure_count > 0)
        limit = 1; /* one is enough to find out whether it works again */
    if (limit > desired->create_budget)
        limit = desired->create_budget;
    for (int64_t i = 0; i < wanted && i < limit; i++)
        add(p->plan, ACTION_CREATE, NULL, "%s", why);
}

/* One at a time, and only as long as all that were started prove themselves. */
static void plan_replacement(struct planning *p)
{
    const struct desired_service *desired = p->desired;
    int64_t total = total_of(p);
    bool is_waiting = p->current_healthy < p->current;
    if (total <= desired->count) {
        plan_creates(p, desired->count + (is_waiting ? 0 : RECONCILER_SURGE) - total, "replaces a task");
        return;
    }
    if (is_waiting || is_full(p))
        return;
    const struct observed_task *t = choose_leaver(p, true);
    if (t == NULL)
        return;
    if (!revision_is_same(t->task->spec.revision, desired->revision))
        give_up(p, t, "replaced: revision %s -> %s", t->task->spec.revision, desired->revision);
    else
        give_up(p, t, "replaced: unhealthy for %lld s", (long long)(p->now_ms - t->unhealthy_since_ms) / 1000);
}

/* ---- starts that came to nothing ---- */

static int64_t grace_of(const struct planning *p, const struct observed_task *t)
{
    if (reconciler_standing_of(t) == STANDING_FAILED)
        return RECONCILER_UNUSABLE_MS;
    int64_t failures = p->desired->failure_count, own_ms = t->task->spec.start_period_ms;
    int64_t grace_ms = own_ms > p->desired->start_grace_ms ? own_ms : p->desired->start_grace_ms; /* the image knows */
    return grace_ms << (failures < NEVER_HEALTHY_GRACE_DOUBLINGS ? failures : NEVER_HEALTHY_GRACE_DOUBLINGS);
}

/* A task that never becomes healthy holds its place until the grace is over: then one at a time is given up. */
static void plan_reaping(struct planning *p)
{
    if (p->is_reaping || p->now_ms < p->desired->next_start_at_ms)
        return;
    for (size_t i = 0; i < p->n && !is_full(p); i++) {
        const struct observed_task *t = &p->tasks[i];
        int64_t grace_ms = grace_of(p, t);
        if (!is_active(t, p->now_ms) || t->is_busy || t->was_healthy || is_in_plan(p->plan, t) ||
            p->now_ms - t->task->first_seen_at_ms < grace_ms)
            continue;
        if (task_is_unusable(t->task))
            give_up(p, t, "it cannot be used: %s", t->task->spec.problem);
        else
            give_up(p, t, "not healthy within %lld s of its start", (long long)grace_ms / 1000);
        p->plan->actions[p->plan->action_count - 1].is_start_failure =
            revision_is_same(t->task->spec.revision, p->desired->revision);
        return;
    }
}

void reconciler_plan(const struct desired_service *desired, const struct observed_task *tasks, size_t n, int64_t now_ms,
                     struct plan *plan)
{
    struct planning p = { .desired = desired, .tasks = tasks, .n = n, .now_ms = now_ms, .plan = plan };
    plan->action_count = 0;
    plan->replace_count = 0;
    if (desired->is_unreachable)
        return;
    for (size_t i = 0; i < n && !is_full(&p); i++)
        if (tasks[i].task->spec.managed && !tasks[i].is_busy)
            plan_ending(desired, &tasks[i], now_ms, plan);
    take_count(&p);
    plan_outdated_starts(&p);
    bool may_surge = desired->count > 0 && p.outdated > 0;
    plan_surplus(&p, desired->count + (may_surge ? RECONCILER_SURGE : 0));
    if (desired->count == 0)
        return;
    plan->replace_count = p.outdated;
    if (p.outdated > 0)
        plan_replacement(&p);
    else if (total_of(&p) < desired->count)
        plan_creates(&p, desired->count - total_of(&p), "fewer than desired");
    plan_reaping(&p);
}
