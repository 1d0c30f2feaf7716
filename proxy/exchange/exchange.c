#include "proxy/exchange/exchange_parts.h"

#include "proxy/exchange/burn.h"
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

size_t exchange_trim(struct worker *w)
{
    return slab_trim(&w->exchange_yard.slab);
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

static void use_service(struct exchange *x, uint32_t slot)
{
    x->service_slot = slot;
    row_use_begin(&x->worker->service_uses[slot]);
}

void exchange_use_endpoint(struct exchange *x, const struct endpoint *endpoint)
{
    upstream_use_endpoint(x->worker, endpoint);
    if (x->endpoint)
        upstream_leave_endpoint(x->worker, x->endpoint);
    x->endpoint = endpoint;
}

static void end_uses(struct exchange *x)
{
    struct worker *w = x->worker;
    uint32_t slot = x->service_slot;
    if (x->endpoint)
        upstream_leave_endpoint(w, x->endpoint);
    if (slot != UINT32_MAX)
        worker_end_use(w, &w->service_uses[slot], (struct snapshot_row){ .service_slot = slot });
}

/* The one way out: counts, logs, lets go of everything. What the client hears of it comes behind. */
static struct client_side *dispose(struct exchange *x)
{
    struct worker *w = x->worker;
    struct client_side *client = x->client;
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
    end_uses(x);
    client->exchange = NULL;
    x->client = NULL;
    graveyard_bury(&w->exchange_yard, x);
    return client;
}

static void finish(struct exchange *x)
{
    bool keep_alive = x->keep_alive && !worker_is_leaving(x->worker);
    enum client_next next = !x->request_body.is_complete ? CLIENT_STILL_SENDS
                            : keep_alive                 ? CLIENT_ASKS_NEXT
                                                         : CLIENT_IS_ANSWERED;
    worker_read_clock(x->worker);
    exchange_end_response(x);
    struct client_side *client = dispose(x);
    client->ops->finish(client, next);
}

/* Its client gets no whole answer. */
static struct client_side *break_off(struct exchange *x, enum exchange_end end)
{
    x->end = end == EXCHANGE_END_COMPLETE ? EXCHANGE_END_CLIENT_GONE : end;
    STATS_ADD(x->worker->stats->client_aborts, end == EXCHANGE_END_COMPLETE);
    if (x->response_state == RESPONSE_AWAITED)
        x->status = 0;
    x->waited_for_client = exchange_waits_for_client(x);
    exchange_release_upstream(x, false);
    x->response_body.relayed_bytes = exchange_sent_bytes(x);
    return dispose(x);
}

static void leave(struct exchange *x, enum exchange_end end, enum client_departure how)
{
    bool leaves_end_open = exchange_leaves_end_open(x);
    struct client_side *client = break_off(x, end);
    client->ops->leave(client, how, leaves_end_open);
}

static void fail(struct exchange *x, enum exchange_end end, int status)
{
    if (x->response_state != RESPONSE_AWAITED || x->client->channel.out) { /* also of an interim response */
        leave(x, end, CLIENT_BROKEN_OFF);
        return;
    }
    /* Own answers do not say keep-alive, which a 1.0 client would need. */
    bool keep_alive = x->client_keep_alive && !x->closes_both && x->request_body.is_complete && !x->client_is_1_0;
    bool is_head = x->method == HTTP_METHOD_HEAD;
    x->end = end;
    x->status = status;
    x->waited_for_client = exchange_waits_for_client(x);
    exchange_release_upstream(x, false);
    struct client_side *client = dispose(x);
    client->ops->reply(client, status, keep_alive, is_head);
}

void exchange_conclude(struct exchange *x, enum step step)
{
    while (step == STEP_RETRY)
        step = exchange_try_again(x);
    switch (step) {
    case STEP_DONE:
        finish(x);
        break;
    case STEP_FAIL:
        fail(x, x->outcome.end, x->outcome.status);
        break;
    case STEP_GONE:
        leave(x, x->outcome.end, x->outcome.departure);
        break;
    default:
        break;
    }
}

void exchange_abort(struct exchange *x, enum exchange_end end)
{
    break_off(x, end);
}

void exchange_leave_rows(struct exchange *x, const struct row_set *rows)
{
    struct worker *w = x->worker;
    uint32_t service = x->service_slot, endpoint = x->endpoint ? x->endpoint->slot : 0;
    bool is_called_in =
        (x->endpoint && w->pools[endpoint].use.is_gone && row_set_has(rows->endpoints, endpoint)) ||
        (service != UINT32_MAX && w->service_uses[service].is_gone && row_set_has(rows->services, service));
    if (!is_called_in)
        return;
    STATS_ADD(w->stats->requests_without_row, 1);
    exchange_settle(x, exchange_step_fail(x, EXCHANGE_END_NO_ROW, 503));
}

bool exchange_is_tunnel(const struct exchange *x)
{
    return x->response_state == RESPONSE_TUNNELLING;
}

bool exchange_leaves_end_open(const struct exchange *x)
{
    bool is_open_ended = x->response_body.kind == HTTP_BODY_CHUNKED || x->response_body.kind == HTTP_BODY_UNTIL_CLOSE;
    bool is_on_its_way = x->response_state == RESPONSE_RELAYING || x->response_state == RESPONSE_ENDED;
    return is_on_its_way && is_open_ended && !x->response_body.rechunks;
}

uint64_t exchange_sent_bytes(const struct exchange *x)
{
    uint64_t unsent = buffer_len(x->client->channel.out), relayed = x->response_body.relayed_bytes;
    return relayed - (unsent < relayed ? unsent : relayed);
}

void exchange_end_connection(struct exchange *x)
{
    x->client_keep_alive = x->keep_alive = false;
}

static void note_request(struct exchange *x, const struct client_request *request)
{
    const struct http_head *head = request->head;
    x->method = head->method;
    x->client_is_1_0 = head->version == HTTP_1_0;
    x->client_keep_alive = head->keep_alive;
    x->client_takes_trailers = head->accepts_trailers;
    x->awaits_continue = head->expects_continue;
    x->doubt = request->doubt;
    x->doubt_reason = request->doubt_reason;
    x->closes_both = request->closes_both;
    body_init(&x->request_body, head->body, head->content_length, head->body == HTTP_BODY_CHUNKED, true);
}

static struct exchange *exchange_new(struct worker *w, struct client_side *client)
{
    struct exchange *x = slab_take(&w->exchange_yard.slab);
    if (!x)
        return NULL;
    x->worker = w;
    x->client = client;
    x->service_slot = UINT32_MAX;
    x->started_at_us = w->now_us;
    client->exchange = x;
    w->exchange_count++;
    return x;
}

/* What is answered here whatever the route. MORE: go on. */
static enum step refuse(struct exchange *x, const struct client_request *request)
{
    const struct http_head *head = request->head;
    enum forward_hops hops = forward_max_forwards(head);
    if (request->is_over_rate) {
        STATS_ADD(x->worker->stats->requests_rate_limited, 1);
        return exchange_step_fail(x, EXCHANGE_END_RATE_LIMITED, 429);
    }
    if (x->method == HTTP_METHOD_TRACE) /* would show a client what was added for the endpoint (RFC 9110 9.3.8) */
        return exchange_step_fail(x, EXCHANGE_END_REFUSED_METHOD, 405);
    if (head->has_unknown_expectation)
        return exchange_step_fail(x, EXCHANGE_END_REFUSED_EXPECTATION, 417);
    if (forward_request_is_loop(head, x->worker->via.name))
        return exchange_step_fail(x, EXCHANGE_END_LOOP, 508);
    if (hops != FORWARD_HOPS_GOES_ON)
        return exchange_step_fail(x, EXCHANGE_END_FORWARDS_SPENT, hops == FORWARD_HOPS_ENDS_HERE ? 200 : 400);
    return STEP_MORE;
}

/* The path could be one of another service to who takes its encoded slashes for slashes: whichever of the two was meant to
 * answer, the other could be asked in its place. */
static bool is_path_ambiguous(const struct route_table *table, const struct http_head *request, uint32_t slot)
{
    return request->has_encoded_slash && slot != UINT32_MAX &&
           route_table_match_decoded(table, request->host, request->path) != slot;
}

/* The head is in its buffer, and no longer needed where it came in. */
static enum step route(struct exchange *x, uint32_t slot)
{
    struct worker *w = x->worker;
    int64_t request_ms = worker_snapshot(w)->settings.request_ms;
    if (slot == UINT32_MAX) {
        STATS_ADD(w->stats->requests_unrouted, 1);
        return exchange_step_fail(x, EXCHANGE_END_NO_ROUTE, 404);
    }
    use_service(x, slot);
    STATS_ADD(w->services[slot].in_flight, 1);
    if (request_ms > 0)
        deadline_start(&w->deadlines, &x->request_deadline, DEADLINE_REQUEST, worker_now_ms(w));
    return exchange_try(x);
}

/* A request that is refused is taken in like any other, for the log and for what follows it on its connection. */
static enum step begin(struct exchange *x, const struct client_request *request)
{
    const struct http_head *head = request->head;
    struct worker *w = x->worker;
    struct channel *client = &x->client->channel;
    enum step refused = refuse(x, request);
    const struct snapshot *snapshot = worker_snapshot(w);
    const struct route_table *routes = snapshot->routes->table;
    uint32_t slot = route_table_match(routes, head->host, head->path);
    const struct snapshot_service *service = slot == UINT32_MAX ? NULL : snapshot->services[slot];
    if (refused == STEP_MORE && is_path_ambiguous(routes, head, slot))
        refused = exchange_step_fail(x, EXCHANGE_END_AMBIGUOUS_PATH, 400);
    bool has_head = exchange_build_head(x, head, service);
    channel_consume(client, &w->buffers, head->head_bytes);
    x->awaits_continue = x->awaits_continue && !client->in; /* its body has begun behind the head */
    if (!has_head)
        return exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503);
    enum step gathered = exchange_gather_body(x);
    if (gathered != STEP_MORE)
        return gathered;
    return refused == STEP_MORE ? route(x, slot) : refused;
}

void exchange_start(struct worker *w, struct client_side *client, const struct client_request *request)
{
    struct exchange *x = exchange_new(w, client);
    if (!x) {
        client->ops->reply(client, 503, false, request->head->method == HTTP_METHOD_HEAD);
        return;
    }
    note_request(x, request);
    burn_for_a_request();
    exchange_settle(x, begin(x, request));
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
        exchange_settle(x, exchange_pump_to_upstream(x));
    else if (!is_answered && !may_read)
        exchange_settle(x, exchange_step_gone(x, EXCHANGE_END_COMPLETE, CLIENT_LEFT));
}
