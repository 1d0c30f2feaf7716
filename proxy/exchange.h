/* exchange: one request and its response. From a complete request head to the last response byte: route, pick an
 * endpoint, send, relay both bodies with back-pressure, try another endpoint where that is safe, count and log. One
 * worker.
 *
 *   request:  SENDING --all bytes given to the endpoint--> SENT
 *   response: AWAITED --head--> RELAYING --last byte from the endpoint--> ENDED --flushed--> (exchange is over)
 *
 * Bytes are held in one place: request bytes in the client's `in` (or `head`, which is kept so that the request can be
 * sent again), response bytes in the upstream's `in`; what cannot be passed on stops the reading behind it. */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/deadline.h"
#include "proxy/forward_head.h"
#include "proxy/body_relay.h"
#include "proxy/h1/head.h"
#include "proxy/snapshot.h"

struct conn;
struct upstream;
struct worker;

#define EXCHANGE_TRIES_MAX 4

enum request_state { REQUEST_SENDING = 0, REQUEST_SENT };
enum response_state { RESPONSE_AWAITED = 0, RESPONSE_RELAYING, RESPONSE_ENDED };

/* Why the exchange ended, for the access log. */
enum exchange_end {
    EXCHANGE_END_COMPLETE = 0,
    EXCHANGE_END_NO_ROUTE,
    EXCHANGE_END_NO_ENDPOINT,
    EXCHANGE_END_REFUSED_METHOD,
    EXCHANGE_END_CONNECT_FAILED,
    EXCHANGE_END_CONNECT_TIMEOUT,
    EXCHANGE_END_UPSTREAM_BROKEN,
    EXCHANGE_END_UPSTREAM_MALFORMED,
    EXCHANGE_END_RESPONSE_TIMEOUT,
    EXCHANGE_END_BODY_TIMEOUT,
    EXCHANGE_END_BODY_MALFORMED,
    EXCHANGE_END_CLIENT_GONE,
    EXCHANGE_END_NO_BUFFER,
    EXCHANGE_END_COUNT
};

struct exchange {
    struct worker *worker;           /* borrowed */
    struct conn *conn;               /* borrowed; its owner */
    struct upstream *upstream;       /* owned; null between tries */
    struct snapshot_hold *hold;      /* pinned */
    const struct endpoint *endpoint; /* of the present try; in the pinned snapshot */
    uint32_t service_slot;
    struct deadline deadline;

    enum request_state request_state;
    enum response_state response_state;
    enum exchange_end end;
    enum h1_method method;
    bool client_is_1_0, client_keep_alive; /* as asked for */
    bool keep_alive;                       /* as decided with the response head */
    bool is_replayable;                    /* `head` holds the whole request */
    bool has_spent_replay;                 /* a try was repeated that an endpoint may have acted on */
    bool has_sent_response;                /* a byte of the final response has gone to the client */
    bool upstream_keep_alive;
    struct body request_body, response_body;

    struct buffer
        *head; /* the request head as sent, and what came of the body with it; kept for replay and for the log */
    uint32_t head_sent;
    size_t resume_at; /* of the response head being read */
    uint8_t interim_count;
    uint8_t try_count;
    uint32_t tried_slots[EXCHANGE_TRIES_MAX];

    uint32_t method_len, target_len;       /* at the start of `head` */
    int status;                            /* sent or to be sent to the client; 0: none */
    int64_t started_at_us, response_at_us; /* monotonic; head complete, response head */
    TAILQ_ENTRY(exchange) link;            /* dead list */
};

const char *exchange_end_to_str(enum exchange_end end);

/* w->request holds a complete head at the start of the connection's `in`. */
void exchange_start(struct conn *c);
/* The client connection is being closed. */
void exchange_abort(struct exchange *x);

/* From the connection. */
void exchange_on_client_bytes(struct exchange *x);
void exchange_on_client_eof(struct exchange *x);
void exchange_on_client_writable(struct exchange *x);
/* From the upstream. cause: 0 or an errno. */
void exchange_on_connected(struct exchange *x, int cause);
void exchange_on_upstream_readable(struct exchange *x);
void exchange_on_upstream_writable(struct exchange *x);
void exchange_on_deadline(struct exchange *x, enum deadline_kind kind);

/* ---- between exchange*.c only ---- */

/* exchange_try.c: chooses an endpoint and connects or reuses; answers by itself when there is none. */
void exchange_try(struct exchange *x);
/* The present try has failed. Tries again where that is safe, else answers with status, or aborts when the response
 * began. */
void exchange_try_failed(struct exchange *x, enum exchange_end end, int status, bool was_unprocessed);
/* exchange_request.c */
bool exchange_build_head(struct exchange *x, const struct h1_request *request, const char *head);
void exchange_take_first_body(struct exchange *x); /* what came with the head goes into `head` */
void exchange_send_request(struct exchange *x);
/* exchange_response.c */
void exchange_relay_response(struct exchange *x);
/* exchange.c */
void exchange_finish(struct exchange *x);                                  /* complete: next request */
void exchange_fail(struct exchange *x, enum exchange_end end, int status); /* answer, or abort when it began */
void exchange_release_upstream(struct exchange *x, bool is_reusable);

#endif
