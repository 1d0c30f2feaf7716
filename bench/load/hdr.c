#include "bench/load/hdr.h"

#include <math.h>
#include <string.h>

static void take_range(struct hdr *h, uint32_t first, uint32_t end, int64_t min_us, int64_t max_us)
{
    if (h->count == 0) {
        h->bucket_first = first;
        h->bucket_end = end;
        h->min_us = min_us;
        h->max_us = max_us;
        return;
    }
    h->bucket_first = first < h->bucket_first ? first : h->bucket_first;
    h->bucket_end = end > h->bucket_end ? end : h->bucket_end;
    h->min_us = min_us < h->min_us ? min_us : h->min_us;
    h->max_us = max_us > h->max_us ? max_us : h->max_us;
}

void hdr_add(struct hdr *h, int64_t value_us)
{
    value_us = value_us < 0 ? 0 : value_us > HDR_MAX_US ? HDR_MAX_US : value_us;
    uint32_t bucket = hdr_bucket_of(value_us);
    take_range(h, bucket, bucket + 1, value_us, value_us);
    h->buckets[bucket]++;
    h->count++;
    h->sum_us += (uint64_t)value_us;
}

void hdr_merge(struct hdr *into, const struct hdr *from)
{
    if (from->count == 0)
        return;
    take_range(into, from->bucket_first, from->bucket_end, from->min_us, from->max_us);
    for (uint32_t i = from->bucket_first; i < from->bucket_end; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    into->sum_us += from->sum_us;
}

void hdr_clear(struct hdr *h)
{
    if (h->count > 0)
        memset(&h->buckets[h->bucket_first], 0, (h->bucket_end - h->bucket_first) * sizeof h->buckets[0]);
    h->count = h->sum_us = 0;
    h->min_us = h->max_us = 0;
    h->bucket_first = h->bucket_end = 0;
}

int64_t hdr_bucket_upper_us(uint32_t bucket)
{
    if (bucket < 2 * HDR_SUB_COUNT)
        return bucket;
    unsigned shift = bucket / HDR_SUB_COUNT - 1;
    return (int64_t)(((uint64_t)(bucket - shift * HDR_SUB_COUNT) + 1) << shift) - 1;
}

double hdr_mean_us(const struct hdr *h)
{
    return h->count == 0 ? 0 : (double)h->sum_us / (double)h->count;
}

int64_t hdr_quantile_us(const struct hdr *h, double quantile)
{
    if (h->count == 0 || quantile <= 0)
        return h->min_us;
    double rank = ceil(quantile * (double)h->count - 1e-6); /* 0.99 * 100 is not to become 100 */
    uint64_t wanted = rank < 1 ? 1 : rank > (double)h->count ? h->count : (uint64_t)rank, seen = 0;
    uint32_t bucket = h->bucket_first;
    while (bucket < h->bucket_end && (seen += h->buckets[bucket]) < wanted)
        bucket++;
    int64_t upper = hdr_bucket_upper_us(bucket);
    return upper > h->max_us ? h->max_us : upper;
}
