#include "proxy/exchange/exchange_parts.h"

#include "base/check.h"
#include "proxy/exchange/burn.h"
#include "proxy/client/conn.h"
#include "proxy/worker/worker.h"

#include <stddef.h>

void exchange_set_up(struct worker *w)
{
    graveyard_init(&w->exchange_yard, sizeof(struct exchange), offsetof(struct exchange, grave), &w->dead);
    STAILQ_INIT(&w->due_exchanges);
    exchange_set_up_deadlines(w);
}

void exchange_tear_down(struct worker *w)
{
    slab_fini(&w->exchange_yard.slab);
}

static struct service_stats *service_stats_of(struct exchange *x)
{
    return x->service_slot == UINT32_MAX ? NULL : &x->worker->services[x->service_slot];
}

void exchange_release_upstream(struct exchange *x, bool is_reusable)
{
    if (!x->upstream)
        return;
    struct endpoint_stats *stats = &x->worker->endpoints[x->upstream->slot];
    STATS_ADD(stats->in_flight, -1);
    STATS_ADD(stats->tunnels, -(int)(x->response_state == RESPONSE_TUNNELLING));
    upstream_give_back(x->upstream, is_reusable);
    x->upstream = NULL;
}

/* How long a client takes to send its body is not the service's doing. */
void exchange_count_latency(struct exchange *x)
{
    struct service_stats *stats = service_stats_of(x);
    bool has_uploaded = x->request_body.kind != HTTP_BODY_NONE && x->request_body.is_complete && x->sent_at_us;
    int64_t spent_us = x->worker->now_us - (has_uploaded ? x->sent_at_us : x->started_at_us);
    if (stats)
        histogram_add(&stats->latency, spent_us > 0 ? (uint64_t)spent_us : 0);
}

static void count_answer(struct exchange *x)
{
    struct service_stats *stats = service_stats_of(x);
    if (!stats)
        return;
    STATS_ADD(stats->in_flight, -1);
    STATS_ADD(stats->requests, 1);
    STATS_ADD(stats->statuses[x->status < 600 ? x->status / 100 : 5], 1); /* RFC 9110 15: as if it were 5xx */
}

void exchange_end_retry(struct exchange *x)
{
    x->worker->retry_count -= x->is_retrying;
    x->is_retrying = false;
}

void exchange_end_response(struct exchange *x)
{
    exchange_release_upstream(x, x->upstream_keep_alive && x->request_state == REQUEST_SENT);
    if (x->response_state != RESPONSE_RELAYING)
        return;
    x->response_state = RESPONSE_ENDED;
    count_answer(x);
}

static void count(struct exchange *x)
{
    struct service_stats *stats = service_stats_of(x);
    bool is_tunnel = x->response_state == RESPONSE_TUNNELLING;
    /* What comes through a tunnel is no response: that was over with the switch. */
    int64_t spent_us = (is_tunnel ? x->response_at_us : x->worker->now_us) - x->started_at_us;
    STATS_ADD(x->worker->stats->tunnels_open, -(int)is_tunnel);
    if (!stats)
        return;
    if (x->response_state != RESPONSE_ENDED)
        count_answer(x);
    STATS_ADD(stats->request_bytes, x->request_body.relayed_bytes);
    STATS_ADD(stats->response_bytes, x->response_body.relayed_bytes);
    histogram_add(&stats->duration, spent_us > 0 ? (uint64_t)spent_us : 0);
    if (!x->response_at_us)
        exchange_count_latency(x);
}

static struct snapshot_rows rows_of(const struct exchange *x)
{
    return (struct snapshot_rows){ .endpoint = x->endpoint, .service_slot = x->service_slot };
}

void exchange_leave_snapshot(struct exchange *x)
{
    struct snapshot_hold *hold = x->hold;
    check(x->endpoint != NULL); /* chosen before the callback that it began in was over */
    x->hold = NULL;
    worker_keep_rows(x->worker, rows_of(x));
    worker_unpin(x->worker, hold);
}

static void let_go_of_snapshot(struct exchange *x)
{
    if (x->hold)
        worker_unpin(x->worker, x->hold);
    else
        worker_return_rows(x->worker, rows_of(x));
}

void exchange_repin(struct exchange *x)
{
    struct snapshot_hold *newest = worker_pin(x->worker);
    let_go_of_snapshot(x);
    x->hold = newest;
    x->endpoint = NULL;
}

/* The one way out: counts, logs, lets go of everything. The connection has been detached or is being closed. */
static void dispose(struct exchange *x)
{
    struct worker *w = x->worker;
    count(x);
    if (access_log_is_on(&w->access_log))
        exchange_log(x);
    deadline_stop(&w->deadlines, &x->deadline);
    deadline_stop(&w->deadlines, &x->request_deadline);
    body_fini(&x->request_body, &w->buffers);
    body_fini(&x->response_body, &w->buffers);
    buffer_give_back(&w->buffers, x->head);
    x->head = NULL;
    w->exchange_count--;
    exchange_end_retry(x);
    let_go_of_snapshot(x);
    graveyard_bury(&w->exchange_yard, x);
}

void exchange_finish(struct exchange *x)
{
    struct conn *c = x->conn;
    bool keep_alive = x->keep_alive && x->request_body.is_complete && !worker_is_leaving(x->worker);
    worker_read_clock(x->worker);
    exchange_end_response(x);
    dispose(x);
    conn_finish_exchange(c, keep_alive);
}

void exchange_fail(struct exchange *x, enum exchange_end end, int status)
{
    struct conn *c = x->conn;
    x->end = end;
    x->waited_for_client = exchange_waits_for_client(x);
    exchange_release_upstream(x, false);
    if (x->has_sent_response || c->channel.out) {   /* also when an interim response is only half sent */
        conn_close(c, CONN_CLOSE_ABORTED_RESPONSE); /* aborts this exchange */
        return;
    }
    /* Own answers do not say keep-alive, which a 1.0 client would need. */
    bool keep_alive = x->client_keep_alive && !x->closes_both && x->request_body.is_complete && !x->client_is_1_0;
    bool is_head = x->method == HTTP_METHOD_HEAD;
    x->status = status;
    dispose(x);
    c->exchange = NULL;
    conn_reply(c, status, keep_alive, is_head);
}

bool exchange_leaves_end_open(const struct exchange *x)
{
    bool is_open_ended = x->response_body.kind == HTTP_BODY_CHUNKED || x->response_body.kind == HTTP_BODY_UNTIL_CLOSE;
    bool is_on_its_way = x->response_state == RESPONSE_RELAYING || x->response_state == RESPONSE_ENDED;
    return is_on_its_way && is_open_ended && !x->response_body.rechunks;
}

uint64_t exchange_sent_bytes(const struct exchange *x)
{
    uint64_t unsent = buffer_len(x->conn->channel.out), relayed = x->response_body.relayed_bytes;
    return relayed - (unsent < relayed ? unsent : relayed);
}

void exchange_abort(struct exchange *x)
{
    if (x->end == EXCHANGE_END_COMPLETE) {
        x->end = EXCHANGE_END_CLIENT_GONE;
        STATS_ADD(x->worker->stats->client_aborts, 1);
    }
    if (!x->has_sent_response)
        x->status = 0;
    x->waited_for_client = exchange_waits_for_client(x);
    exchange_release_upstream(x, false);
    x->response_body.relayed_bytes = exchange_sent_bytes(x);
    dispose(x);
}

void exchange_end_connection(struct exchange *x)
{
    x->client_keep_alive = x->keep_alive = false;
}

static void note_request(struct exchange *x, const struct h1_request *request)
{
    bool is_ambiguous = request->desync >= H1_AMBIGUOUS;
    x->method = request->head.method;
    x->client_is_1_0 = request->head.version == HTTP_1_0;
    x->client_keep_alive = request->keep_alive;
    x->client_takes_trailers = request->head.accepts_trailers;
    x->awaits_continue = request->head.expects_continue;
    x->desync = request->desync;
    x->desync_reason = request->desync_reason;
    x->closes_both = request->desync == H1_SEVERE || /* RFC 9112 6.1 */
                     (is_ambiguous && x->hold->snapshot->settings.desync != DESYNC_MODE_MONITOR);
    body_init(&x->request_body, request->head.body, request->head.content_length,
              request->head.body == HTTP_BODY_CHUNKED, true);
}

static struct exchange *exchange_new(struct conn *c)
{
    struct worker *w = c->worker;
    struct exchange *x = slab_take(&w->exchange_yard.slab);
    if (!x)
        return NULL;
    x->worker = w;
    x->conn = c;
    x->hold = worker_pin(w);
    x->service_slot = UINT32_MAX;
    x->started_at_us = w->now_us;
    c->exchange = x;
    w->exchange_count++;
    return x;
}

/* What is answered here whatever the route. 0: go on. */
static int refusal(struct exchange *x, const struct h1_request *request)
{
    struct worker *w = x->worker;
    enum forward_hops hops = forward_max_forwards(&request->head);
    if (w->limits_requests && !conn_take_request(x->conn)) {
        STATS_ADD(w->stats->requests_rate_limited, 1);
        x->end = EXCHANGE_END_RATE_LIMITED;
        return 429;
    }
    if (x->method == HTTP_METHOD_TRACE) { /* would show a client what was added for the endpoint (RFC 9110 9.3.8) */
        x->end = EXCHANGE_END_REFUSED_METHOD;
        return 405;
    }
    if (request->head.has_unknown_expectation) {
        x->end = EXCHANGE_END_REFUSED_EXPECTATION;
        return 417;
    }
    if (forward_request_is_loop(&request->head, w->via)) {
        x->end = EXCHANGE_END_LOOP;
        return 508;
    }
    if (hops == FORWARD_HOPS_GOES_ON)
        return 0;
    x->end = EXCHANGE_END_FORWARDS_SPENT;
    return hops == FORWARD_HOPS_ENDS_HERE ? 200 : 400;
}

/* The path could be one of another service to who takes its encoded slashes for slashes: whichever of the two was meant to
 * answer, the other could be asked in its place. */
static bool is_path_ambiguous(const struct route_table *table, const struct h1_request *request, uint32_t slot)
{
    return request->head.has_encoded_slash && slot != UINT32_MAX &&
           route_table_match_decoded(table, request->head.host, request->head.path) != slot;
}

/* The head is in its buffer, and no longer needed where it came in. */
static void route(struct exchange *x, uint32_t slot)
{
    struct worker *w = x->worker;
    int64_t request_ms = x->hold->snapshot->settings.request_ms;
    if (slot == UINT32_MAX) {
        STATS_ADD(w->stats->requests_unrouted, 1);
        exchange_fail(x, EXCHANGE_END_NO_ROUTE, 404);
        return;
    }
    x->service_slot = slot;
    STATS_ADD(w->services[slot].in_flight, 1);
    if (request_ms > 0)
        deadline_start(&w->deadlines, &x->request_deadline, DEADLINE_REQUEST, worker_now_ms(w));
    exchange_try(x);
}

void exchange_start(struct conn *c)
{
    struct worker *w = c->worker;
    const struct h1_request *request = &w->request;
    struct exchange *x = exchange_new(c);
    if (!x) {
        conn_reply(c, 503, false, request->head.method == HTTP_METHOD_HEAD);
        return;
    }
    note_request(x, request);
    burn_for_a_request();
    int refused = refusal(x, request);
    const struct route_table *routes = x->hold->snapshot->routes->table;
    uint32_t slot = route_table_match(routes, request->head.host, request->head.path);
    const struct snapshot_service *service = slot == UINT32_MAX ? NULL : x->hold->snapshot->services[slot];
    if (!refused && is_path_ambiguous(routes, request, slot)) {
        x->end = EXCHANGE_END_AMBIGUOUS_PATH;
        refused = 400;
    }
    bool has_head = exchange_build_head(x, request, buffer_at(c->channel.in), service);
    channel_consume(&c->channel, &w->buffers, request->head_bytes);
    x->awaits_continue = x->awaits_continue && !c->channel.in; /* its body has begun behind the head */
    if (!has_head) {
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
        return;
    }
    exchange_gather_body(x);
    if (c->exchange != x)
        return;
    if (refused)
        exchange_fail(x, x->end, refused);
    else
        route(x, slot);
}

/* Behind a complete request it may mean that the client only reads from now on (RFC 9112 9.6), or that it has gone: nobody
 * can tell, and most have gone. One that ends inside the body has given up: the endpoint must not take what it got for the
 * whole. */
void exchange_on_client_eof(struct exchange *x)
{
    bool is_answered =
        x->response_state == RESPONSE_ENDED || (x->response_state == RESPONSE_RELAYING && x->response_body.is_complete);
    bool may_read = x->request_body.is_complete && worker_snapshot(x->worker)->settings.answers_half_closed;
    if (x->response_state == RESPONSE_TUNNELLING)
        exchange_tunnel_on_client_eof(x);
    else if (!is_answered && !may_read)
        conn_close(x->conn, CONN_CLOSE_BY_CLIENT);
}
