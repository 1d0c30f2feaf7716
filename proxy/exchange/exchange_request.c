#include "proxy/exchange/exchange_parts.h"

#include "base/check.h"
#include "proxy/worker/worker.h"

#include <errno.h>

#define DUE_MAX 256 /* beyond that, buffers would only pile up */

/* From the client to the endpoint. What there is of a request goes into `head`, one buffer, until it is full: then the rest is
 * relayed past it (is_spilled), and the request cannot be sent again. Three things may end before the others, in any order: the
 * client's sending, the endpoint's taking, the endpoint's answer. request_state says how the second stands; the answer is
 * exchange_response.c's.
 *
 * A request that is whole and has a connection at once does not leave at once. Requests that one turn of the loop has read are
 * sent one after the other when it ends: an endpoint that gets several of them is woken once and finds them all, instead of once
 * for each while the next is still being parsed. No time is lost by it, since nothing is waited for, and so no deadline runs
 * meanwhile. Answers that are whole leave in the same way. */

static enum step body_malformed(struct exchange *x)
{
    fault_in_body(&x->worker->fault, "request-body", body_fault(&x->request_body), x->request_body.chunks.taken_bytes);
    return exchange_step_fail(x, EXCHANGE_END_BODY_MALFORMED, 400);
}

/* A small body travels in the same send as the head, and makes the request one that can be sent again. */
enum step exchange_gather_body(struct exchange *x)
{
    struct channel *client = &x->client->channel;
    if (x->is_spilled || x->request_body.is_complete || (!client->in && !x->request_body.is_ending))
        return STEP_MORE;
    switch (body_append(&x->request_body, client, x->head, &x->worker->buffers)) {
    case BODY_BLOCKED:
        x->is_spilled = true;
        break;
    case BODY_MALFORMED:
        return body_malformed(x);
    case BODY_NO_BUFFER:
        return exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503);
    case BODY_COMPLETE:
        x->sent_at_us = x->worker->now_us;
        break;
    default:
        break;
    }
    return STEP_MORE;
}

static enum step upstream_broken(struct exchange *x)
{
    STATS_ADD(x->worker->stats->upstream_failures, 1);
    exchange_blame_endpoint(x);
    return exchange_step_retry(x, EXCHANGE_END_UPSTREAM_BROKEN, 502, x->head_sent == 0);
}

/* The endpoint has said its last before it had all of the request, and the client is slow to take that. */
static bool is_answer_held(const struct exchange *x)
{
    return x->response_state == RESPONSE_RELAYING && x->response_body.is_complete && x->client->channel.is_writing;
}

static enum step request_is_sent(struct exchange *x)
{
    channel_set_writing(&x->upstream->channel, false);
    x->request_state = REQUEST_SENT;
    if (x->sent_at_us == 0)
        x->sent_at_us = x->worker->now_us;
    if (is_answer_held(x))
        exchange_end_response(x);
    exchange_await(x);
    return STEP_BLOCKED;
}

/* Sends what `head` holds. MORE: all of it has gone. */
static enum step send_head(struct exchange *x)
{
    size_t sent = 0, left = x->head->end - x->head_sent;
    if (left == 0)
        return STEP_MORE;
    enum channel_result result = channel_send(&x->upstream->channel, x->head->data + x->head_sent, left, &sent);
    x->head_sent += (uint32_t)sent;
    if (result == CHANNEL_BROKEN)
        return upstream_broken(x);
    if (result != CHANNEL_BLOCKED)
        return STEP_MORE;
    if (x->client->channel.in) /* has no use before this has gone, and would stay readable when it is full */
        x->client->ops->pause(x->client);
    exchange_await(x);
    return STEP_BLOCKED;
}

static enum step await_client(struct exchange *x)
{
    channel_set_writing(&x->upstream->channel, false);
    channel_set_reading(&x->client->channel, true);
    exchange_await(x);
    return STEP_MORE;
}

/* It takes no more of the body. It may have answered early (413, a redirect, 401) and closed: then its kernel answers what we still
 * send with a reset, and our next send fails, while the answer lies unread in our socket. Whoever gives up at the failed send
 * makes a 502 of a good answer. So nothing more is sent, the client is not read any more, and the read side decides: an answer,
 * whose connection to the client closes behind it, or the end without one. */
static enum step await_early_answer(struct exchange *x)
{
    int cause = x->upstream->channel.broken_by;
    if (cause != EPIPE && cause != ECONNRESET) /* nothing that the read side would tell */
        return upstream_broken(x);
    x->request_state = REQUEST_REFUSED;
    channel_set_writing(&x->upstream->channel, false);
    x->client->ops->pause(x->client);
    exchange_await(x);
    return STEP_BLOCKED;
}

/* What did not fit `head` goes past it to the endpoint, and cannot be sent again. */
static enum step relay_body(struct exchange *x)
{
    struct channel *client = &x->client->channel;
    switch (body_relay(&x->request_body, client, &x->upstream->channel, &x->worker->buffers)) {
    case BODY_COMPLETE:
        return request_is_sent(x);
    case BODY_MORE:
        return await_client(x);
    case BODY_BLOCKED:
        x->client->ops->pause(x->client);
        exchange_await(x);
        return STEP_BLOCKED;
    case BODY_BROKEN:
        return await_early_answer(x);
    case BODY_MALFORMED:
        return body_malformed(x);
    default: /* NO_BUFFER */
        return exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503);
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

static enum step send_now(struct exchange *x)
{
    if (x->response_state == RESPONSE_RELAYING)
        return exchange_relay_response(x);
    return can_send(x) ? exchange_send_request(x) : STEP_BLOCKED;
}

void exchange_send_due(struct worker *w)
{
    struct exchange *x;
    while ((x = STAILQ_FIRST(&w->due_exchanges))) {
        STAILQ_REMOVE_HEAD(&w->due_exchanges, due_link);
        w->due_count--;
        x->is_due = false;
        if (x->client) /* it may be over by now */
            exchange_settle(x, send_now(x));
    }
}

enum step exchange_send_request(struct exchange *x)
{
    enum step step = send_head(x);
    if (step != STEP_MORE)
        return step;
    if (x->is_spilled)
        return relay_body(x);
    return x->request_body.is_complete ? request_is_sent(x) : await_client(x);
}

static enum step take_client_bytes(struct exchange *x)
{
    struct client_side *client = x->client;
    if (x->response_state == RESPONSE_TUNNELLING)
        return exchange_pump_to_upstream(x);
    if (x->request_body.is_complete) {
        client->ops->pause(client); /* the next request */
        return STEP_BLOCKED;
    }
    x->awaits_continue = false; /* it has not waited for the word */
    enum step gathered = exchange_gather_body(x);
    if (gathered != STEP_MORE)
        return gathered;
    if (can_send(x))
        return exchange_send_request(x);
    if (client->channel.in)
        client->ops->pause(client); /* the connection to the endpoint is not there yet, or takes no more */
    return STEP_BLOCKED;
}

void exchange_on_client_bytes(struct exchange *x)
{
    exchange_settle(x, take_client_bytes(x));
}

void exchange_on_upstream_writable(void *taker)
{
    struct exchange *x = taker;
    if (x->response_state == RESPONSE_TUNNELLING)
        exchange_settle(x, exchange_pump_to_upstream(x));
    else if (x->request_state == REQUEST_SENDING)
        exchange_settle(x, exchange_send_request(x));
    else
        channel_set_writing(&x->upstream->channel, false);
}
