#include "proxy/exchange/exchange_parts.h"

#include "proxy/client/conn.h"
#include "proxy/worker/worker.h"

#include <sys/socket.h>

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
    shutdown(to->fd, SHUT_WR); /* fails only when the connection is gone: then the read tells */
}

static void finish_if_over(struct exchange *x)
{
    if (x->request_body.is_complete && x->response_body.is_complete)
        exchange_finish(x);
}

/* False: the tunnel is over. */
static bool pump(struct exchange *x, struct body *body, struct channel *from, struct channel *to, bool has_eof)
{
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
        x->end = EXCHANGE_END_UPSTREAM_BROKEN;
        if (to == &x->conn->channel)
            x->end = EXCHANGE_END_CLIENT_GONE;
        conn_close(x->conn, CONN_CLOSE_BROKEN);
        return false;
    }
    end_direction(body, from, to, has_eof);
    restart_deadline(x);
    return true;
}

void exchange_pump_to_upstream(struct exchange *x)
{
    if (!pump(x, &x->request_body, &x->conn->channel, &x->upstream->channel, x->conn->has_eof))
        return;
    if (!x->conn->channel.is_reading)
        conn_stop_reading(x->conn);
    finish_if_over(x);
}

void exchange_pump_to_client(struct exchange *x)
{
    if (pump(x, &x->response_body, &x->upstream->channel, &x->conn->channel, x->upstream_has_eof))
        finish_if_over(x);
}

void exchange_tunnel_on_client_eof(struct exchange *x)
{
    exchange_pump_to_upstream(x);
}

void exchange_tunnel_on_upstream_eof(struct exchange *x)
{
    x->upstream_has_eof = true;
    channel_set_reading(&x->upstream->channel, false);
    exchange_pump_to_client(x);
}

/* What the client sent behind its request has waited in its buffer, or in the socket, until this was agreed. */
void exchange_start_tunnel(struct exchange *x)
{
    struct worker *w = x->worker;
    body_init(&x->request_body, HTTP_BODY_UNTIL_CLOSE, 0, false, false);
    body_init(&x->response_body, HTTP_BODY_UNTIL_CLOSE, 0, false, false);
    x->response_state = RESPONSE_TUNNELLING;
    x->request_state = REQUEST_SENT;
    x->has_sent_response = true;
    x->keep_alive = x->upstream_keep_alive = false;
    STATS_ADD(w->stats->tunnels_open, 1);
    STATS_ADD(w->endpoints[x->upstream->slot].tunnels, 1);
    if (pump(x, &x->response_body, &x->upstream->channel, &x->conn->channel, false))
        exchange_pump_to_upstream(x);
}
