#include "proxy/exchange/exchange_parts.h"

#include "proxy/worker/worker.h"

static void restart_deadline(struct exchange *x)
{
    struct worker *w = x->worker;
    deadline_start(&w->deadlines, &x->deadline, DEADLINE_TUNNEL, worker_now_ms(w));
}

/* Its peer has said its last word and all of it has been taken over: says so to `to`, once. */
static void end_direction(struct body *body, const struct channel *from, struct channel *to, bool has_eof)
{
    if (!has_eof || body->is_complete || from->in || to->out)
        return;
    body->is_complete = true;
    channel_shut_down(to);
}

static enum step pump(struct exchange *x, struct body *body, struct channel *from, struct channel *to, bool has_eof)
{
    bool is_to_client = to == &x->client->channel;
    enum body_result result = body->is_complete ? BODY_COMPLETE : body_relay(body, from, to, &x->worker->buffers);
    switch (result) {
    case BODY_MORE:
        channel_set_writing(to, false);
        channel_set_reading(from, !has_eof);
        break;
    case BODY_BLOCKED:
        channel_set_reading(from, false);
        break;
    case BODY_COMPLETE:
        break;
    default:
        return exchange_step_gone(x, is_to_client ? EXCHANGE_END_CLIENT_GONE : EXCHANGE_END_UPSTREAM_BROKEN,
                                  CLIENT_BROKEN);
    }
    end_direction(body, from, to, has_eof);
    restart_deadline(x);
    bool is_over = x->request_body.is_complete && x->response_body.is_complete;
    return is_over ? STEP_DONE : STEP_MORE;
}

enum step exchange_pump_to_upstream(struct exchange *x)
{
    struct client_side *client = x->client;
    enum step step = pump(x, &x->request_body, &client->channel, &x->upstream->channel, client->has_eof);
    if (step == STEP_MORE && !client->channel.is_reading)
        client->ops->pause(client);
    return step;
}

enum step exchange_pump_to_client(struct exchange *x)
{
    return pump(x, &x->response_body, &x->upstream->channel, &x->client->channel, x->upstream_has_eof);
}

enum step exchange_tunnel_on_upstream_eof(struct exchange *x)
{
    x->upstream_has_eof = true;
    channel_set_reading(&x->upstream->channel, false);
    return exchange_pump_to_client(x);
}

/* What the client sent behind its request has waited in its buffer, or in the socket, until this was agreed. */
enum step exchange_start_tunnel(struct exchange *x)
{
    struct worker *w = x->worker;
    body_init(&x->request_body, HTTP_BODY_UNTIL_CLOSE, 0, false, false);
    body_init(&x->response_body, HTTP_BODY_UNTIL_CLOSE, 0, false, false);
    x->response_state = RESPONSE_TUNNELLING;
    x->request_state = REQUEST_SENT;
    x->keep_alive = x->upstream_keep_alive = false;
    STATS_ADD(w->stats->tunnels_open, 1);
    STATS_ADD(w->endpoints[x->upstream->slot].tunnels, 1);
    enum step step = exchange_pump_to_client(x);
    return step == STEP_MORE ? exchange_pump_to_upstream(x) : step;
}
