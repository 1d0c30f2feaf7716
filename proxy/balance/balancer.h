/* balancer: which endpoint gets the next request. Pure: (endpoints, loads, random) -> index. Called on a worker for
 * every try; must not block, allocate or keep pointers. To add one: write proxy/balance/<name>.c with
 * `balancer_<name>`, add one X(). */
#ifndef PROXY_BALANCE_BALANCER_H
#define PROXY_BALANCE_BALANCER_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/stats.h"

#define BALANCER_LIST(X) X(p2c) X(least_conn) X(round_robin)

struct endpoint; /* proxy/endpoint.h */

struct endpoint_view {
    const struct endpoint *endpoint; /* ref held by the snapshot's service */
    uint32_t slot;                   /* row in the statistics and in the worker's pools */
    uint32_t weight;                 /* 1..1000 */
};

/* In-flight requests of all workers: each writes its own row, everybody reads all of them. */
struct load_table {
    const struct endpoint_stats *by_worker[STATS_WORKERS_MAX]; /* arrays by slot */
    uint32_t worker_count;
};

static inline uint64_t load_table_in_flight(const struct load_table *loads, uint32_t slot)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < loads->worker_count; w++)
        sum += __atomic_load_n(&loads->by_worker[w][slot].in_flight, __ATOMIC_RELAXED);
    return sum;
}

struct balancer_input {
    const struct endpoint_view *views;
    size_t count; /* > 0 */
    const struct load_table *loads;
    uint64_t random;  /* fresh for each call */
    uint64_t *cursor; /* zero at first; per service and worker; survives snapshots */
};

struct balancer_ops {
    const char *name, *summary;
    size_t (*pick)(const struct balancer_input *input); /* [0, count) */
};

#define X(name) extern const struct balancer_ops balancer_##name;
BALANCER_LIST(X)
#undef X

const struct balancer_ops *balancer_find(const char *name); /* null: unknown */
const char *const *balancer_names(size_t *count);

/* True when a carries less for its weight than b; the order that the load-aware balancers share. */
static inline int balancer_is_less_loaded(const struct balancer_input *in, const struct endpoint_view *a,
                                          const struct endpoint_view *b)
{
    uint64_t load_a = load_table_in_flight(in->loads, a->slot) + 1,
             load_b = load_table_in_flight(in->loads, b->slot) + 1;
    return load_a * b->weight < load_b * a->weight;
}

#endif
