/* A snapshot is handed over: from here on all that the worker does is by the new one, and the old one goes back. Requests
 * under way keep the rows that they use; what was open before hears of changes that concern it. */
#include "proxy/process/worker_thread.h"

#include "proxy/upstream/pool.h"

#include <string.h>

#define LINGER_MS 2000
#define LOOK_MS 1000

static struct client_limits client_limits_of(const struct proxy_settings *settings)
{
    int64_t share = settings->connections_per_worker * settings->clients.share_percent / 100;
    return (struct client_limits){ .connections = settings->clients.connections,
                                   .requests_per_second = settings->clients.requests_per_second,
                                   .share = share > 0 ? share : 1,
                                   .body_bytes_per_second = settings->clients.body_bytes_per_second };
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
    span[DEADLINE_BODY] = span[DEADLINE_UPLOAD] = settings->body_ms;
    span[DEADLINE_STREAM] = settings->stream_ms;
    span[DEADLINE_TUNNEL] = settings->tunnel_ms;
    span[DEADLINE_REQUEST] = settings->request_ms;
    span[DEADLINE_THROTTLE] = 1; /* the next tick */
    span[DEADLINE_WATCH] = DEADLINE_TICK_MS;
    span[DEADLINE_UPSTREAM_IDLE] = settings->upstream_idle_ms;
    w->buffers.limit_bytes = (uint64_t)settings->buffer_bytes_per_worker;
    w->head_limits = (struct h1_limits){ .head_bytes = (size_t)settings->head_bytes,
                                         .target_bytes = HTTP_TARGET_MAX,
                                         .field_count = (uint16_t)settings->field_count,
                                         .refuses_encoded_slashes = settings->encoded_slashes == ENCODED_SLASHES_REFUSE,
                                         .accepts_bare_lf = settings->accepts_bare_lf };
    w->clients->limits = client_limits_of(settings);
    access_log_set_format(&w->access_log, settings->access_log_format, (uint32_t)settings->access_log_every);
}

static void apply_listeners(struct worker_thread *t, const struct proxy_settings *settings)
{
    struct worker *w = &t->worker;
    w->limits_requests = w->clients->limits.requests_per_second > 0;
    w->clients->limits_body_bytes = w->clients->limits.body_bytes_per_second > 0;
    for (size_t i = 0; i < t->listener_count; i++) {
        struct listener *l = &t->listeners[i];
        l->requests_per_second = settings->listeners[l->index].requests_per_second_per_worker;
        l->body_bytes_per_second = settings->listeners[l->index].body_bytes_per_second_per_worker;
        w->limits_requests |= l->requests_per_second > 0;
        w->clients->limits_body_bytes |= l->body_bytes_per_second > 0;
    }
}

static void apply_endpoints(struct worker *w, const struct snapshot *snapshot)
{
    const struct slot_list *gone = &snapshot->endpoints_gone, *back = &snapshot->endpoints_back;
    for (size_t i = 0; i < gone->count; i++)
        upstream_pool_close(w, gone->slots[i]);
    for (size_t i = 0; i < back->count; i++)
        upstream_pool_open(w, back->slots[i]);
}

static void apply_services(struct worker *w, const struct snapshot *snapshot)
{
    const struct slot_list *gone = &snapshot->services_gone, *back = &snapshot->services_back;
    for (size_t i = 0; i < gone->count; i++) {
        if (row_use_leave(&w->service_uses[gone->slots[i]]))
            worker_notify_row(w, WORKER_KEPT_ROW, (struct snapshot_row){ .service_slot = gone->slots[i] });
    }
    for (size_t i = 0; i < back->count; i++) {
        if (row_use_come(&w->service_uses[back->slots[i]]))
            worker_notify_row(w, WORKER_RETURNED_ROW, (struct snapshot_row){ .service_slot = back->slots[i] });
    }
}

static void open_listeners(struct worker_thread *t)
{
    for (size_t i = 0; i < t->listener_count; i++)
        listener_open(&t->listeners[i]);
}

/* False: connections that are open have to hear of it. */
static bool are_clients_treated_alike(const struct proxy_settings *a, const struct proxy_settings *b)
{
    struct client_limits of_a = client_limits_of(a), of_b = client_limits_of(b);
    return of_a.connections == of_b.connections && of_a.share == of_b.share &&
           of_a.requests_per_second == of_b.requests_per_second &&
           of_a.body_bytes_per_second == of_b.body_bytes_per_second &&
           a->trusted_proxy_count == b->trusted_proxy_count &&
           memcmp(a->trusted_proxies, b->trusted_proxies, a->trusted_proxy_count * sizeof a->trusted_proxies[0]) == 0;
}

void worker_take_snapshot(struct worker_thread *t, struct snapshot_hold *hold)
{
    struct worker *w = &t->worker;
    struct snapshot *old = w->snapshot, *snapshot = hold->snapshot;
    w->snapshot = snapshot;
    apply_settings(w, &snapshot->settings);
    apply_endpoints(w, snapshot);
    apply_services(w, snapshot);
    worker_notify(w, WORKER_TOOK_SNAPSHOT, snapshot);
    if (old && !are_clients_treated_alike(&old->settings, &snapshot->settings))
        clients_readmit(w);
    if (old)
        worker_notify(w, WORKER_RETURNED_SNAPSHOT, old); /* behind the rows of it that are kept */
    else if (w->phase == WORKER_SERVING)
        open_listeners(t); /* before this, connections wait in the kernel's queue */
    apply_listeners(t, &snapshot->settings);
}
