#include "proxy/exchange/exchange_parts.h"

#include "base/check.h"
#include "proxy/worker/worker.h"

#define INTERIM_RESPONSES_MAX 16
#define RECEIVE_BYTES BUFFER_BODY_BYTES /* what comes with a head is taken in the same call */
#define RECEIVES_PER_TURN 8

/* From the endpoint to the client: heads (any number of interim ones, then the final one or a switch of protocols), then the
 * body, then the end. A head is only read while the client's `out` is empty, so that an interim response that cannot go out holds
 * back what follows it where it is, in the endpoint's socket.
 *
 * Head and what has come of the body are put into `out` together, and sent together. From there on bytes that need no new framing
 * go from the endpoint's `in` to the client's socket without a copy; what the client does not take waits in that `in`, and the
 * endpoint is not read any more. The one exception is the last piece (hold_rest): it is taken in whole, so that a slow reader
 * does not keep a task's connection, and its place among the requests in flight, for as long as it reads. */

static enum step malformed(struct exchange *x)
{
    STATS_ADD(x->worker->stats->responses_malformed, 1);
    exchange_blame_endpoint(x);
    return exchange_step_fail(x, EXCHANGE_END_UPSTREAM_MALFORMED, 502);
}

static enum step malformed_head(struct exchange *x, const char *why)
{
    struct buffer *in = x->upstream->channel.in;
    fault_in_head(&x->worker->fault, "response-head", why, (struct slice){ buffer_at(in), buffer_len(in) }, 0);
    return malformed(x);
}

static enum step malformed_body(struct exchange *x)
{
    fault_in_body(&x->worker->fault, "response-body", body_fault(&x->response_body),
                  x->response_body.chunks.taken_bytes);
    return malformed(x);
}

/* A response that is not self-delimiting for this client ends with the connection. An early one does too: the rest of
 * the request would have to be read before the next. */
static bool decide_keep_alive(const struct exchange *x, const struct http_head *response)
{
    bool open_ended = response->body == HTTP_BODY_CHUNKED || response->body == HTTP_BODY_UNTIL_CLOSE;
    return x->client_keep_alive && !x->closes_both && x->request_body.is_complete && !worker_is_leaving(x->worker) &&
           !(open_ended && x->client_is_1_0);
}

static void note_response(struct exchange *x, const struct http_head *response)
{
    bool open_ended = response->body == HTTP_BODY_CHUNKED || response->body == HTTP_BODY_UNTIL_CLOSE;
    x->status = response->status;
    x->response_at_us = x->worker->now_us;
    x->upstream_keep_alive = response->keep_alive && !x->closes_both;
    x->keep_alive = decide_keep_alive(x, response);
    body_init(&x->response_body, response->body, response->content_length, open_ended && !x->client_is_1_0,
              x->client_takes_trailers);
    deadline_stop(&x->worker->deadlines, &x->request_deadline);
    exchange_count_latency(x);
    exchange_end_retry(x);
}

static enum http_connection connection_field(const struct exchange *x)
{
    if (!x->keep_alive)
        return HTTP_CONNECTION_CLOSE;
    return x->client_is_1_0 ? HTTP_CONNECTION_KEEP_ALIVE : HTTP_CONNECTION_NONE;
}

static enum forward_framing framing_of(const struct body *body)
{
    if (!body->rechunks)
        return FORWARD_AS_IT_IS;
    return body->passes_trailers ? FORWARD_CHUNKED_WITH_TRAILERS : FORWARD_CHUNKED;
}

/* Nothing of it has gone out: the client can still get a clean answer. */
static enum step refuse_response(struct exchange *x, enum body_result why)
{
    struct channel *client = &x->client->channel;
    buffer_give_back(&x->worker->buffers, client->out);
    client->out = NULL;
    return why == BODY_MALFORMED ? malformed_body(x) : exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503);
}

/* Into the client's `out`, and off the endpoint's `in`. False: no buffer. */
static bool pass_head(struct exchange *x, const struct http_head *response, const struct forward_response *with,
                      size_t body_bytes)
{
    struct channel *upstream = &x->upstream->channel;
    if (!x->client->ops->head(x->client, response, with, body_bytes))
        return false;
    channel_consume(upstream, &x->worker->buffers, response->head_bytes);
    return true;
}

/* Head and what came of the body with it leave in one send. */
static enum step start_response(struct exchange *x, const struct http_head *response)
{
    struct channel *upstream = &x->upstream->channel;
    note_response(x, response);
    struct forward_response with = { framing_of(&x->response_body), connection_field(x),
                                     http_date_value(&x->worker->date) };
    if (!pass_head(x, response, &with, buffer_len(upstream->in)))
        return exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503);
    enum body_result begun = body_append(&x->response_body, upstream, x->client->channel.out, &x->worker->buffers);
    if (begun == BODY_MALFORMED || begun == BODY_NO_BUFFER)
        return refuse_response(x, begun);
    x->response_state = RESPONSE_RELAYING;
    return STEP_MORE;
}

/* Only to the protocol that was asked for: anything else would let an endpoint turn a connection into a tunnel that the
 * client takes for HTTP (RFC 9110 7.8). */
static bool is_switch_agreed(const struct exchange *x, const struct http_head *response)
{
    struct slice asked = { x->upgrade, x->upgrade_len };
    return response->upgrade && x->upgrade_len > 0 && slice_equals_ignoring_case(response->upgrade_protocol, asked);
}

static enum step switch_protocol(struct exchange *x, const struct http_head *response)
{
    struct worker *w = x->worker;
    struct forward_response with = { .connection = HTTP_CONNECTION_UPGRADE };
    if (!is_switch_agreed(x, response))
        return malformed_head(x, "101 for a protocol that was not asked for");
    if (!pass_head(x, response, &with, 0))
        return exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503);
    x->status = 101;
    x->response_at_us = w->now_us;
    deadline_stop(&w->deadlines, &x->request_deadline);
    exchange_count_latency(x);
    exchange_end_retry(x);
    enum step step = exchange_start_tunnel(x);
    return step == STEP_MORE ? STEP_BLOCKED : step;
}

/* 1xx: passed on to who can understand it, never counted as the answer (RFC 9110 15.2). */
static enum step relay_interim(struct exchange *x, const struct http_head *response)
{
    struct channel *client = &x->client->channel;
    struct buffer_pool *pool = &x->worker->buffers;
    struct forward_response with = { .connection = HTTP_CONNECTION_NONE };
    if (++x->interim_count > INTERIM_RESPONSES_MAX)
        return malformed_head(x, "too many interim responses");
    if (x->client_is_1_0)
        channel_consume(&x->upstream->channel, pool, response->head_bytes);
    else if (!pass_head(x, response, &with, 0))
        return exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503);
    x->resume_at = 0;
    if (channel_flush(client, pool) == CHANNEL_BROKEN)
        return exchange_step_gone(x, EXCHANGE_END_COMPLETE, CLIENT_BROKEN);
    if (response->status == 100 && x->awaits_continue) {
        x->awaits_continue = false; /* now it is the client's turn */
        exchange_await(x);
    }
    return STEP_MORE;
}

/* MORE: a final head has been taken in and the body may follow. */
static enum step read_heads(struct exchange *x)
{
    struct channel *upstream = &x->upstream->channel;
    enum step step = STEP_MORE;
    while (step == STEP_MORE && x->response_state == RESPONSE_AWAITED) {
        if (!upstream->in || x->client->channel.out)
            return STEP_BLOCKED;
        struct slice came = { buffer_at(upstream->in), buffer_len(upstream->in) };
        const struct http_head *head;
        enum endpoint_reading reading =
            x->codec->read_response(x->worker, came, x->method, x->reads_leniently, &x->resume_at, &head);
        if (reading == ENDPOINT_HEAD_GOES_ON)
            return STEP_BLOCKED;
        if (reading == ENDPOINT_HEAD_MALFORMED)
            return malformed(x);
        if (head->status >= 200)
            step = start_response(x, head);
        else if (head->status == 101)
            step = switch_protocol(x, head);
        else
            step = relay_interim(x, head);
    }
    return step;
}

/* It has closed or broken before the response was complete. */
static enum step upstream_failed(struct exchange *x)
{
    STATS_ADD(x->worker->stats->upstream_failures, 1);
    exchange_blame_endpoint(x);
    if (x->response_state == RESPONSE_AWAITED && !x->upstream->had_bytes)
        return exchange_step_retry(x, EXCHANGE_END_UPSTREAM_BROKEN, 502, x->head_sent == 0);
    return exchange_step_fail(x, EXCHANGE_END_UPSTREAM_BROKEN, 502);
}

static enum body_result relay_body(struct exchange *x)
{
    struct channel *upstream = x->upstream ? &x->upstream->channel : NULL;
    return body_relay(&x->response_body, upstream, &x->client->channel, &x->worker->buffers);
}

/* The client takes no more now. What is left of a short rest comes in nevertheless: the endpoint is not to wait for a slow
 * reader, nor to count as busy with one. */
static enum body_result hold_rest(struct exchange *x)
{
    struct channel *upstream = &x->upstream->channel;
    enum body_result result = body_hold_rest(&x->response_body, upstream, &x->client->channel, &x->worker->buffers);
    channel_set_reading(upstream, result == BODY_MORE);
    if (result == BODY_COMPLETE && x->request_state != REQUEST_SENDING)
        exchange_end_response(x);
    return result == BODY_COMPLETE || result == BODY_MORE ? BODY_BLOCKED : result;
}

static enum step take_body_result(struct exchange *x, enum body_result result)
{
    if (result == BODY_BLOCKED && x->response_state == RESPONSE_RELAYING)
        result = hold_rest(x);
    switch (result) {
    case BODY_COMPLETE:
        return STEP_DONE;
    case BODY_MORE:
        channel_set_writing(&x->client->channel, false);
        channel_set_reading(&x->upstream->channel, true);
        exchange_await(x);
        return STEP_MORE;
    case BODY_BLOCKED:
        exchange_await(x);
        return STEP_BLOCKED;
    case BODY_BROKEN:
        return exchange_step_gone(x, EXCHANGE_END_COMPLETE, CLIENT_BROKEN);
    case BODY_MALFORMED:
        return malformed_body(x);
    default: /* NO_BUFFER */
        return exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503);
    }
}

/* While an interim response cannot go out, what follows it stays in the socket. */
static void pause_behind_interim(struct exchange *x)
{
    bool is_blocked = x->client->channel.out != NULL;
    if (!x->upstream || x->response_state != RESPONSE_AWAITED || x->upstream->channel.is_reading == !is_blocked)
        return;
    channel_set_reading(&x->upstream->channel, !is_blocked);
    exchange_await(x);
}

enum step exchange_relay_response(struct exchange *x)
{
    enum step step = x->response_state == RESPONSE_AWAITED ? read_heads(x) : STEP_MORE;
    if (step == STEP_BLOCKED)
        pause_behind_interim(x);
    return step == STEP_MORE ? take_body_result(x, relay_body(x)) : step;
}

static enum step take_upstream_end(struct exchange *x, bool is_clean)
{
    struct worker *w = x->worker;
    if (x->response_state == RESPONSE_TUNNELLING && is_clean)
        return exchange_tunnel_on_upstream_eof(x);
    if (x->response_state == RESPONSE_RELAYING && x->response_body.kind == HTTP_BODY_UNTIL_CLOSE && is_clean) {
        channel_set_reading(&x->upstream->channel, false);
        x->upstream_keep_alive = false;
        return take_body_result(x, body_end(&x->response_body, &x->client->channel, &w->buffers));
    }
    return upstream_failed(x);
}

/* A whole answer to a request that may be one of many: it leaves when the turn ends. */
static bool can_wait(const struct exchange *x)
{
    return x->response_state == RESPONSE_RELAYING && x->response_body.is_complete;
}

static enum step take_upstream_bytes(struct exchange *x)
{
    bool is_begin = x->response_state == RESPONSE_AWAITED;
    x->upstream->had_bytes = true;
    if (x->response_state == RESPONSE_TUNNELLING)
        return exchange_pump_to_client(x);
    enum step step = read_heads(x);
    if (step == STEP_BLOCKED)
        pause_behind_interim(x);
    if (step != STEP_MORE)
        return step;
    if (is_begin && can_wait(x) && exchange_send_soon(x))
        return STEP_BLOCKED;
    return take_body_result(x, relay_body(x));
}

/* While the client takes no more, a small buffer is room enough for what may come in. */
static size_t receive_bytes(const struct exchange *x)
{
    const struct buffer *out = x->client->channel.out;
    return out ? buffer_room(out) : RECEIVE_BYTES;
}

/* At the ceiling. What can wait does. */
static enum step no_buffer(struct exchange *x)
{
    bool can_wait = x->response_state == RESPONSE_RELAYING && x->client->channel.is_writing;
    if (!can_wait)
        return exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503);
    channel_set_reading(&x->upstream->channel, false);
    return STEP_BLOCKED;
}

/* MORE: there is more of a body to receive at once. */
static enum step receive_once(struct exchange *x)
{
    struct upstream *u = x->upstream;
    bool is_body = x->response_state == RESPONSE_RELAYING || x->response_state == RESPONSE_TUNNELLING;
    switch (channel_receive(&u->channel, &x->worker->buffers, receive_bytes(x))) {
    case CHANNEL_OK:
        if (x->head_sent == 0) /* not an answer to this request, which has not been sent */
            return upstream_failed(x);
        enum step step = take_upstream_bytes(x);
        bool is_over = step > STEP_MORE;
        bool may_go_on = !is_over && is_body && x->upstream == u && u->channel.has_more && u->channel.is_reading;
        return is_over ? step : may_go_on ? STEP_MORE : STEP_BLOCKED;
    case CHANNEL_EOF:
        return take_upstream_end(x, true);
    case CHANNEL_BROKEN:
        return take_upstream_end(x, false);
    case CHANNEL_NO_BUFFER:
        return no_buffer(x);
    default:
        return STEP_BLOCKED;
    }
}

/* A full buffer says that there is more: taken at once, it costs no turn of the loop. Others get their turn soon. */
void exchange_on_upstream_readable(void *taker)
{
    struct exchange *x = taker;
    enum step step = receive_once(x);
    for (int i = 1; i < RECEIVES_PER_TURN && step == STEP_MORE; i++)
        step = receive_once(x);
    exchange_settle(x, step);
}

void exchange_on_client_writable(struct exchange *x)
{
    bool has_begun = x->response_state != RESPONSE_AWAITED || (x->upstream && x->upstream->had_bytes);
    if (x->response_state == RESPONSE_TUNNELLING)
        exchange_settle(x, exchange_pump_to_client(x));
    else if (has_begun)
        exchange_settle(x, exchange_relay_response(x));
}
