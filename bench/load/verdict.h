/* verdict: may the figures be believed? They may not when the generator itself was late, or when it did not do what it
 * was told. Pure. */
#ifndef BENCH_LOAD_VERDICT_H
#define BENCH_LOAD_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

/* Lateness that 99 % of the due requests must not exceed: 1 ms + 5 % of the median latency, at most 10 ms. */
#define VERDICT_LATENESS_BASE_US 1000
#define VERDICT_LATENESS_PART 0.05
#define VERDICT_LATENESS_MAX_US 10000

struct verdict_facts {
    bool is_closed, was_interrupted;
    int64_t planned; /* -1: not known */
    uint64_t scheduled;
    int64_t lateness_p99_us, latency_p50_us; /* from sent */
};

#define VERDICT_REASONS_MAX 3

struct verdict {
    int reason_count; /* 0: valid */
    char reasons[VERDICT_REASONS_MAX][160];
};

int64_t verdict_lateness_limit_us(int64_t latency_p50_us);
void verdict_decide(struct verdict *v, const struct verdict_facts *facts);

#endif
