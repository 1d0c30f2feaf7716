#include "base/histogram.h"

#include <math.h>

uint64_t histogram_bucket_upper_us(size_t bucket)
{
    if (bucket < HISTOGRAM_SUB_COUNT)
        return bucket;
    size_t shift = bucket / HISTOGRAM_SUB_COUNT - 1;
    uint64_t low = (uint64_t)(bucket % HISTOGRAM_SUB_COUNT + HISTOGRAM_SUB_COUNT) << shift;
    return low + ((uint64_t)1 << shift) - 1;
}

static uint64_t read_word(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++)
        count += read_word(&h->buckets[i]);
    return count;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->sum_us += read_word(&from->sum_us);
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++)
        into->buckets[i] += read_word(&from->buckets[i]);
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

void histogram_diff(struct histogram *out, const struct histogram *later, const struct histogram *earlier)
{
    out->sum_us = minus(read_word(&later->sum_us), read_word(&earlier->sum_us));
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++)
        out->buckets[i] = minus(read_word(&later->buckets[i]), read_word(&earlier->buckets[i]));
}

uint64_t histogram_quantile_us(const struct histogram *h, double quantile)
{
    uint64_t count = histogram_count(h), seen = 0;
    if (count == 0)
        return 0;
    uint64_t wanted = (uint64_t)ceil(quantile * (double)count);
    if (wanted == 0)
        wanted = 1;
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        seen += read_word(&h->buckets[i]);
        if (seen >= wanted)
            return histogram_bucket_upper_us(i);
    }
    return histogram_bucket_upper_us(HISTOGRAM_BUCKET_COUNT - 1);
}
