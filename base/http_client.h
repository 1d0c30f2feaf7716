/* http_client: the one place that speaks HTTP as a client in the control process: libcurl's multi interface driven by
 * our loop. For the Docker Engine (unix socket or TLS), health probes, outgoing hooks. One loop's thread only.
 * Everything is bounded: calls at once, response head (64 KiB) and body, time to connect, to finish, and silence in a
 * stream. No signals, no proxy from the environment, no redirects, no cookies, no HTTP/0.9, no .netrc, only http and
 * https.
 *
 * Every callback comes from the loop, never from inside http_client_send(). Callbacks may send and cancel; they must
 * not free the client. */
#ifndef BASE_HTTP_CLIENT_H
#define BASE_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/slice.h"

#define HTTP_CLIENT_HEAD_BYTES_MAX (64u << 10)

enum http_outcome {
    HTTP_OUTCOME_ANSWERED = 0, /* a whole answer, whatever its status */
    HTTP_OUTCOME_NOT_SENT,     /* the request is malformed, or too many calls are in flight */
    HTTP_OUTCOME_RESOLVE_FAILED,
    HTTP_OUTCOME_CONNECT_FAILED, /* refused, unreachable, no such socket */
    HTTP_OUTCOME_CONNECT_TIMEOUT,
    HTTP_OUTCOME_TLS_FAILED,
    HTTP_OUTCOME_TIMEOUT,    /* connected, but not finished within total_timeout_ms */
    HTTP_OUTCOME_SILENT,     /* a stream without a byte for idle_timeout_ms */
    HTTP_OUTCOME_CLOSED,     /* the peer went away before the answer was complete */
    HTTP_OUTCOME_BAD_ANSWER, /* not HTTP, or a head beyond the limit */
    HTTP_OUTCOME_TOO_LARGE,  /* body beyond response_bytes_max */
    HTTP_OUTCOME_STOPPED,    /* on_piece said so */
    HTTP_OUTCOME_COUNT
};
const char *http_outcome_to_str(enum http_outcome outcome);

struct http_call; /* one request under way; owned by the client, gone when on_done is called or it is cancelled */

struct http_response {
    enum http_outcome outcome;
    int status;        /* 0: no head was received */
    struct slice body; /* collected body; empty for a 2xx answer that went to on_piece; valid during on_done */
    const char
        *cause; /* readable, never null: "connection refused", "no answer within 2000 ms"; valid during on_done */
    int64_t connect_us, total_us;
    struct http_call *call; /* for http_response_find_header(); not to be cancelled any more */
};

typedef void (*http_done_cb)(void *owner, const struct http_response *response);
typedef void (*http_head_cb)(void *owner, int status);          /* the final head has been received */
typedef bool (*http_piece_cb)(void *owner, struct slice piece); /* false ends the call as HTTP_OUTCOME_STOPPED */

/* Everything is borrowed for the duration of http_client_send() only (copied where needed). */
struct http_request {
    const char *method;                      /* null: GET */
    const char *url;                         /* http:// or https://, already percent-encoded */
    const char *unix_socket_path;            /* null: TCP */
    const char *tls_ca, *tls_cert, *tls_key; /* PEM file paths; the peer is always verified on https */
    const char *const *headers;              /* "Name: value"; no CR, LF */
    size_t header_count;
    struct slice body;          /* len 0: none */
    int64_t connect_timeout_ms; /* > 0 */
    int64_t total_timeout_ms;   /* whole call; 0: none (streams) */
    int64_t idle_timeout_ms;    /* longest silence; 0: none */
    size_t response_bytes_max;  /* of a collected body */
    bool fresh_connection;      /* neither reuse nor keep the connection: probes */
    bool sends_proxy_header;    /* begin with a PROXY protocol header, version 1, that names us */
    http_done_cb on_done;       /* required; exactly once unless cancelled */
    http_head_cb on_head;       /* optional */
    http_piece_cb on_piece;     /* optional: body of a 2xx answer as it arrives, not collected, no size limit */
    void *owner;                /* borrowed until on_done */
};

struct http_client;

struct http_client *http_client_new(struct loop *loop, size_t calls_max);
void http_client_free(struct http_client *client); /* drops calls under way without on_done */

/* Never null. A request that cannot be sent is reported through on_done as HTTP_OUTCOME_NOT_SENT. */
struct http_call *http_client_send(struct http_client *client, const struct http_request *request);
void http_client_cancel(struct http_client *client, struct http_call *call); /* no callback after it */
size_t http_client_count(const struct http_client *client);                  /* calls under way */

/* Value of a response field, or null; valid during on_done. */
const char *http_response_find_header(const struct http_response *response, const char *name);

#endif
