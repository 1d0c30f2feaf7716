/* buffer_pool: a worker's buffers for bytes in flight: four sizes, recycled last-in first-out (so that the next one is
 * warm in the cache), under one ceiling. An idle connection holds none. One worker. */
#ifndef PROXY_IO_BUFFER_POOL_H
#define PROXY_IO_BUFFER_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/stats.h"

#define BUFFER_SMALL_BYTES 4096u
#define BUFFER_MEDIUM_BYTES 16384u
#define BUFFER_BODY_BYTES 49152u        /* larger pieces of a body leave the cache between receive and send */
#define BUFFER_LARGE_BYTES (80u * 1024) /* the largest head, and what forwarding adds to it */
#define BUFFER_CLASSES 4
#define BUFFER_KEPT_FREE_MAX 256 /* of each class; more go back to the allocator */

struct buffer {
    struct buffer *next_free;
    uint32_t size;
    uint32_t begin, end; /* bytes not used yet: data[begin..end) */
    uint32_t class_index;
    char data[];
};

static inline size_t buffer_len(const struct buffer *b)
{
    return b ? b->end - b->begin : 0;
}

static inline char *buffer_at(struct buffer *b)
{
    return b->data + b->begin;
}

static inline size_t buffer_room(const struct buffer *b)
{
    return b->size - b->end;
}

struct buffer_pool {
    struct buffer *free[BUFFER_CLASSES];
    uint32_t free_count[BUFFER_CLASSES], spare_count[BUFFER_CLASSES]; /* spare: not needed since the last trim */
    uint64_t used_bytes, limit_bytes;
    struct worker_stats *stats; /* borrowed */
};

void buffer_pool_init(struct buffer_pool *pool, uint64_t limit_bytes, struct worker_stats *stats);
void buffer_pool_fini(struct buffer_pool *pool); /* every buffer must have been given back */

/* Room for at least `bytes`; null when larger than the largest class or when the ceiling is reached (counted). */
struct buffer *buffer_take(struct buffer_pool *pool, size_t bytes);
void buffer_give_back(struct buffer_pool *pool, struct buffer *buffer); /* null is accepted */
/* To be called now and then: frees half of what was not needed in between. Returns how many bytes. */
size_t buffer_pool_trim(struct buffer_pool *pool);

#endif
