/* body_relay: moves a message body from one channel to another, whatever its framing, without holding more of it than
 * one buffer, or two while a trailer section comes in. Chunked input is decoded strictly and framed anew, so that no byte
 * of a peer's framing is passed on; of its trailers only what proxy/h1/trailer.h lets pass. One worker. */
#ifndef PROXY_MESSAGE_BODY_RELAY_H
#define PROXY_MESSAGE_BODY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/h1/chunk.h"
#include "proxy/http/head.h"
#include "proxy/io/channel.h"

struct body {
    enum http_body kind;    /* how it comes in */
    bool rechunks;          /* it goes out chunked */
    bool passes_trailers;   /* to who can understand them; else they are checked and dropped */
    bool is_ending;         /* the last chunk has come in and waits for room to go out */
    bool is_complete;       /* the last byte has been taken in */
    uint64_t left_bytes;    /* of HTTP_BODY_LENGTH */
    uint64_t relayed_bytes; /* of content */
    struct h1_chunk_decoder chunks;
    struct buffer *trailers; /* owned; as received so far; null: none */
};

enum body_result {
    BODY_MORE = 0,  /* all input is used, more must come */
    BODY_COMPLETE,  /* and everything has been sent */
    BODY_BLOCKED,   /* the receiver takes no more now; its write event is on */
    BODY_BROKEN,    /* the receiver is gone */
    BODY_MALFORMED, /* the input broke its framing: what went out must not be completed */
    BODY_NO_BUFFER  /* at the ceiling, in the middle of a piece: it cannot go on */
};

void body_init(struct body *body, enum http_body kind, uint64_t content_length, bool rechunks, bool passes_trailers);
void body_fini(struct body *body, struct buffer_pool *pool); /* idempotent */

/* After BODY_MALFORMED: why, as a static text. */
const char *body_fault(const struct body *body);

/* Moves what is in from->in to the end of `out`, as much as fits. BLOCKED: `out` is full. */
enum body_result body_append(struct body *body, struct channel *from, struct buffer *out, struct buffer_pool *pool);

/* Moves what is in from->in to the socket of `to`, after what to->out holds. from: null when the last byte has been taken
 * in. */
enum body_result body_relay(struct body *body, struct channel *from, struct channel *to, struct buffer_pool *pool);

/* Behind BLOCKED: lets go of the sender as soon as may be. What has come is put where it waits for the receiver, if the rest
 * of the body has room there; one that only the end of the connection ends, and that is not framed anew, does not.
 * COMPLETE: its last byte has come, `from` has no more to do with it. MORE: the rest may come in. BLOCKED: it may not. */
enum body_result body_hold_rest(struct body *body, struct channel *from, struct channel *to, struct buffer_pool *pool);

/* The sender has closed, and the body is one that ends so: puts the last chunk where needed. */
enum body_result body_end(struct body *body, struct channel *to, struct buffer_pool *pool);

#endif
