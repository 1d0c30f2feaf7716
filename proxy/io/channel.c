#include "proxy/io/channel.h"

#include "base/check.h"

#include <errno.h>
#include <linux/tcp.h> /* glibc's struct tcp_info is older */
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum channel_result channel_broken(struct channel *ch, int cause)
{
    ch->broken_by = (int16_t)cause;
    return CHANNEL_BROKEN;
}

void channel_open(struct channel *ch, struct event_base *base, int fd, event_callback_fn on_event, void *owner)
{
    ch->fd = fd;
    ch->is_reading = ch->is_writing = ch->has_failed = false;
    ch->in = ch->out = NULL;
    check(event_assign(&ch->readable, base, fd, EV_READ | EV_PERSIST, on_event, owner) == 0);
    ch->writable = NULL;
}

void channel_reset_on_close(struct channel *ch)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(ch->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* fails only when the connection is gone */
}

void channel_close(struct channel *ch, struct buffer_pool *pool)
{
    if (ch->fd < 0)
        return;
    channel_set_reading(ch, false);
    channel_set_writing(ch, false);
    close(ch->fd);
    ch->fd = -1;
    buffer_give_back(pool, ch->in);
    buffer_give_back(pool, ch->out);
    ch->in = ch->out = NULL;
}

void channel_set_reading(struct channel *ch, bool on)
{
    if (ch->is_reading == on)
        return;
    ch->is_reading = on;
    if (!on) {
        check(event_del_noblock(&ch->readable) == 0);
    } else if (event_add(&ch->readable, NULL) != 0) {
        ch->has_failed = true;
        event_active(&ch->readable, EV_READ, 0);
    }
}

bool channel_set_writing(struct channel *ch, bool on)
{
    if (ch->is_writing == on)
        return true;
    if (on) {
        const struct event *as = &ch->readable;
        ch->writable = event_new(event_get_base(as), ch->fd, EV_WRITE | EV_PERSIST, event_get_callback(as),
                                 event_get_callback_arg(as));
        if (!ch->writable || event_add(ch->writable, NULL) != 0) {
            if (ch->writable)
                event_free(ch->writable);
            ch->writable = NULL;
            return false;
        }
    } else {
        check(event_del_noblock(ch->writable) == 0);
        event_free(ch->writable); /* also from its own callback */
        ch->writable = NULL;
    }
    ch->is_writing = on;
    return true;
}

/* A head that does not fit its buffer moves to the largest one. */
static bool grow_in(struct channel *ch, struct buffer_pool *pool)
{
    struct buffer *larger = buffer_take(pool, BUFFER_LARGE_BYTES);
    if (!larger)
        return false;
    memcpy(larger->data, buffer_at(ch->in), buffer_len(ch->in));
    larger->end = (uint32_t)buffer_len(ch->in);
    buffer_give_back(pool, ch->in);
    ch->in = larger;
    return true;
}

static bool make_room(struct channel *ch, struct buffer_pool *pool, size_t bytes)
{
    if (!ch->in)
        return (ch->in = buffer_take(pool, bytes)) != NULL;
    if (buffer_room(ch->in) > 0)
        return true;
    if (ch->in->begin > 0) {
        memmove(ch->in->data, buffer_at(ch->in), buffer_len(ch->in));
        ch->in->end -= ch->in->begin;
        ch->in->begin = 0;
        return true;
    }
    return ch->in->size >= BUFFER_LARGE_BYTES || grow_in(ch, pool);
}

enum channel_result channel_receive(struct channel *ch, struct buffer_pool *pool, size_t bytes)
{
    if (ch->has_failed)
        return channel_broken(ch, ENOMEM);
    if (!make_room(ch, pool, bytes))
        return CHANNEL_NO_BUFFER;
    if (buffer_room(ch->in) == 0)
        return CHANNEL_OK;
    ssize_t got = recv(ch->fd, ch->in->data + ch->in->end, buffer_room(ch->in), 0);
    ch->has_more = got > 0 && (size_t)got == buffer_room(ch->in);
    if (got > 0) {
        ch->in->end += (uint32_t)got;
        return CHANNEL_OK;
    }
    int cause = errno;
    channel_consume(ch, pool, 0);
    if (got == 0)
        return CHANNEL_EOF;
    return cause == EAGAIN || cause == EINTR ? CHANNEL_BLOCKED : channel_broken(ch, cause);
}

void channel_consume(struct channel *ch, struct buffer_pool *pool, size_t bytes)
{
    if (!ch->in)
        return;
    check(bytes <= buffer_len(ch->in));
    ch->in->begin += (uint32_t)bytes;
    if (buffer_len(ch->in) > 0)
        return;
    buffer_give_back(pool, ch->in);
    ch->in = NULL;
}

enum channel_result channel_send(struct channel *ch, const char *bytes, size_t len, size_t *sent)
{
    *sent = 0;
    ssize_t put = send(ch->fd, bytes, len, MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN && errno != EINTR)
        return channel_broken(ch, errno);
    if (put > 0)
        *sent = (size_t)put;
    bool all = *sent == len;
    if (!channel_set_writing(ch, !all))
        return channel_broken(ch, ENOMEM);
    return all ? CHANNEL_OK : CHANNEL_BLOCKED;
}

static void drop_sent(struct channel *ch, struct buffer_pool *pool, size_t sent)
{
    ch->out->begin += (uint32_t)sent;
    if (buffer_len(ch->out) > 0)
        return;
    buffer_give_back(pool, ch->out);
    ch->out = NULL;
}

enum channel_result channel_send_behind(struct channel *ch, struct buffer_pool *pool, const char *bytes, size_t len,
                                        size_t *sent)
{
    size_t waiting = buffer_len(ch->out);
    *sent = 0;
    if (waiting == 0)
        return channel_send(ch, bytes, len, sent);
    struct iovec pieces[] = { { buffer_at(ch->out), waiting }, { (char *)bytes, len } };
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
    ssize_t put = sendmsg(ch->fd, &message, MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN && errno != EINTR)
        return channel_broken(ch, errno);
    size_t taken = put > 0 ? (size_t)put : 0;
    *sent = taken > waiting ? taken - waiting : 0;
    drop_sent(ch, pool, taken - *sent);
    bool all = taken == waiting + len;
    if (!channel_set_writing(ch, !all))
        return channel_broken(ch, ENOMEM);
    return all ? CHANNEL_OK : CHANNEL_BLOCKED;
}

enum channel_result channel_flush(struct channel *ch, struct buffer_pool *pool)
{
    size_t sent = 0;
    if (!ch->out)
        return CHANNEL_OK;
    enum channel_result result = channel_send(ch, buffer_at(ch->out), buffer_len(ch->out), &sent);
    drop_sent(ch, pool, sent);
    return result;
}

enum channel_result channel_look(const struct channel *ch)
{
    struct pollfd peer = { .fd = ch->fd, .events = POLLRDHUP };
    if (poll(&peer, 1, 0) <= 0)
        return CHANNEL_OK;
    return peer.revents & POLLERR ? CHANNEL_BROKEN : CHANNEL_EOF;
}

uint64_t channel_acked_bytes(const struct channel *ch)
{
    struct tcp_info state = { 0 };
    socklen_t len = sizeof state;
    return getsockopt(ch->fd, IPPROTO_TCP, TCP_INFO, &state, &len) == 0 ? state.tcpi_bytes_acked : 0;
}
