/* spread_relay: the floor of whatever spreads requests. Like bench/relay.c it copies bytes that it does not look at, with
 * one receive and one send each way, but what it receives from a client goes to an upstream drawn anew each time, over
 * connections that are kept in a stack for each upstream. It takes one receive for one whole message, which holds for small
 * ones only: a message that does not go out at once is a reason to give up the pair.
 * Usage: spread_relay LISTEN_PORT UPSTREAM_PORT[,PORT...]   (all on 127.0.0.1) */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "bench/tcp.h"

#define UPSTREAMS_MAX 64

struct side {
    int fd;                    /* -1: closed; freed at the end of the turn */
    struct side *other;        /* client: the upstream that works for it; upstream: its client, null while it is free */
    struct upstream *upstream; /* null: a client */
    LIST_ENTRY(side) link;     /* free or dead */
};

LIST_HEAD(side_list, side);

static struct upstream {
    uint16_t port;
    struct side_list free;
} upstreams[UPSTREAMS_MAX];

static int epoll_fd, listen_fd;
static unsigned upstream_count, random_state = 1;
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
    if (!s || !tcp_watch(epoll_fd, fd, s))
        abort();
    s->fd = fd;
    s->upstream = upstream;
    tcp_set_nodelay(fd);
    return s;
}

static struct side *upstream_connect(struct upstream *upstream)
{
    struct sockaddr_in to = tcp_address("127.0.0.1", upstream->port);
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
    struct upstream *upstream = &upstreams[(random_state >> 16) % upstream_count];
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

static void side_on_event(struct side *s, uint32_t events)
{
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
    while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        side_new(fd, NULL);
}

static bool parse_ports(char *text)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        int port = atoi(word);
        if (port <= 0 || port > 65535 || upstream_count == UPSTREAMS_MAX)
            return false;
        upstreams[upstream_count].port = (uint16_t)port;
        LIST_INIT(&upstreams[upstream_count++].free);
    }
    return upstream_count > 0;
}

int main(int argc, char **argv)
{
    struct epoll_event events[256], listening = { .events = EPOLLIN };
    if (argc != 3 || atoi(argv[1]) <= 0 || atoi(argv[1]) > 65535 || !parse_ports(argv[2])) {
        fprintf(stderr, "usage: spread_relay LISTEN_PORT UPSTREAM_PORT[,PORT...]\n");
        return 2;
    }
    tcp_raise_file_limit();
    listen_fd = tcp_listen("127.0.0.1", (uint16_t)atoi(argv[1]));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (listen_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &listening) != 0) {
        perror("spread_relay");
        return 1;
    }
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                side_on_event(events[i].data.ptr, events[i].events);
            else
                accept_all();
        free_dead();
    }
}
