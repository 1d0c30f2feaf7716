#include "proxy/client/token_bucket.h"

#define UNIT 1000

static void fill(struct token_bucket *bucket, int64_t per_second, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms - bucket->filled_at_ms, most = per_second * UNIT, added, level;
    bucket->per_second = per_second;
    if (elapsed_ms <= 0)
        return;
    /* A product that does not fit is more than any debt. */
    if (__builtin_mul_overflow(per_second, elapsed_ms, &added) ||
        __builtin_add_overflow(bucket->level, added, &level) || level > most)
        level = most;
    bucket->level = level;
    bucket->filled_at_ms = now_ms;
}

struct token_bucket token_bucket_new(int64_t now_ms)
{
    return (struct token_bucket){ .filled_at_ms = now_ms - TOKEN_BUCKET_WINDOW_MS };
}

int64_t token_bucket_count(struct token_bucket *bucket, int64_t per_second, int64_t now_ms)
{
    fill(bucket, per_second, now_ms);
    return bucket->level > 0 ? bucket->level / UNIT : 0;
}

void token_bucket_take(struct token_bucket *bucket, int64_t tokens)
{
    bucket->level -= tokens * UNIT;
}

bool token_bucket_is_in_debt(struct token_bucket *bucket, int64_t now_ms)
{
    fill(bucket, bucket->per_second, now_ms);
    return bucket->level < 0 && bucket->per_second > 0;
}
