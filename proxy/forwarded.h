/* forwarded: what a request says of the client on whose behalf it is sent: X-Forwarded-For, -Proto, -Host, -Port, and
 * Forwarded (RFC 7239). Pure; any thread. Anybody can write these fields, so those of a client that is not trusted are
 * replaced. Those of a trusted one (a proxy in front of this one):
 *
 *   APPEND    X-Forwarded-For: the client's values in order, joined to one line, then its address. -Proto, -Host, -Port
 *             stay and are only added where there are none: they describe the first hop. Forwarded: joined like
 *             X-Forwarded-For when sends_forwarded, else as it came.
 *   REPLACE   as with a client that is not trusted
 *   PRESERVE  all as they came; ours only where there are none
 *
 * X-Forwarded-Prefix and its like (FORWARDED_CLAIMS) go on from a trusted client only, as they came.
 * X-Real-IP never goes on: it has no place for more than one hop, and is not set here. */
#ifndef PROXY_FORWARDED_H
#define PROXY_FORWARDED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/h1/head.h"
#include "proxy/head_writer.h"
#include "proxy/settings.h"

struct forwarded_client {
    struct slice peer;       /* its address, text; IPv6 without brackets; at most 45 bytes */
    struct slice proto;      /* "http", "https" */
    struct slice port;       /* that it connected to, for X-Forwarded-Port; empty: that field is not added */
    bool is_trusted;         /* peer is in trustedProxies */
    enum forwarded_for mode; /* counts only if is_trusted */
    bool sends_forwarded;
};

#define FORWARDED_FIELDS                                                                                \
    (H1_FIELD_BIT(X_FORWARDED_FOR) | H1_FIELD_BIT(X_FORWARDED_PROTO) | H1_FIELD_BIT(X_FORWARDED_HOST) | \
     H1_FIELD_BIT(X_FORWARDED_PORT) | H1_FIELD_BIT(FORWARDED))

/* What other proxies say of a request, and applications believe: prefix, scheme, user, original target. Never set here, and
 * never let through from who is not trusted. */
#define FORWARDED_CLAIMS                                                                                   \
    (H1_FIELD_BIT(X_FORWARDED_PREFIX) | H1_FIELD_BIT(X_FORWARDED_SERVER) | H1_FIELD_BIT(X_FORWARDED_SSL) | \
     H1_FIELD_BIT(X_FORWARDED_USER) | H1_FIELD_BIT(X_ORIGINAL_URL) | H1_FIELD_BIT(X_REWRITE_URL))

/* Bit n for enum h1_field n: the fields that must not go on as they came. */
uint64_t forwarded_dropped_fields(const struct forwarded_client *client);

/* The lines to add. At most FORWARDED_EXTRA_BYTES, twice the authority, and what the dropped lines had. */
#define FORWARDED_EXTRA_BYTES 320
void forwarded_write(struct head_writer *w, const struct h1_request *request, const struct forwarded_client *client);

#endif
