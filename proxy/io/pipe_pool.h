/* pipe_pool: a worker's pipes for splice(2): the kernel's buffers for bytes that go from socket to socket without being
 * read. Recycled; a few are kept. One worker. */
#ifndef PROXY_IO_PIPE_POOL_H
#define PROXY_IO_PIPE_POOL_H

#include <stdint.h>

#define PIPE_BYTES (64u * 1024) /* what Linux gives anybody: larger ones are limited per user (pipe(7)) */
#define PIPES_KEPT_MAX 32

struct pipe {
    struct pipe *next_free;
    int read_fd, write_fd;
    uint32_t bytes; /* in it */
};

struct pipe_pool {
    struct pipe *free;
    uint32_t free_count;
};

void pipe_pool_fini(struct pipe_pool *pool);

struct pipe *pipe_take(struct pipe_pool *pool); /* empty; null: no descriptor or no memory */
/* Null is accepted. One that still holds bytes is closed: the next message must not see them. */
void pipe_give_back(struct pipe_pool *pool, struct pipe *pipe);

#endif
