#include "tests/sim/house/sim_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/house_proxy.h"
#include "tests/sim/house/house_rules.h"
#include "tests/sim/house/sim_tasks.h"

#define ORDERS_MAX 64
#define LIST_MS_MAX 300
#define PROBE_MS_MAX 400
#define READY_MS_MAX 300
#define ORDER_MS_MAX 300
#define FAILING_PERCENT 25

enum order_kind { ORDER_CREATE = 0, ORDER_START, ORDER_STOP, ORDER_REMOVE, ORDER_RESOLVE };

struct order {
    bool is_live, is_cancelled;
    enum order_kind kind;
    int64_t due_ms;
    struct container wanted; /* ORDER_CREATE */
    char id[TASK_ID_SIZE];   /* of the others; or a name */
    runtime_start_cb started;
    runtime_done_cb done;
    void *owner;
};

static struct {
    struct container containers[CONTAINERS_MAX];
    struct order orders[ORDERS_MAX];
    struct runtime runtime;
    struct task_registry *registry;
    uint8_t provider;
    int64_t list_at_ms; /* 0: it has been given */
    uint32_t made_count;
    bool is_failing;
} engine;

/* ---- what the registry is told ---- */

static void tell(struct container *c)
{
    static const enum task_state states[] = { TASK_STOPPED, TASK_PENDING, TASK_RUNNING, TASK_STOPPED };
    if (c->state != CONTAINER_RUNNING)
        c->up_since_ms = 0;
    if (!engine.registry || engine.list_at_ms)
        return;
    if (c->state == CONTAINER_GONE) {
        task_registry_remove(engine.registry, c->id);
        return;
    }
    struct task_spec spec = { .managed = true, .weight = 1, .state = states[c->state] };
    memcpy(spec.id, c->id, sizeof spec.id);
    memcpy(spec.name, c->name, sizeof spec.name);
    memcpy(spec.revision, c->revision, sizeof spec.revision);
    memcpy(spec.image_id, c->image_id, sizeof spec.image_id);
    snprintf(spec.service, sizeof spec.service, "s%zu", c->service);
    spec.started_at_wall_us = c->started_at_ms * 1000;
    if (c->state == CONTAINER_RUNNING)
        snprintf(spec.address, sizeof spec.address, "%u.%u.%u.%u:%d", c->address >> 24, c->address >> 16 & 255,
                 c->address >> 8 & 255, c->address & 255, CONTAINER_PORT);
    task_registry_apply(engine.registry, engine.provider, &spec);
}

static void give_list(void)
{
    engine.list_at_ms = 0;
    task_registry_begin_sync(engine.registry, engine.provider);
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        if (engine.containers[i].state != CONTAINER_GONE)
            tell(&engine.containers[i]);
    }
    task_registry_end_sync(engine.registry, engine.provider);
}

bool container_answers(const struct container *c)
{
    return c->state == CONTAINER_RUNNING && house_now_ms() >= c->ready_at_ms;
}

static void probe(struct container *c)
{
    bool is_up = container_answers(c) && !c->is_sick;
    c->probe_at_ms = house_now_ms() + 1 + (int64_t)house_random(PROBE_MS_MAX);
    task_registry_set_probe(engine.registry, c->id, is_up ? TASK_HEALTH_UP : TASK_HEALTH_DOWN, "");
    const struct task *task = task_registry_find(engine.registry, c->id);
    if (!task || !task_is_routable(task))
        c->up_since_ms = 0;
    else if (c->up_since_ms == 0)
        c->up_since_ms = house_now_ms();
}

/* ---- containers ---- */

static struct container *find(const char *id_or_name)
{
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        struct container *c = &engine.containers[i];
        if (c->state != CONTAINER_GONE && (strcmp(c->id, id_or_name) == 0 || strcmp(c->name, id_or_name) == 0))
            return c;
    }
    return NULL;
}

static struct container *add_container(const struct container *wanted)
{
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        struct container *c = &engine.containers[i];
        if (c->state != CONTAINER_GONE)
            continue;
        uint32_t serial = ++engine.made_count;
        *c = *wanted;
        c->state = CONTAINER_CREATED;
        c->address = (10u << 24) + serial;
        snprintf(c->id, sizeof c->id, "%056x%08x", serial, serial);
        tell(c);
        return c;
    }
    check(!"there is room for a container");
    return NULL;
}

static void run_container(struct container *c)
{
    c->state = CONTAINER_RUNNING;
    c->is_leaving = false;
    c->started_at_ms = house_now_ms();
    c->ready_at_ms = house_now_ms() + (int64_t)house_random(READY_MS_MAX);
    c->probe_at_ms = house_now_ms();
    tell(c);
}

static void end_container(struct container *c)
{
    if (c->state == CONTAINER_RUNNING) {
        c->state = CONTAINER_EXITED;
        tasks_end(c);
    }
    tell(c);
}

/* ---- what it is asked ---- */

static struct order *new_order(enum order_kind kind)
{
    for (size_t i = 0; i < ORDERS_MAX; i++) {
        struct order *order = &engine.orders[i];
        if (order->is_live)
            continue;
        *order = (struct order){ .is_live = true,
                                 .kind = kind,
                                 .due_ms = house_now_ms() + 5 + (int64_t)house_random(ORDER_MS_MAX) };
        return order;
    }
    check(!"the engine has room for an order");
    return NULL;
}

static void on_create(struct runtime *runtime, const struct task_order *wanted, runtime_start_cb done, void *owner)
{
    (void)runtime;
    struct order *order = new_order(ORDER_CREATE);
    struct container *c = &order->wanted;
    order->started = done;
    order->owner = owner;
    c->service = (size_t)(wanted->service->name[1] - '0');
    rules_on_create(c->service);
    snprintf(c->name, sizeof c->name, "%s", wanted->name);
    snprintf(c->revision, sizeof c->revision, "%s", wanted->revision);
    snprintf(c->image_id, sizeof c->image_id, "%s", wanted->image_id);
}

/* The image's name says which one it is: "web:3". */
static void on_resolve(struct runtime *runtime, const char *image, runtime_start_cb done, void *owner)
{
    (void)runtime;
    struct order *order = new_order(ORDER_RESOLVE);
    snprintf(order->id, sizeof order->id, "sha256:%064d", atoi(strchr(image, ':') + 1));
    order->started = done;
    order->owner = owner;
}

static void on_pull(struct runtime *runtime, const char *image, runtime_pull_cb on_progress, runtime_start_cb done,
                    void *owner)
{
    (void)on_progress;
    on_resolve(runtime, image, done, owner);
}

static void on_cancel_pull(struct runtime *runtime, const void *owner)
{
    (void)runtime;
    for (size_t i = 0; i < ORDERS_MAX; i++)
        engine.orders[i].is_live &= engine.orders[i].kind != ORDER_RESOLVE || engine.orders[i].owner != owner;
}

static void on_cancel(struct runtime *runtime, const void *owner)
{
    (void)runtime;
    for (size_t i = 0; i < ORDERS_MAX; i++) {
        struct order *order = &engine.orders[i];
        if (!order->is_live || !order->started || order->owner != owner)
            continue;
        order->is_cancelled = true;
        struct container *c = order->kind == ORDER_START ? find(order->id) : NULL;
        if (c)
            c->is_leaving = true;
    }
}

/* What is to be done with a container; null: there is none by that id, which the engine will find out too. */
static struct container *order_about(enum order_kind kind, const char *id, runtime_done_cb done, void *owner)
{
    struct order *order = new_order(kind);
    snprintf(order->id, sizeof order->id, "%s", id);
    order->done = done;
    order->owner = owner;
    return find(id);
}

static void on_stop(struct runtime *runtime, const char *id, int64_t timeout_ms, runtime_done_cb done, void *owner)
{
    (void)runtime;
    (void)timeout_ms;
    struct container *c = order_about(ORDER_STOP, id, done, owner);
    if (c && c->state == CONTAINER_RUNNING)
        rules_on_stop(c);
    if (c)
        c->is_stop_asked = true;
}

static void on_remove(struct runtime *runtime, const char *id, runtime_done_cb done, void *owner)
{
    (void)runtime;
    struct container *c = order_about(ORDER_REMOVE, id, done, owner);
    if (c && c->state == CONTAINER_RUNNING)
        house_violated("%s is removed while it runs", c->name);
    if (c)
        c->is_leaving = true;
}

static bool is_reachable(const struct runtime *runtime)
{
    (void)runtime;
    return true;
}

/* The engine goes on with what it was told, and tells nobody; of a creation only the first half happens. */
static void on_abandon(struct runtime *runtime)
{
    (void)runtime;
    for (size_t i = 0; i < ORDERS_MAX; i++) {
        engine.orders[i].started = NULL;
        engine.orders[i].done = NULL;
        engine.orders[i].is_live &= engine.orders[i].kind != ORDER_START;
    }
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        engine.containers[i].is_stop_asked = engine.containers[i].is_leaving = false;
        engine.containers[i].draining_since_ms = 0; /* the delay of a drain begins anew with who comes next */
    }
}

static const struct runtime_ops ops = {
    .name = "sim",
    .summary = "a fake engine",
    .create_and_start = on_create,
    .resolve = on_resolve,
    .pull = on_pull,
    .cancel_pull = on_cancel_pull,
    .cancel_start = on_cancel,
    .is_reachable = is_reachable,
    .stop = on_stop,
    .remove = on_remove,
    .abandon = on_abandon,
    .close = on_abandon,
};

/* ---- and what becomes of it ---- */

/* Copied first: the callback may ask for more. */
static void answer(struct order *order, enum runtime_result result, const char *id)
{
    struct order last = *order;
    order->is_live = false;
    if (last.started)
        last.started(last.owner, result, id, "sim");
    else if (last.done)
        last.done(last.owner, result, "", NULL);
}

static bool goes_wrong(void)
{
    return engine.is_failing && house_chance(FAILING_PERCENT);
}

static void finish_create(struct order *order)
{
    if (order->is_cancelled) {
        answer(order, RUNTIME_CANCELLED, "");
        return;
    }
    if (goes_wrong()) {
        answer(order, RUNTIME_FAILED, "");
        return;
    }
    struct container *c = add_container(&order->wanted);
    if (!order->started) {
        order->is_live = false;
        return;
    }
    snprintf(order->id, sizeof order->id, "%s", c->id);
    order->kind = ORDER_START;
    order->due_ms = house_now_ms() + 5 + (int64_t)house_random(ORDER_MS_MAX);
}

static void finish_start(struct order *order)
{
    struct container *c = find(order->id);
    if (!c) {
        answer(order, RUNTIME_FAILED, "");
        return;
    }
    if (goes_wrong()) {
        c->state = CONTAINER_GONE;
        tell(c);
        answer(order, RUNTIME_FAILED, "");
        return;
    }
    run_container(c);
    answer(order, goes_wrong() ? RUNTIME_UNKNOWN : RUNTIME_OK, c->id);
}

static void finish(struct order *order)
{
    struct container *c = order->kind == ORDER_STOP || order->kind == ORDER_REMOVE ? find(order->id) : NULL;
    switch (order->kind) {
    case ORDER_CREATE:
        finish_create(order);
        return;
    case ORDER_START:
        finish_start(order);
        return;
    case ORDER_STOP:
        if (c)
            end_container(c);
        break;
    case ORDER_REMOVE:
        if (c && c->state != CONTAINER_RUNNING) {
            c->state = CONTAINER_GONE;
            tell(c);
        }
        break;
    case ORDER_RESOLVE:
        answer(order, RUNTIME_OK, order->id);
        return;
    }
    answer(order, RUNTIME_OK, "");
}

void engine_pass_time(void)
{
    int64_t now_ms = house_now_ms();
    for (size_t i = 0; i < ORDERS_MAX; i++) {
        if (engine.orders[i].is_live && now_ms >= engine.orders[i].due_ms)
            finish(&engine.orders[i]);
    }
    if (!engine.registry || now_ms < engine.list_at_ms)
        return;
    if (engine.list_at_ms)
        give_list();
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        struct container *c = &engine.containers[i];
        if (c->state == CONTAINER_RUNNING && now_ms >= c->probe_at_ms)
            probe(c);
    }
}

/* ---- for others ---- */

static bool is_active(const struct container *c)
{
    return (c->state == CONTAINER_CREATED || c->state == CONTAINER_RUNNING) && !c->is_leaving && !c->is_stop_asked &&
           !c->draining_since_ms;
}

static void note_drain(struct container *c)
{
    const struct task *task = task_registry_find(engine.registry, c->id);
    bool is_draining = task && task->admin != TASK_ADMIN_READY;
    if (!is_draining)
        c->draining_since_ms = 0;
    else if (!c->draining_since_ms)
        c->draining_since_ms = house_now_ms();
    if (is_draining)
        c->up_since_ms = 0;
}

void engine_note_drains(void)
{
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        if (engine.containers[i].state != CONTAINER_GONE)
            note_drain(&engine.containers[i]);
    }
}

void engine_reset(void)
{
    memset(&engine, 0, sizeof engine);
    engine.runtime.ops = &ops;
}

struct runtime *engine_runtime(void)
{
    return &engine.runtime;
}

void engine_attach(struct task_registry *registry, uint8_t provider)
{
    engine.registry = registry;
    engine.provider = provider;
    engine.list_at_ms = house_now_ms() + 1 + (int64_t)house_random(LIST_MS_MAX);
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        struct container *c = &engine.containers[i];
        if (c->state != CONTAINER_GONE && !house_proxy_serves_by(c->id))
            c->up_since_ms = 0; /* who knew it has told nobody */
    }
}

void engine_set_failing(bool fails)
{
    engine.is_failing = fails;
}

struct container *engine_at(size_t index)
{
    return &engine.containers[index];
}

struct container *engine_find_address(uint32_t address)
{
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        if (engine.containers[i].state != CONTAINER_GONE && engine.containers[i].address == address)
            return &engine.containers[i];
    }
    return NULL;
}

struct container *engine_any_running(void)
{
    struct container *found = NULL;
    uint64_t seen = 0;
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        if (engine.containers[i].state == CONTAINER_RUNNING && house_random(++seen) == 0)
            found = &engine.containers[i];
    }
    return found;
}

void engine_kill_container(struct container *c)
{
    end_container(c);
}

void engine_set_sick(struct container *c, bool is_sick)
{
    c->is_sick = is_sick;
}

void engine_heal_all(void)
{
    for (size_t i = 0; i < CONTAINERS_MAX; i++)
        engine.containers[i].is_sick = false;
}

bool engine_has_steady_task(size_t service, int64_t for_ms)
{
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        const struct container *c = &engine.containers[i];
        if (c->state == CONTAINER_RUNNING && c->service == service && c->up_since_ms &&
            house_now_ms() - c->up_since_ms >= for_ms)
            return true;
    }
    return false;
}

size_t engine_count_active(size_t service)
{
    size_t count = 0;
    for (size_t i = 0; i < CONTAINERS_MAX; i++)
        count += engine.containers[i].service == service && is_active(&engine.containers[i]);
    for (size_t i = 0; i < ORDERS_MAX; i++) {
        const struct order *order = &engine.orders[i];
        count += order->is_live && order->kind == ORDER_CREATE && order->started && !order->is_cancelled &&
                 order->wanted.service == service;
    }
    return count;
}

bool engine_is_idle(void)
{
    for (size_t i = 0; i < ORDERS_MAX; i++) {
        if (engine.orders[i].is_live)
            return false;
    }
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        if (engine.containers[i].state == CONTAINER_CREATED || engine.containers[i].state == CONTAINER_EXITED)
            return false;
    }
    return true;
}
