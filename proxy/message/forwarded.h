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
#include "proxy/http/head.h"
#include "proxy/message/head_writer.h"
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

/* Bit n for enum http_field n: the fields that must not go on as they came. */
uint64_t forwarded_dropped_fields(const struct forwarded_client *client);

/* The lines to add. At most FORWARDED_EXTRA_BYTES, twice the authority, and what the dropped lines had. */
#define FORWARDED_EXTRA_BYTES 320
struct head_writer forwarded_write(struct head_writer w, const struct http_head *head,
                                   const struct forwarded_client *client);

#endif
