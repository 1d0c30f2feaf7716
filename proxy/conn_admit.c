#include "proxy/conn.h"

#include "proxy/proxy_protocol.h"
#include "proxy/worker.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static void set_source(struct conn *c, const union endpoint_address *source)
{
    const void *bytes = source->any.sa_family == AF_INET6 ? (const void *)&source->v6.sin6_addr : &source->v4.sin_addr;
    c->source = *source;
    if (!inet_ntop(source->any.sa_family, bytes, c->peer, CONN_PEER_SIZE))
        memcpy(c->peer, "unknown", sizeof "unknown");
    if (strncmp(c->peer, "::ffff:", 7) == 0 && strchr(c->peer, '.')) /* an IPv4 client of a dual-stack listener */
        memmove(c->peer, c->peer + 7, strlen(c->peer + 7) + 1);
    c->peer_len = (uint8_t)strlen(c->peer);
}

static bool is_trusted(const struct worker *w, const union endpoint_address *source)
{
    const struct proxy_settings *settings = &worker_snapshot(w)->settings;
    struct network_address address;
    return settings->trusted_proxy_count > 0 && network_address_of(&source->any, &address) &&
           network_list_contains(settings->trusted_proxies, settings->trusted_proxy_count, &address);
}

static bool enter_client_table(struct conn *c)
{
    struct worker *w = c->worker;
    struct network_address address;
    if (!client_limits_are_set(&w->client_limits) || !network_address_of(&c->source.any, &address))
        return true;
    switch (client_table_enter(w->clients, &address, &w->client_limits, worker_now_ms(w), &c->client)) {
    case CLIENT_REFUSED:
        STATS_ADD(w->stats->connections_refused, 1);
        conn_close(c, CONN_CLOSE_CLIENT_LIMIT);
        return false;
    case CLIENT_UNTRACKED:
        STATS_ADD(w->stats->clients_untracked, 1);
        return true;
    default:
        return true;
    }
}

bool conn_admit(struct conn *c, const union endpoint_address *source)
{
    set_source(c, source);
    c->is_trusted = is_trusted(c->worker, source);
    if (c->state != CONN_READING_PROXY_HEADER)
        return enter_client_table(c);
    if (c->is_trusted)
        return true;
    STATS_ADD(c->worker->stats->proxy_headers_refused, 1);
    conn_close(c, CONN_CLOSE_PROXY_HEADER);
    return false;
}

/* Without memory for it, tasks hear of this end of the connection instead. */
static void note_destination(struct conn *c, const union endpoint_address *destination)
{
    c->destination = malloc(sizeof *c->destination);
    if (c->destination)
        *c->destination = *destination;
}

bool conn_is_admitted(struct conn *c)
{
    struct proxy_protocol_header header;
    size_t consumed = 0;
    switch (proxy_protocol_parse(buffer_at(c->channel.in), buffer_len(c->channel.in), &header, &consumed)) {
    case PROXY_PROTOCOL_MORE:
        return false;
    case PROXY_PROTOCOL_BAD:
        STATS_ADD(c->worker->stats->proxy_headers_refused, 1);
        conn_close(c, CONN_CLOSE_PROXY_HEADER);
        return false;
    default:
        break;
    }
    channel_consume(&c->channel, &c->worker->buffers, consumed);
    if (header.has_addresses) {
        /* What is trusted to say who connects need not have looked at what its client says in fields. */
        set_source(c, &header.source);
        note_destination(c, &header.destination);
        c->is_trusted = is_trusted(c->worker, &header.source);
    }
    return enter_client_table(c);
}
