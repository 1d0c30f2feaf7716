/* worker: what all parts of one thread of the data plane stand on: its clock and random numbers, its current snapshot, its rows of
 * the statistics, buffers, deadlines, and the dead of this turn. Everything in it belongs to that thread, but for the mailbox
 * that it posts to and the statistics. The struct is open to the rooms above, because every part of a request's life works
 * on it; what is mostly one room's stands behind a pointer. The thread that builds, turns and drains it is proxy/process/worker_thread.h.
 *
 * Nothing is freed inside a callback: closed objects lie in their graveyard until the turn of the loop has ended. */
#ifndef PROXY_WORKER_WORKER_H
#define PROXY_WORKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "proxy/h1/head.h"
#include "proxy/io/buffer_pool.h"
#include "proxy/io/deadline.h"
#include "proxy/io/graveyard.h"
#include "proxy/log/access_log.h"
#include "proxy/message/fault.h"
#include "proxy/message/forward_head.h"
#include "proxy/message/http_date.h"
#include "proxy/snapshot/snapshot.h"
#include "proxy/worker/row_use.h"

struct clients;
struct exchange;
struct upstream_pool;

STAILQ_HEAD(exchange_queue, exchange);

/* SERVING --> RETIRING: a successor has the listening sockets. Who is connected still has WORKER_RETIRE_MS to ask
 *    |           |      something, and is told to close: a connection closed while a request is on its way would be a
 *    |           v      reset for its client.
 *    +-----> DRAINING: connections that wait for a request are closed
 *                |
 *                v
 *              OVER: the last connection has gone, or it was told to end: then what is under way is cut off */
enum worker_phase { WORKER_SERVING = 0, WORKER_RETIRING, WORKER_DRAINING, WORKER_OVER };

struct worker {
    uint32_t index;
    struct event_base *base;      /* borrowed */
    struct mailbox *main_mailbox; /* borrowed: takes holds back and notices */
    enum worker_phase phase;      /* proxy/process/worker_thread.c is the only writer */
    struct snapshot *snapshot;    /* held, the only one that it has; null before the first. Changes between callbacks */

    int64_t now_us;     /* monotonic; read when a turn begins, and when an exchange ends */
    int64_t now_ms;     /* the same */
    bool is_clock_read; /* in this turn */
    uint64_t random_state;
    struct http_date date; /* as of the last tick */
    struct buffer_pool buffers;
    struct deadline_table deadlines;
    struct grave_list dead; /* of this turn, of all kinds */
    struct access_log access_log;
    struct forward_via via;

    struct stats_region *region; /* borrowed */
    struct worker_stats *stats;  /* shared memory: this worker's rows */
    struct service_stats *services;
    struct endpoint_stats *endpoints;
    struct load_table loads;
    uint64_t *cursors;            /* by service slot, for the balancer */
    struct row_use *service_uses; /* by service slot; those of endpoints are in their pools */

    struct clients *clients;                   /* of proxy/client/; owned by the thread */
    bool (*free_descriptor)(struct worker *w); /* by who has idle ones; false: nobody has one to give up */
    struct upstream_pool *pools;               /* of proxy/upstream/: by endpoint slot; owned by the thread */
    struct graveyard exchange_yard, upstream_yard;
    struct exchange_queue due_exchanges; /* to be sent when this turn ends */
    uint32_t due_count;
    uint32_t exchange_count, retry_count; /* under way, and those of them that wait for the answer to a retry */

    bool limits_requests; /* a rate of clients or of a listener is set: proxy/client/conn_rates.c */
    struct h1_limits head_limits;
    struct fault fault;          /* of a message that is being refused; valid within one callback */
    struct h1_request request;   /* the head being handled; valid within one callback */
    struct h1_response response; /* likewise */
};

/* Mail from a worker to the main thread. */
enum worker_notice_kind {
    WORKER_TOOK_SNAPSHOT = 0,
    WORKER_RETURNED_SNAPSHOT,
    WORKER_KEPT_ROW, /* has left the snapshot, and is in use: comes before the snapshot that had it is returned */
    WORKER_RETURNED_ROW,
    WORKER_TOOK_LOG,
    WORKER_TURNS,  /* answers a ping */
    WORKER_DRAINS, /* no request will begin any more: it drains, and has read the last head that had begun to come */
    WORKER_STOPPED
};
struct worker_notice {
    struct mail mail;
    enum worker_notice_kind kind;
    uint32_t worker;           /* index of the sender */
    struct snapshot *snapshot; /* taken or returned */
    struct snapshot_row row;   /* kept or returned */
};

/* Any of its thread's parts. */
void worker_notify(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot); /* null: of none */
static inline const struct snapshot *worker_snapshot(const struct worker *w) /* null before the first */
{
    return w->snapshot;
}
void worker_notify_row(struct worker *w, enum worker_notice_kind kind, struct snapshot_row row);
static inline void worker_end_use(struct worker *w, struct row_use *use, struct snapshot_row row)
{
    if (row_use_end(use))
        worker_notify_row(w, WORKER_RETURNED_ROW, row);
}

/* xorshift64* (Vigna 2016): fast, and good enough to spread load and name requests; nothing secret depends on it. */
static inline uint64_t worker_random(struct worker *w)
{
    uint64_t x = w->random_state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    w->random_state = x;
    return x * 2685821657736338717ull;
}

/* Each answer is the last one of its connection. */
static inline bool worker_is_leaving(const struct worker *w)
{
    return w->phase != WORKER_SERVING;
}

static inline void worker_set_clock(struct worker *w, int64_t now_us)
{
    w->now_us = now_us;
    w->now_ms = now_us / 1000;
}

static inline void worker_read_clock(struct worker *w)
{
    worker_set_clock(w, clock_now_us());
    w->is_clock_read = true;
}

/* Callbacks begin with this. What they hear of was there when the turn began. */
static inline void worker_enter(struct worker *w)
{
    if (!w->is_clock_read)
        worker_read_clock(w);
}

static inline int64_t worker_now_ms(const struct worker *w)
{
    return w->now_ms;
}

#endif
