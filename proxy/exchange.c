#include "proxy/exchange.h"

#include "base/check.h"
#include "proxy/burn.h"
#include "proxy/conn.h"
#include "proxy/worker.h"

const char *exchange_end_to_str(enum exchange_end end)
{
    static const char *const names[] = { "complete",         "no-route",        "no-endpoint",     "refused-method",
                                         "connect-failed",   "connect-timeout", "upstream-broken", "upstream-malformed",
                                         "response-timeout", "body-timeout",    "body-malformed",  "client-gone",
                                         "no-buffer" };
    _Static_assert(sizeof names / sizeof *names == EXCHANGE_END_COUNT, "a name for each end");
    return names[end];
}

static struct service_stats *service_stats_of(struct exchange *x)
{
    return x->service_slot == UINT32_MAX ? NULL : &x->worker->services[x->service_slot];
}

void exchange_release_upstream(struct exchange *x, bool is_reusable)
{
    if (!x->upstream)
        return;
    STATS_ADD(x->worker->endpoints[x->upstream->slot].in_flight, -1);
    upstream_give_back(x->upstream, is_reusable);
    x->upstream = NULL;
}

static void count(struct exchange *x)
{
    struct service_stats *stats = service_stats_of(x);
    int64_t spent_us = x->worker->now_us - x->started_at_us;
    if (!stats)
        return;
    STATS_ADD(stats->in_flight, -1);
    STATS_ADD(stats->requests, 1);
    STATS_ADD(stats->statuses[x->status / 100], 1);
    STATS_ADD(stats->request_bytes, x->request_body.relayed_bytes);
    STATS_ADD(stats->response_bytes, x->response_body.relayed_bytes);
    histogram_add(&stats->latency, spent_us > 0 ? (uint64_t)spent_us : 0);
}

static void log_access(struct exchange *x)
{
    struct worker *w = x->worker;
    if (!access_log_is_on(&w->access_log))
        return;
    const struct snapshot_service *service =
        x->service_slot == UINT32_MAX ? NULL : x->hold->snapshot->services[x->service_slot];
    const char *head = x->head ? x->head->data : "";
    struct access_record record = {
        .client = x->conn->peer,
        .method = { head, x->method_len },
        .target = { head + x->method_len + 1, x->target_len },
        .service = service ? service->name : "",
        .endpoint = x->endpoint ? x->endpoint->address_text : "",
        .end = exchange_end_to_str(x->end),
        .status = x->status,
        .try_count = x->try_count,
        .request_bytes = x->request_body.relayed_bytes,
        .response_bytes = x->response_body.relayed_bytes,
        .duration_us = w->now_us - x->started_at_us,
        .response_us = x->response_at_us ? x->response_at_us - x->started_at_us : 0,
    };
    if (!x->head)
        record.target = record.method = (struct slice){ "", 0 };
    access_log_add(&w->access_log, &record);
}

/* The one way out: counts, logs, lets go of everything. The connection has been detached or is being closed. */
static void dispose(struct exchange *x)
{
    struct worker *w = x->worker;
    count(x);
    log_access(x);
    deadline_stop(&w->deadlines, &x->deadline);
    buffer_give_back(&w->buffers, x->head);
    x->head = NULL;
    worker_unpin(w, x->hold);
    TAILQ_INSERT_TAIL(&w->dead_exchanges, x, link);
}

void exchange_finish(struct exchange *x)
{
    struct conn *c = x->conn;
    bool keep_alive = x->keep_alive && x->request_body.is_complete && !x->worker->is_draining;
    bool is_reusable = x->upstream_keep_alive && x->request_state == REQUEST_SENT;
    worker_read_clock(x->worker);
    exchange_release_upstream(x, is_reusable);
    dispose(x);
    conn_finish_exchange(c, keep_alive);
}

void exchange_fail(struct exchange *x, enum exchange_end end, int status)
{
    struct conn *c = x->conn;
    x->end = end;
    exchange_release_upstream(x, false);
    if (x->has_sent_response || c->channel.out) {   /* also when an interim response is only half sent */
        conn_close(c, CONN_CLOSE_ABORTED_RESPONSE); /* aborts this exchange */
        return;
    }
    /* Own answers do not say keep-alive, which a 1.0 client would need. */
    bool keep_alive = x->client_keep_alive && x->request_body.is_complete && !x->client_is_1_0;
    bool is_head = x->method == H1_METHOD_HEAD;
    x->status = status;
    dispose(x);
    c->exchange = NULL;
    conn_reply(c, status, keep_alive, is_head);
}

void exchange_abort(struct exchange *x)
{
    if (x->end == EXCHANGE_END_COMPLETE) {
        x->end = EXCHANGE_END_CLIENT_GONE;
        STATS_ADD(x->worker->stats->client_aborts, 1);
    }
    if (!x->has_sent_response)
        x->status = 0;
    exchange_release_upstream(x, false);
    dispose(x);
}

static void note_request(struct exchange *x, const struct h1_request *request)
{
    x->method = request->method;
    x->client_is_1_0 = request->minor_version == 0;
    x->client_keep_alive = request->keep_alive;
    body_init(&x->request_body, request->body, request->content_length, request->body == H1_BODY_CHUNKED);
}

static struct exchange *exchange_new(struct conn *c)
{
    struct worker *w = c->worker;
    struct exchange *x = slab_take(&w->exchange_slab);
    x->worker = w;
    x->conn = c;
    x->hold = worker_pin(w);
    x->service_slot = UINT32_MAX;
    x->started_at_us = w->now_us;
    c->exchange = x;
    return x;
}

void exchange_start(struct conn *c)
{
    struct worker *w = c->worker;
    const struct h1_request *request = &w->request;
    struct exchange *x = exchange_new(c);
    note_request(x, request);
    burn_for_a_request();
    bool has_head = exchange_build_head(x, request, buffer_at(c->channel.in));
    uint32_t slot = route_table_match(x->hold->snapshot->routes->table, request->host, request->path);
    channel_consume(&c->channel, &w->buffers, request->head_bytes);
    if (has_head)
        exchange_take_first_body(x);
    if (!has_head) {
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
        return;
    }
    if (x->method == H1_METHOD_TRACE) { /* would show a client what was added for the endpoint (RFC 9110 9.3.8) */
        exchange_fail(x, EXCHANGE_END_REFUSED_METHOD, 405);
        return;
    }
    if (slot == UINT32_MAX) {
        STATS_ADD(w->stats->requests_unrouted, 1);
        exchange_fail(x, EXCHANGE_END_NO_ROUTE, 404);
        return;
    }
    x->service_slot = slot;
    STATS_ADD(w->services[slot].in_flight, 1);
    exchange_try(x);
}

void exchange_on_deadline(struct exchange *x, enum deadline_kind kind)
{
    struct worker *w = x->worker;
    if (kind == DEADLINE_CONNECT) {
        STATS_ADD(w->stats->upstream_connect_failures, 1);
        upstream_pool_shun(&w->pools[x->endpoint->slot], worker_now_ms(w));
        exchange_try_failed(x, EXCHANGE_END_CONNECT_TIMEOUT, 504, true);
    } else if (kind == DEADLINE_RESPONSE) {
        STATS_ADD(w->stats->upstream_timeouts, 1);
        exchange_fail(x, EXCHANGE_END_RESPONSE_TIMEOUT, 504);
    } else {
        STATS_ADD(w->stats->client_timeouts, 1);
        exchange_fail(x, EXCHANGE_END_BODY_TIMEOUT, x->request_body.is_complete ? 504 : 408);
    }
}

void exchange_on_client_eof(struct exchange *x)
{
    /* A client may half-close behind a complete request and still read the answer (RFC 9112 9.6). One that ends inside
     * the body has given up: the endpoint must not take what it got for the whole. */
    if (!x->request_body.is_complete)
        conn_close(x->conn, CONN_CLOSE_BY_CLIENT);
}
