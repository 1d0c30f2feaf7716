#include "config/task_definition/start_order.h"

#include <assert.h>
#include <string.h>

static_assert(TASK_CONTAINERS_MAX <= 32, "a bit for each");

static uint32_t bit_of(const struct task_definition *definition, const char *name, size_t len)
{
    size_t i = name ? task_definition_find_container(definition, name, len) : definition->container_count;
    return i < definition->container_count ? UINT32_C(1) << i : 0;
}

static uint32_t bit_of_text(const struct task_definition *definition, const char *name)
{
    return bit_of(definition, name, name ? strlen(name) : 0);
}

uint32_t start_order_waits(const struct task_definition *definition, size_t i)
{
    const struct container_definition *c = &definition->containers[i];
    uint32_t waits = 0;
    for (size_t k = 0; k < c->dependency_count; k++)
        waits |= bit_of_text(definition, c->depends_on[k].container_name);
    for (size_t k = 0; k < c->link_count; k++)
        waits |= bit_of(definition, c->links[k], c->links[k] ? strcspn(c->links[k], ":") : 0);
    for (size_t k = 0; k < c->volume_from_count; k++)
        waits |= bit_of_text(definition, c->volumes_from[k].source_container);
    return waits;
}

/* Nobody of those that are left can be started: each waits for one of them, so that whoever follows comes round. */
static void find_circle(const struct task_definition *definition, uint32_t started, struct start_order *out)
{
    uint32_t seen = 0, left;
    size_t at = 0;
    while (started & UINT32_C(1) << at)
        at++;
    for (out->count = 0; !(seen & UINT32_C(1) << at); out->count++) {
        seen |= UINT32_C(1) << at;
        out->containers[out->count] = at;
        left = start_order_waits(definition, at) & ~started;
        at = (size_t)__builtin_ctz(left);
    }
    size_t first = 0; /* what leads to the circle is no part of it */
    while (out->containers[first] != at)
        first++;
    out->count -= first;
    memmove(out->containers, out->containers + first, out->count * sizeof out->containers[0]);
}

bool start_order_find(const struct task_definition *definition, struct start_order *out)
{
    uint32_t started = 0;
    for (out->count = 0; out->count < definition->container_count;) {
        size_t i = 0;
        while (i < definition->container_count &&
               ((started & UINT32_C(1) << i) || (start_order_waits(definition, i) & ~started)))
            i++;
        if (i == definition->container_count) {
            find_circle(definition, started, out);
            return false;
        }
        started |= UINT32_C(1) << i;
        out->containers[out->count++] = i;
    }
    return true;
}

void start_order_reverse(struct start_order *order)
{
    for (size_t i = 0; i < order->count / 2; i++) {
        size_t other = order->containers[i];
        order->containers[i] = order->containers[order->count - 1 - i];
        order->containers[order->count - 1 - i] = other;
    }
}
