#include "proxy/io/pipe_pool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void pipe_close(struct pipe *pipe)
{
    close(pipe->read_fd);
    close(pipe->write_fd);
    free(pipe);
}

void pipe_pool_fini(struct pipe_pool *pool)
{
    while (pool->free) {
        struct pipe *next = pool->free->next_free;
        pipe_close(pool->free);
        pool->free = next;
    }
    pool->free_count = 0;
}

struct pipe *pipe_take(struct pipe_pool *pool)
{
    struct pipe *pipe = pool->free;
    int fds[2];
    if (pipe) {
        pool->free = pipe->next_free;
        pool->free_count--;
        return pipe;
    }
    pipe = malloc(sizeof *pipe);
    if (!pipe || pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
        free(pipe);
        return NULL;
    }
    *pipe = (struct pipe){ .read_fd = fds[0], .write_fd = fds[1] };
    return pipe;
}

void pipe_give_back(struct pipe_pool *pool, struct pipe *pipe)
{
    if (!pipe)
        return;
    if (pipe->bytes > 0 || pool->free_count >= PIPES_KEPT_MAX) {
        pipe_close(pipe);
        return;
    }
    pipe->next_free = pool->free;
    pool->free = pipe;
    pool->free_count++;
}
