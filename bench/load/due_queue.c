#include "bench/load/due_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define SIZE_MIN 256

static void grow(struct due_queue *q)
{
    size_t size = q->size ? q->size * 2 : SIZE_MIN, tail = q->size - q->first;
    int64_t *larger = mem_alloc_array(size, sizeof *larger);
    if (q->size > 0) {
        memcpy(larger, q->due_us + q->first, tail * sizeof *larger);
        memcpy(larger + tail, q->due_us, q->first * sizeof *larger);
    }
    free(q->due_us);
    q->due_us = larger;
    q->first = 0;
    q->size = size;
}

void due_queue_init(struct due_queue *q, size_t max)
{
    *q = (struct due_queue){ .max = max };
}

void due_queue_fini(struct due_queue *q)
{
    free(q->due_us);
    *q = (struct due_queue){ 0 };
}

bool due_queue_push(struct due_queue *q, int64_t due_us)
{
    if (q->count == q->max)
        return false;
    if (q->count == q->size)
        grow(q);
    q->due_us[(q->first + q->count++) & (q->size - 1)] = due_us;
    return true;
}

int64_t due_queue_first(const struct due_queue *q)
{
    return q->count > 0 ? q->due_us[q->first] : INT64_MAX;
}

int64_t due_queue_pop(struct due_queue *q)
{
    check(q->count > 0);
    int64_t due_us = q->due_us[q->first];
    q->first = (q->first + 1) & (q->size - 1);
    q->count--;
    return due_us;
}
