/* series: one row a second. Each load thread counts into an interval of its own and posts it when the second is over;
 * the main thread collects them, so that nothing is summed, printed or cleared on a load thread.
 * series_post() and series_end() are for load threads, all else for the main thread. */
#ifndef BENCH_LOAD_SERIES_H
#define BENCH_LOAD_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bench/load/hdr.h"

struct interval {
    int64_t second; /* from the start */
    bool is_last;   /* of its thread */
    uint64_t offered, sent, ok, failed;
    struct hdr latency; /* of good answers: from intended, in the closed loop from sent */
    STAILQ_ENTRY(interval) link;
};

struct series_row {
    uint64_t offered, sent, ok, failed;
    int64_t p50_us, p99_us, max_us;
};

struct series;

struct series *series_new(unsigned thread_count);
void series_free(struct series *s);

/* An empty interval. The one that is posted is not the thread's any more; null: none. */
struct interval *series_post(struct series *s, struct interval *full, int64_t next_second);
void series_end(struct series *s, struct interval *last); /* the thread posts no more */

/* Waits until each thread has posted the next second and sums it up: its row, borrowed until the next call. Null: all
 * threads have ended and all rows were given. */
const struct series_row *series_wait_row(struct series *s);

const struct series_row *series_rows(const struct series *s, size_t *count);

#endif
