/* exchange: one request and its response. From a complete request head to the last response byte: route, pick an
 * endpoint, send, relay both bodies with back-pressure, try another endpoint where that is safe, count and log. One
 * worker.
 *
 *   request:  SENDING --all bytes given to the endpoint--> SENT
 *                 \---it takes no more: it has answered early, or is gone--> REFUSED
 *   response: AWAITED --head--> RELAYING --last byte from the endpoint--> ENDED --flushed--> (exchange is over)
 *                  \---101---> TUNNELLING --both ends have said their last--> (exchange is over)
 *
 * ENDED has no upstream any more: it is idle in its pool, or carries another exchange, while a slow client still takes
 * what waits for it in memory.
 *
 * Bytes are held in one place: request bytes in the client's `in` or in `head`, which keeps a small request whole so that
 * it can be sent again; response bytes in the upstream's `in`, the last of them in the client's `out`; what cannot be passed
 * on stops the reading behind it. */
#ifndef PROXY_EXCHANGE_EXCHANGE_H
#define PROXY_EXCHANGE_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/io/deadline.h"
#include "proxy/io/graveyard.h"
#include "proxy/message/forward_head.h"
#include "proxy/message/body_relay.h"
#include "proxy/h1/head.h"
#include "proxy/log/termination.h"
#include "proxy/snapshot/snapshot.h"

struct conn;
struct upstream;
struct worker;

#define EXCHANGE_TRIES_MAX 5     /* the first, three further endpoints, and one for a stale pooled connection */
#define EXCHANGE_PROTOCOL_MAX 31 /* bytes of the name in Upgrade; longer ones are not switched to */

enum request_state { REQUEST_SENDING = 0, REQUEST_SENT, REQUEST_REFUSED };
enum response_state { RESPONSE_AWAITED = 0, RESPONSE_RELAYING, RESPONSE_ENDED, RESPONSE_TUNNELLING };

struct exchange {
    struct worker *worker;           /* borrowed */
    struct conn *conn;               /* borrowed; its owner */
    struct upstream *upstream;       /* owned; null between tries, and when the response has ENDED */
    struct snapshot_hold *hold;      /* pinned; null: it has outlived its snapshot, and keeps its rows */
    const struct endpoint *endpoint; /* of the present try; in the pinned snapshot, or kept */
    uint32_t service_slot;
    struct deadline deadline;         /* of what it waits for now */
    struct deadline request_deadline; /* of all tries together */

    enum request_state request_state;
    enum response_state response_state;
    enum exchange_end end;
    enum http_method method;
    bool client_is_1_0, client_keep_alive; /* as asked for */
    bool client_takes_trailers;
    bool awaits_continue;   /* the client has asked whether to send its body, and has neither been told nor begun */
    bool waited_for_client; /* when it failed */
    bool closes_both;       /* ambiguous: nothing may follow on either connection */
    bool keep_alive;        /* as decided with the response head */
    bool is_spilled;        /* the request has outgrown `head`: the rest is relayed past it */
    bool is_retrying;       /* counted in the worker's retries */
    bool has_spent_replay;  /* a try was repeated that an endpoint may have acted on */
    bool has_sent_response; /* the final response is in the client's `out` at least: no other can be sent instead */
    bool reads_leniently;   /* the responses of the service that was chosen */
    bool upstream_keep_alive;
    bool upstream_has_eof; /* of a tunnel */
    bool is_reused;        /* the present try is on a pooled connection */
    bool was_stale;        /* the first try was, and that one was broken */
    bool keeps_request_id; /* the client's own; else it is the one below */
    char request_id[REQUEST_ID_MADE];
    uint8_t desync, desync_reason;
    struct body request_body, response_body;

    struct buffer *head; /* PROXY header, request head as sent, and what has been gathered of the body */
    uint32_t head_sent;
    size_t resume_at; /* of the response head being read */
    uint8_t interim_count;
    uint8_t try_count;
    uint32_t tried_slots[EXCHANGE_TRIES_MAX];

    uint32_t method_at, method_len, target_len; /* in `head` */
    uint32_t
        host_at; /* in `head`: where each try puts its endpoint's address, when the client sent no Host; 0: nowhere */
    uint8_t upgrade_len; /* 0: no switch was asked for */
    char upgrade[EXCHANGE_PROTOCOL_MAX];
    int status; /* sent or to be sent to the client; 0: none */

    /* Monotonic; 0: has not happened. Head complete; connected (of the last try, 0 when reused); request taken whole from
     * the client; response head. */
    int64_t started_at_us, connected_at_us, sent_at_us, response_at_us;
    int64_t tried_at_us;   /* the present try began */
    uint64_t acked_bytes;  /* by a slow client's machine, when last looked at: */
    int64_t acked_at_ms;   /* 0: not yet */
    uint64_t window_bytes; /* of both bodies, when the body's deadline was last started */
    bool is_due;           /* on the worker's list of what leaves when the turn ends */
    STAILQ_ENTRY(exchange) due_link;
    struct grave grave;
};

/* Once for each worker, before anything else. */
void exchange_set_up(struct worker *w);
void exchange_tear_down(struct worker *w);
/* w->request holds a complete head at the start of the connection's `in`. */
void exchange_start(struct conn *c);
/* The client connection is being closed. */
void exchange_abort(struct exchange *x);
/* It may go on for long: its snapshot need not. */
void exchange_leave_snapshot(struct exchange *x);
/* It will be the last one on its connection to the client. */
void exchange_end_connection(struct exchange *x);

/* A response is on its way to the client that only the end of the connection would end, as HTTP/1.0 has it: closed now, it
 * would be taken for whole. */
bool exchange_leaves_end_open(const struct exchange *x);

/* From the connection. */
void exchange_on_client_bytes(struct exchange *x);
bool exchange_splice_request(struct exchange *x); /* true: what can be read has been moved on unread */
void exchange_on_client_eof(struct exchange *x);
void exchange_on_client_writable(struct exchange *x);
/* Its client's body is not read for a while, because a share is used up; or is again. */
void exchange_on_throttle(struct exchange *x, bool is_throttled);
void exchange_end_tunnel(struct exchange *x); /* it has lasted long enough */
void exchange_send_due(struct worker *w);     /* the turn ends */

#endif
