#include "proxy/client/conn.h"

#include "proxy/exchange/exchange.h"
#include "proxy/message/proxy_protocol.h"
#include "proxy/client/shedding.h"
#include "proxy/client/clients.h"
#include "proxy/client/listener.h"
#include "proxy/worker/worker.h"

#include <stdlib.h>
#include <string.h>

static void set_source(struct conn *c, const union endpoint_address *source)
{
    static const char unknown[] = "unknown";
    struct network_address address;
    c->side.source = *source;
    if (network_address_of(&source->any, &address)) { /* as IPv4 when it is one of a dual-stack listener */
        c->side.peer_len = (uint8_t)network_address_to_text(&address, c->side.peer);
    } else {
        memcpy(c->side.peer, unknown, sizeof unknown);
        c->side.peer_len = sizeof unknown - 1;
    }
}

static bool is_trusted(const struct worker *w, const union endpoint_address *source)
{
    const struct proxy_settings *settings = &worker_snapshot(w)->settings;
    struct network_address address;
    return settings->trusted_proxy_count > 0 && network_address_of(&source->any, &address) &&
           network_list_contains(settings->trusted_proxies, settings->trusted_proxy_count, &address);
}

/* Not while a request runs: that gets its answer first. One that only ends is left alone. */
static void refuse(struct conn *c, enum conn_close_reason reason)
{
    if (c->state == CONN_IN_EXCHANGE)
        exchange_end_connection(c->side.exchange);
    else if (c->state != CONN_REPLYING && c->state != CONN_LINGERING)
        conn_close(c, reason);
}

static void refuse_proxy_header(struct conn *c)
{
    STATS_ADD(c->worker->stats->proxy_headers_refused, 1);
    refuse(c, CONN_CLOSE_PROXY_HEADER);
}

/* A proxy in front has the connections of all its clients: it has no share, and is no crowd. */
static enum client_admission enter_client_table(struct conn *c, const struct network_address *address,
                                                struct client_entry **entry)
{
    struct worker *w = c->worker;
    struct client_limits limits = w->clients->limits;
    if (c->side.is_trusted)
        limits.share = 0;
    return client_table_enter(w->clients->table, address, &limits, worker_now_ms(w), entry);
}

/* may_shed: whoever has its share gives up an idle connection for this one. False: it has been refused. */
static bool take_place(struct conn *c, bool may_shed)
{
    struct worker *w = c->worker;
    struct network_address address;
    struct client_entry *entry;
    if (!network_address_of(&c->side.source.any, &address))
        return true;
    enum client_admission admission = enter_client_table(c, &address, &entry);
    if (admission == CLIENT_OVER_SHARE && may_shed && shedding_make_place_of_client(w, entry))
        admission = enter_client_table(c, &address, &entry);
    STATS_ADD(w->stats->connections_over_share, admission == CLIENT_OVER_SHARE);
    STATS_ADD(w->stats->connections_refused, admission == CLIENT_REFUSED);
    STATS_ADD(w->stats->clients_untracked, admission == CLIENT_UNTRACKED);
    if (admission == CLIENT_OVER_SHARE || admission == CLIENT_REFUSED) {
        refuse(c, CONN_CLOSE_CLIENT_LIMIT);
        return false;
    }
    if (admission == CLIENT_ADMITTED) {
        c->client = entry;
        TAILQ_INSERT_TAIL(client_entry_conns(entry), c, client_link);
    }
    return true;
}

void conn_leave_client_table(struct conn *c)
{
    if (!c->client)
        return;
    TAILQ_REMOVE(client_entry_conns(c->client), c, client_link);
    client_table_leave(c->worker->clients->table, c->client, worker_now_ms(c->worker));
    c->client = NULL;
}

bool conn_admit(struct conn *c, const union endpoint_address *source)
{
    set_source(c, source);
    c->side.is_trusted = is_trusted(c->worker, source);
    if (c->state != CONN_READING_PROXY_HEADER)
        return take_place(c, true);
    if (!c->side.is_trusted)
        refuse_proxy_header(c);
    return c->side.is_trusted;
}

/* Without memory for it, tasks hear of this end of the connection instead. */
static void note_proxied(struct conn *c, const union endpoint_address *destination)
{
    c->proxied = malloc(sizeof *c->proxied);
    if (c->proxied)
        *c->proxied = (struct conn_proxied){ .sender = c->side.source, .destination = *destination };
}

bool conn_take_proxy_header(struct conn *c)
{
    struct proxy_protocol_header header;
    size_t consumed = 0;
    switch (proxy_protocol_parse(buffer_at(c->side.channel.in), buffer_len(c->side.channel.in), &header, &consumed)) {
    case PROXY_PROTOCOL_MORE:
        return false;
    case PROXY_PROTOCOL_BAD:
        refuse_proxy_header(c);
        return false;
    default:
        break;
    }
    channel_consume(&c->side.channel, &c->worker->buffers, consumed);
    if (header.has_addresses) {
        /* What is trusted to say who connects need not have looked at what its client says in fields. */
        note_proxied(c, &header.destination);
        set_source(c, &header.source);
        c->side.is_trusted = is_trusted(c->worker, &header.source);
    }
    return take_place(c, true);
}

void conn_readmit(struct conn *c)
{
    struct worker *w = c->worker;
    const union endpoint_address *sender = c->proxied ? &c->proxied->sender : &c->side.source;
    c->side.is_trusted = is_trusted(w, &c->side.source);
    if (worker_snapshot(w)->settings.listeners[c->listener->index].proxy_protocol && !is_trusted(w, sender))
        refuse_proxy_header(c);
    else if (c->state != CONN_READING_PROXY_HEADER)
        take_place(c, false); /* whoever lets all of them in once more stands on the others */
}
