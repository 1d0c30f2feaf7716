/* conn: a client connection. Reads requests one after the other, hands each to an exchange, answers by itself what it
 * must not forward, and closes with a reason. One worker.
 *
 *   (READING_PROXY_HEADER -->)
 *   IDLE --first byte--> READING_HEAD --head complete--> IN_EXCHANGE --finished--> IDLE
 *     |                       | refused                       |  (or the next pipelined head)
 *     +-----------------------+--> REPLYING --sent--> LINGERING --client closed or time-out--> CLOSED
 *
 * REPLYING is an own answer that ends the connection; one that does not goes back to IDLE at once. Every state but
 * IN_EXCHANGE has its deadline; in an exchange the exchange has it. conn_set_state is the only writer of the state.
 *
 * It is read as soon as it is accepted, and watched by the loop only if it then waits: a connection that brings one request with
 * it, and says that it is the last, costs a receive, a send and no change of what the loop watches. Who is in an exchange and
 * not watched is when it has lasted for a tick (DEADLINE_WATCH), so that a client that leaves is noticed then. After its last answer a
 * client that said "close" in a request without a body is closed at once; all others are lingered for. */
#ifndef PROXY_CLIENT_CONN_H
#define PROXY_CLIENT_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "proxy/exchange/client_side.h"
#include "proxy/io/deadline.h"
#include "proxy/io/graveyard.h"
#include "proxy/snapshot/endpoint.h"

struct worker;
struct listener;
struct client_entry;

enum conn_state {
    CONN_IDLE = 0,
    CONN_READING_HEAD,
    CONN_IN_EXCHANGE,
    CONN_REPLYING,
    CONN_LINGERING,
    CONN_READING_PROXY_HEADER,
    CONN_CLOSED,
    CONN_STATE_COUNT
};

enum conn_close_reason {
    CONN_CLOSE_BY_CLIENT = 0,
    CONN_CLOSE_DONE, /* the last response has been sent and the client said or was told so */
    CONN_CLOSE_BROKEN,
    CONN_CLOSE_HEAD_TIMEOUT,
    CONN_CLOSE_IDLE_TIMEOUT,
    CONN_CLOSE_BODY_TIMEOUT,
    CONN_CLOSE_REPLY_TIMEOUT,
    CONN_CLOSE_ABORTED_RESPONSE, /* the endpoint broke off: the client must see an incomplete message */
    CONN_CLOSE_NO_BUFFER,
    CONN_CLOSE_DRAINING,
    CONN_CLOSE_SHED,         /* idle, and its place or descriptor was needed */
    CONN_CLOSE_PROXY_HEADER, /* missing, malformed, or from a source that is not trusted */
    CONN_CLOSE_CLIENT_LIMIT, /* its client has its connections, or its share, already */
    CONN_CLOSE_REASON_COUNT
};

/* `source` is what the header says. */
struct conn_proxied {
    union endpoint_address sender;      /* who said so */
    union endpoint_address destination; /* what the client connected to */
};

struct conn {
    struct client_side side; /* with the exchange while IN_EXCHANGE, and the channel */
    struct worker *worker;   /* borrowed */
    struct deadline deadline;
    enum conn_state state;
    bool has_served;               /* a request has come over it */
    bool is_last;                  /* the client has said that nothing follows the head of the request under way */
    bool is_handling_head;         /* conn_handle_input is on the stack */
    uint32_t resume_at;            /* of the head being read */
    struct listener *listener;     /* borrowed: outlives it */
    struct client_entry *client;   /* null: the table had no room, or who it is has not been said yet */
    TAILQ_ENTRY(conn) client_link; /* of the client's connections */
    struct conn_proxied *proxied;  /* owned; of its PROXY header; null: it has not named a client */
    union {
        TAILQ_ENTRY(conn) link; /* of all, while open */
        struct grave grave;     /* once closed */
    };
};

const char *conn_state_to_str(enum conn_state state);
const char *conn_close_reason_to_str(enum conn_close_reason reason);

/* Once for each worker, before anything else. */
void conn_set_up(struct worker *w);
void conn_open(struct listener *listener, int fd, const union endpoint_address *peer);
void conn_close(struct conn *c,
                enum conn_close_reason reason); /* idempotent; ends its exchange; freed when the turn ends */

/* conn_rates.c: what a connection may have is what both its listener and its client have left; a refusal takes nothing
 * of either. To be asked only while the worker says that a rate of that kind is set. */

/* False: one too many in this second (429). */
bool conn_take_request(struct conn *c);
/* Whether bytes of its requests' bodies are counted at all, whether any may be read now, and that they have been. */
bool conn_counts_body_bytes(const struct conn *c);
bool conn_may_read_body(struct conn *c);
void conn_take_body_bytes(struct conn *c, size_t bytes);

/* ---- between conn*.c only ---- */

/* conn_exchange.c: what an exchange can ask of a connection of HTTP/1. */
extern const struct client_ops conn_client_ops;

/* The exchange is over and its response has been queued whole. Goes on with the next request, or closes gently. */
void conn_finish_exchange(struct conn *c, enum client_next next);

/* An own answer (status from h1_error_to_status and the like). Ends the connection unless keep_alive. There is no exchange. */
void conn_reply(struct conn *c, int status, bool keep_alive, bool is_head_request);

/* While a request runs: what comes has no use now. A client that goes away meanwhile is still noticed, a little later. */
void conn_stop_reading(struct conn *c);

/* conn_log.c: a line for a request that is answered before it becomes an exchange. `in` still holds what came of it;
 * MALFORMED: and w->fault says why; DESYNC, MISDIRECTED: and w->request is it. */
enum conn_refusal {
    CONN_REFUSAL_MALFORMED = 0,
    CONN_REFUSAL_DESYNC,
    CONN_REFUSAL_MISDIRECTED, /* asks for https:// on cleartext */
    CONN_REFUSAL_HEAD_TIMEOUT,
    CONN_REFUSAL_COUNT
};
void conn_log_refusal(struct conn *c, enum conn_refusal refusal, int status);

/* conn_admit.c: who the client is, and whether it may have one more connection. False: it has been closed. */
bool conn_admit(struct conn *c, const union endpoint_address *source);
bool conn_take_proxy_header(struct conn *c); /* off `in`, and admits whom it names; false: closed, or more must come */
void conn_leave_client_table(struct conn *c);

/* ---- of all connections, from clients.c ---- */

/* Closes it when it waits for a request; else it will close after the present one. */
void conn_drain(struct conn *c);
/* It waits for a request, or reads the beginning of one. One that has a request under way begins no other while the worker
 * drains. */
bool conn_may_begin(const struct conn *c);
void conn_readmit(struct conn *c); /* conn_admit.c: by the settings of now; it has left the table. It may be closed */

#endif
