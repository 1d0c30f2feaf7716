/* spread_relay: the floor of whatever spreads requests. Like bench/relay.c it copies bytes that it does not look at, with
 * one receive and one send each way, but what it receives from a client goes to an upstream drawn anew each time, over
 * connections that are kept in a stack for each upstream. It takes one receive for one whole message, which holds for small
 * ones only: a message that does not go out at once is a reason to give up the pair.
 * Usage: spread_relay LISTEN_PORT UPSTREAM_PORT[,PORT...]   (all on 127.0.0.1) */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "bench/relay_loop.h"

struct side {
    int fd;                    /* -1: closed; freed at the end of the turn */
    struct side *other;        /* client: the upstream that works for it; upstream: its client, null while it is free */
    struct upstream *upstream; /* null: a client */
    LIST_ENTRY(side) link;     /* free or dead */
};

LIST_HEAD(side_list, side);

static struct upstream {
    struct side_list free;
} upstreams[RELAY_UPSTREAMS_MAX];

static struct relay relay;
static unsigned random_state = 1;
static struct side_list dead = LIST_HEAD_INITIALIZER(dead);
static char buffer[64 << 10];

static void side_close(struct side *s)
{
    if (!s || s->fd < 0)
        return;
    struct side *other = s->other;
    if (s->upstream && !other)
        LIST_REMOVE(s, link);
    close(s->fd);
    s->fd = -1;
    s->other = NULL;
    LIST_INSERT_HEAD(&dead, s, link);
    if (other) {
        other->other = NULL;
        if (other->upstream)
            LIST_INSERT_HEAD(&other->upstream->free, other, link); /* for side_close to take it out again */
        side_close(other);
    }
}

static void free_dead(void)
{
    struct side *s;
    while ((s = LIST_FIRST(&dead))) {
        LIST_REMOVE(s, link);
        free(s);
    }
}

static struct side *side_new(int fd, struct upstream *upstream)
{
    struct side *s = calloc(1, sizeof(*s));
    if (!s || !tcp_watch(relay.epoll_fd, fd, s))
        abort();
    s->fd = fd;
    s->upstream = upstream;
    tcp_set_nodelay(fd);
    return s;
}

static struct side *upstream_connect(struct upstream *upstream)
{
    struct sockaddr_in to = tcp_address("127.0.0.1", relay.upstream_ports[upstream - upstreams]);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    return side_new(fd, upstream);
}

static struct side *upstream_take(void)
{
    random_state = random_state * 1103515245u + 12345u;
    struct upstream *upstream = &upstreams[(random_state >> 16) % relay.upstream_count];
    struct side *s = LIST_FIRST(&upstream->free);
    if (!s)
        return upstream_connect(upstream);
    LIST_REMOVE(s, link);
    return s;
}

static void upstream_give_back(struct side *s)
{
    s->other->other = NULL;
    s->other = NULL;
    LIST_INSERT_HEAD(&s->upstream->free, s, link);
}

static void side_pass_on(struct side *s, size_t len)
{
    if (!s->upstream && !s->other && (s->other = upstream_take()))
        s->other->other = s;
    if (!s->other || send(s->other->fd, buffer, len, MSG_NOSIGNAL) != (ssize_t)len)
        side_close(s);
    else if (s->upstream)
        upstream_give_back(s);
}

static void on_event(void *owner, uint32_t events)
{
    struct side *s = owner;
    if (s->fd < 0 || !(events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)))
        return;
    ssize_t n = recv(s->fd, buffer, sizeof(buffer), 0);
    if (n > 0)
        side_pass_on(s, (size_t)n);
    bool has_ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (has_ended || (n > 0 && (events & (EPOLLRDHUP | EPOLLHUP)))) /* no further edge would tell */
        side_close(s);
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(relay.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        side_new(fd, NULL);
}

int main(int argc, char **argv)
{
    static const struct relay_callbacks callbacks = { accept_all, on_event, free_dead };
    int refused = relay_open(&relay, argc, argv);
    if (refused)
        return refused;
    for (unsigned i = 0; i < relay.upstream_count; i++)
        LIST_INIT(&upstreams[i].free);
    relay_run(&relay, &callbacks);
}
