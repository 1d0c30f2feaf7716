#include "proxy/exchange.h"

#include "base/check.h"
#include "proxy/conn.h"
#include "proxy/worker.h"

#include <stdio.h>

/* The client's own is kept when it is sound and the only one. */
static bool keeps_request_id(const struct h1_request *request)
{
    const struct h1_field_line *end = request->fields + request->field_count;
    const struct h1_field_line *first = h1_find_field(request->fields, request->field_count, H1_FIELD_X_REQUEST_ID);
    return first && request_id_is_sound(first->value) &&
           !h1_find_field(first + 1, (size_t)(end - first - 1), H1_FIELD_X_REQUEST_ID);
}

static struct slice make_request_id(struct worker *w, char out[33])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t words[2] = { worker_random(w), worker_random(w) };
    for (int i = 0; i < 32; i++)
        out[i] = hex[words[i / 16] >> (i % 16 * 4) & 15];
    out[32] = '\0';
    return (struct slice){ out, 32 };
}

bool exchange_build_head(struct exchange *x, const struct h1_request *request, const char *head)
{
    struct worker *w = x->worker;
    char id[33];
    struct forward_request with = { .peer = slice_of(x->conn->peer), .proto = SLICE_LITERAL("http") };
    with.keeps_request_id = keeps_request_id(request);
    if (!with.keeps_request_id)
        with.request_id = make_request_id(w, id);
    x->head = buffer_take(&w->buffers, request->head_bytes + FORWARD_HEAD_EXTRA_BYTES + 2 * request->authority.len);
    if (!x->head)
        return false;
    x->head->end = (uint32_t)forward_request_head(request, head, &with, x->head->data, x->head->size);
    x->method_len = (uint32_t)request->method_text.len;
    x->target_len = (uint32_t)request->forward_target.len;
    return true;
}

/* A small body travels in the same send as the head, and makes the request one that can be sent again. */
void exchange_take_first_body(struct exchange *x)
{
    struct channel *client = &x->conn->channel;
    bool has_length = x->request_body.kind == H1_BODY_LENGTH;
    if (has_length && client->in)
        body_append(&x->request_body, client, x->head, &x->worker->buffers);
    x->is_replayable = x->request_body.is_complete;
}

static void restart_deadline(struct exchange *x)
{
    struct worker *w = x->worker;
    bool awaits = x->request_state == REQUEST_SENT && x->response_state == RESPONSE_AWAITED;
    deadline_start(&w->deadlines, &x->deadline, awaits ? DEADLINE_RESPONSE : DEADLINE_BODY, worker_now_ms(w));
}

static void upstream_broken(struct exchange *x)
{
    struct worker *w = x->worker;
    STATS_ADD(w->stats->upstream_failures, 1);
    STATS_ADD(w->endpoints[x->upstream->slot].failures, 1);
    exchange_try_failed(x, EXCHANGE_END_UPSTREAM_BROKEN, 502, x->head_sent == 0);
}

/* False: it waits, or the exchange is over. */
static bool send_head(struct exchange *x)
{
    size_t sent = 0, left = x->head->end - x->head_sent;
    if (left == 0)
        return true;
    enum channel_result result = channel_send(&x->upstream->channel, x->head->data + x->head_sent, left, &sent);
    x->head_sent += (uint32_t)sent;
    if (result == CHANNEL_BROKEN)
        upstream_broken(x);
    else if (result == CHANNEL_BLOCKED)
        restart_deadline(x);
    return result == CHANNEL_OK;
}

static void request_is_sent(struct exchange *x)
{
    channel_set_writing(&x->upstream->channel, false);
    x->request_state = REQUEST_SENT;
    if (x->response_state == RESPONSE_AWAITED)
        restart_deadline(x);
}

static void relay_body(struct exchange *x)
{
    struct channel *client = &x->conn->channel;
    x->is_replayable = x->is_replayable && x->request_body.is_complete;
    switch (body_relay(&x->request_body, client, &x->upstream->channel, &x->worker->buffers)) {
    case BODY_COMPLETE:
        request_is_sent(x);
        break;
    case BODY_MORE:
        channel_set_writing(&x->upstream->channel, false);
        channel_set_reading(client, true);
        restart_deadline(x);
        break;
    case BODY_BLOCKED:
        channel_set_reading(client, false);
        restart_deadline(x);
        break;
    case BODY_BROKEN:
        /* The endpoint may have answered early and closed: its answer is still in the socket. */
        channel_set_writing(&x->upstream->channel, false);
        channel_set_reading(client, false);
        break;
    case BODY_MALFORMED:
        exchange_fail(x, EXCHANGE_END_BODY_MALFORMED, 400);
        break;
    case BODY_NO_BUFFER:
        exchange_fail(x, EXCHANGE_END_NO_BUFFER, 503);
        break;
    }
}

void exchange_send_request(struct exchange *x)
{
    if (!send_head(x))
        return;
    if (x->request_body.is_complete && !x->upstream->channel.out)
        request_is_sent(x);
    else
        relay_body(x);
}

void exchange_on_client_bytes(struct exchange *x)
{
    bool can_send = x->upstream && x->upstream->state == UPSTREAM_BUSY && x->request_state == REQUEST_SENDING &&
                    x->head_sent == x->head->end;
    if (can_send && !x->request_body.is_complete)
        relay_body(x);
    else
        channel_set_reading(&x->conn->channel, false); /* the next request, or the connection is not there yet */
}

void exchange_on_upstream_writable(struct exchange *x)
{
    if (x->request_state == REQUEST_SENDING)
        exchange_send_request(x);
    else
        channel_set_writing(&x->upstream->channel, false);
}
