/* deadline: "give up if nothing happens for this long", without a timer per object. An object that waits stands in the
 * list of its kind, in the order in which it began to wait; one tick looks at the heads of the lists. Starting,
 * restarting and stopping cost a few pointer writes and no system call; a deadline fires up to one tick late. One
 * worker.
 *
 * All that wait in one list have one span. Where that differs within a kind, by something that there are few of, each of these has
 * a lane: a list of its own, whose span is asked for at the tick. */
#ifndef PROXY_IO_DEADLINE_H
#define PROXY_IO_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define DEADLINE_TICK_MS 50
#define DEADLINE_LANES 2048

enum deadline_kind {
    DEADLINE_NONE = 0,
    DEADLINE_HEAD,          /* conn: first byte of a request to the end of its head */
    DEADLINE_FRESH,         /* conn: no request yet */
    DEADLINE_IDLE,          /* conn: no further request */
    DEADLINE_REPLY,         /* conn: own answer not taken */
    DEADLINE_LINGER,        /* conn: waiting for the client to close */
    DEADLINE_CONNECT,       /* exchange */
    DEADLINE_RESPONSE,      /* exchange: request sent, no response head; in its service's lane */
    DEADLINE_BODY,          /* exchange: the client neither sends nor takes enough of a body */
    DEADLINE_UPLOAD,        /* exchange: the endpoint takes no more of the request */
    DEADLINE_STREAM,        /* exchange: the endpoint sends no more of the response */
    DEADLINE_TUNNEL,        /* exchange: no byte in either direction */
    DEADLINE_REQUEST,       /* exchange: head of the request to head of the response */
    DEADLINE_LOOK,          /* conn: not read while a request runs: is the client still there? */
    DEADLINE_WATCH,         /* conn: a request runs for so long that its client is worth being watched */
    DEADLINE_THROTTLE,      /* conn: its listener or client has used up its bytes of this moment */
    DEADLINE_UPSTREAM_IDLE, /* pooled upstream */
    DEADLINE_KIND_COUNT
};

struct deadline {
    TAILQ_ENTRY(deadline) link;
    int64_t since_ms;
    enum deadline_kind kind; /* NONE: not waiting */
    uint32_t list;           /* in the table, while it waits */
};

TAILQ_HEAD(deadline_list, deadline);

/* It has been stopped already. */
typedef void (*deadline_cb)(struct deadline *deadline, enum deadline_kind kind);
/* Of all that wait in a lane, from their beginning; 0: never. */
typedef int64_t (*deadline_lane_span_cb)(void *owner, uint32_t lane);

struct deadline_table {
    struct deadline_list lists[DEADLINE_KIND_COUNT + DEADLINE_LANES]; /* of the kinds, then of the lanes */
    uint32_t lane_count; /* used so far, from 0 to the highest: the others are not even empty lists */
    deadline_lane_span_cb lane_span_ms;
    void *lane_owner;                     /* borrowed */
    int64_t span_ms[DEADLINE_KIND_COUNT]; /* 0: never. May be changed at any time, for those that wait too */
    deadline_cb on_expire[DEADLINE_KIND_COUNT];
};

/* Idempotent. Whatever ends stops all it may wait for: mostly there is nothing to do. */
static inline void deadline_stop(struct deadline_table *table, struct deadline *d)
{
    if (d->kind == DEADLINE_NONE)
        return;
    TAILQ_REMOVE(&table->lists[d->list], d, link);
    d->kind = DEADLINE_NONE;
}

void deadline_table_init(struct deadline_table *table);
/* Whoever starts deadlines of a kind says first what is to happen when one of them is over. */
void deadline_table_on(struct deadline_table *table, enum deadline_kind kind, deadline_cb on_expire);
/* Once, before the first start in a lane. */
void deadline_table_on_lanes(struct deadline_table *table, deadline_lane_span_cb span_ms, void *owner);
void deadline_start(struct deadline_table *table, struct deadline *d, enum deadline_kind kind, int64_t now_ms);
/* lane: below DEADLINE_LANES. All of a kind, or none, wait in lanes. */
void deadline_start_in_lane(struct deadline_table *table, struct deadline *d, enum deadline_kind kind, uint32_t lane,
                            int64_t now_ms);
void deadline_table_expire(struct deadline_table *table, int64_t now_ms);

#endif
