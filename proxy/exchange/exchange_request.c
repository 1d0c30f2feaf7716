#include "proxy/exchange/exchange_parts.h"

#include "base/check.h"
#include "proxy/message/body_splice.h"
#include "proxy/client/conn.h"
#include "proxy/worker/worker.h"

#include <errno.h>

#define DUE_MAX 256 /* beyond that, buffers would only pile up */

static void body_malformed(struct exchange *x)
{
    fault_in_body(&x->worker->fault, "request-body", body_fault(&x->request_body), x->request_body.chunks.taken_bytes);
    exchange_fail(x, EXCHANGE_END_BODY_MALFORMED, 400);
}

/* A small body travels in the same send as the head, and makes the request one that can be sent again. */
void exchange_gather_body(struct exchange *x)
{
    struct channel *client = &x->conn->channel;
    if (x->is_spilled || x->request_body.is_complete || (!client->in && !x->request_body.is_ending))
        return;
    switch (body_append(&x->request_body, client, x->head, &x->worker->buffers)) {
    case BODY_BLOCKED:
        x->is_spilled = true;
        break;
    case BODY_MALFORMED:
        body_malformed(x);
        break;
    case BODY_NO_BUFFER:
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
        break;
    case BODY_COMPLETE:
        x->sent_at_us = x->worker->now_us;
        break;
    default:
        break;
    }
}

static void upstream_broken(struct exchange *x)
{
    struct worker *w = x->worker;
    STATS_ADD(w->stats->upstream_failures, 1);
    exchange_blame_endpoint(x);
    exchange_try_failed(x, EXCHANGE_END_UPSTREAM_BROKEN, 502, x->head_sent == 0);
}

/* The endpoint has said its last before it had all of the request, and the client is slow to take that. */
static bool is_answer_held(const struct exchange *x)
{
    return x->response_state == RESPONSE_RELAYING && x->response_body.is_complete && x->conn->channel.is_writing;
}

static void request_is_sent(struct exchange *x)
{
    channel_set_writing(&x->upstream->channel, false);
    x->request_state = REQUEST_SENT;
    if (x->sent_at_us == 0)
        x->sent_at_us = x->worker->now_us;
    if (is_answer_held(x))
        exchange_end_response(x);
    exchange_await(x);
}

/* Sends what `head` holds. False: it waits, or the exchange is over. */
static bool send_head(struct exchange *x)
{
    size_t sent = 0, left = x->head->end - x->head_sent;
    if (left == 0)
        return true;
    enum channel_result result = channel_send(&x->upstream->channel, x->head->data + x->head_sent, left, &sent);
    x->head_sent += (uint32_t)sent;
    if (result == CHANNEL_BROKEN) {
        upstream_broken(x);
    } else if (result == CHANNEL_BLOCKED) {
        if (x->conn->channel.in) /* has no use before this has gone, and would stay readable when it is full */
            conn_stop_reading(x->conn);
        exchange_await(x);
    }
    return result == CHANNEL_OK;
}

static void await_client(struct exchange *x)
{
    channel_set_writing(&x->upstream->channel, false);
    channel_set_reading(&x->conn->channel, true);
    exchange_await(x);
}

/* It takes no more of the body. It may have answered early and closed: then its answer, or the end, is in the socket. */
static void await_early_answer(struct exchange *x)
{
    int cause = x->upstream->channel.broken_by;
    if (cause != EPIPE && cause != ECONNRESET) { /* nothing that the read side would tell */
        upstream_broken(x);
        return;
    }
    x->request_state = REQUEST_REFUSED;
    channel_set_writing(&x->upstream->channel, false);
    conn_stop_reading(x->conn);
    exchange_await(x);
}

/* What did not fit `head` goes past it to the endpoint, and cannot be sent again. */
static void relay_body(struct exchange *x)
{
    struct channel *client = &x->conn->channel;
    switch (body_move(&x->request_body, client, &x->upstream->channel, &x->worker->buffers)) {
    case BODY_COMPLETE:
        request_is_sent(x);
        break;
    case BODY_MORE:
        await_client(x);
        break;
    case BODY_BLOCKED:
        conn_stop_reading(x->conn);
        exchange_await(x);
        break;
    case BODY_BROKEN:
        await_early_answer(x);
        break;
    case BODY_MALFORMED:
        body_malformed(x);
        break;
    case BODY_NO_BUFFER:
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
        break;
    case BODY_SENDER_ENDED:
    case BODY_SENDER_BROKEN:
        /* In the middle of the body: the endpoint must not take it for whole. */
        conn_close(x->conn, CONN_CLOSE_BY_CLIENT);
        break;
    }
}

static bool can_send(const struct exchange *x)
{
    return x->upstream && x->upstream->state == UPSTREAM_BUSY && x->request_state == REQUEST_SENDING;
}

bool exchange_send_soon(struct exchange *x)
{
    struct worker *w = x->worker;
    if (!x->is_due && w->due_count == DUE_MAX)
        return false;
    deadline_stop(&w->deadlines, &x->deadline); /* nobody is waited for */
    if (x->is_due)
        return true;
    x->is_due = true;
    STAILQ_INSERT_TAIL(&w->due_exchanges, x, due_link);
    w->due_count++;
    return true;
}

static void send_now(struct exchange *x)
{
    if (x->response_state == RESPONSE_RELAYING)
        exchange_relay_response(x);
    else if (can_send(x))
        exchange_send_request(x);
}

void exchange_send_due(struct worker *w)
{
    struct exchange *x;
    while ((x = STAILQ_FIRST(&w->due_exchanges))) {
        STAILQ_REMOVE_HEAD(&w->due_exchanges, due_link);
        w->due_count--;
        x->is_due = false;
        if (x->conn->exchange == x) /* it may be over by now */
            send_now(x);
    }
}

void exchange_send_request(struct exchange *x)
{
    if (!send_head(x))
        return;
    if (x->is_spilled)
        relay_body(x);
    else if (x->request_body.is_complete)
        request_is_sent(x);
    else
        await_client(x);
}

bool exchange_splice_request(struct exchange *x)
{
    bool is_past_head = can_send(x) && x->is_spilled && x->head_sent == x->head->end;
    if (!is_past_head || x->request_body.is_complete ||
        !body_start_splice(&x->request_body, &x->conn->channel, &x->upstream->channel, &x->worker->buffers,
                           x->worker->splice_bytes_min))
        return false;
    relay_body(x);
    return true;
}

void exchange_on_client_bytes(struct exchange *x)
{
    struct conn *c = x->conn;
    if (x->response_state == RESPONSE_TUNNELLING) {
        exchange_pump_to_upstream(x);
        return;
    }
    if (x->request_body.is_complete) {
        conn_stop_reading(c); /* the next request */
        return;
    }
    x->awaits_continue = false; /* it has not waited for the word */
    exchange_gather_body(x);
    if (c->exchange != x)
        return;
    if (can_send(x))
        exchange_send_request(x);
    else if (c->channel.in)
        conn_stop_reading(c); /* the connection to the endpoint is not there yet, or takes no more */
}

void exchange_on_upstream_writable(void *taker)
{
    struct exchange *x = taker;
    if (x->response_state == RESPONSE_TUNNELLING)
        exchange_pump_to_upstream(x);
    else if (x->request_state == REQUEST_SENDING)
        exchange_send_request(x);
    else
        channel_set_writing(&x->upstream->channel, false);
}
