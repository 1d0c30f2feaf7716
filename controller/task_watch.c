#include "controller/task_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/mem.h"
#include "discovery/revision.h"

struct watched_task {
    char id[TASK_ID_SIZE]; /* key */
    char name[TASK_NAME_SIZE], revision[TASK_REVISION_SIZE], image_id[TASK_IMAGE_ID_SIZE];
    bool is_managed, is_seen, is_healthy, was_healthy;
    bool is_ours_alive;   /* seen alive, or created by us: its end is news */
    bool is_end_expected; /* ordered, or reported already */
    bool is_stopped;
    bool is_signalled; /* its stop signal was sent, by whomever */
    bool is_inherited; /* it ran before this process looked */
    bool has_run;
    bool is_removal_ordered; /* whose outcome tells of it */
    int32_t exit_code;
    int64_t started_at_wall_us;
    struct stop_cause cause; /* empty while nothing speaks of its end */
    int64_t first_seen_at_ms;
    int64_t healthy_since_ms, unhealthy_since_ms;
    int64_t ending_since_ms; /* 0: not ending */
    int64_t stopped_since_ms;
    uint64_t requests; /* begun, as last seen */
    int64_t requests_since_ms;
    UT_hash_handle hh;
};

void task_watch_init(struct task_watch *w)
{
    *w = (struct task_watch){ 0 };
}

void task_watch_fini(struct task_watch *w)
{
    struct watched_task *t = w->tasks, *next;
    HASH_CLEAR(hh, w->tasks);
    for (; t != NULL; t = next) {
        next = t->hh.next;
        free(t);
    }
    free(w->observed);
    task_watch_init(w);
}

void task_watch_begin_turn(struct task_watch *w)
{
    w->observed_count = 0;
    w->counts = (struct task_counts){ 0 };
    struct watched_task *t, *next;
    HASH_ITER (hh, w->tasks, t, next)
        t->is_seen = false;
}

static struct watched_task *find_or_add(struct task_watch *w, const struct task *task, int64_t now_ms)
{
    struct watched_task *t;
    HASH_FIND_STR(w->tasks, task->spec.id, t);
    if (t != NULL)
        return t;
    t = mem_alloc(sizeof *t);
    snprintf(t->id, sizeof t->id, "%s", task->spec.id);
    snprintf(t->name, sizeof t->name, "%s", task->spec.name);
    snprintf(t->revision, sizeof t->revision, "%s", task->spec.revision);
    t->is_managed = task->spec.managed;
    t->is_inherited = !w->is_taken_over;
    t->first_seen_at_ms = now_ms;
    t->unhealthy_since_ms = now_ms;
    HASH_ADD_STR(w->tasks, id, t);
    return t;
}

static bool is_alive(const struct task *task)
{
    return task->spec.state == TASK_PENDING || task->spec.state == TASK_RUNNING;
}

/* What speaks for itself; our own reasons were noted when we gave the order (task_watch_order_end). */
static void note_cause(struct watched_task *t, const struct task *task, const struct task_facts *facts)
{
    if (t->is_stopped && task->spec.state != TASK_STOPPED) /* it was started again, by hand */
        t->cause.text[0] = '\0';
    if (facts->is_drain_ordered)
        stop_cause_add(&t->cause, STOP_USER, "taken out of rotation by order of an operator");
    else if (task->admin != TASK_ADMIN_READY)
        stop_cause_add(&t->cause, STOP_SCHEDULER, "it was being drained when control started");
    if (task->spec.state != TASK_STOPPED)
        return;
    if (!t->is_ours_alive)
        stop_cause_add(&t->cause, STOP_UNKNOWN, "it had ended before control looked at it");
    else if (task->spec.is_signalled)
        stop_cause_add(&t->cause, STOP_USER, "it was sent its stop signal, and not by Portico");
    else
        stop_cause_add(&t->cause, STOP_EXITED, "it ended by itself");
}

static void update_history(struct watched_task *t, const struct task *task, const struct task_facts *facts,
                           int64_t now_ms)
{
    bool is_healthy =
        task->spec.state == TASK_RUNNING && !task_is_unusable(task) && task_health_of(task) == TASK_HEALTH_UP;
    if (is_healthy && !t->is_healthy)
        t->healthy_since_ms = now_ms;
    if (!is_healthy && t->is_healthy)
        t->unhealthy_since_ms = now_ms;
    t->is_healthy = is_healthy;
    t->was_healthy |= is_healthy;
    t->is_seen = true;
    t->is_ours_alive |= t->is_managed && (is_alive(task) || facts->is_starting);
    t->has_run |= task->spec.state == TASK_RUNNING || task->spec.started_at_wall_us > 0;
    t->started_at_wall_us = task->spec.started_at_wall_us;
    if (t->image_id[0] == '\0')
        snprintf(t->image_id, sizeof t->image_id, "%s", task->spec.image_id);
    note_cause(t, task, facts);
    if (task->spec.state == TASK_STOPPED && !t->is_stopped)
        t->stopped_since_ms = now_ms;
    t->is_stopped = task->spec.state == TASK_STOPPED;
    t->is_signalled = task->spec.is_signalled;
    t->exit_code = task->spec.exit_code;
    bool is_ending = task->admin != TASK_ADMIN_READY || task->spec.state == TASK_STOPPING;
    if (is_ending && t->ending_since_ms == 0)
        t->ending_since_ms = now_ms;
    else if (!is_ending)
        t->ending_since_ms = 0;
    t->is_end_expected |= task->admin != TASK_ADMIN_READY;
}

static bool is_occupied(struct watched_task *t, const struct task_facts *facts, int64_t now_ms)
{
    bool is_known = facts->in_flight != UINT64_MAX && facts->in_flight > 0;
    if (!is_known || facts->requests != t->requests)
        t->requests_since_ms = now_ms;
    t->requests = facts->requests;
    return is_known && (facts->tunnels > 0 || now_ms - t->requests_since_ms >= TASK_WATCH_STREAM_MS);
}

static void count_task(struct task_counts *counts, const struct task *task, const struct watched_task *t,
                       const char *revision, bool is_occupied)
{
    bool is_draining = task->admin != TASK_ADMIN_READY && task->spec.state != TASK_STOPPED;
    bool is_active = task->admin == TASK_ADMIN_READY && is_alive(task);
    bool is_running = is_active && task->spec.state == TASK_RUNNING, is_pending = is_active && !is_running;
    bool is_healthy = is_active && t->is_healthy;
    counts->running += is_running;
    counts->pending += is_pending;
    counts->healthy += is_healthy;
    counts->draining += is_draining;
    if (!t->is_managed)
        return;
    counts->managed_running += is_running;
    counts->managed_pending += is_pending;
    counts->managed_healthy += is_healthy;
    counts->managed_draining += is_draining;
    counts->managed_ended += task->spec.state == TASK_STOPPED || task->spec.state == TASK_STOPPING;
    counts->on_their_way += is_active && !is_healthy;
    counts->occupied += is_active && is_occupied;
    bool is_current = revision_is_same(t->revision, revision);
    counts->other_revision += is_active && !is_current;
    counts->current_healthy += is_healthy && is_current;
}

void task_watch_see(struct task_watch *w, const struct task *task, const struct task_facts *facts, const char *revision,
                    int64_t now_ms)
{
    struct watched_task *t = find_or_add(w, task, now_ms);
    update_history(t, task, facts, now_ms);
    count_task(&w->counts, task, t, revision, is_occupied(t, facts, now_ms));
    if (w->observed_count == w->observed_size) {
        w->observed_size = w->observed_size > 0 ? w->observed_size * 2 : 8;
        w->observed = mem_grow_array(w->observed, w->observed_size, sizeof *w->observed);
    }
    w->observed[w->observed_count++] = (struct observed_task){
        .task = task,
        .is_healthy = t->is_healthy,
        .was_healthy = t->was_healthy,
        .is_inherited = t->is_inherited,
        .is_starting = facts->is_starting,
        .is_busy = facts->is_busy,
        .is_out_of_rotation = facts->is_out_of_rotation,
        .in_flight = facts->in_flight,
        .tunnels = facts->tunnels,
        .unhealthy_since_ms = t->unhealthy_since_ms,
        .ending_since_ms = t->ending_since_ms,
        .stopped_since_ms = t->stopped_since_ms,
    };
}

static void report(struct watched_task *t, int64_t now_ms, task_loss_cb on_loss, void *owner)
{
    if (!t->is_ours_alive || t->is_end_expected)
        return;
    t->is_end_expected = true;
    struct task_loss loss = {
        .has_exit_code = t->is_stopped,
        .exit_code = t->exit_code,
        .is_signalled = t->is_signalled,
        .lived_ms = now_ms - t->first_seen_at_ms,
    };
    snprintf(loss.id, sizeof loss.id, "%s", t->id);
    snprintf(loss.revision, sizeof loss.revision, "%s", t->revision);
    on_loss(owner, &loss);
}

static void report_departure(const struct watched_task *t, task_departure_cb on_departure, void *owner)
{
    struct task_departure departure = {
        .id = t->id,
        .name = t->name,
        .image_id = t->image_id,
        .revision = t->revision,
        .started_at_wall_us = t->started_at_wall_us,
        .has_exit_code = t->is_stopped,
        .exit_code = t->exit_code,
        .cause = t->cause,
    };
    stop_cause_add(&departure.cause, STOP_UNKNOWN, "it disappeared, removed by somebody else");
    on_departure(owner, &departure);
}

static void forget(struct task_watch *w, struct watched_task *t)
{
    HASH_DEL(w->tasks, t); /* NOLINT(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): uthash */
    free(t);
}

void task_watch_end_turn(struct task_watch *w, int64_t now_ms, task_loss_cb on_loss, task_departure_cb on_departure,
                         void *owner)
{
    struct watched_task *t, *next;
    HASH_ITER (hh, w->tasks, t, next) {
        if (t->is_stopped || !t->is_seen)
            report(t, now_ms, on_loss, owner);
        if (t->is_seen)
            continue;
        if (t->is_managed && t->has_run && !t->is_removal_ordered)
            report_departure(t, on_departure, owner);
        forget(w, t);
    }
}

static struct watched_task *find(const struct task_watch *w, const char *task_id)
{
    struct watched_task *t;
    HASH_FIND_STR(w->tasks, task_id, t);
    return t;
}

void task_watch_expect_end(struct task_watch *w, const char *task_id)
{
    struct watched_task *t = find(w, task_id);
    if (t != NULL)
        t->is_end_expected = true;
}

void task_watch_order_end(struct task_watch *w, const struct action *action)
{
    struct watched_task *t = find(w, action->task_id);
    if (t == NULL)
        return;
    t->is_end_expected = true;
    t->is_removal_ordered = action->kind == ACTION_REMOVE;
    if (action->kind == ACTION_REMOVE) /* and nothing was why before: it was created, and nobody started it */
        stop_cause_add(&t->cause, STOP_FAILED_TO_START, action->reason);
    else if (action->kind != ACTION_CANCEL) /* which comes too late at times */
        stop_cause_add(&t->cause, STOP_SCHEDULER, action->reason);
}

void task_watch_note_failed_removal(struct task_watch *w, const char *task_id)
{
    struct watched_task *t = find(w, task_id);
    if (t != NULL)
        t->is_removal_ordered = false;
}

const struct stop_cause *task_watch_find_cause(const struct task_watch *w, const char *task_id)
{
    const struct watched_task *t = find(w, task_id);
    return t != NULL ? &t->cause : NULL;
}

bool task_watch_has_proven(const struct task_watch *w, const char *revision, int64_t since_ms, int64_t duration_ms,
                           int64_t now_ms)
{
    for (const struct watched_task *t = w->tasks; t != NULL; t = t->hh.next)
        if (t->is_managed && t->is_seen && t->is_healthy && revision_is_same(t->revision, revision) &&
            t->first_seen_at_ms >= since_ms && now_ms - t->healthy_since_ms >= duration_ms)
            return true;
    return false;
}
