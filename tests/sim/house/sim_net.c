#include "tests/sim/house/sim_net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/sim_sockets.h"

#define QUEUE_MAX 64
#define KEPT_BYTES_MAX (256u << 10)

static struct {
    struct socket sockets[NET_SOCKETS_MAX];
    struct port {
        int queue[QUEUE_MAX]; /* sockets that wait to be accepted, the oldest first */
        size_t count;
    } ports[NET_PORTS_MAX];
    size_t stream_counts[NET_OWNER_COUNT];
    enum net_owner who;
    net_dialled_cb dialled;
} net;

/* ---- bytes on their way ---- */

static void bytes_append(struct bytes *b, const void *from, size_t len)
{
    if (b->begin + b->len + len > b->size) {
        if (b->begin > 0)
            memmove(b->data, b->data + b->begin, b->len);
        b->begin = 0;
    }
    if (b->len + len > b->size) {
        b->size = (b->len + len) * 2;
        b->data = mem_grow_array(b->data, b->size, 1);
    }
    memcpy(b->data + b->begin + b->len, from, len);
    b->len += len;
}

static size_t bytes_take(struct bytes *b, void *to, size_t len)
{
    len = len < b->len ? len : b->len;
    if (len > 0)
        memcpy(to, b->data + b->begin, len);
    b->begin += len;
    b->len -= len;
    if (b->len == 0)
        b->begin = 0;
    return len;
}

static void bytes_drop(struct bytes *b)
{
    b->begin = b->len = 0;
    if (b->size <= KEPT_BYTES_MAX)
        return;
    free(b->data);
    *b = (struct bytes){ .data = NULL };
}

/* ---- sockets ---- */

struct socket *net_socket_of(int fd)
{
    if (fd < NET_FD_FIRST || fd >= NET_FD_FIRST + NET_SOCKETS_MAX)
        return NULL;
    struct socket *s = &net.sockets[fd - NET_FD_FIRST];
    check(s->kind != SOCKET_FREE); /* a descriptor that was closed already */
    return s;
}

int net_fd_of(const struct socket *s)
{
    return NET_FD_FIRST + (int)(s - net.sockets);
}

struct socket *net_socket_new(enum socket_kind kind)
{
    for (size_t i = 0; i < NET_SOCKETS_MAX; i++) {
        struct socket *s = &net.sockets[i];
        if (s->kind != SOCKET_FREE)
            continue;
        *s = (struct socket){ .kind = kind, .owner = net.who, .max = NET_STREAM_BYTES, .in = s->in };
        bytes_drop(&s->in);
        net.stream_counts[net.who] += kind == SOCKET_STREAM;
        return s;
    }
    check(!"a socket is free");
    return NULL;
}

static void give_to(struct socket *s, enum net_owner owner)
{
    net.stream_counts[s->owner]--;
    net.stream_counts[owner]++;
    s->owner = owner;
}

void net_join(struct socket *a, struct socket *b)
{
    a->peer = b;
    b->peer = a;
}

/* What a kernel tells the other side when this one is closed. */
static void part(struct socket *s, bool resets)
{
    struct socket *peer = s->peer;
    s->peer = NULL;
    if (!peer)
        return;
    peer->peer = NULL;
    if (resets || s->resets_on_close || s->in.len > 0) {
        peer->is_reset = true;
        bytes_drop(&peer->in);
    } else {
        peer->has_end = true;
    }
}

static void leave_queue(const struct socket *s)
{
    for (size_t p = 0; p < NET_PORTS_MAX; p++) {
        struct port *port = &net.ports[p];
        for (size_t i = 0; i < port->count; i++) {
            if (port->queue[i] == net_fd_of(s))
                check(!"closed while it waits to be accepted");
        }
    }
}

void net_socket_close(struct socket *s, bool resets)
{
    if (s->kind == SOCKET_STREAM) {
        leave_queue(s);
        net.stream_counts[s->owner]--;
    }
    part(s, resets);
    s->kind = SOCKET_FREE;
}

struct socket *net_accept(size_t port_index)
{
    struct port *port = &net.ports[port_index];
    if (port->count == 0)
        return NULL;
    struct socket *s = net_socket_of(port->queue[0]);
    memmove(port->queue, port->queue + 1, --port->count * sizeof *port->queue);
    give_to(s, net.who);
    return s;
}

bool net_has_waiting(size_t port)
{
    return net.ports[port].count > 0;
}

enum net_answer net_tell_dialled(uint32_t address, int fd)
{
    return net.dialled(address, fd);
}

/* Some of it: what a kernel takes or gives in one call is its own affair. */
static size_t some_of(size_t len)
{
    return len > 1 && house_chance(6) ? 1 + house_random(len) : len;
}

ssize_t net_put(struct socket *s, const void *bytes, size_t len)
{
    if (s->is_dead || s->is_reset || s->has_shut) {
        errno = s->is_reset ? ECONNRESET : EPIPE;
        return -1;
    }
    if (!s->peer) { /* it is gone: these bytes bring a reset */
        s->is_reset = true;
        return (ssize_t)len;
    }
    size_t room = s->peer->in.len < s->peer->max ? s->peer->max - s->peer->in.len : 0;
    if (room == 0 || s->is_unanswered) {
        errno = EAGAIN;
        return -1;
    }
    len = some_of(len < room ? len : room);
    bytes_append(&s->peer->in, bytes, len);
    return (ssize_t)len;
}

ssize_t net_get(struct socket *s, void *bytes, size_t len)
{
    if (s->is_dead || s->is_reset) {
        errno = ECONNRESET;
        return -1;
    }
    if (s->in.len > 0)
        return (ssize_t)bytes_take(&s->in, bytes, some_of(len));
    if (s->has_end)
        return 0;
    errno = EAGAIN;
    return -1;
}

bool net_is_readable(int fd)
{
    const struct socket *s = net_socket_of(fd);
    if (!s || s->is_dead)
        return false;
    if (s->kind == SOCKET_LISTENING)
        return net.ports[s->port].count > 0;
    if (s->kind == SOCKET_COUNTER)
        return s->counter > 0;
    return s->in.len > 0 || s->has_end || s->is_reset || s->connect_error != 0;
}

bool net_is_writable(int fd)
{
    const struct socket *s = net_socket_of(fd);
    if (!s || s->is_dead || s->kind != SOCKET_STREAM || s->is_unanswered)
        return false;
    return s->is_reset || s->connect_error != 0 || !s->peer || s->peer->in.len < s->peer->max;
}

/* ---- processes ---- */

void net_reset(void)
{
    net.who = NET_OUTSIDE;
    for (size_t i = 0; i < NET_SOCKETS_MAX; i++) {
        net.sockets[i].kind = SOCKET_FREE;
        net.sockets[i].peer = NULL;
    }
    memset(net.ports, 0, sizeof net.ports);
    memset(net.stream_counts, 0, sizeof net.stream_counts);
}

enum net_owner net_become(enum net_owner who)
{
    enum net_owner before = net.who;
    net.who = who;
    return before;
}

void net_kill(enum net_owner owner)
{
    for (size_t i = 0; i < NET_SOCKETS_MAX; i++) {
        struct socket *s = &net.sockets[i];
        if (s->kind == SOCKET_FREE || s->kind == SOCKET_COUNTER || s->owner != owner)
            continue;
        s->is_dead = true;
        part(s, false);
    }
}

size_t net_stream_count(enum net_owner owner)
{
    return net.stream_counts[owner];
}

size_t net_exit(enum net_owner owner)
{
    size_t count = 0;
    for (size_t i = 0; i < NET_SOCKETS_MAX; i++) {
        struct socket *s = &net.sockets[i];
        if (s->kind == SOCKET_FREE || s->owner != owner)
            continue;
        count += s->kind != SOCKET_LISTENING;
        net_socket_close(s, false);
    }
    return count;
}

int net_listen(size_t port)
{
    struct socket *s = net_socket_new(SOCKET_LISTENING);
    s->port = port;
    return net_fd_of(s);
}

void net_open_link(int fds[2], enum net_owner first, enum net_owner second)
{
    struct socket *a = net_socket_new(SOCKET_STREAM), *b = net_socket_new(SOCKET_STREAM);
    give_to(a, first);
    give_to(b, second);
    a->max = b->max = NET_LINK_BYTES;
    net_join(a, b);
    fds[0] = net_fd_of(a);
    fds[1] = net_fd_of(b);
}

/* ---- from outside ---- */

void net_set_dialled(net_dialled_cb dialled)
{
    net.dialled = dialled;
}

int net_dial(size_t port_index, uint32_t address)
{
    struct port *port = &net.ports[port_index];
    if (port->count == QUEUE_MAX)
        return -1;
    struct socket *client = net_socket_new(SOCKET_STREAM), *server = net_socket_new(SOCKET_STREAM);
    net_join(client, server);
    server->address = address;
    port->queue[port->count++] = net_fd_of(server);
    return net_fd_of(client);
}

ssize_t net_send(int fd, const void *bytes, size_t len)
{
    ssize_t put = net_put(net_socket_of(fd), bytes, len);
    return put >= 0 ? put : errno == EAGAIN ? NET_BLOCKED : NET_BROKEN;
}

ssize_t net_receive(int fd, void *bytes, size_t len)
{
    ssize_t got = net_get(net_socket_of(fd), bytes, len);
    return got >= 0 ? got : errno == EAGAIN ? NET_BLOCKED : NET_BROKEN;
}

bool net_has_peer(int fd)
{
    return net_socket_of(fd)->peer != NULL;
}

void net_shut(int fd)
{
    struct socket *s = net_socket_of(fd);
    s->has_shut = true;
    if (s->peer)
        s->peer->has_end = true;
}

void net_close(int fd, bool resets)
{
    net_socket_close(net_socket_of(fd), resets);
}
