#include "proxy/exchange/exchange_parts.h"

#include "base/check.h"
#include "proxy/message/body_splice.h"
#include "proxy/client/conn.h"
#include "proxy/worker/worker.h"

#define INTERIM_RESPONSES_MAX 16
#define RECEIVE_BYTES BUFFER_BODY_BYTES /* what comes with a head is taken in the same call */
#define RECEIVES_PER_TURN 8

static void malformed(struct exchange *x)
{
    STATS_ADD(x->worker->stats->responses_malformed, 1);
    exchange_blame_endpoint(x);
    exchange_fail(x, EXCHANGE_END_UPSTREAM_MALFORMED, 502);
}

static void malformed_head(struct exchange *x, enum h1_error cause, size_t at)
{
    struct buffer *in = x->upstream->channel.in;
    fault_in_head(&x->worker->fault, "response-head", cause, (struct slice){ buffer_at(in), buffer_len(in) }, at);
    malformed(x);
}

static void malformed_body(struct exchange *x)
{
    fault_in_body(&x->worker->fault, "response-body", body_fault(&x->response_body),
                  x->response_body.chunks.taken_bytes);
    malformed(x);
}

/* A response that is not self-delimiting for this client ends with the connection. An early one does too: the rest of
 * the request would have to be read before the next. */
static bool decide_keep_alive(const struct exchange *x, const struct h1_response *response)
{
    bool open_ended = response->head.body == HTTP_BODY_CHUNKED || response->head.body == HTTP_BODY_UNTIL_CLOSE;
    return x->client_keep_alive && !x->closes_both && x->request_body.is_complete && !worker_is_leaving(x->worker) &&
           !(open_ended && x->client_is_1_0);
}

static void note_response(struct exchange *x, const struct h1_response *response)
{
    bool open_ended = response->head.body == HTTP_BODY_CHUNKED || response->head.body == HTTP_BODY_UNTIL_CLOSE;
    x->status = response->head.status;
    x->response_at_us = x->worker->now_us;
    x->upstream_keep_alive = response->keep_alive && !x->closes_both;
    x->keep_alive = decide_keep_alive(x, response);
    body_init(&x->response_body, response->head.body, response->head.content_length, open_ended && !x->client_is_1_0,
              x->client_takes_trailers);
    deadline_stop(&x->worker->deadlines, &x->request_deadline);
    exchange_count_latency(x);
    exchange_end_retry(x);
}

static enum forward_connection connection_field(const struct exchange *x)
{
    if (!x->keep_alive)
        return FORWARD_CONNECTION_CLOSE;
    return x->client_is_1_0 ? FORWARD_CONNECTION_KEEP_ALIVE : FORWARD_CONNECTION_NONE;
}

static enum forward_framing framing_of(const struct body *body)
{
    if (!body->rechunks)
        return FORWARD_AS_IT_IS;
    return body->passes_trailers ? FORWARD_CHUNKED_WITH_TRAILERS : FORWARD_CHUNKED;
}

/* Nothing of it has gone out: the client can still get a clean answer. */
static void refuse_response(struct exchange *x, enum body_result why)
{
    struct channel *client = &x->conn->channel;
    buffer_give_back(&x->worker->buffers, client->out);
    client->out = NULL;
    if (why == BODY_MALFORMED)
        malformed_body(x);
    else
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
}

/* Head and what came of the body with it leave in one send. */
static void start_response(struct exchange *x, const struct h1_response *response)
{
    struct channel *upstream = &x->upstream->channel, *client = &x->conn->channel;
    struct buffer_pool *pool = &x->worker->buffers;
    size_t wanted = response->head_bytes + FORWARD_HEAD_EXTRA_BYTES, with_body = wanted + buffer_len(upstream->in);
    note_response(x, response);
    client->out = buffer_take(pool, with_body < BUFFER_MEDIUM_BYTES ? with_body : wanted);
    if (!client->out) {
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
        return;
    }
    struct forward_response with = { framing_of(&x->response_body), connection_field(x),
                                     http_date_line(&x->worker->date) };
    client->out->end =
        (uint32_t)forward_response_head(response, buffer_at(upstream->in), &with, client->out->data, client->out->size);
    channel_consume(upstream, pool, response->head_bytes);
    enum body_result begun = body_append(&x->response_body, upstream, client->out, pool);
    if (begun == BODY_MALFORMED || begun == BODY_NO_BUFFER) {
        refuse_response(x, begun);
        return;
    }
    x->has_sent_response = true;
    x->response_state = RESPONSE_RELAYING;
}

/* Only to the protocol that was asked for: anything else would let an endpoint turn a connection into a tunnel that the
 * client takes for HTTP (RFC 9110 7.8). */
static bool is_switch_agreed(const struct exchange *x, const struct h1_response *response)
{
    struct slice asked = { x->upgrade, x->upgrade_len };
    return response->head.upgrade && x->upgrade_len > 0 &&
           slice_equals_ignoring_case(response->head.upgrade_protocol, asked);
}

static void switch_protocol(struct exchange *x, const struct h1_response *response)
{
    struct worker *w = x->worker;
    struct channel *upstream = &x->upstream->channel, *client = &x->conn->channel;
    if (!is_switch_agreed(x, response)) {
        malformed_head(x, H1_ERR_SWITCH_UNASKED, 0);
        return;
    }
    client->out = buffer_take(&w->buffers, response->head_bytes + FORWARD_HEAD_EXTRA_BYTES);
    if (!client->out) {
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
        return;
    }
    struct forward_response with = { .connection = FORWARD_CONNECTION_UPGRADE };
    client->out->end =
        (uint32_t)forward_response_head(response, buffer_at(upstream->in), &with, client->out->data, client->out->size);
    channel_consume(upstream, &w->buffers, response->head_bytes);
    x->status = 101;
    x->response_at_us = w->now_us;
    deadline_stop(&w->deadlines, &x->request_deadline);
    exchange_count_latency(x);
    exchange_end_retry(x);
    exchange_start_tunnel(x);
}

/* 1xx: passed on to who can understand it, never counted as the answer (RFC 9110 15.2). False: the exchange is over. */
static bool relay_interim(struct exchange *x, const struct h1_response *response)
{
    struct channel *upstream = &x->upstream->channel, *client = &x->conn->channel;
    struct buffer_pool *pool = &x->worker->buffers;
    if (++x->interim_count > INTERIM_RESPONSES_MAX) {
        malformed_head(x, H1_ERR_INTERIM_TOO_MANY, 0);
        return false;
    }
    if (!x->client_is_1_0) {
        client->out = buffer_take(pool, response->head_bytes + FORWARD_HEAD_EXTRA_BYTES);
        if (!client->out) {
            exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
            return false;
        }
        struct forward_response with = { .connection = FORWARD_CONNECTION_NONE };
        client->out->end = (uint32_t)forward_response_head(response, buffer_at(upstream->in), &with, client->out->data,
                                                           client->out->size);
    }
    channel_consume(upstream, pool, response->head_bytes);
    x->resume_at = 0;
    if (channel_flush(client, pool) == CHANNEL_BROKEN) {
        conn_close(x->conn, CONN_CLOSE_BROKEN);
        return false;
    }
    if (response->head.status == 100 && x->awaits_continue) {
        x->awaits_continue = false; /* now it is the client's turn */
        exchange_await(x);
    }
    return true;
}

/* True when a final head has been taken in and the body may follow. */
static bool read_heads(struct exchange *x)
{
    struct worker *w = x->worker;
    struct channel *upstream = &x->upstream->channel;
    while (x->response_state == RESPONSE_AWAITED && upstream->in && !x->conn->channel.out) {
        enum h1_error cause = H1_OK;
        struct h1_limits limits = w->head_limits;
        limits.is_lenient = x->reads_leniently;
        enum h1_result result = h1_parse_response(buffer_at(upstream->in), buffer_len(upstream->in), &limits,
                                                  &x->resume_at, x->method, &w->response, &cause);
        if (result == H1_MORE)
            return false;
        if (result == H1_BAD) {
            malformed_head(x, cause, w->response.head_bytes);
            return false;
        }
        if (w->response.head.status >= 200) {
            start_response(x, &w->response);
            return x->upstream && x->response_state == RESPONSE_RELAYING;
        }
        if (w->response.head.status == 101) {
            switch_protocol(x, &w->response);
            return false;
        }
        if (!relay_interim(x, &w->response))
            return false;
    }
    return x->response_state == RESPONSE_RELAYING;
}

/* It has closed or broken before the response was complete. */
static void upstream_failed(struct exchange *x)
{
    struct worker *w = x->worker;
    STATS_ADD(w->stats->upstream_failures, 1);
    exchange_blame_endpoint(x);
    if (x->response_state == RESPONSE_AWAITED && !x->upstream->had_bytes)
        exchange_try_failed(x, EXCHANGE_END_UPSTREAM_BROKEN, 502, x->head_sent == 0);
    else
        exchange_fail(x, EXCHANGE_END_UPSTREAM_BROKEN, 502);
}

static enum body_result relay_body(struct exchange *x)
{
    struct channel *upstream = x->upstream ? &x->upstream->channel : NULL;
    return body_move(&x->response_body, upstream, &x->conn->channel, &x->worker->buffers);
}

/* The client takes no more now. What is left of a short rest comes in nevertheless: the endpoint is not to wait for a slow
 * reader, nor to count as busy with one. */
static enum body_result hold_rest(struct exchange *x)
{
    struct channel *upstream = &x->upstream->channel;
    enum body_result result = body_hold_rest(&x->response_body, upstream, &x->conn->channel, &x->worker->buffers);
    channel_set_reading(upstream, result == BODY_MORE);
    if (result == BODY_COMPLETE && x->request_state != REQUEST_SENDING)
        exchange_end_response(x);
    return result == BODY_COMPLETE || result == BODY_MORE ? BODY_BLOCKED : result;
}

static void on_body_result(struct exchange *x, enum body_result result)
{
    if (result == BODY_BLOCKED && x->response_state == RESPONSE_RELAYING)
        result = hold_rest(x);
    switch (result) {
    case BODY_COMPLETE:
        exchange_finish(x);
        break;
    case BODY_MORE:
        channel_set_writing(&x->conn->channel, false);
        channel_set_reading(&x->upstream->channel, true);
        exchange_await(x);
        break;
    case BODY_BLOCKED:
        exchange_await(x);
        break;
    case BODY_BROKEN:
        conn_close(x->conn, CONN_CLOSE_BROKEN);
        break;
    case BODY_MALFORMED:
        malformed_body(x);
        break;
    case BODY_NO_BUFFER:
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
        break;
    case BODY_SENDER_ENDED:
    case BODY_SENDER_BROKEN:
        upstream_failed(x);
        break;
    }
}

/* While an interim response cannot go out, what follows it stays in the socket. */
static void pause_behind_interim(struct exchange *x)
{
    bool is_blocked = x->conn->channel.out != NULL;
    if (!x->upstream || x->response_state != RESPONSE_AWAITED || x->upstream->channel.is_reading == !is_blocked)
        return;
    channel_set_reading(&x->upstream->channel, !is_blocked);
    exchange_await(x);
}

void exchange_relay_response(struct exchange *x)
{
    if (x->response_state == RESPONSE_ENDED || read_heads(x))
        on_body_result(x, relay_body(x));
    else
        pause_behind_interim(x);
}

static void on_upstream_end(struct exchange *x, bool is_clean)
{
    struct worker *w = x->worker;
    if (x->response_state == RESPONSE_TUNNELLING && is_clean) {
        exchange_tunnel_on_upstream_eof(x);
        return;
    }
    if (x->response_state == RESPONSE_RELAYING && x->response_body.kind == HTTP_BODY_UNTIL_CLOSE && is_clean) {
        channel_set_reading(&x->upstream->channel, false);
        x->upstream_keep_alive = false;
        on_body_result(x, body_end(&x->response_body, &x->conn->channel, &w->buffers));
        return;
    }
    upstream_failed(x);
}

/* A whole answer to a request that may be one of many: it leaves when the turn ends. */
static bool can_wait(const struct exchange *x)
{
    return x->response_state == RESPONSE_RELAYING && x->response_body.is_complete;
}

static void on_upstream_bytes(struct exchange *x)
{
    bool is_begin = x->response_state == RESPONSE_AWAITED;
    x->upstream->had_bytes = true;
    if (x->response_state == RESPONSE_TUNNELLING)
        exchange_pump_to_client(x);
    else if (!read_heads(x))
        pause_behind_interim(x);
    else if (!is_begin || !can_wait(x) || !exchange_send_soon(x))
        on_body_result(x, relay_body(x));
}

/* While the client takes no more, a small buffer is room enough for what may come in. */
static size_t receive_bytes(const struct exchange *x)
{
    const struct buffer *out = x->conn->channel.out;
    return out ? buffer_room(out) : RECEIVE_BYTES;
}

/* At the ceiling. What can wait does. */
static void no_buffer(struct exchange *x)
{
    bool can_wait = x->response_state == RESPONSE_RELAYING && x->conn->channel.is_writing;
    if (can_wait)
        channel_set_reading(&x->upstream->channel, false);
    else
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
}

/* False: there is nothing more to receive now, or nobody to receive it for. */
static bool receive_once(struct exchange *x)
{
    struct upstream *u = x->upstream;
    bool is_body = x->response_state == RESPONSE_RELAYING || x->response_state == RESPONSE_TUNNELLING;
    if (x->response_state == RESPONSE_RELAYING && body_start_splice(&x->response_body, &u->channel, &x->conn->channel,
                                                                    &x->worker->buffers, x->worker->splice_bytes_min)) {
        on_body_result(x, relay_body(x));
        return false;
    }
    switch (channel_receive(&u->channel, &x->worker->buffers, receive_bytes(x))) {
    case CHANNEL_OK:
        if (x->head_sent == 0) { /* not an answer to this request, which has not been sent */
            upstream_failed(x);
            return false;
        }
        on_upstream_bytes(x);
        return is_body && x->upstream == u && u->channel.has_more && u->channel.is_reading;
    case CHANNEL_EOF:
        on_upstream_end(x, true);
        return false;
    case CHANNEL_BROKEN:
        on_upstream_end(x, false);
        return false;
    case CHANNEL_NO_BUFFER:
        no_buffer(x);
        return false;
    default:
        return false;
    }
}

/* A full buffer says that there is more: taken at once, it costs no turn of the loop. Others get their turn soon. */
void exchange_on_upstream_readable(void *taker)
{
    struct exchange *x = taker;
    for (int i = 0; i < RECEIVES_PER_TURN && receive_once(x); i++)
        ;
}

void exchange_on_client_writable(struct exchange *x)
{
    bool has_begun = x->response_state != RESPONSE_AWAITED || (x->upstream && x->upstream->had_bytes);
    if (x->response_state == RESPONSE_TUNNELLING)
        exchange_pump_to_client(x);
    else if (has_begun)
        exchange_relay_response(x);
}
