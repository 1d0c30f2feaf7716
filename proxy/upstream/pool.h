/* upstream/pool: connections to endpoints. What the pool hands out carries one exchange: of HTTP/1 a whole connection, whose
 * capacity is one; where a connection can carry several, a stream of it. It is either taken (whoever took it owns it, and hears of
 * it by the events that he gave) or idle in its endpoint's pool, newest first, so that the surplus ages and is closed. One worker;
 * pools are an array by endpoint slot and outlive snapshots. */
#ifndef PROXY_UPSTREAM_POOL_H
#define PROXY_UPSTREAM_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/check.h"
#include "proxy/io/channel.h"
#include "proxy/io/deadline.h"
#include "proxy/io/graveyard.h"
#include "proxy/snapshot/endpoint.h"
#include "proxy/worker/row_use.h"
#include "proxy/worker/worker.h"

enum upstream_state { UPSTREAM_CONNECTING = 0, UPSTREAM_BUSY, UPSTREAM_IDLE, UPSTREAM_CLOSED, UPSTREAM_STATE_COUNT };

/* What its taker hears of a connection. */
struct upstream_events {
    void (*connected)(void *taker, int cause); /* cause: 0 or an errno */
    void (*readable)(void *taker);
    void (*writable)(void *taker);
};

struct upstream {
    struct worker *worker;                /* borrowed */
    void *taker;                          /* its owner while connecting or busy */
    const struct upstream_events *events; /* of the taker */
    struct channel channel;
    struct deadline deadline; /* while idle */
    uint32_t slot;            /* endpoint */
    enum upstream_state state;
    bool is_reused;   /* has carried an exchange before */
    bool had_bytes;   /* of the response to its present taker */
    bool is_personal; /* its PROXY header names one client: it carries one exchange */
    union {
        LIST_ENTRY(upstream) link; /* of its pool, while idle */
        struct grave grave;        /* once closed */
    };
};

LIST_HEAD(upstream_list, upstream); /* empty when zeroed: pools that nobody used cost no memory */

struct upstream_pool {
    struct upstream_list idle;
    uint32_t idle_count;
    uint32_t lost_count;             /* requests that were in flight when tries began to fail, a moment ago */
    struct row_use use;              /* gone: nothing is taken back */
    const struct endpoint *endpoint; /* which is used; as long as it is */
    int64_t shunned_until_ms;        /* a connection was refused: prefer others for a while */
    int64_t lost_at_ms;
};

const char *upstream_state_to_str(enum upstream_state state);

bool upstream_pool_is_shunned(const struct upstream_pool *pool, int64_t now_ms);
void upstream_pool_shun(struct upstream_pool *pool, int64_t now_ms);
/* A try has failed, one of so many that were in flight; retries do not count, or they would allow more of their kind. */
void upstream_pool_note_loss(struct upstream_pool *pool, uint64_t in_flight, int64_t now_ms);

/* Once for each worker, before anything else. */
void upstream_set_up(struct worker *w);
void upstream_tear_down(struct worker *w);
size_t upstream_trim(struct worker *w); /* bytes that were freed */

/* Its endpoint is in no snapshot any more, so that nothing is taken back, and kept while it is used; or it is again, with a clean
 * slate. */
void upstream_pool_close(struct worker *w, uint32_t slot);
void upstream_pool_open(struct worker *w, uint32_t slot);
void upstream_close_all_idle(struct worker *w);

/* Who has chosen an endpoint by the snapshot uses it and its row until he says that he does not any more. */
static inline void upstream_use_endpoint(struct worker *w, const struct endpoint *endpoint)
{
    struct upstream_pool *pool = &w->pools[endpoint->slot];
    check(pool->use.count == 0 || pool->endpoint == endpoint);
    pool->endpoint = endpoint;
    row_use_begin(&pool->use);
}

static inline void upstream_leave_endpoint(struct worker *w, const struct endpoint *endpoint)
{
    worker_end_use(w, &w->pools[endpoint->slot].use, (struct snapshot_row){ .endpoint = endpoint });
}

/* The newest idle one, now busy and the taker's; null when there is none. */
struct upstream *upstream_pool_take(struct worker *w, uint32_t slot, const struct upstream_events *events, void *taker);
/* A new one, connecting. Null when no socket can be had or the network refuses at once (errno is set). */
struct upstream *upstream_connect(struct worker *w, const struct endpoint *endpoint,
                                  const struct upstream_events *events, void *taker);
/* Ends the taker's ownership: idle in its pool when reusable and there is room, else closed. */
void upstream_give_back(struct upstream *u, bool is_reusable);
void upstream_close(struct upstream *u);           /* idempotent; freed when the turn ends */
bool upstream_close_oldest_idle(struct worker *w); /* false: none is idle */

#endif
