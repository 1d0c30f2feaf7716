/* balancer: which endpoint gets the next request. Pure: (endpoints, loads, random) -> index. Called on a worker for
 * every try; must not block, allocate or keep pointers. Weights are shares: whatever the strategy, and however much is in
 * flight, endpoints that do not differ otherwise get requests as their weights say. To add one: write
 * proxy/balance/<name>.c with `balancer_<name>`, add one X(). */
#ifndef PROXY_BALANCE_BALANCER_H
#define PROXY_BALANCE_BALANCER_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/stats.h"

#define BALANCER_LIST(X) X(p2c) X(least_conn) X(round_robin)

struct endpoint; /* proxy/snapshot/endpoint.h */
struct shares;   /* proxy/balance/shares.h */

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
    size_t count;                /* > 0 */
    const struct shares *shares; /* of the views' weights; null: they are all equal */
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

/* More random numbers from one: the finaliser of splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t balancer_mix(uint64_t random)
{
    random = (random ^ random >> 30) * 0xbf58476d1ce4e5b9u;
    random = (random ^ random >> 27) * 0x94d049bb133111ebu;
    return random ^ random >> 31;
}

/* Of its upper half: from 0 up to, not including, 1. */
static inline double balancer_fraction(uint64_t random)
{
    return (double)(random >> 32) * 0x1p-32;
}

#endif
