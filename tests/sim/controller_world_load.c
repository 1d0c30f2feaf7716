/* The data plane of the world: its load model and what it tells the controller. */
#include "tests/sim/controller_world.h"

#include <string.h>

/* ---- data plane: a fluid model, every task gets the same share ---- */

static double next_random(struct world *w) /* xorshift, -1..1 */
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (double)(w->random >> 11) / (double)(UINT64_C(1) << 52) - 1;
}

static bool update_rotation(struct world *w, struct world_container *c)
{
    const struct task *task = task_registry_find(w->registry, c->id);
    bool is_draining = task != NULL && task->admin == TASK_ADMIN_DRAINING;
    if (!is_draining)
        c->drain_seen_at_ms = -1;
    else if (c->drain_seen_at_ms < 0)
        c->drain_seen_at_ms = w->now_ms;
    bool is_routable = task != NULL && task_is_routable(task);
    if (!is_routable && c->left_rotation_at_ms < 0)
        c->left_rotation_at_ms = w->now_ms;
    c->was_routable |= is_routable;
    if (is_routable)
        c->left_rotation_at_ms = -1;
    return is_routable;
}

static void serve(struct world *w, struct world_container *c, double arrived, double seconds)
{
    c->queue += arrived;
    c->spare = c->is_stuck ? 0 : c->spare + w->capacity * seconds;
    uint64_t finished = (uint64_t)(c->queue < c->spare ? c->queue : c->spare);
    c->spare -= (double)finished;
    if (c->spare > 1)
        c->spare = 1; /* what was not used is lost */
    c->in_service = (double)finished / seconds * w->base_latency_ms / 1000;
    c->queue -= (double)finished;
    c->requests += finished;
    double latency_ms = w->base_latency_ms + c->queue * 1000 / w->capacity;
    w->traffic.requests += finished;
    w->traffic.latency.buckets[histogram_bucket_of((uint64_t)(latency_ms * 1000))] += finished;
}

void world_run_load(struct world *w)
{
    if (w->registry == NULL)
        return;
    double seconds = (double)w->step_ms / 1000;
    w->arrival_rest += w->rate * seconds * (1 + w->noise * next_random(w));
    double arrived = (double)(uint64_t)w->arrival_rest;
    w->arrival_rest -= arrived;
    size_t routable_count = 0;
    bool is_routable[WORLD_CONTAINERS_MAX];
    for (size_t i = 0; i < w->container_count; i++) {
        is_routable[i] = w->containers[i].state != CONTAINER_GONE && update_rotation(w, &w->containers[i]);
        routable_count += is_routable[i];
    }
    if (routable_count == 0) {
        w->traffic.requests += (uint64_t)arrived;
        w->traffic.no_endpoint += (uint64_t)arrived;
    }
    double in_flight = 0;
    for (size_t i = 0; i < w->container_count; i++) {
        struct world_container *c = &w->containers[i];
        if (c->state != CONTAINER_RUNNING)
            continue;
        serve(w, c, is_routable[i] ? arrived / (double)routable_count : 0, seconds);
        in_flight += c->queue + c->in_service + (double)c->tunnels;
    }
    w->traffic.in_flight = (uint64_t)(in_flight + 0.5);
}

static bool world_service_traffic(void *owner, const char *service, struct service_traffic *out)
{
    struct world *w = owner;
    if (!w->has_service_traffic || strcmp(service, "web") != 0)
        return false;
    *out = w->traffic;
    return true;
}

static bool world_service_load(void *owner, const char *service, struct service_load *out)
{
    struct service_traffic traffic;
    if (!world_service_traffic(owner, service, &traffic))
        return false;
    *out = (struct service_load){ traffic.requests, traffic.in_flight, traffic.no_endpoint };
    return true;
}

static bool world_endpoint_traffic(void *owner, const char *task_id, struct endpoint_traffic *out)
{
    size_t index = 0;
    struct world_container *c = world_find_container(owner, task_id, &index);
    *out = (struct endpoint_traffic){ .requests = c->requests,
                                      .in_flight = (uint64_t)c->queue + c->tunnels,
                                      .tunnels = c->tunnels };
    return true;
}

static bool world_is_out_of_rotation(void *owner, const char *task_id)
{
    struct world *w = owner;
    size_t index = 0;
    struct world_container *c = world_find_container(w, task_id, &index);
    return c->left_rotation_at_ms >= 0 && w->now_ms - c->left_rotation_at_ms >= w->rotation_ms;
}

static bool world_is_fresh(void *owner)
{
    return ((struct world *)owner)->is_fresh;
}

const struct data_plane_ops world_data_plane_ops = {
    .service_traffic = world_service_traffic,
    .endpoint_traffic = world_endpoint_traffic,
    .is_out_of_rotation = world_is_out_of_rotation,
    .is_fresh = world_is_fresh,
    .service_load = world_service_load,
};
