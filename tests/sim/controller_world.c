#include "tests/sim/controller_world.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/sim/world_invariants.h"

#define TICK_MS 250

static struct world *world_of(struct runtime *runtime)
{
    return (struct world *)((char *)runtime - offsetof(struct world, runtime));
}

void world_violated(struct world *w, const char *format, ...)
{
    char text[sizeof w->violation];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!w->is_noting)
        fail_msg("%s", text);
    if (w->violation[0] == '\0')
        snprintf(w->violation, sizeof w->violation, "at %lld ms: %.160s", (long long)w->now_ms, text);
}

static uint64_t random_below(struct world *w, uint64_t limit)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % limit;
}

/* ---- engine ---- */

static void tell_registry(struct world *w, const struct world_container *c)
{
    static const enum task_state states[] = { TASK_PENDING, TASK_RUNNING, TASK_STOPPED };
    if (w->registry == NULL || w->is_engine_away || c->is_unlisted)
        return;
    if (w->hides_unusable && c->problem[0] != '\0')
        return;
    if (c->state == CONTAINER_GONE) {
        task_registry_remove(w->registry, c->id);
        return;
    }
    struct task_spec spec = { .managed = c->is_managed, .weight = 1, .state = states[c->state] };
    snprintf(spec.id, sizeof spec.id, "%s", c->id);
    snprintf(spec.name, sizeof spec.name, "%s", c->name);
    snprintf(spec.service, sizeof spec.service, "%s", c->service);
    snprintf(spec.revision, sizeof spec.revision, "%s", c->revision);
    snprintf(spec.image_id, sizeof spec.image_id, "%s", c->image_id);
    snprintf(spec.problem, sizeof spec.problem, "%s", c->problem);
    spec.started_at_wall_us = c->started_at_ms * 1000;
    spec.exit_code = c->exit_code;
    if (c->state == CONTAINER_RUNNING && c->problem[0] == '\0')
        snprintf(spec.address, sizeof spec.address, "172.17.%zu.%zu:8080", (size_t)(c - w->containers) / 250,
                 (size_t)(c - w->containers) % 250 + 2);
    task_registry_apply(w->registry, w->provider, &spec);
}

static bool has_op(const struct world *w, size_t container)
{
    for (size_t i = 0; i < w->op_count; i++)
        if (w->ops[i].is_live && w->ops[i].kind != OP_CREATE && w->ops[i].kind != OP_RESOLVE &&
            w->ops[i].kind != OP_PULL && w->ops[i].container == container)
            return true;
    return false;
}

/* What went while the engine was away is shown until the next list. */
static bool is_shown(const struct world *w, size_t container)
{
    return w->registry != NULL && task_registry_find(w->registry, w->containers[container].id) != NULL;
}

/* Tests name containers by their index, so a place is used again only when there is no other. */
static size_t free_container(struct world *w)
{
    if (w->container_count < WORLD_CONTAINERS_MAX)
        return w->container_count++;
    for (size_t i = 0; i < WORLD_CONTAINERS_MAX; i++)
        if (w->containers[i].state == CONTAINER_GONE && !has_op(w, i) && !is_shown(w, i))
            return i;
    fail_msg("too many containers");
    return 0;
}

static size_t add_container(struct world *w, const struct world_container *wanted)
{
    size_t i = free_container(w);
    w->containers[i] = *wanted;
    struct world_container *c = &w->containers[i];
    size_t serial = (size_t)++w->made_count;
    snprintf(c->id, sizeof c->id, "%060zx%04zx", serial, serial & 0xffff);
    c->left_rotation_at_ms = w->now_ms;
    c->drain_seen_at_ms = -1;
    c->dies_at_ms = -1;
    c->ready_ms = w->ready_ms;
    c->service_index = 0;
    while (c->service_index < w->config.service_count &&
           strcmp(w->config.services[c->service_index].name, c->service) != 0)
        c->service_index++;
    if (c->service_index == w->config.service_count)
        c->service_index = WORLD_SERVICES_MAX;
    tell_registry(w, c);
    return i;
}

static struct world_container *find_container(struct world *w, const char *id_or_name)
{
    for (size_t i = 0; i < w->container_count; i++)
        if (strcmp(w->containers[i].id, id_or_name) == 0 || strcmp(w->containers[i].name, id_or_name) == 0)
            return &w->containers[i];
    return NULL;
}

struct world_container *world_find_container(struct world *w, const char *id, size_t *index)
{
    struct world_container *c = find_container(w, id);
    if (c == NULL)
        fail_msg("a container that never was: %s", id);
    *index = (size_t)(c - w->containers);
    return c;
}

static struct world_op *add_op(struct world *w, enum op_kind kind, int64_t delay_ms)
{
    for (size_t i = 0; i < WORLD_OPS_MAX; i++)
        if (!w->ops[i].is_live) {
            w->op_count = i < w->op_count ? w->op_count : i + 1;
            w->ops[i] = (struct world_op){ .is_live = true, .kind = kind, .due_ms = w->now_ms + delay_ms };
            return &w->ops[i];
        }
    fail_msg("too many engine calls at once");
    return NULL;
}

static void world_create_and_start(struct runtime *runtime, const struct task_order *order, runtime_start_cb done,
                                   void *owner)
{
    struct world *w = world_of(runtime);
    world_check_create(w, order->service->name);
    struct world_op *op = add_op(w, OP_CREATE, w->create_ms);
    w->create_calls++;
    if (w->trouble_percent > 0 && random_below(w, 100) < (uint64_t)w->trouble_percent)
        op->trouble = 1 + (enum trouble)random_below(w, TROUBLE_COUNT - 1);
    op->wanted = (struct world_container){ .is_managed = true, .state = CONTAINER_CREATED };
    snprintf(op->wanted.name, sizeof op->wanted.name, "%s", order->name);
    snprintf(op->wanted.service, sizeof op->wanted.service, "%s", order->service->name);
    snprintf(op->wanted.revision, sizeof op->wanted.revision, "%s", order->revision);
    snprintf(op->wanted.image_id, sizeof op->wanted.image_id, "%s",
             order->image_id[0] != '\0' ? order->image_id : w->image_id);
    op->started = done;
    op->owner = owner;
}

static void world_resolve(struct runtime *runtime, const char *image, runtime_start_cb done, void *owner)
{
    struct world *w = world_of(runtime);
    (void)image;
    world_check_reachable(w);
    struct world_op *op = add_op(w, OP_RESOLVE, 20);
    w->resolve_calls++;
    op->started = done;
    op->owner = owner;
}

static void world_pull(struct runtime *runtime, const char *image, runtime_pull_cb on_progress, runtime_start_cb done,
                       void *owner)
{
    struct world *w = world_of(runtime);
    (void)image;
    (void)on_progress;
    world_check_reachable(w);
    struct world_op *op = add_op(w, OP_PULL, w->pull_ms);
    w->pull_calls++;
    op->started = done;
    op->owner = owner;
}

static void world_cancel_pull(struct runtime *runtime, const void *owner)
{
    struct world *w = world_of(runtime);
    for (size_t i = 0; i < w->op_count; i++)
        if (w->ops[i].is_live && w->ops[i].kind == OP_PULL && w->ops[i].owner == owner) {
            w->ops[i].is_live = false;
            w->pull_cancels++;
        }
}

/* What must never happen: a container that is not ours, or is still in a worker's rotation, or has requests in flight
 * before the deadline, is signalled; or one is signalled twice. */
static void world_on_stop(struct world *w, struct world_container *c)
{
    assert_true(c->is_managed);
    assert_false(c->is_stop_asked);
    bool is_out = c->left_rotation_at_ms >= 0 && w->now_ms - c->left_rotation_at_ms >= w->rotation_ms;
    bool is_idle = is_out && c->queue < 1;
    bool is_late =
        c->drain_seen_at_ms >= 0 && w->now_ms - c->drain_seen_at_ms >= w->service.deregistration_delay_ms - 2 * TICK_MS;
    if (!is_idle && !is_late)
        fail_msg("%s was stopped at %lld with %.1f requests", c->name, (long long)w->now_ms, c->queue);
}

static void world_stop(struct runtime *runtime, const char *id, int64_t timeout_ms, runtime_done_cb done, void *owner)
{
    struct world *w = world_of(runtime);
    struct world_container *c = find_container(w, id);
    assert_int_equal(timeout_ms, w->service.stop_timeout_ms);
    world_check_reachable(w);
    if (c != NULL && c->state == CONTAINER_RUNNING)
        world_on_stop(w, c);
    if (c != NULL)
        c->is_stop_asked = true;
    w->stop_calls++;
    struct world_op *op = add_op(w, OP_STOP, w->stop_ms);
    snprintf(op->named, sizeof op->named, "%s", id);
    op->done = done;
    op->owner = owner;
}

static void world_remove(struct runtime *runtime, const char *id, runtime_done_cb done, void *owner)
{
    struct world *w = world_of(runtime);
    struct world_container *c = find_container(w, id);
    world_check_reachable(w);
    if (c != NULL) {
        assert_true(c->is_managed);
        assert_int_not_equal(c->state, CONTAINER_RUNNING);
        c->is_leaving = true;
    }
    w->remove_calls++;
    struct world_op *op = add_op(w, OP_REMOVE, 20);
    snprintf(op->named, sizeof op->named, "%s", id);
    op->done = done;
    op->owner = owner;
}

/* The engine goes on with what it was told; only the second half of a creation is lost with its caller. */
static void world_abandon(struct runtime *runtime)
{
    struct world *w = world_of(runtime);
    for (size_t i = 0; i < w->op_count; i++) {
        w->ops[i].started = NULL;
        w->ops[i].done = NULL;
        w->ops[i].trouble = TROUBLE_NONE; /* an event that is lost twice over would be seen by nobody, ever */
    }
    for (size_t i = 0; i < w->container_count; i++)
        w->containers[i].is_stop_asked = w->containers[i].is_leaving = false; /* who comes next cannot know */
}

static void world_cancel_start(struct runtime *runtime, const void *owner)
{
    struct world *w = world_of(runtime);
    for (size_t i = 0; i < w->op_count; i++) {
        struct world_op *op = &w->ops[i];
        if (!op->is_live || op->started == NULL || op->owner != owner)
            continue;
        op->is_cancelled = true;
        if (op->kind == OP_START)
            w->containers[op->container].is_leaving = true;
    }
}

static bool world_is_reachable(const struct runtime *runtime)
{
    return !world_of((struct runtime *)runtime)->is_engine_away;
}

static const struct runtime_ops world_runtime_ops = {
    .name = "world",
    .summary = "a fake engine",
    .create_and_start = world_create_and_start,
    .resolve = world_resolve,
    .pull = world_pull,
    .cancel_pull = world_cancel_pull,
    .cancel_start = world_cancel_start,
    .is_reachable = world_is_reachable,
    .stop = world_stop,
    .remove = world_remove,
    .abandon = world_abandon,
};

/* Taken out of the list first: the callback may ask for more. */
static void answer_start(struct world_op *op, enum runtime_result result, const char *id, const char *text)
{
    struct world_op last = *op;
    op->is_live = false;
    if (last.started != NULL)
        last.started(last.owner, result, id, text);
}

static void finish_resolve(struct world *w, struct world_op *op)
{
    if (w->is_image_missing)
        answer_start(op, RUNTIME_IMAGE_MISSING, "", "inspect image web:2: 404: No such image: web:2");
    else
        answer_start(op, w->resolve_result, w->resolve_result == RUNTIME_OK ? w->image_id : "", "inspect image web:2");
}

static void finish_pull(struct world *w, struct world_op *op)
{
    if (w->registry_digit == 0) {
        answer_start(op, RUNTIME_IMAGE_MISSING, "", "pull web:1: 404: manifest unknown");
        return;
    }
    w->is_image_missing = false;
    world_move_image(w, w->registry_digit);
    answer_start(op, RUNTIME_OK, "", "");
}

static void finish_create(struct world *w, struct world_op *op)
{
    bool is_lost = op->trouble == TROUBLE_CREATE_TIMED_OUT || op->trouble == TROUBLE_CREATE_LOST;
    if (op->is_cancelled) {
        answer_start(op, RUNTIME_CANCELLED, "", "cancelled");
    } else if (w->is_image_missing) {
        answer_start(op, RUNTIME_IMAGE_MISSING, "", "create: 404: No such image: web:2");
    } else if (op->trouble == TROUBLE_CREATE_FAILS) {
        answer_start(op, RUNTIME_FAILED, "", "create: 500: no space left");
    } else {
        op->wanted.is_unlisted = op->trouble == TROUBLE_UNLISTED || op->trouble == TROUBLE_CREATE_LOST;
        op->container = add_container(w, &op->wanted);
        op->kind = OP_START;
        op->due_ms = w->now_ms + w->start_ms;
        op->is_live = op->started != NULL;
        if (is_lost)
            answer_start(op, w->forgets_unanswered ? RUNTIME_FAILED : RUNTIME_UNKNOWN, "", "create: no answer in time");
    }
}

static void set_running(struct world *w, struct world_container *c, enum trouble trouble)
{
    c->state = CONTAINER_RUNNING;
    c->is_leaving = false;
    c->started_at_ms = w->now_ms;
    c->dies_at_ms = w->lifetime_ms >= 0 ? w->now_ms + w->lifetime_ms : -1;
    if (trouble == TROUBLE_DIES_YOUNG)
        c->dies_at_ms = w->now_ms + 2000;
    if (trouble == TROUBLE_NO_ADDRESS)
        snprintf(c->problem, sizeof c->problem, "it has no address");
    if (trouble == TROUBLE_VANISHES)
        c->state = CONTAINER_GONE;
    tell_registry(w, c);
}

static void finish_start(struct world *w, struct world_op *op)
{
    struct world_container *c = &w->containers[op->container];
    if (op->started == NULL) { /* who would have started it is dead */
        op->is_live = false;
        return;
    }
    if (op->trouble == TROUBLE_START_FAILS) {
        c->state = CONTAINER_GONE;
        tell_registry(w, c);
        answer_start(op, RUNTIME_FAILED, "", "start: 500: no such program");
        return;
    }
    set_running(w, c, op->trouble);
    answer_start(op, op->trouble == TROUBLE_START_TIMED_OUT ? RUNTIME_UNKNOWN : RUNTIME_OK, c->id, "start");
}

static void read_last_words(const struct world_container *c, struct last_words *out)
{
    *out = (struct last_words){ .exit_code = c->exit_code, .started_at_wall_us = c->started_at_ms * 1000 };
    snprintf(out->id, sizeof out->id, "%s", c->id);
    snprintf(out->name, sizeof out->name, "%s", c->name);
    snprintf(out->revision, sizeof out->revision, "%s", c->revision);
    out->output = (char *)"bye"; /* the caller only reads it */
}

static void finish_op(struct world *w, struct world_op *op)
{
    if (op->kind == OP_RESOLVE) {
        finish_resolve(w, op);
        return;
    }
    if (op->kind == OP_PULL) {
        finish_pull(w, op);
        return;
    }
    if (op->kind == OP_CREATE || op->kind == OP_START) {
        if (op->kind == OP_CREATE)
            finish_create(w, op);
        else
            finish_start(w, op);
        return;
    }
    struct world_op last = *op;
    struct world_container *c = find_container(w, op->named);
    op->is_live = false;
    if (c != NULL && last.kind == OP_STOP && c->state == CONTAINER_RUNNING)
        c->state = CONTAINER_EXITED;
    if (c != NULL && last.kind == OP_REMOVE)
        c->state = CONTAINER_GONE;
    struct last_words words = { 0 };
    if (c != NULL) {
        read_last_words(c, &words);
        tell_registry(w, c);
    }
    if (last.done != NULL)
        last.done(last.owner, RUNTIME_OK, "", c != NULL && last.kind == OP_REMOVE ? &words : NULL);
}

/* Whether it happened all the same, nobody knows: a coin is thrown. */
static void cut_off(struct world *w, struct world_op *op)
{
    struct world_op last = *op;
    bool has_happened = random_below(w, 2) == 0;
    struct world_container *c = last.kind == OP_START ? &w->containers[last.container] : find_container(w, last.named);
    op->is_live = false;
    if (last.kind == OP_CREATE && has_happened)
        add_container(w, &last.wanted);
    else if (last.kind == OP_START && has_happened)
        set_running(w, c, last.trouble);
    else if (last.kind == OP_STOP && c != NULL && has_happened && c->state == CONTAINER_RUNNING)
        c->state = CONTAINER_EXITED;
    else if (last.kind == OP_REMOVE && c != NULL && has_happened)
        c->state = CONTAINER_GONE;
    if (c != NULL)
        c->is_stop_asked = c->is_leaving = false;
    if (last.started != NULL)
        last.started(last.owner, RUNTIME_UNREACHABLE, last.kind == OP_START ? c->id : "", "cut off");
    else if (last.done != NULL)
        last.done(last.owner, RUNTIME_UNREACHABLE, "cut off", NULL);
}

void world_set_problem(struct world *w, struct world_container *c, const char *problem)
{
    snprintf(c->problem, sizeof c->problem, "%s", problem);
    tell_registry(w, c);
}

void world_engine_leave(struct world *w, bool kills)
{
    w->is_engine_away = true;
    for (size_t i = 0; i < w->op_count; i++)
        if (w->ops[i].is_live)
            cut_off(w, &w->ops[i]);
    for (size_t i = 0; i < w->container_count && kills; i++)
        if (w->containers[i].state == CONTAINER_RUNNING) {
            w->containers[i].state = CONTAINER_EXITED;
            w->containers[i].queue = 0;
        }
}

void world_engine_return(struct world *w)
{
    w->is_engine_away = false;
    world_sync(w);
}

bool world_is_up(const struct world *w, const struct world_container *c)
{
    return c->state == CONTAINER_RUNNING && c->problem[0] == '\0' && !c->is_sick && !w->is_never_healthy &&
           w->now_ms - c->started_at_ms >= c->ready_ms;
}

static void run_engine(struct world *w)
{
    for (size_t i = 0; i < w->op_count && !w->is_engine_hung && !w->is_engine_away; i++)
        if (w->ops[i].is_live && w->now_ms >= w->ops[i].due_ms)
            finish_op(w, &w->ops[i]);
    for (size_t i = 0; i < w->container_count; i++) {
        struct world_container *c = &w->containers[i];
        if (c->state == CONTAINER_GONE || c->state == CONTAINER_CREATED)
            continue;
        if (c->state == CONTAINER_RUNNING && c->dies_at_ms >= 0 && w->now_ms >= c->dies_at_ms) {
            c->state = CONTAINER_EXITED;
            c->queue = 0;
            tell_registry(w, c);
            continue;
        }
        if (w->registry != NULL && w->now_ms >= w->blind_until_ms)
            task_registry_set_probe(w->registry, c->id, world_is_up(w, c) ? TASK_HEALTH_UP : TASK_HEALTH_DOWN, "");
    }
}

/* ---- the world ---- */

void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    log_init("sim", LOG_LEVEL_ERROR);
    *w = (struct world){
        .now_ms = 1000000,
        .step_ms = 50,
        .create_ms = 100,
        .start_ms = 300,
        .stop_ms = 200,
        .ready_ms = 200,
        .pull_ms = 5000,
        .lifetime_ms = -1,
        .is_fresh = true,
        .has_service_traffic = true,
        .capacity = 100,
        .base_latency_ms = 20,
        .rotation_ms = 100,
        .random = 88172645463325252u,
        .runtime = { .ops = &world_runtime_ops },
        .service = { .name = (char *)"web",
                     .host = (char *)"*",
                     .path = (char *)"/",
                     .image = (char *)"web:1",
                     .pull = (char *)"never",
                     .port = 8080,
                     .desired_count = 1,
                     .stop_timeout_ms = 10000,
                     .deregistration_delay_ms = 20000,
                     .health_check = { .interval_ms = 1000,
                                       .timeout_ms = 1000,
                                       .healthy_threshold = 1,
                                       .start_period_ms = 300000 } },
        .config = { .cluster = (char *)"test", .service_count = 1 },
    };
    w->config.services = &w->service;
    world_move_image(w, 'a');
    w->store = store_ops_memory.open("", NULL);
    clock_set_fake(w->now_ms * 1000);
}

void world_fini(struct world *w)
{
    if (w->controller != NULL)
        world_kill_control(w);
    w->store->ops->close(w->store);
    clock_set_fake(-1);
}

void world_scale_by_rate(struct world *w, double target, int64_t min, int64_t max)
{
    w->service.desired_count = min;
    w->service.scaling = (struct config_scaling){
        .enabled = true, .min = min, .max = max, .requests_per_second_per_task = target, .scale_in_cooldown_ms = 15000
    };
}

void world_move_image(struct world *w, char digit)
{
    snprintf(w->image_id, sizeof w->image_id, "sha256:");
    memset(w->image_id + strlen("sha256:"), digit, 64);
}

void world_add_services(struct world *w, size_t count)
{
    static char names[WORLD_SERVICES_MAX][24];
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "s%zu", i);
        w->services[i] = w->service;
        w->services[i].name = names[i];
    }
    w->config.services = w->services;
    w->config.service_count = count;
}

void world_start(struct world *w)
{
    w->registry = task_registry_new();
    w->provider = task_registry_add_provider(w->registry, "fake");
    struct controller_parts parts = {
        .registry = w->registry,
        .runtime_provider = w->provider,
        .runtime = &w->runtime,
        .store = w->store,
        .data_plane = { &world_data_plane_ops, w },
    };
    w->controller = controller_new(&parts);
    controller_apply_config(w->controller, &w->config);
    w->last_tick_ms = w->now_ms;
}

void world_sync(struct world *w)
{
    task_registry_begin_sync(w->registry, w->provider);
    for (size_t i = 0; i < w->container_count; i++) {
        w->containers[i].is_unlisted = false;
        if (w->containers[i].state != CONTAINER_GONE)
            tell_registry(w, &w->containers[i]);
    }
    task_registry_end_sync(w->registry, w->provider);
}

void world_kill_control(struct world *w)
{
    controller_free(w->controller);
    task_registry_free(w->registry);
    w->controller = NULL;
    w->registry = NULL;
}

void world_restart_control(struct world *w)
{
    world_kill_control(w);
    world_start(w);
    if (!w->is_engine_away)
        world_sync(w);
}

void world_step(struct world *w)
{
    w->now_ms += w->step_ms;
    clock_set_fake(w->now_ms * 1000);
    run_engine(w);
    world_run_load(w);
    if (w->controller != NULL && w->now_ms - w->last_tick_ms >= TICK_MS) {
        w->last_tick_ms = w->now_ms;
        world_check_before_tick(w);
        controller_tick(w->controller, w->now_ms);
        world_check_after_tick(w);
    }
}

void world_run(struct world *w, int64_t duration_ms)
{
    for (int64_t end_ms = w->now_ms + duration_ms; w->now_ms < end_ms;)
        world_step(w);
}

bool world_run_until(struct world *w, bool (*condition)(struct world *w), int64_t limit_ms)
{
    for (int64_t end_ms = w->now_ms + limit_ms; w->now_ms < end_ms;) {
        if (condition(w))
            return true;
        world_step(w);
    }
    return condition(w);
}

size_t world_add_container(struct world *w, const char *service, bool is_managed, const char *revision)
{
    struct world_container wanted = { .is_managed = is_managed,
                                      .state = CONTAINER_RUNNING,
                                      .started_at_ms = w->now_ms };
    snprintf(wanted.name, sizeof wanted.name, "by-hand-%zu", w->container_count);
    snprintf(wanted.service, sizeof wanted.service, "%s", service);
    snprintf(wanted.revision, sizeof wanted.revision, "%s", revision);
    return add_container(w, &wanted);
}

int64_t world_alive_count(const struct world *w)
{
    int64_t count = 0;
    for (size_t i = 0; i < w->container_count; i++) {
        const struct world_container *c = &w->containers[i];
        count += c->is_managed && (c->state == CONTAINER_CREATED || c->state == CONTAINER_RUNNING) &&
                 c->drain_seen_at_ms < 0;
    }
    return count;
}

int64_t world_routable_count(const struct world *w)
{
    int64_t count = 0;
    for (size_t i = 0; i < w->container_count; i++) {
        const struct task *task = task_registry_find(w->registry, w->containers[i].id);
        count += task != NULL && task_is_routable(task);
    }
    return count;
}

struct service_status world_status(const struct world *w)
{
    struct service_status status = { 0 };
    assert_true(controller_find_service(w->controller, "web", &status));
    return status;
}

int64_t world_desired(const struct world *w)
{
    return world_status(w).desired_count;
}

struct event_search {
    const char *part;
    bool is_found;
};

static void match_event(void *owner, const struct controller_event *event)
{
    struct event_search *search = owner;
    search->is_found |= strstr(event->text, search->part) != NULL;
}

bool world_has_event(const struct world *w, const char *part)
{
    struct event_search search = { .part = part };
    controller_each_event(w->controller, NULL, match_event, &search);
    return search.is_found;
}

struct world world;

int world_set_up(void **state)
{
    (void)state;
    world_init(&world);
    return 0;
}

int world_tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

void world_begin(struct world *w)
{
    world_start(w);
    world_sync(w);
}

bool world_is_steady(struct world *w)
{
    return world_status(w).phase == SERVICE_STEADY;
}
