/* forwarded: what a request says of the client on whose behalf it is sent: X-Forwarded-For, -Proto, -Host, -Port, X-Real-IP,
 * and Forwarded (RFC 7239). Pure; any thread. Anybody can write these fields, so those of a client that is not trusted are
 * replaced. Those of a trusted one (a proxy in front of this one):
 *
 *   APPEND    X-Forwarded-For: the client's values in order, joined to one line, then its address. -Proto, -Host, -Port
 *             stay and are only added where there are none: they describe the first hop. Forwarded: joined like
 *             X-Forwarded-For when sends_forwarded, else as it came.
 *   REPLACE   as with a client that is not trusted
 *   PRESERVE  all as they came; ours only where there are none
 *
 * X-Real-IP has no place for more than one hop: a trusted client's stays, and ours is only added where it sent neither that
 * nor X-Forwarded-For; else the address of a proxy would stand for that of the client.
 * Other proxies' claims (HTTP_CLAIM_LIST) go on from a trusted client only, as they came; they are never set here. */
#ifndef PROXY_MESSAGE_FORWARDED_H
#define PROXY_MESSAGE_FORWARDED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/http/edit.h"
#include "proxy/snapshot/settings.h"

struct forwarded_client {
    struct slice peer;       /* its address, text; IPv6 without brackets; at most 45 bytes */
    struct slice port;       /* that it connected to, for X-Forwarded-Port; empty: that field is not added */
    bool is_https;           /* what it asked for; else http */
    bool is_trusted;         /* peer is in trustedProxies */
    enum forwarded_for mode; /* counts only if is_trusted */
    bool sends_forwarded;
};

#define FORWARDED_FIELDS                                                                                      \
    (HTTP_FIELD_BIT(X_FORWARDED_FOR) | HTTP_FIELD_BIT(X_FORWARDED_PROTO) | HTTP_FIELD_BIT(X_FORWARDED_HOST) | \
     HTTP_FIELD_BIT(X_FORWARDED_PORT) | HTTP_FIELD_BIT(X_REAL_IP) | HTTP_FIELD_BIT(FORWARDED))

/* Those who are believed only add to what has come. */
static inline bool forwarded_appends(const struct forwarded_client *client)
{
    return client->is_trusted && client->mode == FORWARDED_FOR_APPEND;
}

/* As far as anybody who is believed says, the peer is the client itself. */
static inline bool forwarded_peer_is_client(const struct forwarded_client *client, const struct http_head *head)
{
    return !client->is_trusted || client->mode == FORWARDED_FOR_REPLACE ||
           !(head->field_ids & (HTTP_FIELD_BIT(X_FORWARDED_FOR) | HTTP_FIELD_BIT(X_REAL_IP)));
}

/* Bit n for enum http_field n: the fields that must not go on as they came. */
static inline uint64_t forwarded_dropped_fields(const struct forwarded_client *client)
{
    if (!client->is_trusted || client->mode == FORWARDED_FOR_REPLACE)
        return FORWARDED_FIELDS | HTTP_FIELD_BIT(CLAIM);
    if (client->mode == FORWARDED_FOR_PRESERVE)
        return 0;
    return HTTP_FIELD_BIT(X_FORWARDED_FOR) | (client->sends_forwarded ? HTTP_FIELD_BIT(FORWARDED) : 0);
}

/* The value of ours in Forwarded; in the scratch of the edit. */
struct slice forwarded_element(struct http_edit *edit, const struct http_head *head,
                               const struct forwarded_client *client);

/* Drops those, and sets ours; as lines these take at most FORWARDED_EXTRA_BYTES, twice the authority, and what the dropped lines
 * had. Here, because each request comes through it: in a file of its own it costs a tenth of what forwarding a head does. */
#define FORWARDED_EXTRA_BYTES 320
__attribute__((always_inline)) static inline void forwarded_edit(struct http_edit *edit, const struct http_head *head,
                                                                 const struct forwarded_client *client)
{
    uint64_t dropped = forwarded_dropped_fields(client), kept = head->field_ids & FORWARDED_FIELDS & ~dropped;
    edit->dropped |= dropped;
    if (forwarded_appends(client))
        edit->joined |= HTTP_OWN_BIT(X_FORWARDED_FOR) | HTTP_OWN_BIT(FORWARDED);
    if (!(kept & HTTP_FIELD_BIT(X_FORWARDED_FOR)))
        http_edit_set(edit, HTTP_OWN_X_FORWARDED_FOR, client->peer);
    if (forwarded_peer_is_client(client, head))
        http_edit_set(edit, HTTP_OWN_X_REAL_IP, client->peer);
    if (!(kept & HTTP_FIELD_BIT(X_FORWARDED_PROTO)))
        http_edit_set(edit, HTTP_OWN_X_FORWARDED_PROTO,
                      client->is_https ? SLICE_LITERAL("https") : SLICE_LITERAL("http"));
    if (!(kept & HTTP_FIELD_BIT(X_FORWARDED_HOST)) && head->authority.len)
        http_edit_set(edit, HTTP_OWN_X_FORWARDED_HOST, head->authority);
    if (!(kept & HTTP_FIELD_BIT(X_FORWARDED_PORT)) && client->port.len)
        http_edit_set(edit, HTTP_OWN_X_FORWARDED_PORT, client->port);
    if (!(kept & HTTP_FIELD_BIT(FORWARDED)) && client->sends_forwarded)
        http_edit_set(edit, HTTP_OWN_FORWARDED, forwarded_element(edit, head, client));
}

#endif
