#include "proxy/io/channel.h"

#include "base/check.h"

#include <errno.h>
#include <linux/tcp.h> /* TCP_NODELAY too; glibc's struct tcp_info is older */
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum channel_result channel_broken(struct channel *ch, int cause)
{
    ch->broken_by = (int16_t)cause;
    return CHANNEL_BROKEN;
}

void channel_send_at_once(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* only speed depends on it */
}

int channel_dial(const struct sockaddr *to, socklen_t len)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    channel_send_at_once(fd);
    if (connect(fd, to, len) == 0 || errno == EINPROGRESS)
        return fd;
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

/* ---- what is watched ---- */

static enum transport_need need_of(const struct channel *ch)
{
    return ch->keeps_state ? ch->transport->ops->need(ch->transport) : TRANSPORT_NEEDS_NOTHING;
}

static bool holds_input(const struct channel *ch)
{
    return ch->keeps_state && ch->transport->ops->holds_input(ch->transport);
}

/* Whatever the owner waits for, it is not possible before the transport has had its turn. */
static bool is_held_up(enum transport_need need)
{
    return need == TRANSPORT_NEEDS_READ || need == TRANSPORT_NEEDS_WRITE;
}

static bool watch_reading(struct channel *ch, bool on)
{
    if (ch->is_watched == on)
        return true;
    ch->is_watched = on;
    if (on)
        return event_add(&ch->readable, NULL) == 0;
    check(event_del_noblock(&ch->readable) == 0);
    return true;
}

static bool watch_writing(struct channel *ch, bool on)
{
    if ((ch->writable != NULL) == on)
        return true;
    if (on) {
        const struct event *as = &ch->readable;
        ch->writable = event_new(event_get_base(as), ch->fd, EV_WRITE | EV_PERSIST, event_get_callback(as),
                                 event_get_callback_arg(as));
        if (ch->writable && event_add(ch->writable, NULL) == 0)
            return true;
    } else {
        check(event_del_noblock(ch->writable) == 0);
    }
    if (ch->writable)
        event_free(ch->writable); /* also from its own callback */
    ch->writable = NULL;
    return !on;
}

/* What the owner waits for; what holds it up comes first. Level-triggered events of the other kind would only spin. */
static bool watch(struct channel *ch)
{
    enum transport_need need = need_of(ch);
    bool reads = is_held_up(need) ? need == TRANSPORT_NEEDS_READ : ch->is_reading;
    bool writes = is_held_up(need) ? need == TRANSPORT_NEEDS_WRITE : ch->is_writing || need == TRANSPORT_HOLDS_OUTPUT;
    return watch_writing(ch, writes) && watch_reading(ch, reads);
}

/* The owner is told by an event of its own, in its turn. */
static void watch_or_fail(struct channel *ch)
{
    bool had_failed = ch->has_failed;
    if (watch(ch) || had_failed)
        return;
    ch->has_failed = true;
    event_active(&ch->readable, EV_READ, 0);
}

void channel_set_reading(struct channel *ch, bool on)
{
    if (ch->is_reading == on)
        return;
    ch->is_reading = on;
    watch_or_fail(ch);
    if (on && (ch->has_failed || holds_input(ch))) /* nothing more need come for it */
        event_active(&ch->readable, EV_READ, 0);
}

bool channel_change_writing(struct channel *ch, bool on)
{
    ch->is_writing = on;
    if (!on)
        watch_or_fail(ch);
    else if (!watch(ch))
        ch->is_writing = false;
    return ch->is_writing == on;
}

/* The socket is ready for the transport, the owner, or both: when what held up both is over, both may be possible now. */
static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct channel *ch = arg;
    struct transport *t = ch->transport;
    event_callback_fn tell = t->on_event;
    void *owner = t->owner;
    bool is_for_both = is_held_up(need_of(ch)) || ch->has_failed;
    if (need_of(ch) != TRANSPORT_NEEDS_NOTHING)
        is_for_both |= t->ops->go_on(t, fd) != 0; /* which the owner hears from the transport */
    watch_or_fail(ch);
    if (is_held_up(need_of(ch)) && !ch->has_failed)
        return;
    if (ch->is_reading && (is_for_both || what & EV_READ))
        tell(fd, EV_READ, owner);
    if (ch->fd >= 0 && ch->is_writing && (is_for_both || what & EV_WRITE) && need_of(ch) == TRANSPORT_NEEDS_NOTHING)
        tell(fd, EV_WRITE, owner);
    if (ch->fd >= 0 && ch->is_reading && holds_input(ch)) /* the owner has had its share of this turn */
        event_active(&ch->readable, EV_READ, 0);
}

/* ---- its life ---- */

void channel_open(struct channel *ch, struct event_base *base, int fd, struct transport *transport,
                  event_callback_fn on_event, void *owner)
{
    ch->fd = fd;
    ch->broken_by = 0;
    ch->is_reading = ch->is_writing = ch->is_watched = ch->has_failed = ch->has_more = false;
    ch->in = ch->out = NULL;
    ch->writable = NULL;
    ch->transport = transport;
    ch->keeps_state = transport->ops->need != NULL;
    if (!ch->keeps_state) { /* then nothing stands between the event and the owner */
        check(event_assign(&ch->readable, base, fd, EV_READ | EV_PERSIST, on_event, owner) == 0);
        return;
    }
    transport->on_event = on_event;
    transport->owner = owner;
    check(event_assign(&ch->readable, base, fd, EV_READ | EV_PERSIST, on_ready, ch) == 0);
    watch_or_fail(ch);
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
    ch->is_reading = ch->is_writing = ch->is_watched = false;
    check(event_del_noblock(&ch->readable) == 0);
    watch_writing(ch, false);
    if (ch->transport->ops->close)
        ch->transport->ops->close(ch->transport, pool);
    ch->transport = transport_plain();
    ch->keeps_state = false;
    close(ch->fd);
    ch->fd = -1;
    buffer_give_back(pool, ch->in);
    buffer_give_back(pool, ch->out);
    ch->in = ch->out = NULL;
}

bool channel_ends_by_closing(const struct channel *ch)
{
    return !ch->keeps_state;
}

void channel_shut_down(struct channel *ch)
{
    ch->transport->ops->shutdown(ch->transport, ch->fd);
    if (ch->keeps_state)
        watch_or_fail(ch);
}

/* ---- bytes ---- */

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

/* got: 0 or -1, and errno. */
static enum channel_result receive_nothing(struct channel *ch, struct buffer_pool *pool, ssize_t got)
{
    int cause = errno;
    ch->has_more = false;
    if (ch->keeps_state)
        watch_or_fail(ch);
    channel_consume(ch, pool, 0);
    if (got == 0)
        return CHANNEL_EOF;
    return cause == EAGAIN || cause == EINTR ? CHANNEL_BLOCKED : channel_broken(ch, cause);
}

enum channel_result channel_receive(struct channel *ch, struct buffer_pool *pool, size_t bytes)
{
    if (ch->has_failed)
        return channel_broken(ch, ENOMEM);
    if (!make_room(ch, pool, bytes))
        return CHANNEL_NO_BUFFER;
    if (buffer_room(ch->in) == 0)
        return CHANNEL_OK;
    size_t room = buffer_room(ch->in);
    ssize_t got = ch->transport->ops->receive(ch->transport, ch->fd, ch->in->data + ch->in->end, room);
    if (got <= 0)
        return receive_nothing(ch, pool, got);
    ch->in->end += (uint32_t)got;
    ch->has_more = (size_t)got == room || holds_input(ch);
    if (ch->keeps_state)
        watch_or_fail(ch);
    return CHANNEL_OK;
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

/* One call. OK: nothing is left to be sent, here or in the transport. *taken: of both together. */
static inline enum channel_result put(struct channel *ch, struct slice first, struct slice second, size_t *taken)
{
    ssize_t put = ch->transport->ops->send(ch->transport, ch->fd, first, second);
    if (put < 0 && errno != EAGAIN && errno != EINTR) {
        *taken = 0;
        return channel_broken(ch, errno);
    }
    *taken = put > 0 ? (size_t)put : 0;
    bool all = *taken == first.len + second.len && need_of(ch) == TRANSPORT_NEEDS_NOTHING;
    if (!channel_set_writing(ch, !all))
        return channel_broken(ch, ENOMEM);
    return all ? CHANNEL_OK : CHANNEL_BLOCKED;
}

enum channel_result channel_send(struct channel *ch, const char *bytes, size_t len, size_t *sent)
{
    return put(ch, (struct slice){ bytes, len }, (struct slice){ 0 }, sent);
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
    size_t waiting = buffer_len(ch->out), taken;
    if (waiting == 0)
        return channel_send(ch, bytes, len, sent);
    struct slice first = { buffer_at(ch->out), waiting };
    enum channel_result result = put(ch, first, (struct slice){ bytes, len }, &taken);
    *sent = taken > waiting ? taken - waiting : 0;
    drop_sent(ch, pool, taken - *sent);
    return result;
}

enum channel_result channel_flush(struct channel *ch, struct buffer_pool *pool)
{
    size_t sent = 0;
    if (!ch->out && need_of(ch) == TRANSPORT_NEEDS_NOTHING)
        return CHANNEL_OK;
    if (!ch->out)
        return channel_set_writing(ch, true) ? CHANNEL_BLOCKED : channel_broken(ch, ENOMEM);
    enum channel_result result = channel_send(ch, buffer_at(ch->out), buffer_len(ch->out), &sent);
    drop_sent(ch, pool, sent);
    return result;
}

/* ---- what every socket tells ---- */

int channel_connect_error(struct channel *ch)
{
    int cause = 0;
    socklen_t len = sizeof cause;
    if (getsockopt(ch->fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0)
        return errno;
    return cause == 0 && ch->keeps_state ? ch->transport->ops->go_on(ch->transport, ch->fd) : cause;
}

bool channel_local_address(const struct channel *ch, struct sockaddr *address, socklen_t len)
{
    return getsockname(ch->fd, address, &len) == 0;
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
