#include "proxy/client/conn.h"

#include "proxy/client/listener.h"
#include "proxy/worker/worker.h"

#include <arpa/inet.h>
#include <stdio.h>

static struct conn *conn_of(struct client_side *client)
{
    _Static_assert(offsetof(struct conn, side) == 0, "it is the first member");
    return (struct conn *)client;
}

static bool put_head(struct client_side *client, const struct http_head *response, const struct forward_response *with,
                     size_t body_bytes)
{
    struct buffer_pool *pool = &conn_of(client)->worker->buffers;
    size_t head_only = response->text_bytes + FORWARD_HEAD_EXTRA_BYTES, with_body = head_only + body_bytes;
    struct buffer *out = buffer_take(pool, with_body < BUFFER_MEDIUM_BYTES ? with_body : head_only);
    client->channel.out = out;
    if (!out)
        return false;
    out->end = (uint32_t)forward_response_head(response, with, out->data, out->size);
    return true;
}

static void pause_reading(struct client_side *client)
{
    conn_stop_reading(conn_of(client));
}

static void finish(struct client_side *client, enum client_next next)
{
    conn_finish_exchange(conn_of(client), next);
}

static void reply(struct client_side *client, int status, bool keep_alive, bool is_head_request)
{
    conn_reply(conn_of(client), status, keep_alive, is_head_request);
}

static void leave(struct client_side *client, enum client_departure how, bool leaves_end_open)
{
    static const enum conn_close_reason reasons[CLIENT_DEPARTURE_COUNT] = {
        [CLIENT_LEFT] = CONN_CLOSE_BY_CLIENT,
        [CLIENT_BROKEN] = CONN_CLOSE_BROKEN,
        [CLIENT_BROKEN_OFF] = CONN_CLOSE_ABORTED_RESPONSE,
        [CLIENT_TUNNEL_TIMEOUT] = CONN_CLOSE_IDLE_TIMEOUT,
    };
    if (leaves_end_open)
        channel_reset_on_close(&client->channel);
    conn_close(conn_of(client), reasons[how]);
}

static uint64_t acked_bytes(const struct client_side *client)
{
    return channel_acked_bytes(&client->channel);
}

/* From its PROXY header or else the listener. */
static struct slice port(const struct client_side *client, char room[6])
{
    const struct conn *c = (const struct conn *)client;
    if (!c->proxied)
        return (struct slice){ c->listener->port, c->listener->port_len };
    const union endpoint_address *to = &c->proxied->destination;
    snprintf(room, 6, "%u", (unsigned)ntohs(to->any.sa_family == AF_INET6 ? to->v6.sin6_port : to->v4.sin_port));
    return slice_of(room);
}

static bool destination(const struct client_side *client, union endpoint_address *address)
{
    const struct conn *c = (const struct conn *)client;
    if (!c->proxied)
        return channel_local_address(&client->channel, &address->any, sizeof *address);
    *address = c->proxied->destination;
    return true;
}

const struct client_ops conn_client_ops = {
    .head = put_head,
    .pause = pause_reading,
    .finish = finish,
    .reply = reply,
    .leave = leave,
    .acked_bytes = acked_bytes,
    .port = port,
    .destination = destination,
};
