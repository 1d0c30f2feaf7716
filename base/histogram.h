/* histogram: log-linear counts of durations in microseconds. 16 buckets for every power of two, so a value is known to
 * within 6.25 %; 0 to 2^31 us (35 min), the last bucket takes the rest. Writers are single-threaded; a reader on
 * another thread or process may see a sum that lags its buckets by a few counts, never torn words. No allocation. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 4
#define HISTOGRAM_SUB_COUNT (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_MAX_BITS 31
#define HISTOGRAM_BUCKET_COUNT ((HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB_COUNT)

struct histogram {
    uint64_t sum_us;
    uint64_t buckets[HISTOGRAM_BUCKET_COUNT];
};

static inline size_t histogram_bucket_of(uint64_t value_us)
{
    if (value_us < HISTOGRAM_SUB_COUNT)
        return (size_t)value_us;
    if (value_us >> HISTOGRAM_MAX_BITS)
        return HISTOGRAM_BUCKET_COUNT - 1;
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(value_us);
    unsigned shift = top_bit - HISTOGRAM_SUB_BITS;
    return (size_t)(shift + 1) * HISTOGRAM_SUB_COUNT + ((value_us >> shift) - HISTOGRAM_SUB_COUNT);
}

static inline void histogram_add(struct histogram *h, uint64_t value_us)
{
    uint64_t *bucket = &h->buckets[histogram_bucket_of(value_us)];
    __atomic_store_n(bucket, *bucket + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&h->sum_us, h->sum_us + value_us, __ATOMIC_RELAXED);
}

uint64_t histogram_bucket_upper_us(size_t bucket); /* largest value that falls into it */
uint64_t histogram_count(const struct histogram *h);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* later - earlier, bucket by bucket, never below zero: what happened between two readings of one growing histogram. */
void histogram_diff(struct histogram *out, const struct histogram *later, const struct histogram *earlier);

/* The upper bound of the bucket that holds the given quantile (0 < quantile <= 1); 0 when empty. */
uint64_t histogram_quantile_us(const struct histogram *h, double quantile);

#endif
