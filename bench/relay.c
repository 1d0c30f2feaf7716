/* relay: copies bytes between clients and upstreams without looking at them. The floor that the proxies are measured
 * against: one receive and one send each way per request, no epoll_ctl, one thread, one upstream connection for each
 * client connection.
 * Usage: relay LISTEN_PORT UPSTREAM_PORT[,PORT...]   (all on 127.0.0.1; upstream ports take turns) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/relay_loop.h"

#define COPY_BYTES (64u << 10)

struct side {
    int fd;
    bool is_readable, is_read_closed; /* is_read_closed: its end was passed on to the other side */
    char *pending;                    /* received here, not yet taken by the other side */
    size_t pending_at, pending_len;
    struct side *other;
    struct pair *pair;
};

struct pair {
    struct side client, upstream;
    bool is_dead;
    struct pair *next_dead;
};

static struct relay relay;
static unsigned upstream_next;
static struct pair *dead;
static char buffer[COPY_BYTES];

static void pair_close(struct pair *p)
{
    if (p->is_dead)
        return;
    p->is_dead = true;
    p->next_dead = dead; /* freed at the end of the turn: events may still point to it */
    dead = p;
    close(p->client.fd);
    if (p->upstream.fd >= 0)
        close(p->upstream.fd);
}

static void pairs_free_dead(void)
{
    while (dead) {
        struct pair *p = dead;
        dead = p->next_dead;
        free(p->client.pending);
        free(p->upstream.pending);
        free(p);
    }
}

/* Sends to the other side and keeps what it does not take. False when the pair is closed. */
static bool side_pass_on(struct side *s, const char *data, size_t len)
{
    ssize_t n = send(s->other->fd, data, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        pair_close(s->pair);
        return false;
    }
    size_t sent = n > 0 ? (size_t)n : 0;
    if (s->pending_len > 0) {
        s->pending_at += sent;
        s->pending_len -= sent;
    } else if (sent < len) {
        if (!s->pending && !(s->pending = malloc(COPY_BYTES))) {
            pair_close(s->pair);
            return false;
        }
        memcpy(s->pending, data + sent, len - sent);
        s->pending_at = 0;
        s->pending_len = len - sent;
    }
    return true;
}

static void side_end(struct side *s)
{
    s->is_read_closed = true;
    shutdown(s->other->fd, SHUT_WR);
    if (s->other->is_read_closed)
        pair_close(s->pair);
}

static void side_copy(struct side *s)
{
    if (s->pending_len > 0 && (!side_pass_on(s, s->pending + s->pending_at, s->pending_len) || s->pending_len > 0))
        return;
    while (s->is_readable && !s->is_read_closed && s->pending_len == 0) {
        ssize_t n = recv(s->fd, buffer, sizeof(buffer), 0);
        if (n == 0) {
            side_end(s);
            return;
        }
        if (n < 0 && errno != EINTR) {
            s->is_readable = false;
            if (errno != EAGAIN)
                pair_close(s->pair);
            return;
        }
        if (n > 0 && (size_t)n < sizeof(buffer))
            s->is_readable = false; /* drained: the next edge tells */
        if (n > 0 && !side_pass_on(s, buffer, (size_t)n))
            return;
    }
}

static void on_event(void *owner, uint32_t events)
{
    struct side *s = owner;
    if (s->pair->is_dead)
        return;
    if (events & EPOLLERR) {
        pair_close(s->pair);
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) {
        s->is_readable = true;
        side_copy(s);
        /* Data and end may have come together, and then there is no further edge. */
        if ((events & (EPOLLRDHUP | EPOLLHUP)) && !s->pair->is_dead && s->pending_len == 0) {
            s->is_readable = true;
            side_copy(s);
        }
    }
    if ((events & EPOLLOUT) && !s->pair->is_dead && s->other->pending_len > 0) {
        s->other->is_readable = true;
        side_copy(s->other);
    }
}

static void relay_accept(void)
{
    int fd;
    while ((fd = accept4(relay.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct sockaddr_in to = tcp_address("127.0.0.1", relay.upstream_ports[upstream_next++ % relay.upstream_count]);
        struct pair *p = calloc(1, sizeof(*p));
        if (!p)
            abort();
        p->client = (struct side){ .fd = fd, .other = &p->upstream, .pair = p };
        p->upstream = (struct side){ .other = &p->client, .pair = p };
        p->upstream.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (p->upstream.fd < 0 ||
            (connect(p->upstream.fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) ||
            !tcp_watch(relay.epoll_fd, p->upstream.fd, &p->upstream) || !tcp_watch(relay.epoll_fd, fd, &p->client)) {
            pair_close(p);
            continue;
        }
        tcp_set_nodelay(fd);
        tcp_set_nodelay(p->upstream.fd);
    }
}

int main(int argc, char **argv)
{
    static const struct relay_callbacks callbacks = { relay_accept, on_event, pairs_free_dead };
    int refused = relay_open(&relay, argc, argv);
    if (refused)
        return refused;
    relay_run(&relay, &callbacks);
}
