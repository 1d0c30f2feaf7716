/* relay_loop: what the two relays have in common: the command line, the listening socket and the loop, edge-triggered and of
 * one thread. A header, so that each relay stays one program without a library. */
#ifndef BENCH_RELAY_LOOP_H
#define BENCH_RELAY_LOOP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/tcp.h"

#define RELAY_UPSTREAMS_MAX 64

struct relay {
    int epoll_fd, listen_fd;
    uint16_t upstream_ports[RELAY_UPSTREAMS_MAX];
    unsigned upstream_count;
};

struct relay_callbacks {
    void (*on_acceptable)(void);
    void (*on_event)(void *owner, uint32_t events); /* of what was given to tcp_watch() */
    void (*on_turn_end)(void);                      /* no event of this turn is left */
};

static inline bool relay_parse_ports(struct relay *relay, char *text)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        int port = atoi(word);
        if (port <= 0 || port > 65535 || relay->upstream_count == RELAY_UPSTREAMS_MAX)
            return false;
        relay->upstream_ports[relay->upstream_count++] = (uint16_t)port;
    }
    return relay->upstream_count > 0;
}

/* Usage: LISTEN_PORT UPSTREAM_PORT[,PORT...]. 0, or the exit code. */
static inline int relay_open(struct relay *relay, int argc, char **argv)
{
    struct epoll_event listening = { .events = EPOLLIN };
    if (argc != 3 || atoi(argv[1]) <= 0 || atoi(argv[1]) > 65535 || !relay_parse_ports(relay, argv[2])) {
        fprintf(stderr, "usage: %s LISTEN_PORT UPSTREAM_PORT[,PORT...]\n", argv[0]);
        return 2;
    }
    tcp_raise_file_limit();
    relay->listen_fd = tcp_listen("127.0.0.1", (uint16_t)atoi(argv[1]));
    relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (relay->listen_fd < 0 || epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, relay->listen_fd, &listening) != 0) {
        perror(argv[0]);
        return 1;
    }
    return 0;
}

static inline _Noreturn void relay_run(const struct relay *relay, const struct relay_callbacks *callbacks)
{
    struct epoll_event events[256];
    for (;;) {
        int n = epoll_wait(relay->epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                callbacks->on_event(events[i].data.ptr, events[i].events);
            else
                callbacks->on_acceptable();
        callbacks->on_turn_end();
    }
}

#endif
