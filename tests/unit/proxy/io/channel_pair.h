/* channel_pair: a channel on a socket whose other end the test holds, with a pool and an event base of its own. The
 * base is turned by hand, so that a test sees which events are on. One thread. */
#ifndef TESTS_UNIT_PROXY_IO_CHANNEL_PAIR_H
#define TESTS_UNIT_PROXY_IO_CHANNEL_PAIR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "proxy/io/channel.h"

struct channel_pair {
    struct worker_stats stats;
    struct buffer_pool pool;
    struct loop *loop;
    struct channel channel;
    int peer_fd; /* non-blocking; -1: closed */
    int readable_count, writable_count;
};

static inline void channel_pair_on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct channel_pair *pair = arg;
    pair->readable_count += what == EV_READ;
    pair->writable_count += what == EV_WRITE;
}

static inline struct channel_pair *channel_pair_new_over(struct transport *transport, event_callback_fn on_event)
{
    int fds[2];
    struct channel_pair *pair = aligned_alloc(64, (sizeof *pair + 63) & ~(size_t)63);
    assert_non_null(pair);
    memset(pair, 0, sizeof *pair);
    buffer_pool_init(&pair->pool, UINT64_MAX, &pair->stats);
    pair->loop = loop_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    int smallest = 1; /* a few KiB: sends block soon */
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest), 0);
    channel_open(&pair->channel, loop_base(pair->loop), fds[0], transport, on_event, pair);
    pair->peer_fd = fds[1];
    return pair;
}

static inline struct channel_pair *channel_pair_new(void)
{
    return channel_pair_new_over(transport_plain(), channel_pair_on_event);
}

static inline void channel_pair_close_peer(struct channel_pair *pair)
{
    if (pair->peer_fd >= 0)
        close(pair->peer_fd);
    pair->peer_fd = -1;
}

static inline void channel_pair_free(struct channel_pair *pair)
{
    channel_close(&pair->channel, &pair->pool);
    channel_pair_close_peer(pair);
    assert_int_equal(pair->stats.buffer_bytes, 0);
    buffer_pool_fini(&pair->pool);
    loop_free(pair->loop);
    free(pair);
}

static inline void channel_pair_turn(struct channel_pair *pair)
{
    event_base_loop(loop_base(pair->loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Appends up to max bytes of what the peer can read now; returns how many. */
static inline size_t channel_pair_peer_read(struct channel_pair *pair, struct buf *into, size_t max)
{
    char bytes[65536];
    ssize_t got = read(pair->peer_fd, bytes, max < sizeof bytes ? max : sizeof bytes);
    if (got <= 0)
        return 0;
    assert_true(buf_append(into, bytes, (size_t)got));
    return (size_t)got;
}

#endif
