/* hdr: counts of durations from 1 us to 1 h, exact to three significant digits: 2048 buckets of 1 us, then 1024 for every
 * power of two. For reports of latency; what the proxy counts is base/histogram.h, which is smaller and coarser.
 * One thread at a time. Owned in place by whoever embeds it (190 kB); zeroed is empty. Values are microseconds. */
#ifndef BENCH_LOAD_HDR_H
#define BENCH_LOAD_HDR_H

#include <stddef.h>
#include <stdint.h>

#define HDR_SUB_BITS 10
#define HDR_SUB_COUNT (1u << HDR_SUB_BITS)
#define HDR_MAX_US INT64_C(3600000000) /* what is longer counts as this */
#define HDR_MAX_BITS 32
#define HDR_BUCKET_COUNT ((HDR_MAX_BITS - HDR_SUB_BITS + 1) * HDR_SUB_COUNT)

struct hdr {
    uint64_t count, sum_us;
    int64_t min_us, max_us;            /* 0 while empty */
    uint32_t bucket_first, bucket_end; /* what holds anything lies in [first, end) */
    uint64_t buckets[HDR_BUCKET_COUNT];
};

static inline uint32_t hdr_bucket_of(int64_t value_us)
{
    uint64_t value = (uint64_t)value_us;
    if (value < 2 * HDR_SUB_COUNT)
        return (uint32_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HDR_SUB_BITS;
    return shift * HDR_SUB_COUNT + (uint32_t)(value >> shift);
}

void hdr_add(struct hdr *h, int64_t value_us); /* below 0 counts as 0 */
void hdr_merge(struct hdr *into, const struct hdr *from);
void hdr_clear(struct hdr *h); /* costs what was filled */

int64_t hdr_bucket_upper_us(uint32_t bucket); /* largest value that falls into it */
double hdr_mean_us(const struct hdr *h);      /* 0 when empty */

/* A value that the given part of all values (0 to 1) does not exceed, and the smallest at 0; 0 when empty. */
int64_t hdr_quantile_us(const struct hdr *h, double quantile);

#endif
