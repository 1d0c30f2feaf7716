#include "proxy/upstream/pool.h"

#include "base/check.h"
#include "base/mem.h"
#include "proxy/worker/worker.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* Newest first: under less load the older ones fall out of use, and their time-out closes them. An idle connection stays watched
 * for reading, which costs nothing while nothing comes: an endpoint that closes it, or says something unasked, is heard of before
 * a request is given to it. There is still a gap (the end can be on its way while the request is being written), and what falls
 * into it is what exchange_try.c calls stale.
 *
 * Shunning and loss are of the pool, not of the endpoint's health: they are this worker's own, hold for a second, and only
 * prefer others: one that is shunned is still asked when there is no other. */

#define LOSS_MS 1000 /* what dies with an endpoint is noticed within this */
#define SHUN_MS 1000 /* discovery has removed a dead endpoint long before; a restarting one comes back within this */

const char *upstream_state_to_str(enum upstream_state state)
{
    static const char *const names[] = { "CONNECTING", "BUSY", "IDLE", "CLOSED" };
    _Static_assert(sizeof names / sizeof *names == UPSTREAM_STATE_COUNT, "a name for each state");
    return names[state];
}

bool upstream_pool_is_shunned(const struct upstream_pool *pool, int64_t now_ms)
{
    return now_ms < pool->shunned_until_ms;
}

void upstream_pool_shun(struct upstream_pool *pool, int64_t now_ms)
{
    pool->shunned_until_ms = now_ms + SHUN_MS;
}

void upstream_pool_note_loss(struct upstream_pool *pool, uint64_t in_flight, int64_t now_ms)
{
    if (now_ms - pool->lost_at_ms < LOSS_MS && in_flight <= pool->lost_count)
        return;
    pool->lost_count = in_flight < UINT32_MAX ? (uint32_t)in_flight : UINT32_MAX;
    pool->lost_at_ms = now_ms;
}

static void evict_idle(struct upstream_pool *pool)
{
    while (!LIST_EMPTY(&pool->idle))
        upstream_close(LIST_FIRST(&pool->idle));
}

static void leave_pool(struct upstream *u)
{
    struct upstream_pool *pool = &u->worker->pools[u->slot];
    LIST_REMOVE(u, link);
    pool->idle_count--;
    STATS_ADD(u->worker->stats->upstream_idle, -1);
    deadline_stop(&u->worker->deadlines, &u->deadline);
}

/* Bytes or an end on a connection that nobody asked anything of: the next exchange must not see them. */
static void on_readable(struct upstream *u)
{
    if (u->state == UPSTREAM_BUSY)
        u->events->readable(u->taker);
    else
        upstream_close(u);
}

static void on_writable(struct upstream *u)
{
    if (u->state == UPSTREAM_CONNECTING) {
        int cause = channel_connect_error(&u->channel);
        if (cause == 0) {
            u->state = UPSTREAM_BUSY;
            channel_set_reading(&u->channel, true);
            channel_set_writing(&u->channel, false);
        }
        u->events->connected(u->taker, cause);
    } else if (u->state == UPSTREAM_BUSY) {
        u->events->writable(u->taker);
    }
}

static void upstream_on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct upstream *u = arg;
    worker_enter(u->worker);
    if (what & EV_WRITE)
        on_writable(u);
    else
        on_readable(u);
}

static void upstream_on_deadline(struct deadline *d, enum deadline_kind kind)
{
    (void)kind;
    upstream_close((struct upstream *)((char *)d - offsetof(struct upstream, deadline)));
}

void upstream_set_up(struct worker *w)
{
    graveyard_init(&w->upstream_yard, sizeof(struct upstream), offsetof(struct upstream, grave), &w->dead);
    deadline_table_on(&w->deadlines, DEADLINE_UPSTREAM_IDLE, upstream_on_deadline);
    w->pools = mem_alloc_array(STATS_ENDPOINTS_MAX, sizeof *w->pools);
}

void upstream_tear_down(struct worker *w)
{
    free(w->pools);
    slab_fini(&w->upstream_yard.slab);
}

size_t upstream_trim(struct worker *w)
{
    return slab_trim(&w->upstream_yard.slab);
}

void upstream_close_all_idle(struct worker *w)
{
    for (size_t i = 0; i < STATS_ENDPOINTS_MAX; i++)
        evict_idle(&w->pools[i]);
}

void upstream_pool_close(struct worker *w, uint32_t slot)
{
    struct upstream_pool *pool = &w->pools[slot];
    evict_idle(pool);
    if (row_use_leave(&pool->use))
        worker_notify_row(w, WORKER_KEPT_ROW, (struct snapshot_row){ .endpoint = pool->endpoint });
}

void upstream_pool_open(struct worker *w, uint32_t slot)
{
    struct upstream_pool *pool = &w->pools[slot];
    pool->shunned_until_ms = 0;
    if (row_use_come(&pool->use))
        worker_notify_row(w, WORKER_RETURNED_ROW, (struct snapshot_row){ .endpoint = pool->endpoint });
}

struct upstream *upstream_pool_take(struct worker *w, uint32_t slot, const struct upstream_events *events, void *taker)
{
    struct upstream *u = LIST_FIRST(&w->pools[slot].idle);
    if (!u)
        return NULL;
    leave_pool(u);
    u->state = UPSTREAM_BUSY;
    u->is_reused = true;
    u->had_bytes = false;
    u->events = events;
    u->taker = taker;
    STATS_ADD(w->stats->upstream_reuses, 1);
    return u;
}

struct upstream *upstream_connect(struct worker *w, const struct endpoint *endpoint,
                                  const struct upstream_events *events, void *taker)
{
    int fd = channel_dial(&endpoint->address.any, endpoint->address_len);
    if (fd < 0)
        return NULL;
    struct upstream *u = slab_take(&w->upstream_yard.slab);
    if (!u) {
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    u->worker = w;
    u->events = events;
    u->taker = taker;
    u->slot = endpoint->slot;
    u->state = UPSTREAM_CONNECTING;
    channel_open(&u->channel, w->base, fd, transport_plain(), upstream_on_event, u);
    if (!channel_set_writing(&u->channel, true)) {
        channel_close(&u->channel, &w->buffers);
        slab_give_back(&w->upstream_yard.slab, u);
        errno = ENOMEM;
        return NULL;
    }
    STATS_ADD(w->stats->upstream_connects, 1);
    return u;
}

void upstream_give_back(struct upstream *u, bool is_reusable)
{
    struct worker *w = u->worker;
    struct upstream_pool *pool = &w->pools[u->slot];
    const struct snapshot *snapshot = worker_snapshot(w);
    check(u->state != UPSTREAM_IDLE);
    if (!is_reusable || u->is_personal || u->state != UPSTREAM_BUSY || pool->use.is_gone || worker_is_leaving(w) ||
        u->channel.in || u->channel.out ||
        pool->idle_count >= (uint64_t)snapshot->settings.upstream_idle_per_endpoint) {
        upstream_close(u);
        return;
    }
    u->taker = NULL;
    u->state = UPSTREAM_IDLE;
    channel_set_reading(&u->channel, true); /* off when the client was slow to take the last piece */
    LIST_INSERT_HEAD(&pool->idle, u, link);
    pool->idle_count++;
    STATS_ADD(w->stats->upstream_idle, 1);
    deadline_start(&w->deadlines, &u->deadline, DEADLINE_UPSTREAM_IDLE, worker_now_ms(w));
}

void upstream_close(struct upstream *u)
{
    if (u->state == UPSTREAM_CLOSED)
        return;
    if (u->state == UPSTREAM_IDLE)
        leave_pool(u);
    u->state = UPSTREAM_CLOSED;
    u->taker = NULL;
    channel_close(&u->channel, &u->worker->buffers);
    graveyard_bury(&u->worker->upstream_yard, u);
}

bool upstream_close_oldest_idle(struct worker *w)
{
    struct deadline *oldest = TAILQ_FIRST(&w->deadlines.lists[DEADLINE_UPSTREAM_IDLE]);
    if (oldest)
        upstream_close((struct upstream *)((char *)oldest - offsetof(struct upstream, deadline)));
    return oldest != NULL;
}
