/* delay: how long a request is served. Pure; a source of random numbers belongs to one thread.
 *
 * Random delays are stratified: of 1000 in a row, each thousandth of the distribution is taken once, in random order. So
 * a few thousand requests have the quantiles of the distribution to within a stratum, which independent draws would
 * need a hundred times as many for. */
#ifndef BENCH_BACKEND_DELAY_H
#define BENCH_BACKEND_DELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DELAY_STRATA 1000
#define DELAY_MAX_US INT64_C(3600000000)

enum delay_kind { DELAY_FIXED = 0, DELAY_EXPONENTIAL, DELAY_BIMODAL };

struct delay {
    enum delay_kind kind;
    double us;        /* the fixed one, the mean, or the usual one of two; all 0: none */
    double slow_us;   /* the other one of two */
    double slow_part; /* how often, 0 to 1 */
};

/* X(kind, unit in microseconds, name in a query, name of the option) */
#define DELAY_NAMES(X)                                           \
    X(DELAY_FIXED, 1000, "delay_ms", "--delay-ms")               \
    X(DELAY_FIXED, 1, "delay_us", "--delay-us")                  \
    X(DELAY_EXPONENTIAL, 1000, "delay_exp_ms", "--delay-exp-ms") \
    X(DELAY_BIMODAL, 1000, "delay_bimodal", "--delay-bimodal")

struct delay_name {
    enum delay_kind kind;
    double unit_us;
    const char *query, *option;
};

#define DELAY_NAME_COUNT 4
extern const struct delay_name delay_names[DELAY_NAME_COUNT];

/* "2.5", or "5,100,0.1" (usual, slow, part that is slow) for DELAY_BIMODAL. False: not that, *delay is unchanged. */
bool delay_parse(struct delay *delay, const struct delay_name *name, const char *text, size_t len);

struct delay_source {
    uint64_t random; /* any start */
    unsigned next;   /* in order; DELAY_STRATA: shuffle first */
    uint16_t order[DELAY_STRATA];
};

void delay_source_init(struct delay_source *source, uint64_t seed);
double delay_source_uniform(struct delay_source *source); /* [0, 1), independent */

int64_t delay_draw_us(const struct delay *delay, struct delay_source *source);

#endif
