#include "proxy/process/worker.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/client/conn.h"
#include "proxy/exchange/exchange.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LINGER_MS 2000
#define LOOK_MS 1000
#define TRIM_TICKS (1000 / DEADLINE_TICK_MS)
#define TRIM_BYTES_MIN (1u << 20) /* for less, the allocator is not asked to give pages back */

struct phase_order {
    struct worker_mail mail;
    enum worker_phase phase;
};

struct log_order {
    struct worker_mail mail;
    int fd; /* borrowed */
};

const struct snapshot *worker_snapshot(const struct worker *w)
{
    return w->hold ? w->hold->snapshot : NULL;
}

/* xorshift64* (Vigna 2016): fast, and good enough to spread load and name requests; nothing secret depends on it. */
uint64_t worker_random(struct worker *w)
{
    uint64_t x = w->random_state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    w->random_state = x;
    return x * 2685821657736338717ull;
}

static void post_notice(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot,
                        struct snapshot_rows rows)
{
    struct worker_notice *notice = mem_alloc(sizeof *notice);
    notice->kind = kind;
    notice->worker = w->index;
    notice->snapshot = snapshot;
    notice->rows = rows;
    mailbox_post(w->main_mailbox, &notice->mail);
}

static void notify_main(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot)
{
    post_notice(w, kind, snapshot, (struct snapshot_rows){ 0 });
}

static void return_hold(struct worker *w, struct snapshot_hold *hold)
{
    check(!hold->returned);
    hold->returned = true;
    notify_main(w, WORKER_RETURNED_SNAPSHOT, hold->snapshot);
}

struct snapshot_hold *worker_pin(struct worker *w)
{
    snapshot_pin(w->hold);
    return w->hold;
}

void worker_unpin(struct worker *w, struct snapshot_hold *hold)
{
    if (snapshot_unpin(hold)) {
        w->previous = NULL;
        return_hold(w, hold);
    }
}

void worker_keep_rows(struct worker *w, struct snapshot_rows rows)
{
    post_notice(w, WORKER_KEPT_ROWS, NULL, rows);
}

void worker_return_rows(struct worker *w, struct snapshot_rows rows)
{
    post_notice(w, WORKER_RETURNED_ROWS, NULL, rows);
}

/* Whoever has outlived two snapshots may live for hours. */
static void empty_previous(struct worker *w)
{
    const struct snapshot_hold *previous = w->previous;
    struct conn *c;
    TAILQ_FOREACH (c, &w->conns, link) {
        if (c->exchange && c->exchange->hold == previous)
            exchange_leave_snapshot(c->exchange);
    }
    check(!w->previous);
}

static int64_t client_share(const struct proxy_settings *settings)
{
    int64_t share = settings->connections_per_worker * settings->client_share_percent / 100;
    return share > 0 ? share : 1;
}

static void apply_settings(struct worker *w, const struct proxy_settings *settings)
{
    int64_t *span = w->deadlines.span_ms;
    span[DEADLINE_HEAD] = settings->head_ms;
    span[DEADLINE_FRESH] = span[DEADLINE_IDLE] = settings->idle_ms;
    span[DEADLINE_REPLY] = settings->body_ms;
    span[DEADLINE_LINGER] = LINGER_MS;
    span[DEADLINE_LOOK] = LOOK_MS;
    span[DEADLINE_CONNECT] = settings->connect_ms;
    span[DEADLINE_RESPONSE] = settings->response_ms;
    span[DEADLINE_BODY] = span[DEADLINE_UPLOAD] = settings->body_ms;
    span[DEADLINE_STREAM] = settings->stream_ms;
    span[DEADLINE_TUNNEL] = settings->tunnel_ms;
    span[DEADLINE_REQUEST] = settings->request_ms;
    span[DEADLINE_THROTTLE] = 1; /* the next tick */
    span[DEADLINE_UPSTREAM_IDLE] = settings->upstream_idle_ms;
    w->buffers.limit_bytes = (uint64_t)settings->buffer_bytes_per_worker;
    w->head_limits = (struct h1_limits){ .head_bytes = (size_t)settings->head_bytes,
                                         .target_bytes = H1_TARGET_MAX,
                                         .field_count = (uint16_t)settings->field_count,
                                         .refuses_encoded_slashes = settings->encoded_slashes == ENCODED_SLASHES_REFUSE,
                                         .accepts_bare_lf = settings->accepts_bare_lf };
    w->splice_bytes_min = settings->splice_bytes_min;
    w->client_limits = (struct client_limits){ .connections = settings->client_connections,
                                               .requests_per_second = settings->client_requests_per_second,
                                               .share = client_share(settings),
                                               .body_bytes_per_second = settings->client_body_bytes_per_second };
    access_log_set_format(&w->access_log, settings->log_format, (uint32_t)settings->log_every);
}

static void apply_listeners(struct worker *w, const struct proxy_settings *settings)
{
    w->limits_requests = w->client_limits.requests_per_second > 0;
    w->limits_body_bytes = w->client_limits.body_bytes_per_second > 0;
    for (size_t i = 0; i < w->listener_count; i++) {
        struct listener *l = &w->listeners[i];
        l->requests_per_second = settings->listeners[l->index].requests_per_second_per_worker;
        l->body_bytes_per_second = settings->listeners[l->index].body_bytes_per_second_per_worker;
        w->limits_requests |= l->requests_per_second > 0;
        w->limits_body_bytes |= l->body_bytes_per_second > 0;
    }
}

static void apply_pools(struct worker *w, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->endpoints_gone.count; i++) {
        struct upstream_pool *pool = &w->pools[snapshot->endpoints_gone.slots[i]];
        pool->is_gone = true;
        upstream_pool_evict_idle(pool);
    }
    for (size_t i = 0; i < snapshot->endpoints_back.count; i++) {
        struct upstream_pool *pool = &w->pools[snapshot->endpoints_back.slots[i]];
        pool->is_gone = false;
        pool->shunned_until_ms = 0;
    }
}

static void open_listeners(struct worker *w)
{
    for (size_t i = 0; i < w->listener_count; i++)
        listener_open(&w->listeners[i]);
}

/* False: connections that are open have to hear of it. */
static bool are_clients_treated_alike(const struct proxy_settings *a, const struct proxy_settings *b)
{
    return a->client_connections == b->client_connections &&
           a->client_requests_per_second == b->client_requests_per_second &&
           a->client_body_bytes_per_second == b->client_body_bytes_per_second &&
           a->trusted_proxy_count == b->trusted_proxy_count &&
           memcmp(a->trusted_proxies, b->trusted_proxies, a->trusted_proxy_count * sizeof a->trusted_proxies[0]) == 0;
}

static void take_snapshot(struct worker *w, struct snapshot_hold *hold)
{
    struct snapshot_hold *old = w->hold;
    w->hold = hold;
    apply_settings(w, &hold->snapshot->settings);
    apply_pools(w, hold->snapshot);
    notify_main(w, WORKER_TOOK_SNAPSHOT, hold->snapshot);
    if (old && !are_clients_treated_alike(&old->snapshot->settings, &hold->snapshot->settings))
        conn_readmit_all(w);
    if (w->previous)
        empty_previous(w);
    if (old) {
        old->superseded = true;
        if (old->pins == 0)
            return_hold(w, old);
        else
            w->previous = old;
    } else if (w->phase == WORKER_SERVING) {
        open_listeners(w); /* before this, connections wait in the kernel's queue */
    }
    apply_listeners(w, &hold->snapshot->settings);
}

static void close_listeners(struct worker *w)
{
    for (size_t i = 0; w->hold && i < w->listener_count; i++)
        listener_close(&w->listeners[i]);
}

void worker_set_phase(struct worker *w, enum worker_phase phase)
{
    if (phase <= w->phase)
        return;
    if (w->phase == WORKER_SERVING) {
        close_listeners(w);
        w->left_at_ms = worker_now_ms(w);
    }
    if (w->phase < WORKER_DRAINING && phase >= WORKER_DRAINING) /* also when nothing is left to drain */
        notify_main(w, WORKER_DRAINS, NULL);
    w->has_retired |= phase == WORKER_RETIRING;
    w->phase = phase;
}

static void drain_conns(struct worker *w)
{
    struct conn *c, *next;
    for (c = TAILQ_FIRST(&w->conns); c; c = next) {
        next = TAILQ_NEXT(c, link);
        conn_drain(c);
    }
}

static void end_tunnels(struct worker *w)
{
    struct conn *c, *next;
    for (c = TAILQ_FIRST(&w->conns); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->exchange && c->exchange->response_state == RESPONSE_TUNNELLING)
            exchange_end_tunnel(c->exchange);
    }
}

/* One step of leaving, at each tick. */
static void go_on_leaving(struct worker *w)
{
    int64_t since_ms = worker_now_ms(w) - w->left_at_ms;
    if (w->phase == WORKER_RETIRING && since_ms >= WORKER_RETIRE_MS)
        worker_set_phase(w, WORKER_DRAINING);
    if (w->phase == WORKER_DRAINING)
        drain_conns(w);
    if (w->has_retired && w->hold && since_ms >= worker_snapshot(w)->settings.retired_tunnel_ms)
        end_tunnels(w);
    if (w->conn_count == 0)
        worker_set_phase(w, WORKER_OVER);
}

static void worker_on_mail(void *owner, struct mail *mail)
{
    struct worker *w = owner;
    worker_enter(w);
    switch (((struct worker_mail *)mail)->kind) {
    case WORKER_MAIL_SNAPSHOT:
        take_snapshot(w, (struct snapshot_hold *)mail);
        break;
    case WORKER_MAIL_PHASE:
        worker_set_phase(w, ((struct phase_order *)mail)->phase);
        free(mail);
        go_on_leaving(w);
        break;
    case WORKER_MAIL_PING:
        free(mail);
        notify_main(w, WORKER_TURNS, NULL);
        break;
    case WORKER_MAIL_LOG:
        access_log_switch(&w->access_log, ((struct log_order *)mail)->fd);
        free(mail);
        notify_main(w, WORKER_TOOK_LOG, NULL);
        break;
    }
}

/* What a flood has left behind. The allocator keeps what is freed: once no more comes, it is asked to give that back too. */
static void trim_memory(struct worker *w)
{
    size_t bytes = slab_trim(&w->conn_yard.slab) + slab_trim(&w->exchange_yard.slab) + slab_trim(&w->upstream_yard.slab) +
                   buffer_pool_trim(&w->buffers);
    w->trimmed_bytes += bytes;
    if (bytes >= TRIM_BYTES_MIN || w->trimmed_bytes < TRIM_BYTES_MIN)
        return;
    malloc_trim(0);
    w->trimmed_bytes = 0;
}

static void worker_on_tick(void *owner)
{
    struct worker *w = owner;
    worker_enter(w);
    http_date_set(&w->date, clock_wall_us());
    deadline_table_expire(&w->deadlines, worker_now_ms(w));
    for (size_t i = 0; i < w->listener_count; i++)
        listener_resume(&w->listeners[i]);
    if (access_log_is_on(&w->access_log))
        access_log_flush(&w->access_log);
    if (worker_is_leaving(w))
        go_on_leaving(w);
    if (++w->tick_count % TRIM_TICKS == 0)
        trim_memory(w);
}

static void init_stats(struct worker *w, const struct worker_options *options)
{
    w->region = options->stats;
    w->stats = stats_worker(options->stats, options->index);
    w->services = stats_services(options->stats, options->index);
    w->endpoints = stats_endpoints(options->stats, options->index);
    w->loads.worker_count = options->worker_count;
    for (uint32_t i = 0; i < options->worker_count; i++)
        w->loads.by_worker[i] = stats_endpoints(options->stats, i);
}

struct worker *worker_new(const struct worker_options *options)
{
    struct worker *w = mem_alloc(sizeof *w);
    w->index = options->index;
    w->loop = loop_new();
    w->base = loop_base(w->loop);
    w->main_mailbox = options->main_mailbox;
    w->mailbox = mailbox_new(w->loop, worker_on_mail, w);
    init_stats(w, options);
    buffer_pool_init(&w->buffers, UINT64_MAX, w->stats);
    deadline_table_init(&w->deadlines);
    grave_list_init(&w->dead);
    conn_set_up(w);
    exchange_set_up(w);
    upstream_set_up(w);
    access_log_init(&w->access_log, options->access_log_fd, w->stats);
    w->pools = mem_alloc_array(STATS_ENDPOINTS_MAX, sizeof *w->pools);
    for (size_t i = 0; i < STATS_ENDPOINTS_MAX; i++)
        upstream_pool_init(&w->pools[i]);
    w->cursors = mem_alloc_array(STATS_SERVICES_MAX, sizeof *w->cursors);
    w->listeners = mem_alloc_array(options->listen_fd_count, sizeof *w->listeners);
    w->listener_count = options->listen_fd_count;
    for (size_t i = 0; i < w->listener_count; i++) {
        size_t each = options->listen_fd_count / options->listener_count, index = i / each;
        listener_init(&w->listeners[i], w, options->listen_fds[i], (uint32_t)index, &w->listeners[index * each]);
    }
    w->via = slice_of(options->via);
    if (getrandom(&w->random_state, sizeof w->random_state, 0) != sizeof w->random_state || w->random_state == 0)
        w->random_state = (uint64_t)clock_wall_us() | 1;
    w->clients = client_table_new(CLIENT_TABLE_ENTRIES, worker_random(w));
    http_date_set(&w->date, clock_wall_us());
    timer_init(&w->tick, w->loop, worker_on_tick, w);
    timer_start_every(&w->tick, DEADLINE_TICK_MS);
    return w;
}

static void cut_off(struct worker *w, struct exchange *x)
{
    w->cut_off_count++;
    x->end = EXCHANGE_END_DRAIN_LIMIT;
}

static void close_all(struct worker *w)
{
    worker_read_clock(w);
    while (!TAILQ_EMPTY(&w->conns)) {
        if (TAILQ_FIRST(&w->conns)->exchange)
            cut_off(w, TAILQ_FIRST(&w->conns)->exchange);
        conn_close(TAILQ_FIRST(&w->conns), CONN_CLOSE_DRAINING);
    }
    for (size_t i = 0; i < STATS_ENDPOINTS_MAX; i++)
        upstream_pool_evict_idle(&w->pools[i]);
    grave_list_empty(&w->dead);
}

void worker_turn(struct worker *w, bool waits)
{
    event_base_loop(w->base, EVLOOP_ONCE | (waits ? 0 : EVLOOP_NONBLOCK));
    exchange_send_due(w);
    grave_list_empty(&w->dead);
    w->is_clock_read = false;
}

void worker_run(struct worker *w)
{
    while (w->phase != WORKER_OVER)
        worker_turn(w, true);
    close_all(w);
    timer_stop(&w->tick);
    access_log_flush(&w->access_log);
    notify_main(w, WORKER_STOPPED, NULL);
}

void worker_free(struct worker *w)
{
    client_table_free(w->clients);
    mailbox_free(w->mailbox);
    access_log_fini(&w->access_log);
    buffer_pool_fini(&w->buffers);
    slab_fini(&w->conn_yard.slab);
    slab_fini(&w->exchange_yard.slab);
    slab_fini(&w->upstream_yard.slab);
    loop_free(w->loop);
    free(w->pools);
    free(w->cursors);
    free(w->listeners);
    free(w);
}

void worker_post_snapshot(struct worker *w, struct snapshot_hold *hold)
{
    hold->mail.kind = WORKER_MAIL_SNAPSHOT;
    mailbox_post(w->mailbox, &hold->mail.mail);
}

void worker_post_phase(struct worker *w, enum worker_phase phase)
{
    struct phase_order *order = mem_alloc(sizeof *order);
    order->mail.kind = WORKER_MAIL_PHASE;
    order->phase = phase;
    mailbox_post(w->mailbox, &order->mail.mail);
}

void worker_post_ping(struct worker *w)
{
    struct worker_mail *order = mem_alloc(sizeof *order);
    order->kind = WORKER_MAIL_PING;
    mailbox_post(w->mailbox, &order->mail);
}

void worker_post_log(struct worker *w, int fd)
{
    struct log_order *order = mem_alloc(sizeof *order);
    order->mail.kind = WORKER_MAIL_LOG;
    order->fd = fd;
    mailbox_post(w->mailbox, &order->mail.mail);
}
