/* worker: one thread of the data plane. Everything in it belongs to that thread, but for the mailbox and the
 * statistics. The struct is open to proxy/ because every part of a request's life works on it.
 *
 *      main thread --hold--> mailbox --> worker.hold (current snapshot)
 *      listeners -> conns -> exchanges -> upstreams, all on one libevent base without locks
 *
 * Nothing is freed inside a callback: closed objects stand on the dead lists until the turn of the loop has ended. */
#ifndef PROXY_PROCESS_WORKER_H
#define PROXY_PROCESS_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mailbox.h"
#include "proxy/log/access_log.h"
#include "proxy/io/buffer_pool.h"
#include "proxy/client/client_table.h"
#include "proxy/io/deadline.h"
#include "proxy/io/graveyard.h"
#include "proxy/message/fault.h"
#include "proxy/h1/head.h"
#include "proxy/message/http_date.h"
#include "proxy/client/listener.h"
#include "proxy/snapshot/snapshot.h"
#include "proxy/upstream/pool.h"

TAILQ_HEAD(conn_list, conn);
STAILQ_HEAD(exchange_queue, exchange);

/* SERVING --> RETIRING: a successor has the listening sockets. Who is connected still has WORKER_RETIRE_MS to ask
 *    |           |      something, and is told to close: a connection closed while a request is on its way would be a
 *    |           v      reset for its client.
 *    +-----> DRAINING: connections that wait for a request are closed
 *                |
 *                v
 *              OVER: the last connection has gone, or it was told to end: then what is under way is cut off */
enum worker_phase { WORKER_SERVING = 0, WORKER_RETIRING, WORKER_DRAINING, WORKER_OVER };

#define WORKER_RETIRE_MS 3000

struct worker_options {
    uint32_t index, worker_count;
    const int *listen_fds; /* borrowed; this worker's own, those of one listener side by side, as many of each */
    size_t listen_fd_count, listener_count;
    struct stats_region *stats;   /* borrowed */
    struct mailbox *main_mailbox; /* borrowed: takes holds back and notices */
    int access_log_fd;            /* -1: off */
    const char *via;              /* borrowed: this process's pseudonym in Via */
};

struct worker {
    uint32_t index;
    struct loop *loop;
    struct event_base *base;
    struct mailbox *mailbox;
    struct mailbox *main_mailbox;   /* borrowed */
    enum worker_phase phase;        /* worker_set_phase() is the only writer */
    int64_t left_at_ms;             /* when it ceased to be SERVING */
    bool has_retired;               /* a successor serves: tunnels have a limit of their own */
    uint32_t cut_off_count;         /* exchanges that were under way when it was told to end */
    struct snapshot_hold *hold;     /* current snapshot; null before the first */
    struct snapshot_hold *previous; /* the one before, while requests pin it; null: given back. There is no third */

    struct stats_region *region; /* borrowed */
    struct worker_stats *stats;  /* shared memory: this worker's rows */
    struct service_stats *services;
    struct endpoint_stats *endpoints;
    struct load_table loads;
    struct upstream_pool *pools; /* by endpoint slot */
    uint64_t *cursors;           /* by service slot, for the balancer */

    struct buffer_pool buffers;
    struct deadline_table deadlines;
    struct timer tick;
    struct listener *listeners;
    size_t listener_count; /* sockets, that is */
    struct conn_list conns;
    struct exchange_queue due_exchanges; /* to be sent when this turn ends */
    uint32_t due_count;
    uint32_t conn_count, exchange_count, retry_count; /* open, under way, under way and not at their first try */
    struct client_table *clients;
    struct client_limits client_limits;
    bool limits_requests, limits_body_bytes; /* a rate of clients or of a listener is set: see conn_rates.c */
    int64_t splice_bytes_min;                /* 0: bodies are copied */
    struct slice via;
    struct grave_list dead; /* of this turn, of all kinds */
    struct graveyard conn_yard, exchange_yard, upstream_yard;
    uint32_t tick_count;
    size_t trimmed_bytes; /* freed since the allocator was last asked to give pages back */
    struct access_log access_log;
    uint64_t random_state;
    int64_t now_us;        /* monotonic; read when a turn begins, and when an exchange ends */
    bool is_clock_read;    /* in this turn */
    struct http_date date; /* as of the last tick */
    struct h1_limits head_limits;
    struct fault fault;          /* of a message that is being refused; valid within one callback */
    struct h1_request request;   /* the head being handled; valid within one callback */
    struct h1_response response; /* likewise */
};

/* Mail from a worker to the main thread. */
enum worker_notice_kind {
    WORKER_TOOK_SNAPSHOT = 0,
    WORKER_RETURNED_SNAPSHOT,
    WORKER_KEPT_ROWS, /* a request outlives its snapshot, which comes back behind this */
    WORKER_RETURNED_ROWS,
    WORKER_TOOK_LOG,
    WORKER_TURNS,  /* answers a ping */
    WORKER_DRAINS, /* no request will begin on a connection that had none under way */
    WORKER_STOPPED
};
struct worker_notice {
    struct mail mail;
    enum worker_notice_kind kind;
    uint32_t worker;           /* index of the sender */
    struct snapshot *snapshot; /* taken or returned */
    struct snapshot_rows rows; /* kept or returned */
};

struct worker *worker_new(const struct worker_options *options);
void worker_free(struct worker *w);             /* after worker_run has returned */
void worker_turn(struct worker *w, bool waits); /* one turn of the loop; tests turn it by hand */
void worker_run(struct worker *w);              /* the thread's body: turns until it is OVER */

/* Any thread. */
void worker_post_snapshot(struct worker *w, struct snapshot_hold *hold);
void worker_post_phase(struct worker *w, enum worker_phase phase); /* an earlier one than the present is no order */
void worker_post_ping(struct worker *w);                           /* answered by WORKER_TURNS */
void worker_post_log(struct worker *w, int fd); /* borrowed; answered by WORKER_TOOK_LOG: the one before is not used */

/* Its own thread. */
void worker_set_phase(struct worker *w, enum worker_phase phase); /* only onwards */
const struct snapshot *worker_snapshot(const struct worker *w);   /* null before the first */
struct snapshot_hold *worker_pin(struct worker *w);
void worker_unpin(struct worker *w, struct snapshot_hold *hold);
void worker_keep_rows(struct worker *w, struct snapshot_rows rows);   /* must be of a snapshot that is pinned */
void worker_return_rows(struct worker *w, struct snapshot_rows rows); /* was kept: once each */
uint64_t worker_random(struct worker *w);

/* Each answer is the last one of its connection. */
static inline bool worker_is_leaving(const struct worker *w)
{
    return w->phase != WORKER_SERVING;
}

static inline void worker_read_clock(struct worker *w)
{
    w->now_us = clock_now_us();
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
    return w->now_us / 1000;
}

#endif
