/* guard: may this request have any effect? The whole security decision of the admin API, pure: header values in,
 * verdict out. Any thread. A port on loopback is reachable by every local user and by every browser, hence the checks
 * on Host (DNS rebinding), Origin and Sec-Fetch-Site (cross-site requests) and Content-Type (cross-site forms), and the
 * refusal of what came through a proxy, which may be our own. Where a token is asked for, no page can know it, and the
 * name does not matter; what tells nothing and changes nothing (/healthz) may be asked for by any address. */
#ifndef ADMIN_GUARD_H
#define ADMIN_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/router.h"

/* Whom to let in. Borrowed strings. */
struct guard_policy {
    const char *token;      /* null: none is asked for */
    const char *bound_host; /* as in a Host field: "127.0.0.1", "[::1]" */
    uint16_t bound_port;
    char *const
        *allowed_hosts; /* "admin.example.com" (any of: no port, our port) or "admin.example.com:8443" (exactly) */
    size_t allowed_host_count;
};

/* What a request says of itself; zeroed before the first guard_claims_add(). Borrowed strings, null when absent. */
struct guard_claims {
    const char *host, *origin, *sec_fetch_site, *authorization, *content_type, *content_length, *transfer_encoding;
    const char *if_match, *if_none_match, *idempotency_key; /* not for the guard: that they come once */
    const char *repeated;                                   /* a field above that came twice; null: none did */
    const char *forwarded;                                  /* name of a field that a proxy adds; null: there is none */
};

struct guard_verdict {
    bool is_allowed;
    int status;        /* the rest only when refused */
    const char *code;  /* static */
    char message[256]; /* printable ASCII */
};

/* Keeps the field if the guard reads it. Names are compared without case. */
void guard_claims_add(struct guard_claims *claims, const char *name, const char *value);

/* Framing, proxies on the way, Host, origin, token, in this order; before anything else is done with the request.
 * has_body_method: the method may carry a body (not GET or HEAD). is_open: the route needs no token. */
struct guard_verdict guard_check_sender(const struct guard_policy *policy, const struct guard_claims *claims,
                                        bool has_body_method, bool is_open);

/* Content-Type of a request that changes something, with or without a body. */
struct guard_verdict guard_check_media_type(const struct guard_claims *claims);

/* Running time depends on the length of `given` alone. */
bool guard_token_matches(const char *token, const char *given);

#endif
