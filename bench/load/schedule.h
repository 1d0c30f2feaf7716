/* schedule: when requests are due. Pure: the same plan gives the same times on every machine, whatever the target does.
 *
 * A plan is a row of pieces, within each of which the rate changes evenly. Arrival k (from 0) is due when the integral of
 * the rate has reached k; random arrivals take a sum of exponential steps with mean 1 instead of k, which makes them a
 * Poisson process of that rate. One thread at a time; rates are requests per second, times microseconds from the start. */
#ifndef BENCH_LOAD_SCHEDULE_H
#define BENCH_LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_RATE_MAX 1e6

struct schedule_piece {
    double duration_s; /* may be INFINITY when the rate does not change */
    double from_per_s, to_per_s;
};

struct schedule_plan {
    struct schedule_piece *pieces; /* owned by whoever made the plan */
    size_t piece_count;
    bool is_poisson;
    uint64_t seed;
    int64_t requests_max; /* 0: as many as the pieces hold */
};

/* A walk along a plan (borrowed). */
struct schedule {
    const struct schedule_plan *plan;
    size_t piece;
    double piece_at_s, piece_at_count; /* where the present piece begins: time, and integral of the rate */
    double wanted_count;               /* integral of the rate at the next arrival */
    int64_t given_count;
    unsigned stride;
    uint64_t random;
};

/* The walk gives arrival first, first + stride, first + 2 stride, ...: each of several threads has its part of one plan. */
void schedule_init(struct schedule *s, const struct schedule_plan *plan, unsigned first, unsigned stride);

/* The next arrival, not before the last one; false: there is none any more. */
bool schedule_next(struct schedule *s, int64_t *due_us);

int64_t schedule_plan_count(const struct schedule_plan *plan); /* arrivals in all */
double schedule_plan_duration_s(const struct schedule_plan *plan);

#endif
