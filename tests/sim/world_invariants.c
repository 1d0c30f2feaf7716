#include "tests/sim/world_invariants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct tally {
    int64_t serving, active, unseen, seen_pending;
};
static int64_t serving_before[WORLD_SERVICES_MAX];
static bool has_created[WORLD_SERVICES_MAX]; /* in this turn */

static const struct task *task_of(const struct world *w, const struct world_container *c)
{
    return task_registry_find(w->registry, c->id);
}

/* On its way in, or serving. */
static bool is_active(const struct world *w, const struct world_container *c)
{
    const struct task *task = task_of(w, c);
    return (c->state == CONTAINER_CREATED || c->state == CONTAINER_RUNNING) && !c->is_leaving && !c->is_stop_asked &&
           (task == NULL || task->admin == TASK_ADMIN_READY);
}

static void take_tallies(const struct world *w, struct tally tallies[WORLD_SERVICES_MAX])
{
    memset(tallies, 0, w->config.service_count * sizeof *tallies);
    for (size_t i = 0; i < w->container_count; i++) {
        const struct world_container *c = &w->containers[i];
        if (!c->is_managed || c->service_index == WORLD_SERVICES_MAX || c->state == CONTAINER_GONE)
            continue;
        const struct task *task = task_of(w, c);
        bool is_ready = task != NULL && task->admin == TASK_ADMIN_READY;
        struct tally *tally = &tallies[c->service_index];
        tally->serving += is_ready && c->was_routable && world_is_up(w, c);
        tally->active += is_active(w, c);
        tally->unseen += task == NULL && is_active(w, c);
        tally->seen_pending += is_ready && task->spec.state == TASK_PENDING;
    }
}

static struct service_status status_of(const struct world *w, const char *service)
{
    struct service_status status = { 0 };
    controller_find_service(w->controller, service, &status);
    return status;
}

void world_check_reachable(struct world *w)
{
    if (w->is_engine_away)
        world_violated(w, "an engine that is away was called");
}

/* The count is taken when the turn is over: what is drained in the same turn makes room. */
void world_check_create(struct world *w, const char *service)
{
    world_check_reachable(w);
    for (size_t i = 0; i < w->config.service_count; i++)
        has_created[i] |= strcmp(w->config.services[i].name, service) == 0;
}

static int64_t being_created_count(const struct world *w, const char *service)
{
    int64_t count = 0;
    for (size_t i = 0; i < w->op_count; i++) {
        const struct world_op *op = &w->ops[i];
        count += op->is_live && op->kind == OP_CREATE && op->started != NULL && !op->is_cancelled &&
                 strcmp(op->wanted.service, service) == 0;
    }
    return count;
}

void world_check_before_tick(struct world *w)
{
    struct tally tallies[WORLD_SERVICES_MAX];
    take_tallies(w, tallies);
    for (size_t i = 0; i < w->config.service_count; i++)
        serving_before[i] = tallies[i].serving;
    memset(has_created, 0, sizeof has_created);
}

static void check_service(struct world *w, size_t i, const struct tally *tally)
{
    const char *service = w->config.services[i].name;
    struct service_status status = status_of(w, service);
    int64_t desired = status.desired_count, before = serving_before[i];
    int64_t least = desired < before ? desired : before, creating = status.pending_count - tally->seen_pending;
    if (tally->serving < least)
        world_violated(w, "%s: %lld of %lld serving tasks are left, desired %lld", service, (long long)tally->serving,
                       (long long)before, (long long)desired);
    int64_t all = has_created[i] ? tally->active + being_created_count(w, service) : 0;
    if (all > desired + 1)
        world_violated(w, "%s: created up to %lld tasks, desired %lld", service, (long long)all, (long long)desired);
    if (tally->unseen > creating)
        world_violated(w, "%s: %lld containers that nobody sees, and %lld counted as being created", service,
                       (long long)tally->unseen, (long long)creating);
}

void world_check_after_tick(struct world *w)
{
    struct tally tallies[WORLD_SERVICES_MAX];
    if (!task_registry_is_synced(w->registry, w->provider))
        return;
    take_tallies(w, tallies);
    for (size_t i = 0; i < w->config.service_count; i++)
        check_service(w, i, &tallies[i]);
}
