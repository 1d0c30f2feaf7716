#include "proxy/client/listener.h"

#include "base/check.h"
#include "proxy/client/conn.h"
#include "proxy/client/shedding.h"
#include "proxy/client/clients.h"
#include "proxy/worker/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_BATCH 16 /* between two batches, accepted connections get their turn */

#define QUEUE_MAX 4096 /* no more can have waited in the kernel's queue when it is closed */

enum accept_outcome { ACCEPT_ONE = 0, ACCEPT_NONE, ACCEPT_NO_DESCRIPTOR, ACCEPT_LATER };

static bool has_its_own_limit(const struct listener *l)
{
    int64_t limit = worker_snapshot(l->worker)->settings.listeners[l->index].connections_per_worker;
    return limit > 0 && l->first->conn_count >= (uint64_t)limit;
}

static bool is_full(const struct listener *l)
{
    const struct worker *w = l->worker;
    return w->clients->conn_count >= (uint64_t)worker_snapshot(w)->settings.connections_per_worker ||
           has_its_own_limit(l);
}

/* Whether anybody waits: a place is only made for somebody. */
static bool has_queue(const struct listener *l)
{
    struct pollfd queue = { .fd = l->fd, .events = POLLIN };
    return poll(&queue, 1, 0) > 0;
}

static enum accept_outcome accept_one(struct listener *l)
{
    union endpoint_address peer;
    socklen_t len = sizeof peer;
    struct worker *w = l->worker;
    int fd = accept4(l->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
        return ACCEPT_NO_DESCRIPTOR;
    if (fd < 0)
        return errno == ECONNABORTED || errno == EINTR ? ACCEPT_ONE : ACCEPT_NONE;
    if (is_full(l)) {
        STATS_ADD(w->stats->connections_refused, 1);
        close(fd);
        return ACCEPT_ONE;
    }
    conn_open(l->first, fd, &peer);
    return ACCEPT_ONE;
}

/* Where all are busy, the new one is closed at once. Where some are only not idle for long enough, it waits. */
static enum accept_outcome accept_with_place(struct listener *l)
{
    if (is_full(l)) {
        if (!has_queue(l))
            return ACCEPT_NONE;
        if (shedding_make_place(l->worker, has_its_own_limit(l) ? l->first : NULL) == SHED_SOON)
            return ACCEPT_LATER;
    }
    return accept_one(l);
}

static void pause_accepting(struct listener *l)
{
    l->is_paused = true;
    STATS_ADD(l->worker->stats->accept_pauses, 1);
    event_del(&l->acceptable);
}

static void listener_on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct listener *l = arg;
    worker_enter(l->worker);
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        enum accept_outcome outcome = accept_with_place(l);
        if (outcome == ACCEPT_NO_DESCRIPTOR && shedding_free_descriptors(l->worker))
            continue;
        if (outcome == ACCEPT_NO_DESCRIPTOR || outcome == ACCEPT_LATER)
            pause_accepting(l);
        if (outcome != ACCEPT_ONE)
            return;
    }
}

static void name_port(struct listener *l)
{
    union endpoint_address here;
    socklen_t len = sizeof here;
    if (getsockname(l->fd, &here.any, &len) == 0 && (here.any.sa_family == AF_INET || here.any.sa_family == AF_INET6))
        l->port_len =
            (uint8_t)snprintf(l->port, sizeof l->port, "%u",
                              (unsigned)ntohs(here.any.sa_family == AF_INET6 ? here.v6.sin6_port : here.v4.sin_port));
}

void listener_init(struct listener *l, struct worker *worker, int fd, uint32_t index, struct listener *first)
{
    *l = (struct listener){ .worker = worker, .fd = fd, .index = index, .first = first };
    name_port(l);
    channel_send_at_once(fd); /* it may be of a program that did not */
}

void listener_open(struct listener *l)
{
    struct worker *w = l->worker;
    l->requests = l->body_bytes = token_bucket_new(worker_now_ms(w));
    check(event_assign(&l->acceptable, w->base, l->fd, EV_READ | EV_PERSIST, listener_on_acceptable, l) == 0);
    check(event_add(&l->acceptable, NULL) == 0);
}

void listener_resume(struct listener *l)
{
    if (!l->is_paused || l->is_closed)
        return;
    l->is_paused = event_add(&l->acceptable, NULL) != 0; /* then the next tick tries again */
}

void listener_close(struct listener *l)
{
    if (l->is_closed)
        return;
    l->is_closed = true;
    event_del(&l->acceptable);
    /* Beyond its places the rest of the queue is a successor's, if there is one. */
    for (int i = 0; i < QUEUE_MAX && !is_full(l) && accept_one(l) == ACCEPT_ONE; i++)
        ;
    close(l->fd); /* kept, it would let new connections wait in a queue that nobody empties */
    l->fd = -1;
}
