/* exchange_parts: the inside of an exchange, for the exchange*.c files and nobody else. A part does its step and returns what
 * came of it (step.h); each event ends in exchange_settle(), which alone ends, fails and retries. One worker. */
#ifndef PROXY_EXCHANGE_EXCHANGE_PARTS_H
#define PROXY_EXCHANGE_EXCHANGE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/exchange/client_side.h"
#include "proxy/exchange/exchange.h"
#include "proxy/exchange/step.h"
#include "proxy/http/head.h"
#include "proxy/io/deadline.h"
#include "proxy/io/graveyard.h"
#include "proxy/log/termination.h"
#include "proxy/message/body_relay.h"
#include "proxy/message/forward_head.h"
#include "proxy/snapshot/snapshot.h"
#include "proxy/upstream/endpoint_codec.h"
#include "proxy/upstream/pool.h"

#define EXCHANGE_TRIES_MAX 5     /* the first, three further endpoints, and one for a stale pooled connection */
#define EXCHANGE_PROTOCOL_MAX 31 /* bytes of the name in Upgrade; longer ones are not switched to */

enum request_state { REQUEST_SENDING = 0, REQUEST_SENT, REQUEST_REFUSED };
enum response_state { RESPONSE_AWAITED = 0, RESPONSE_RELAYING, RESPONSE_ENDED, RESPONSE_TUNNELLING };

struct exchange {
    struct worker *worker;              /* borrowed */
    struct client_side *client;         /* borrowed; its owner. Null: it is over */
    const struct endpoint_codec *codec; /* how the tasks of its service are spoken to */
    struct upstream *upstream;          /* owned; null between tries, and when the response has ENDED */
    const struct endpoint *endpoint;    /* of the present try, or the last one; used. Null before */
    uint32_t service_slot;              /* used; UINT32_MAX: no route */
    struct deadline deadline;           /* of what it waits for now */
    struct deadline request_deadline;   /* of all tries together */

    enum request_state request_state;
    enum response_state response_state;
    struct outcome outcome; /* of the last step, for whoever settles it */
    enum exchange_end end;  /* set when it ends */
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
    bool reads_leniently;   /* the responses of the service that was chosen */
    bool upstream_keep_alive;
    bool upstream_has_eof; /* of a tunnel */
    bool is_reused;        /* the present try is on a pooled connection */
    bool was_stale;        /* the first try was, and that one was broken */
    bool keeps_request_id; /* the client's own; else it is the one below */
    char request_id[REQUEST_ID_MADE];
    const char *doubt, *doubt_reason; /* of the request; null: none */
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

static inline enum step exchange_step_fail(struct exchange *x, enum exchange_end end, int status)
{
    x->outcome.end = end;
    x->outcome.status = status;
    return STEP_FAIL;
}

static inline enum step exchange_step_retry(struct exchange *x, enum exchange_end end, int status, bool was_unprocessed)
{
    x->outcome.end = end;
    x->outcome.status = status;
    x->outcome.was_unprocessed = was_unprocessed;
    return STEP_RETRY;
}

static inline enum step exchange_step_gone(struct exchange *x, enum exchange_end end, enum client_departure how)
{
    x->outcome.end = end;
    x->outcome.departure = how;
    return STEP_GONE;
}

/* exchange.c: ends the exchange, answers, or tries again. */
void exchange_conclude(struct exchange *x, enum step step);
/* Each event ends with this: what has come of it. */
static inline void exchange_settle(struct exchange *x, enum step step)
{
    if (step > STEP_MORE)
        exchange_conclude(x, step);
}
/* Of this try; leaves that of the one before. */
void exchange_use_endpoint(struct exchange *x, const struct endpoint *endpoint);
void exchange_count_latency(struct exchange *x); /* the response head has come, or the end without one */
void exchange_end_retry(struct exchange *x);     /* there will be no further try */
/* The endpoint has said its last: its connection is free for others, and it has nothing in flight for this client. */
void exchange_end_response(struct exchange *x);
void exchange_release_upstream(struct exchange *x, bool is_reusable);
/* Of the response's content: what waits for the client in memory has not gone to it. */
uint64_t exchange_sent_bytes(const struct exchange *x);

/* exchange_try.c. Chooses an endpoint and connects or reuses. */
enum step exchange_try(struct exchange *x);
/* Behind RETRY: another try where that is safe, else FAIL. */
enum step exchange_try_again(struct exchange *x);
/* There is no connection to the endpoint of the present try, so nobody has had the request: the endpoint is to blame, and
 * shunned for a while. */
enum step exchange_connect_failed(struct exchange *x, enum exchange_end end, int status);
void exchange_blame_endpoint(struct exchange *x); /* counts a failure of the endpoint of the present try */

/* exchange_head.c: builds `head`. service: null when there is no route. False: no buffer. */
bool exchange_build_head(struct exchange *x, const struct http_head *request, const struct snapshot_service *service);
/* The present endpoint is what a request without Host is for. */
void exchange_name_endpoint(struct exchange *x);

/* exchange_request.c */
/* A whole request or response need not leave at once: sent together at the end of the turn, those of a turn wake each
 * receiver once. False: too many wait, send it now. */
bool exchange_send_soon(struct exchange *x);
enum step exchange_gather_body(struct exchange *x); /* what has come of a body goes into `head`, while it fits */
enum step exchange_send_request(struct exchange *x);

/* exchange_response.c */
enum step exchange_relay_response(struct exchange *x);

/* exchange_tunnel.c: a 101 that fits the request has come; its head has been put into the client's `out`. */
enum step exchange_start_tunnel(struct exchange *x);
enum step exchange_pump_to_upstream(struct exchange *x);
enum step exchange_pump_to_client(struct exchange *x);
enum step exchange_tunnel_on_upstream_eof(struct exchange *x);

/* The events of its upstream connection; the taker is the exchange. */
void exchange_on_connected(void *taker, int cause);
void exchange_on_upstream_readable(void *taker);
void exchange_on_upstream_writable(void *taker);

/* exchange_wait.c: whom it waits for, and for how long. The client owes or does not take some of a body: it must keep up a
 * rate. Else the endpoint is waited for. */
bool exchange_waits_for_client(const struct exchange *x);
void exchange_await(struct exchange *x); /* something has moved, or may now: the time-out begins anew */
void exchange_set_up_deadlines(struct worker *w);

/* exchange_log.c: one line for the access log, which is on. */
void exchange_log(struct exchange *x);

#endif
