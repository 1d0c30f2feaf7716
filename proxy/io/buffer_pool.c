#include "proxy/io/buffer_pool.h"

#include "base/check.h"

#include <stdlib.h>

static const uint32_t class_bytes[BUFFER_CLASSES] = { BUFFER_SMALL_BYTES, BUFFER_MEDIUM_BYTES, BUFFER_BODY_BYTES,
                                                      BUFFER_LARGE_BYTES };

void buffer_pool_init(struct buffer_pool *pool, uint64_t limit_bytes, struct worker_stats *stats)
{
    *pool = (struct buffer_pool){ .limit_bytes = limit_bytes, .stats = stats };
}

static struct buffer *take_free(struct buffer_pool *pool, uint32_t class)
{
    struct buffer *buffer = pool->free[class];
    if (!buffer)
        return NULL;
    pool->free[class] = buffer->next_free;
    if (--pool->free_count[class] < pool->spare_count[class])
        pool->spare_count[class] = pool->free_count[class];
    return buffer;
}

void buffer_pool_fini(struct buffer_pool *pool)
{
    check(pool->used_bytes == 0);
    for (uint32_t class = 0; class < BUFFER_CLASSES; class ++) {
        while (pool->free[class])
            free(take_free(pool, class));
    }
}

size_t buffer_pool_trim(struct buffer_pool *pool)
{
    size_t bytes = 0;
    for (uint32_t class = 0; class < BUFFER_CLASSES; class ++) {
        uint32_t count = (pool->spare_count[class] + 1) / 2;
        for (uint32_t i = 0; i < count; i++)
            free(take_free(pool, class));
        pool->spare_count[class] = pool->free_count[class];
        bytes += (size_t)count * class_bytes[class];
    }
    return bytes;
}

static struct buffer *refuse(struct buffer_pool *pool)
{
    STATS_ADD(pool->stats->buffer_refusals, 1);
    return NULL;
}

static inline struct buffer *hand_out(struct buffer_pool *pool, struct buffer *buffer)
{
    buffer->begin = buffer->end = 0;
    pool->used_bytes += buffer->size;
    STATS_SET(pool->stats->buffer_bytes, pool->used_bytes);
    return buffer;
}

__attribute__((noinline)) static struct buffer *make(struct buffer_pool *pool, uint32_t class)
{
    struct buffer *buffer = malloc(sizeof *buffer + class_bytes[class]);
    if (!buffer)
        return refuse(pool);
    buffer->size = class_bytes[class];
    buffer->class_index = class;
    return hand_out(pool, buffer);
}

struct buffer *buffer_take(struct buffer_pool *pool, size_t bytes)
{
    uint32_t class = bytes <= BUFFER_SMALL_BYTES    ? 0
                     : bytes <= BUFFER_MEDIUM_BYTES ? 1
                     : bytes <= BUFFER_BODY_BYTES   ? 2
                                                    : 3;
    if (bytes > BUFFER_LARGE_BYTES || pool->used_bytes + class_bytes[class] > pool->limit_bytes)
        return refuse(pool);
    struct buffer *buffer = take_free(pool, class);
    return buffer ? hand_out(pool, buffer) : make(pool, class);
}

void buffer_give_back(struct buffer_pool *pool, struct buffer *buffer)
{
    if (!buffer)
        return;
    uint32_t class = buffer->class_index;
    pool->used_bytes -= buffer->size;
    STATS_SET(pool->stats->buffer_bytes, pool->used_bytes);
    if (pool->free_count[class] >= BUFFER_KEPT_FREE_MAX) {
        free(buffer);
        return;
    }
    buffer->next_free = pool->free[class];
    pool->free[class] = buffer;
    pool->free_count[class]++;
}
