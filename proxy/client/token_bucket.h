/* token_bucket: how much of something may be had a second. Holds one second's worth: that much may be taken at once, the
 * rest at its rate. More may be taken than there is: the debt has to be made up for before there is any again. The rate
 * is given at each look and may differ from look to look; without a limit there is nothing to ask here. Times are
 * monotonic milliseconds; one that steps back adds nothing. One thread; plain data. */
#ifndef PROXY_CLIENT_TOKEN_BUCKET_H
#define PROXY_CLIENT_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_BUCKET_WINDOW_MS 1000 /* after so long one that was empty, but not in debt, is full */

struct token_bucket {
    int64_t level;      /* thousandths of a token, so that a rate fills it by whole numbers each ms; below 0: a debt */
    int64_t per_second; /* at the last look */
    int64_t filled_at_ms;
};

/* Full at the first look, whatever the rate is then. */
struct token_bucket token_bucket_new(int64_t now_ms);
/* Whole tokens that may be taken now; never below 0. per_second: 1 to 2^40. */
int64_t token_bucket_count(struct token_bucket *bucket, int64_t per_second, int64_t now_ms);
void token_bucket_take(struct token_bucket *bucket, int64_t tokens);       /* at most 2^40 at a time */
bool token_bucket_is_in_debt(struct token_bucket *bucket, int64_t now_ms); /* at the rate of the last look */

#endif
