/* deadline: "give up if nothing happens for this long", without a timer per object. An object that waits stands in the
 * list of its kind, in the order in which it began to wait; one tick looks at the heads of the lists. Starting,
 * restarting and stopping cost a few pointer writes and no system call; a deadline fires up to one tick late. One
 * worker. */
#ifndef PROXY_IO_DEADLINE_H
#define PROXY_IO_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define DEADLINE_TICK_MS 50

enum deadline_kind {
    DEADLINE_NONE = 0,
    DEADLINE_HEAD,          /* conn: first byte of a request to the end of its head */
    DEADLINE_FRESH,         /* conn: no request yet */
    DEADLINE_IDLE,          /* conn: no further request */
    DEADLINE_REPLY,         /* conn: own answer not taken */
    DEADLINE_LINGER,        /* conn: waiting for the client to close */
    DEADLINE_CONNECT,       /* exchange */
    DEADLINE_RESPONSE,      /* exchange: request sent, no response head */
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
};

TAILQ_HEAD(deadline_list, deadline);

/* It has been stopped already. */
typedef void (*deadline_cb)(struct deadline *deadline, enum deadline_kind kind);

struct deadline_table {
    struct deadline_list lists[DEADLINE_KIND_COUNT];
    int64_t span_ms[DEADLINE_KIND_COUNT]; /* 0: never. May be changed at any time, for those that wait too */
    deadline_cb on_expire[DEADLINE_KIND_COUNT];
};

/* Idempotent. Whatever ends stops all it may wait for: mostly there is nothing to do. */
static inline void deadline_stop(struct deadline_table *table, struct deadline *d)
{
    if (d->kind == DEADLINE_NONE)
        return;
    TAILQ_REMOVE(&table->lists[d->kind], d, link);
    d->kind = DEADLINE_NONE;
}

void deadline_table_init(struct deadline_table *table);
/* Whoever starts deadlines of a kind says first what is to happen when one of them is over. */
void deadline_table_on(struct deadline_table *table, enum deadline_kind kind, deadline_cb on_expire);
void deadline_start(struct deadline_table *table, struct deadline *d, enum deadline_kind kind, int64_t now_ms);
void deadline_table_expire(struct deadline_table *table, int64_t now_ms);

#endif
