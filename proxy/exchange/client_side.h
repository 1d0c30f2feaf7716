/* client_side: the client of an exchange, as the exchange sees it: who it is, a channel for both bodies, and what can be asked
 * of whoever speaks its version of HTTP. That one embeds it and stands in the room above: the connection of HTTP/1
 * (proxy/client/conn.h) does. One worker.
 *
 *   channel.in   bytes of the request that have come and have no use yet
 *   channel.out  bytes of the response that the client has not taken yet; while is_writing, it is waited for
 *
 * The exchange moves bodies over the channel by itself, so that no byte passes through more hands than before. */
#ifndef PROXY_EXCHANGE_CLIENT_SIDE_H
#define PROXY_EXCHANGE_CLIENT_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"
#include "base/slice.h"
#include "proxy/http/head.h"
#include "proxy/io/channel.h"
#include "proxy/message/forward_head.h"
#include "proxy/snapshot/endpoint.h"

#define CLIENT_PEER_SIZE NETWORK_ADDRESS_TEXT_SIZE

struct client_side;
struct exchange;

enum client_departure {
    CLIENT_LEFT = 0,       /* it has closed, or given up its request */
    CLIENT_BROKEN,         /* nothing can be sent to it */
    CLIENT_BROKEN_OFF,     /* its answer ends in the middle, and it has to see that */
    CLIENT_TUNNEL_TIMEOUT, /* it has been quiet for too long, or open for too long */
    CLIENT_DEPARTURE_COUNT
};

enum client_next {
    CLIENT_ASKS_NEXT = 0, /* the connection stays */
    CLIENT_IS_ANSWERED,   /* it ends; all of the request has come */
    CLIENT_STILL_SENDS    /* it ends; some of the request has not been read */
};

/* What a client asks, as its codec has read it. Borrowed, until exchange_start() has returned. */
struct client_request {
    const struct http_head *head; /* head_bytes: at the start of channel.in */
    bool is_over_rate;            /* one too many (429) */
    bool closes_both;             /* ambiguous: nothing may follow on either connection */
    /* For the log: how doubtful it is that others read it as we do, and why. Static; null: not at all. */
    const char *doubt, *doubt_reason;
};

struct client_ops {
    /* Puts the head of a response, final or not, in front of what channel.out will hold; it is empty. body_bytes: of the body that
     * has come with it, for which there should be room behind it. False: no buffer. */
    bool (*head)(struct client_side *client, const struct http_head *response, const struct forward_response *with,
                 size_t body_bytes);
    /* What may come has no use now. A client that goes away meanwhile is still noticed, a little later. */
    void (*pause)(struct client_side *client);
    /* The exchange is over, and has let go of it: the response has been queued whole, */
    void (*finish)(struct client_side *client, enum client_next next);
    /* or nothing of one, and this is the answer, */
    void (*reply)(struct client_side *client, int status, bool keep_alive, bool is_head_request);
    /* or some of it. leaves_end_open: what was sent would be taken for whole, if the end were a clean one. */
    void (*leave)(struct client_side *client, enum client_departure how, bool leaves_end_open);
    /* Of all that was sent to it, so many bytes have arrived at its machine. A system call. */
    uint64_t (*acked_bytes)(const struct client_side *client);
    /* What it connected to: its port, as text in `room` or borrowed, empty if not known; and the address. False: not known. */
    struct slice (*port)(const struct client_side *client, char room[6]);
    bool (*destination)(const struct client_side *client, union endpoint_address *address);
};

struct client_side {
    const struct client_ops *ops;
    struct exchange *exchange; /* owned; null: no request is under way. The exchange clears it when it is over */
    struct channel channel;
    bool has_eof;    /* the client sends no more */
    bool is_trusted; /* source is in trustedProxies */
    uint8_t peer_len;
    char peer[CLIENT_PEER_SIZE];   /* text of source */
    union endpoint_address source; /* the client: of the connection, or of its PROXY header */
};

#endif
