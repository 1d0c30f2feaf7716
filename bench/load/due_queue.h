/* due_queue: times of requests that are due and wait for a connection, first in first out, with a limit. One thread.
 * Owned in place. Grows as far as it is needed and keeps the memory. */
#ifndef BENCH_LOAD_DUE_QUEUE_H
#define BENCH_LOAD_DUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due_queue {
    int64_t *due_us;
    size_t first, count, size, max;
};

void due_queue_init(struct due_queue *q, size_t max);
void due_queue_fini(struct due_queue *q);
bool due_queue_push(struct due_queue *q, int64_t due_us); /* false: full */
int64_t due_queue_first(const struct due_queue *q);       /* INT64_MAX when empty */
int64_t due_queue_pop(struct due_queue *q);               /* not when empty */

#endif
