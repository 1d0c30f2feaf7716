/* row_use: how many requests of one worker use a row of the statistics (proxy/stats.h), an endpoint's or a service's: they will
 * still count in it, and read its name. It is all that a request holds of what it was routed by, so that a tunnel of a day
 * costs a row and no snapshot. Uses begin by the newest snapshot only. One worker.
 *
 *   NAMED --a snapshot leaves it out--+--unused--> FREE, for the worker
 *     ^                               +--in use--> KEPT --last use ends--> FREE
 *     +---a snapshot names it again, or another in its place--- FREE or KEPT
 *
 * While snapshots name a row it is theirs, and a use is a plain count. The main thread is told of a row that is KEPT before the
 * snapshot that had it comes back, and again when that is over: until then it frees neither the row nor the endpoint. */
#ifndef PROXY_WORKER_ROW_USE_H
#define PROXY_WORKER_ROW_USE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct row_use {
    uint32_t count;
    bool is_gone; /* from the snapshot: FREE, or KEPT while the count is not 0 */
};

static inline void row_use_begin(struct row_use *use)
{
    use->count++;
}

/* True: that was the last one of a row that was kept. */
static inline bool row_use_end(struct row_use *use)
{
    check(use->count > 0);
    return --use->count == 0 && use->is_gone;
}

/* A snapshot leaves it out. True: it has to be kept. */
static inline bool row_use_leave(struct row_use *use)
{
    bool is_news = !use->is_gone; /* a list may name it twice */
    use->is_gone = true;
    return is_news && use->count > 0;
}

/* A snapshot names it, which may be nothing new. True: it was kept, and need not be any more. */
static inline bool row_use_come(struct row_use *use)
{
    bool was_kept = use->is_gone && use->count > 0;
    use->is_gone = false;
    return was_kept;
}

#endif
