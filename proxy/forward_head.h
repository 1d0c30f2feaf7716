/* forward_head: the head that goes on, from the head that came. Pure; any thread. Runs of unchanged field lines are
 * copied whole; dropped are hop-by-hop fields (RFC 9110 7.6.1), what clients say of themselves in X-Forwarded-* and
 * Forwarded (also with
 * '_' for '-'), and names with '_' that alias them; added are ours. */
#ifndef PROXY_FORWARD_HEAD_H
#define PROXY_FORWARD_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "proxy/h1/head.h"

/* What is added is never more than this, beside the authority (at most H1_TARGET_MAX, in the head already). */
#define FORWARD_HEAD_EXTRA_BYTES 1024
#define REQUEST_ID_MAX 128

struct forward_request {
    struct slice peer;       /* client address, text */
    struct slice proto;      /* "http", "https" */
    struct slice request_id; /* added unless keeps_request_id */
    bool keeps_request_id;   /* the client's own is sound and stays */
};

/* True when the client's X-Request-Id may be kept: 1..128 letters, digits and -_.:=+/ */
bool request_id_is_sound(struct slice id);

/* Both write to out and return the length. head: the bytes that the message was parsed from. size must be at least
 * head_bytes + FORWARD_HEAD_EXTRA_BYTES + the authority's length. */
size_t forward_request_head(const struct h1_request *request, const char *head, const struct forward_request *with,
                            char *out, size_t size);

enum forward_connection { FORWARD_CONNECTION_NONE = 0, FORWARD_CONNECTION_CLOSE, FORWARD_CONNECTION_KEEP_ALIVE };

/* chunked: the body is sent chunked, whatever it came as. */
size_t forward_response_head(const struct h1_response *response, const char *head, bool chunked,
                             enum forward_connection connection, char *out, size_t size);

#endif
