#include "controller/sight.h"

struct look {
    const struct sight *sight;
    struct service *service;
    int64_t now_ms;
};

static struct task_facts facts_of(const struct sight *sight, const struct task *task, int64_t now_ms)
{
    struct task_facts facts = { .in_flight = UINT64_MAX };
    if (!task->spec.managed)
        return facts;
    if (sight->actuator != NULL) {
        struct actuator_view view = actuator_see_task(sight->actuator, task, now_ms);
        facts.is_starting = view.is_starting;
        facts.is_busy = view.is_busy;
    }
    const struct data_plane *plane = sight->data_plane;
    struct endpoint_traffic traffic;
    facts.is_drain_ordered = task->admin != TASK_ADMIN_READY && drain_book_has(sight->ordered, task->spec.id);
    facts.is_out_of_rotation = plane->ops->is_out_of_rotation(plane->owner, task->spec.id);
    if (plane->ops->endpoint_traffic(plane->owner, task->spec.id, &traffic)) {
        facts.in_flight = traffic.in_flight;
        facts.tunnels = traffic.tunnels;
        facts.requests = traffic.requests;
    } else if (plane->ops->is_fresh(plane->owner)) {
        facts.in_flight = 0; /* a live data plane that has never heard of it sends it nothing */
    }
    return facts;
}

static void on_task(void *owner, const struct task *task)
{
    const struct look *look = owner;
    struct task_facts facts = facts_of(look->sight, task, look->now_ms);
    service_see_task(look->service, task, &facts, look->now_ms);
}

void sight_look_at(const struct sight *sight, struct service *service, int64_t now_ms)
{
    struct look look = { sight, service, now_ms };
    service_begin_turn(service, now_ms);
    task_registry_each_of(sight->registry, service->name, on_task, &look);
}
