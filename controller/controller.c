#include "controller/controller.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "controller/actuator.h"
#include "controller/drain_book.h"
#include "controller/event_log.h"
#include "controller/image_desk.h"
#include "controller/record_book.h"
#include "controller/service.h"
#include "controller/sight.h"
#include "controller/stopped_book.h"
#include "controller/task_finder.h"

#define TICK_MS 250
#define SAMPLE_MIN_MS 200 /* turns that a change of the registry brought on take no sample */
#define SOON_MS 10        /* a burst of changes is one turn */

/* Drains change the registry, so they wait until all plans that point into it are made. */
struct drain {
    struct service *service; /* borrowed */
    struct action action;
};

struct controller {
    struct controller_parts parts;
    const struct config *config;  /* borrowed; null before the first */
    struct service *services;     /* owned, by name */
    struct record_book *book;     /* owned */
    struct drain_book *ordered;   /* owned; drains that an operator ordered */
    struct actuator *actuator;    /* owned; null without runtime */
    struct image_desk *images;    /* owned; null without runtime */
    struct event_log *events;     /* owned */
    struct stopped_book *stopped; /* owned */
    struct timer tick, soon;
    bool is_started, is_soon;
    bool has_strangers;  /* the registry may have tasks of services that are not here yet */
    bool is_memory_lost; /* the store is not what it was: said once */
    bool is_held;        /* by controller_hold() */
    int64_t now_ms;      /* of the last turn */
    int64_t sampled_at_ms;
    struct drain *drains; /* owned */
    size_t drain_count, drain_size;
};

static struct service *find_service(const struct controller *c, const char *name)
{
    struct service *s;
    HASH_FIND_STR(c->services, name, s);
    return s;
}

static struct service *find_or_add_service(struct controller *c, const char *name, int64_t now_ms)
{
    struct service *s = find_service(c, name);
    if (s != NULL)
        return s;
    s = service_new(name, now_ms);
    HASH_ADD_STR(c->services, name, s);
    return s;
}

static void turn_soon(struct controller *c)
{
    if (!c->is_started || c->is_soon)
        return;
    c->is_soon = true;
    timer_start(&c->soon, SOON_MS);
}

static void on_return(void *events, const struct task *task)
{
    event_log_add(events, task->spec.service, "drain goes on: task %.12s: ordered by an operator", task->spec.id);
}

/* Before the publisher's turn: a task that was taken out of rotation is in no snapshot, not even in the first. */
static void on_registry_change(void *owner, const char *service)
{
    struct controller *c = owner;
    struct service *s = find_service(c, service);
    if (s != NULL)
        s->has_news = true;
    else
        c->has_strangers = true;
    drain_book_follow(c->ordered, on_return, c->events);
    turn_soon(c);
}

static void on_health(void *owner, const struct task *task, enum task_health before)
{
    struct controller *c = owner;
    enum task_health now = task_health_of(task);
    char why[TASK_REASON_SIZE];
    task_health_explain(task, why);
    (now == TASK_HEALTH_DOWN ? event_log_warn : event_log_add)(
        c->events, task->spec.service, "task %.12s (%s): %s -> %s: %s", task->spec.id, task->spec.name,
        task_health_to_str(before), task_health_to_str(now), why);
}

static void on_outcome(void *owner, const struct actuator_outcome *outcome)
{
    struct controller *c = owner;
    struct service *s = find_service(c, outcome->service);
    stopped_book_note_outcome(c->stopped, outcome);
    if (s != NULL)
        service_note_outcome(s, outcome, c->events, clock_now_ms());
    turn_soon(c);
}

static void on_image(void *owner, const char *service, const struct image_answer *answer)
{
    struct controller *c = owner;
    struct service *s = find_service(c, service);
    if (s != NULL)
        service_note_image(s, answer, c->events, c->stopped, clock_now_ms());
    turn_soon(c);
}

static void on_tick(void *owner)
{
    controller_tick(owner, clock_now_ms());
}

static void on_soon(void *owner)
{
    struct controller *c = owner;
    c->is_soon = false;
    controller_tick(c, clock_now_ms());
}

struct controller *controller_new(const struct controller_parts *parts)
{
    struct controller *c = mem_alloc(sizeof *c);
    c->parts = *parts;
    c->now_ms = clock_now_ms();
    c->sampled_at_ms = c->now_ms - SAMPLE_MIN_MS;
    c->has_strangers = true;
    c->events = event_log_new();
    c->stopped = stopped_book_new(task_registry_provider_name(parts->registry, parts->runtime_provider));
    c->book = record_book_new(parts->store);
    if (parts->runtime != NULL) {
        c->actuator = actuator_new(parts->runtime, on_outcome, c);
        c->images = image_desk_new(parts->runtime, c->book, c->events, on_image, c);
    }
    if (parts->loop != NULL) {
        timer_init(&c->tick, parts->loop, on_tick, c);
        timer_init(&c->soon, parts->loop, on_soon, c);
    }
    c->ordered = drain_book_new(parts->store, parts->registry);
    drain_book_follow(c->ordered, on_return, c->events);
    task_registry_set_controller_listener(parts->registry, on_registry_change, c);
    task_registry_set_health_reporter(parts->registry, on_health, c);
    return c;
}

void controller_free(struct controller *c)
{
    task_registry_set_controller_listener(c->parts.registry, NULL, NULL);
    task_registry_set_health_reporter(c->parts.registry, NULL, NULL);
    if (c->parts.loop != NULL) {
        timer_stop(&c->tick);
        timer_stop(&c->soon);
    }
    if (c->actuator != NULL)
        actuator_free(c->actuator);
    if (c->images != NULL)
        image_desk_free(c->images);
    struct service *s, *next;
    HASH_ITER (hh, c->services, s, next) {
        HASH_DEL(c->services, s);
        service_free(s);
    }
    record_book_free(c->book);
    drain_book_free(c->ordered);
    event_log_free(c->events);
    stopped_book_free(c->stopped);
    free(c->drains);
    free(c);
}

/* ---- configuration and durable state ---- */

static bool make_durable(struct controller *c, struct service *s, const struct store_record *record,
                         struct error *error)
{
    if (!record_book_put(c->book, record, error))
        return false;
    s->has_record = true;
    return true;
}

/* What the store compares with later must be today's configuration, or an old patch would come back from the dead. */
static void refresh_record(struct controller *c, struct service *s)
{
    struct store_record record;
    struct error error;
    s->is_record_due = c->is_held;
    if (c->is_held)
        return;
    scaler_record(&s->scaler, s->name, s->scaler.state.desired, &record);
    if (!make_durable(c, s, &record, &error))
        log_warn("service %s: %s", s->name, error.text);
}

static void take_over(struct controller *c, const struct config_service *config, int64_t now_ms)
{
    struct service *s = find_or_add_service(c, config->name, now_ms);
    struct store_record old;
    struct store_image image;
    bool is_restored = record_book_take(c->book, config->name, &old);
    if (!is_restored)
        scaler_record(&s->scaler, s->name, s->scaler.state.desired, &old);
    s->has_record |= is_restored;
    s->is_in_config = s->has_news = true;
    service_set_config(s, config, is_restored ? &old : NULL, now_ms);
    if (c->config == NULL)
        service_recall_image(s, record_book_take_image(c->book, config->name, &image) ? &image : NULL);
    const struct scaler *new = &s->scaler;
    bool is_other = old.config_desired != new->config_desired || old.config_min != new->config_min ||
                    old.config_max != new->config_max;
    /* One that comes back before it was gone has its old record, and begins anew by the configuration. */
    if (s->has_record && (is_other || old.desired != new->state.desired))
        refresh_record(c, s);
}

void controller_apply_config(struct controller *c, const struct config *config)
{
    int64_t now_ms = clock_now_ms();
    struct service *s, *next;
    HASH_ITER (hh, c->services, s, next)
        s->is_in_config = false;
    for (size_t i = 0; i < config->service_count; i++)
        take_over(c, &config->services[i], now_ms);
    HASH_ITER (hh, c->services, s, next)
        if (!s->is_in_config && service_is_managed(s))
            service_retire(s, c->events, now_ms);
    c->config = config;
    turn_soon(c);
}

/* ---- a turn: observe, sample, decide, act ---- */

static struct creating_count creating_of(const struct controller *c, const struct service *s)
{
    if (c->actuator == NULL)
        return (struct creating_count){ 0 };
    return actuator_creating(c->actuator, s->name, s->revision);
}

static int64_t creating_count(const struct controller *c, const struct service *s)
{
    struct creating_count creating = creating_of(c, s);
    return creating.current + creating.outdated + creating.lingering;
}

static void meet(void *owner, const struct task *task)
{
    struct controller *c = owner;
    find_or_add_service(c, task->spec.service, c->now_ms);
}

/* Only at services where there may be something to see: thousands of tasks at rest cost next to nothing. */
static void observe(struct controller *c)
{
    struct service *s, *next;
    const struct sight sight = { c->parts.registry, c->actuator, c->ordered, &c->parts.data_plane };
    if (c->has_strangers)
        task_registry_each(c->parts.registry, meet, c);
    c->has_strangers = false;
    struct service *looked_at = NULL, **last = &looked_at;
    HASH_ITER (hh, c->services, s, next) {
        s->is_looked_at = service_needs_look(s, creating_count(c, s), c->now_ms);
        if (!s->is_looked_at)
            continue;
        *last = s;
        last = &s->next_looked_at;
        s->next_looked_at = NULL;
    }
    if (c->actuator != NULL)
        actuator_begin_turn(c->actuator);
    for (s = looked_at; s != NULL; s = s->next_looked_at)
        sight_look_at(&sight, s, c->now_ms);
    if (c->actuator != NULL)
        actuator_end_turn(c->actuator, task_registry_lists(c->parts.registry, c->parts.runtime_provider), c->now_ms);
    for (s = looked_at; s != NULL; s = s->next_looked_at)
        service_end_turn(s, c->events, c->stopped, c->now_ms);
    stopped_book_forget_old(c->stopped, c->now_ms);
}

static void sample(struct controller *c)
{
    struct service *s, *next;
    c->sampled_at_ms = c->now_ms;
    HASH_ITER (hh, c->services, s, next)
        scaler_sample(&s->scaler, &c->parts.data_plane, s->name, c->now_ms);
}

/* What is desired is in the store. Only where it knows nothing do running tasks say it, once: the surplus of a
 * replacement and tasks that were on their way out run too, and would raise it at every restart. */
static void adopt(struct controller *c, struct service *s)
{
    int64_t before = s->scaler.state.desired, running = s->watch.counts.managed_running;
    if (s->has_record || s->scaler.policy == NULL)
        return;
    if (scaler_adopt(&s->scaler, running, c->now_ms))
        event_log_add(c->events, s->name,
                      "%lld tasks were running already, and nothing is stored: desired %lld -> %lld",
                      (long long)running, (long long)before, (long long)s->scaler.state.desired);
    refresh_record(c, s);
}

static void decide(struct controller *c, struct service *s)
{
    struct scaling_decision decision;
    bool was_blind = s->scaler.is_blind;
    struct scaler_sight sight = {
        .pending_count = s->watch.counts.on_their_way + creating_count(c, s),
        .occupied_count = s->watch.counts.occupied,
    };
    bool is_change = scaler_decide(&s->scaler, &sight, c->now_ms, &decision);
    if (s->scaler.is_blind && !was_blind)
        log_info("service %s: %s", s->name, decision.why);
    if (!is_change || !record_book_has_time(c->book))
        return;
    struct store_record record;
    struct error error;
    scaler_record(&s->scaler, s->name, decision.desired, &record);
    bool is_durable = make_durable(c, s, &record, &error);
    if (!is_durable && !s->is_store_refusing)
        event_log_add(c->events, s->name, "scaling to %lld is held back: %s", (long long)decision.desired, error.text);
    s->is_store_refusing = !is_durable;
    if (!is_durable)
        return;
    scaler_accept(&s->scaler, &decision, c->now_ms);
    event_log_add(c->events, s->name, "%s", s->scaler.last_decision);
}

static void put_off_drain(struct controller *c, struct service *s, const struct action *action)
{
    if (c->drain_count == c->drain_size) {
        c->drain_size = c->drain_size > 0 ? c->drain_size * 2 : 16;
        c->drains = mem_grow_array(c->drains, c->drain_size, sizeof *c->drains);
    }
    c->drains[c->drain_count++] = (struct drain){ s, *action };
}

/* What the registry could not take would be made again and again. */
static int64_t create_budget(const struct controller *c, int64_t creating)
{
    if (c->actuator == NULL)
        return 0;
    int64_t all = actuator_creations(c->actuator), budget = ACTUATOR_CREATIONS_MAX - all,
            room = (int64_t)task_registry_managed_room(c->parts.registry) - all;
    if (budget < 1 && creating == 0)
        budget = 1; /* services whose creations hang do not keep another from its first */
    return budget < room ? budget : room;
}

static void act(struct controller *c, struct service *s, struct plan *plan)
{
    struct service_means means = {
        .has_runtime = c->actuator != NULL,
        .is_reachable = c->actuator == NULL || actuator_is_reachable(c->actuator),
        .creating = creating_of(c, s),
        .create_budget = create_budget(c, creating_count(c, s)),
    };
    service_note_deployment(s, creating_count(c, s), c->events);
    service_plan(s, &means, c->now_ms, plan);
    struct actuator_target target = {
        .cluster = c->config->cluster,
        .service_name = s->name,
        .revision = s->revision,
        .image_id = s->image.id,
        .service = s->config,
        .stop_timeout_ms = s->stop_timeout_ms,
    };
    const struct data_plane *plane = &c->parts.data_plane;
    bool is_holding = plane->ops->is_holding != NULL && plane->ops->is_holding(plane->owner);
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct action *action = &plan->actions[i];
        if (action->kind == ACTION_START_DRAIN) {
            put_off_drain(c, s, action);
            continue;
        }
        if (c->actuator == NULL || (action->kind == ACTION_STOP && is_holding))
            continue;
        if (action->kind == ACTION_STOP)
            event_log_add(c->events, s->name, "drain ends: task %.12s: %s", action->task_id, action->reason);
        target.cause = task_watch_find_cause(&s->watch, action->task_id);
        actuator_run(c->actuator, &target, action, c->now_ms);
    }
}

static void begin_drain(struct controller *c, const char *service, const char *task_id, const char *reason)
{
    event_log_add(c->events, service, "drain begins: task %.12s: %s", task_id, reason);
    task_registry_set_admin(c->parts.registry, task_id, TASK_ADMIN_DRAINING);
}

static void run_drains(struct controller *c)
{
    for (size_t i = 0; i < c->drain_count; i++) {
        const struct drain *d = &c->drains[i];
        begin_drain(c, d->service->name, d->action.task_id, d->action.reason);
        if (d->action.is_start_failure)
            service_note_failed_start(d->service, d->action.reason, c->events, c->now_ms);
    }
    c->drain_count = 0;
}

static void drop_gone_services(struct controller *c)
{
    struct service *s, *next;
    HASH_ITER (hh, c->services, s, next) {
        if (!service_is_gone(s) || creating_count(c, s) > 0)
            continue;
        if (s->has_record || s->is_image_stored)
            record_book_forget(c->book, s->name);
        HASH_DEL(c->services, s);
        service_free(s);
    }
}

/* Another controller may hold the folder by now, and start and stop the same tasks. */
static bool has_memory(struct controller *c)
{
    const char *problem = record_book_find_problem(c->book);
    if (problem != NULL && !c->is_memory_lost)
        log_error("no task is started or stopped any more: %s", problem);
    else if (problem == NULL && c->is_memory_lost)
        log_info("the durable state is there again");
    c->is_memory_lost = problem != NULL;
    return problem == NULL;
}

static bool may_act(struct controller *c)
{
    return c->config != NULL && !c->is_held && has_memory(c) && drain_book_is_readable(c->ordered) &&
           task_registry_is_synced(c->parts.registry, c->parts.runtime_provider);
}

void controller_tick(struct controller *c, int64_t now_ms)
{
    struct service *s, *next;
    c->now_ms = now_ms;
    if (now_ms - c->sampled_at_ms >= SAMPLE_MIN_MS)
        sample(c);
    observe(c);
    HASH_ITER (hh, c->services, s, next)
        service_note_refusals(s, c->events, now_ms);
    if (!may_act(c))
        return;
    struct plan plan;
    record_book_begin_turn(c->book);
    HASH_ITER (hh, c->services, s, next) {
        if (service_is_managed(s)) {
            if (!s->is_adopted)
                adopt(c, s);
            s->is_adopted = s->watch.is_taken_over = true;
            decide(c, s);
            if (c->images != NULL)
                image_desk_follow(c->images, s, c->now_ms);
        }
        if (s->is_looked_at)
            act(c, s, &plan);
    }
    if (c->images != NULL)
        image_desk_end_turn(c->images, c->services);
    run_drains(c);
    drop_gone_services(c);
    record_book_forget_rest(c->book);
    drain_book_forget_gone(c->ordered, now_ms);
}

void controller_start(struct controller *c)
{
    c->is_started = true;
    timer_start_every(&c->tick, TICK_MS);
    turn_soon(c);
}

void controller_hold(struct controller *c, bool on)
{
    struct service *s, *next;
    c->is_held = on;
    HASH_ITER (hh, c->services, s, next)
        if (s->is_record_due && !on)
            refresh_record(c, s);
    turn_soon(c);
}

/* ---- what the admin API reads and orders ---- */

void controller_each_service(const struct controller *c, controller_service_cb each, void *owner)
{
    struct service_status status;
    for (struct service *s = c->services; s != NULL; s = s->hh.next) {
        service_fill_status(s, creating_count(c, s), clock_now_ms(), &status);
        each(owner, &status);
    }
}

/* "project/web" may be called "web" while no other service is. */
static struct service *find_service_by_short_name(const struct controller *c, const char *name)
{
    struct service *found = NULL;
    for (struct service *s = c->services; s != NULL; s = s->hh.next) {
        const char *slash = strchr(s->name, '/');
        if (slash == NULL || strcmp(slash + 1, name) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = s;
    }
    return found;
}

bool controller_find_service(const struct controller *c, const char *name, struct service_status *out)
{
    struct service *s = find_service(c, name);
    if (s == NULL)
        s = find_service_by_short_name(c, name);
    if (s == NULL)
        return false;
    service_fill_status(s, creating_count(c, s), clock_now_ms(), out);
    return true;
}

void controller_each_event(const struct controller *c, const char *service, controller_event_cb each, void *owner)
{
    event_log_each(c->events, service, each, owner);
}

const struct stopped_book *controller_stopped_tasks(const struct controller *c)
{
    return c->stopped;
}

void controller_note_event(struct controller *c, const char *service, const char *text)
{
    event_log_keep(c->events, service, text);
}

enum controller_result controller_patch_service(struct controller *c, const char *name,
                                                const struct service_patch *patch, struct error *error)
{
    struct service *s = find_service(c, name);
    if (s == NULL) {
        error_set(error, "there is no service %s", name);
        return CONTROLLER_NOT_FOUND;
    }
    if (!service_is_managed(s)) {
        error_set(error, "service %s is not managed by Portico: it has no configuration", name);
        return CONTROLLER_CONFLICT;
    }
    struct store_record record;
    if (!scaler_check_patch(&s->scaler, s->name, patch, &record, error))
        return CONTROLLER_INVALID;
    if (!make_durable(c, s, &record, error))
        return CONTROLLER_NOT_DURABLE;
    struct error text;
    scaler_describe_patch(&s->scaler, &record, &text);
    scaler_apply_patch(&s->scaler, &record, clock_now_ms());
    event_log_add(c->events, s->name, "%s", text.text);
    turn_soon(c);
    return CONTROLLER_OK;
}

enum controller_result controller_drain_task(struct controller *c, const char *task_id, struct error *error)
{
    struct task task;
    enum controller_result result = task_finder_find(c->parts.registry, task_id, &task, error);
    if (result != CONTROLLER_OK)
        return result;
    if (task.spec.state == TASK_STOPPED || task.spec.state == TASK_STOPPING) {
        error_set(error, "task %s is %s already", task.spec.id, task_state_to_str(task.spec.state));
        return CONTROLLER_CONFLICT;
    }
    if (!drain_book_put(c->ordered, &task, error)) /* also of one that is draining: our own drains are not stored */
        return CONTROLLER_NOT_DURABLE;
    if (task.admin == TASK_ADMIN_READY)
        begin_drain(c, task.spec.service, task.spec.id,
                    task.spec.managed ? "ordered by an operator" : "ordered by an operator; it is not ours to stop");
    turn_soon(c);
    return CONTROLLER_OK;
}
