#include "proxy/message/body_splice.h"

#include <errno.h>
#include <fcntl.h>

#define MOVES_PER_TURN 8 /* then others get theirs */

bool body_start_splice(struct body *body, const struct channel *from, const struct channel *to,
                       struct buffer_pool *pool, int64_t bytes_min)
{
    if (body->pipe)
        return true;
    if (bytes_min == 0 || body->kind != HTTP_BODY_LENGTH || body->left_bytes < (uint64_t)bytes_min || from->in ||
        to->out)
        return false;
    body->pipe = pipe_take(&pool->pipes);
    return body->pipe != NULL;
}

/* BODY_COMPLETE: something is in the pipe now. */
static enum body_result fill(struct body *body, const struct channel *from)
{
    uint64_t wanted = body->left_bytes < PIPE_BYTES ? body->left_bytes : PIPE_BYTES;
    ssize_t got = splice(from->fd, NULL, body->pipe->write_fd, NULL, wanted, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (got > 0) {
        body->pipe->bytes = (uint32_t)got;
        return BODY_COMPLETE;
    }
    if (got == 0)
        return BODY_SENDER_ENDED;
    return errno == EAGAIN || errno == EINTR ? BODY_MORE : BODY_SENDER_BROKEN;
}

/* BODY_COMPLETE: the pipe is empty now. Without SPLICE_F_MORE: it holds back what the client could have already. */
static enum body_result drain(struct body *body, struct channel *to)
{
    ssize_t put = splice(body->pipe->read_fd, NULL, to->fd, NULL, body->pipe->bytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (put < 0 && errno != EAGAIN && errno != EINTR) {
        channel_broken(to, errno);
        return BODY_BROKEN;
    }
    if (put > 0) {
        body->pipe->bytes -= (uint32_t)put;
        body->left_bytes -= (uint64_t)put;
        body->relayed_bytes += (uint64_t)put;
    }
    bool is_empty = body->pipe->bytes == 0;
    if (!channel_set_writing(to, !is_empty))
        return BODY_BROKEN;
    return is_empty ? BODY_COMPLETE : BODY_BLOCKED;
}

enum body_result body_splice(struct body *body, const struct channel *from, struct channel *to,
                             struct buffer_pool *pool)
{
    for (int i = 0; i < MOVES_PER_TURN && body->left_bytes > 0; i++) {
        enum body_result result = body->pipe->bytes > 0 ? BODY_COMPLETE : fill(body, from);
        if (result == BODY_COMPLETE)
            result = drain(body, to);
        if (result != BODY_COMPLETE)
            return result;
    }
    if (body->left_bytes > 0)
        return BODY_MORE;
    pipe_give_back(&pool->pipes, body->pipe);
    body->pipe = NULL;
    body->is_complete = true;
    return BODY_COMPLETE;
}

enum body_result body_move(struct body *body, struct channel *from, struct channel *to, struct buffer_pool *pool)
{
    return body->pipe ? body_splice(body, from, to, pool) : body_relay(body, from, to, pool);
}
