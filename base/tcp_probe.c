#include "base/tcp_probe.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket costs as much as the handshake, so the next probe takes that of one before. */
struct socket_shelf {
    int fds[TCP_PROBER_SPARE_MAX];
    size_t count;
};

struct tcp_prober {
    struct loop *loop;
    TAILQ_HEAD(, tcp_probe) done;
    struct timer report;           /* while there is one */
    struct socket_shelf spares[2]; /* of IPv4, of IPv6; unconnected */
};

static struct socket_shelf *shelf_of(struct tcp_prober *prober, sa_family_t family)
{
    return &prober->spares[family == AF_INET6];
}

/* Whatever came of it, the peer is sent a reset where there is somebody to send it to, as the close would. */
static bool disconnect(int fd)
{
    const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    return connect(fd, &nobody, sizeof nobody) == 0;
}

static void probe_put_socket_away(struct tcp_probe *probe)
{
    struct socket_shelf *shelf = shelf_of(probe->prober, probe->family);
    if (probe->fd < 0)
        return;
    if (shelf->count < TCP_PROBER_SPARE_MAX && disconnect(probe->fd))
        shelf->fds[shelf->count++] = probe->fd;
    else
        close(probe->fd);
    probe->fd = -1;
}

static void probe_end(struct tcp_probe *probe, enum tcp_probe_outcome outcome, int error)
{
    struct tcp_prober *prober = probe->prober;
    probe_put_socket_away(probe);
    probe->state = TCP_PROBE_DONE;
    probe->result = (struct tcp_probe_result){ outcome, error, clock_now_us() - probe->started_at_us };
    if (TAILQ_EMPTY(&prober->done))
        timer_start(&prober->report, 0);
    TAILQ_INSERT_TAIL(&prober->done, probe, link);
}

/* What we lack ourselves says nothing of the peer. */
static bool is_our_own(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void probe_fail(struct tcp_probe *probe, int error)
{
    probe_end(probe, is_our_own(error) ? TCP_PROBE_NOT_SENT : TCP_PROBE_REFUSED, error);
}

/* libevent tells of the time alone where both are there: a process that was kept from running for so long finds its time
 * over and the answer waiting. */
static bool has_answer(int fd)
{
    struct pollfd asked = { .fd = fd, .events = POLLOUT };
    return poll(&asked, 1, 0) > 0;
}

static void probe_on_event(evutil_socket_t fd, short what, void *owner)
{
    struct tcp_probe *probe = owner;
    int error = 0;
    socklen_t size = sizeof error;
    event_del(&probe->event);
    if ((what & EV_TIMEOUT) && !has_answer(fd)) {
        probe_end(probe, TCP_PROBE_TIMEOUT, 0);
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0)
        probe_fail(probe, error);
    else
        probe_end(probe, TCP_PROBE_CONNECTED, 0);
}

/* Without an immediate acknowledgement, and with a close that sends a reset. Where either is refused the handshake is
 * finished and ended like any other. What defers accepting on a listening socket defers the acknowledgement on one that
 * connects, for one or two hundred milliseconds, and unlike TCP_QUICKACK lasts for all connects of the socket. */
static void leave_unfinished(int fd)
{
    const int on = 1;
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* -1 with errno. */
static int take_socket(struct tcp_prober *prober, sa_family_t family)
{
    struct socket_shelf *shelf = shelf_of(prober, family);
    if (shelf->count > 0)
        return shelf->fds[--shelf->count];
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        leave_unfinished(fd);
    return fd;
}

union peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* IPv4 in disguise (RFC 4291 2.5.5.2) is IPv4: a socket of IPv6 that was connected to it would go on to send IPv4, also to
 * the peer that it is used for next (Linux). */
static socklen_t unmask(union peer *peer)
{
    if (!IN6_IS_ADDR_V4MAPPED(&peer->v6.sin6_addr))
        return sizeof peer->v6;
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = peer->v6.sin6_port };
    memcpy(&v4.sin_addr, &peer->v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
    peer->v4 = v4;
    return sizeof peer->v4;
}

/* The size of the address; 0: it is none. */
static socklen_t parse(const char *text, union peer *peer)
{
    char ip[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    bool is_v6 = text[0] == '[';
    if (!colon || (is_v6 && colon[-1] != ']'))
        return 0;
    size_t len = (size_t)(colon - text) - (is_v6 ? 2 : 0);
    if (len >= sizeof ip)
        return 0;
    memcpy(ip, text + is_v6, len);
    ip[len] = '\0';
    in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    *peer = (union peer){ .v6 = { .sin6_family = is_v6 ? AF_INET6 : AF_INET, .sin6_port = port } };
    if (!is_v6)
        peer->v4.sin_port = port;
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, ip, is_v6 ? (void *)&peer->v6.sin6_addr : (void *)&peer->v4.sin_addr) !=
        1)
        return 0;
    return is_v6 ? unmask(peer) : sizeof peer->v4;
}

/* 0: connected; EALREADY: under way. The second call asks, for less than an event would cost: a peer on this host, or in a
 * container of it, has answered within the first. */
static int connect_to(int fd, const struct sockaddr *peer, socklen_t peer_size)
{
    if (connect(fd, peer, peer_size) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    return connect(fd, peer, peer_size) == 0 ? 0 : errno;
}

static void probe_wait(struct tcp_probe *probe, int64_t timeout_ms)
{
    const struct timeval timeout = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
    struct event_base *base = loop_base(probe->prober->loop);
    check(event_assign(&probe->event, base, probe->fd, EV_WRITE, probe_on_event, probe) == 0);
    if (event_add(&probe->event, &timeout) == 0)
        probe->state = TCP_PROBE_CONNECTING;
    else
        probe_end(probe, TCP_PROBE_NOT_SENT, ENOMEM);
}

/* ---- public ---- */

void tcp_probe_start(struct tcp_probe *probe, const char *address, int64_t timeout_ms)
{
    union peer peer;
    socklen_t peer_size = parse(address, &peer);
    check(probe->state == TCP_PROBE_IDLE);
    probe->started_at_us = clock_now_us();
    if (peer_size == 0) {
        probe_end(probe, TCP_PROBE_NOT_SENT, EINVAL);
        return;
    }
    probe->family = peer.any.sa_family;
    probe->fd = take_socket(probe->prober, probe->family);
    if (probe->fd < 0) {
        probe_fail(probe, errno);
        return;
    }
    int error = connect_to(probe->fd, &peer.any, peer_size);
    /* No port of ours is left for this peer; the proxy's connections to it may have them all. Of IPv6 the same error says
     * that this host has none. */
    bool is_out_of_ports = error == EADDRNOTAVAIL && peer.any.sa_family == AF_INET;
    if (error == EALREADY)
        probe_wait(probe, timeout_ms);
    else if (is_out_of_ports)
        probe_end(probe, TCP_PROBE_NOT_SENT, error);
    else if (error != 0)
        probe_fail(probe, error);
    else
        probe_end(probe, TCP_PROBE_CONNECTED, 0);
}

void tcp_probe_stop(struct tcp_probe *probe)
{
    if (probe->state == TCP_PROBE_CONNECTING) {
        event_del(&probe->event);
        probe_put_socket_away(probe);
    } else if (probe->state == TCP_PROBE_DONE) {
        TAILQ_REMOVE(&probe->prober->done, probe, link);
    }
    probe->state = TCP_PROBE_IDLE;
}

void tcp_probe_init(struct tcp_probe *probe, struct tcp_prober *prober, tcp_probe_cb on_done, void *owner)
{
    *probe = (struct tcp_probe){ .prober = prober, .on_done = on_done, .owner = owner, .fd = -1 };
}

/* Only what is done by now: a callback may start more, without end. It may also stop any. */
static void prober_on_report(void *owner)
{
    struct tcp_prober *prober = owner;
    struct tcp_probe *probe;
    size_t turns = 0;
    TAILQ_FOREACH (probe, &prober->done, link)
        turns++;
    for (; turns > 0 && (probe = TAILQ_FIRST(&prober->done)); turns--) {
        struct tcp_probe_result result = probe->result;
        tcp_probe_stop(probe);
        probe->on_done(probe->owner, &result);
    }
    if (!TAILQ_EMPTY(&prober->done))
        timer_start(&prober->report, 0);
}

struct tcp_prober *tcp_prober_new(struct loop *loop)
{
    struct tcp_prober *prober = mem_alloc(sizeof *prober);
    prober->loop = loop;
    TAILQ_INIT(&prober->done);
    timer_init(&prober->report, loop, prober_on_report, prober);
    return prober;
}

void tcp_prober_free(struct tcp_prober *prober)
{
    if (!prober)
        return;
    check(TAILQ_EMPTY(&prober->done));
    timer_stop(&prober->report);
    for (size_t i = 0; i < 2; i++)
        while (prober->spares[i].count > 0)
            close(prober->spares[i].fds[--prober->spares[i].count]);
    free(prober);
}
