#include "proxy/message/body_relay.h"

#include "base/check.h"
#include "proxy/h1/trailer.h"

#include <string.h>

/* Two ways. A body whose framing does not change is never copied: what is in the sender's `in` is given to the receiver's socket,
 * behind what its `out` still holds, and what the socket does not take stays where it is. One that is framed anew (chunked, or
 * ended by a close) is decoded into a new buffer piece by piece, and that buffer is the receiver's `out` until it has gone. In
 * both, at most one buffer of a body is held: whoever gets BLOCKED stops reading the sender.
 *
 * Each piece is decided before any of it goes out: MALFORMED means that what was sent so far is a true part of the message, and
 * that its end must not be sent. */

#define CHUNK_FRAME_BYTES 16 /* size line and CRLF of a chunk that fits a buffer, and the last chunk */

void body_init(struct body *body, enum http_body kind, uint64_t content_length, bool rechunks, bool passes_trailers)
{
    body->kind = kind;
    body->rechunks = rechunks;
    body->passes_trailers = passes_trailers;
    body->left_bytes = kind == HTTP_BODY_LENGTH ? content_length : 0;
    body->is_complete = kind == HTTP_BODY_NONE;
    body->is_ending = false;
    body->relayed_bytes = 0;
    body->trailers = NULL;
    if (kind == HTTP_BODY_CHUNKED)
        h1_chunk_init(&body->chunks);
}

void body_fini(struct body *body, struct buffer_pool *pool)
{
    buffer_give_back(pool, body->trailers);
    body->trailers = NULL;
}

const char *body_fault(const struct body *body)
{
    return h1_error_to_str((enum h1_error)body->chunks.error);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void put(struct buffer *out, const char *bytes, size_t len)
{
    check(len <= buffer_room(out));
    memcpy(out->data + out->end, bytes, len);
    out->end += (uint32_t)len;
}

/* At most 0xfffff bytes, which a buffer never exceeds. */
static void put_chunk_size(struct buffer *out, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    char text[8];
    size_t at = sizeof text;
    text[--at] = '\n';
    text[--at] = '\r';
    do {
        text[--at] = hex[len & 15];
        len >>= 4;
    } while (len > 0);
    put(out, text + at, sizeof text - at);
}

static void put_content(struct body *body, struct buffer *out, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    body->relayed_bytes += len;
    if (body->rechunks)
        put_chunk_size(out, len);
    put(out, bytes, len);
    if (body->rechunks)
        put(out, "\r\n", 2);
}

/* Writes the last chunk. The trailers are let through or dropped as a whole section, when it is whole. */
static enum body_result complete(struct body *body, struct buffer *out, struct buffer_pool *pool)
{
    char passed[H1_CHUNK_TRAILER_MAX];
    size_t passed_len = 0;
    if (body->trailers) {
        enum h1_error cause =
            h1_trailer_filter(buffer_at(body->trailers), buffer_len(body->trailers), passed, &passed_len);
        if (cause != H1_OK) {
            body->chunks.error = (uint8_t)cause;
            return BODY_MALFORMED;
        }
    }
    if (!body->passes_trailers)
        passed_len = 0;
    body->is_ending = true;
    if (body->rechunks && buffer_room(out) < passed_len + CHUNK_FRAME_BYTES)
        return BODY_BLOCKED;
    if (body->rechunks) {
        put(out, "0\r\n", 3);
        put(out, passed, passed_len);
        put(out, "\r\n", 2);
    }
    body->is_complete = true;
    body_fini(body, pool);
    return BODY_COMPLETE;
}

static bool gather_trailers(struct body *body, struct slice piece, struct buffer_pool *pool)
{
    if (piece.len == 0)
        return true;
    if (!body->trailers)
        body->trailers = buffer_take(pool, H1_CHUNK_TRAILER_MAX);
    if (!body->trailers)
        return false;
    put(body->trailers, piece.at, piece.len);
    return true;
}

static enum body_result append_length(struct body *body, struct channel *from, struct buffer *out,
                                      struct buffer_pool *pool)
{
    size_t left = body->left_bytes < SIZE_MAX ? (size_t)body->left_bytes : SIZE_MAX;
    size_t len = smaller(smaller(buffer_len(from->in), left), buffer_room(out));
    if (len > 0)
        put(out, buffer_at(from->in), len);
    body->relayed_bytes += len;
    body->left_bytes -= len;
    body->is_complete = body->left_bytes == 0;
    channel_consume(from, pool, len);
    return body->is_complete ? BODY_COMPLETE : from->in ? BODY_BLOCKED : BODY_MORE;
}

static enum body_result append_until_close(struct body *body, struct channel *from, struct buffer *out,
                                           struct buffer_pool *pool)
{
    if (!from->in)
        return BODY_MORE;
    if (buffer_room(out) <= CHUNK_FRAME_BYTES)
        return BODY_BLOCKED;
    size_t len = smaller(buffer_len(from->in), buffer_room(out) - CHUNK_FRAME_BYTES);
    put_content(body, out, buffer_at(from->in), len);
    channel_consume(from, pool, len);
    return from->in ? BODY_BLOCKED : BODY_MORE;
}

static enum body_result append_chunked(struct body *body, struct channel *from, struct buffer *out,
                                       struct buffer_pool *pool)
{
    while (from->in) {
        enum h1_error cause;
        struct slice content, trailer;
        size_t consumed = 0;
        if (buffer_room(out) <= CHUNK_FRAME_BYTES)
            return BODY_BLOCKED;
        size_t len = smaller(buffer_len(from->in), buffer_room(out) - CHUNK_FRAME_BYTES);
        enum h1_result result =
            h1_chunk_decode(&body->chunks, buffer_at(from->in), len, &consumed, &content, &trailer, &cause);
        if (result == H1_BAD)
            return BODY_MALFORMED;
        put_content(body, out, content.at, content.len);
        if (!gather_trailers(body, trailer, pool))
            return BODY_NO_BUFFER;
        channel_consume(from, pool, consumed);
        if (result == H1_DONE)
            return complete(body, out, pool);
    }
    return BODY_MORE;
}

enum body_result body_append(struct body *body, struct channel *from, struct buffer *out, struct buffer_pool *pool)
{
    if (body->is_complete)
        return BODY_COMPLETE;
    if (body->is_ending)
        return complete(body, out, pool);
    switch (body->kind) {
    case HTTP_BODY_LENGTH:
        return append_length(body, from, out, pool);
    case HTTP_BODY_CHUNKED:
        return append_chunked(body, from, out, pool);
    case HTTP_BODY_UNTIL_CLOSE:
        return append_until_close(body, from, out, pool);
    default:
        body->is_complete = true;
        return BODY_COMPLETE;
    }
}

/* Bytes whose framing does not change go from the receive buffer to the socket without a copy. */
static enum body_result relay_unchanged(struct body *body, struct channel *from, struct channel *to,
                                        struct buffer_pool *pool)
{
    size_t len = buffer_len(from->in), sent = 0;
    if (body->kind == HTTP_BODY_LENGTH && len > body->left_bytes)
        len = (size_t)body->left_bytes;
    enum channel_result result = len ? channel_send_behind(to, pool, buffer_at(from->in), len, &sent) : CHANNEL_OK;
    if (result == CHANNEL_BROKEN)
        return BODY_BROKEN;
    channel_consume(from, pool, sent);
    body->relayed_bytes += sent;
    if (body->kind == HTTP_BODY_LENGTH) {
        body->left_bytes -= sent;
        body->is_complete = body->left_bytes == 0;
    }
    if (result == CHANNEL_BLOCKED)
        return BODY_BLOCKED;
    return body->is_complete ? BODY_COMPLETE : BODY_MORE;
}

static enum body_result flush(struct channel *to, struct buffer_pool *pool)
{
    switch (channel_flush(to, pool)) {
    case CHANNEL_OK:
        return BODY_MORE;
    case CHANNEL_BLOCKED:
        return BODY_BLOCKED;
    default:
        return BODY_BROKEN;
    }
}

/* One buffer full of newly framed bytes, sent as far as the receiver takes it. */
static enum body_result relay_framed(struct body *body, struct channel *from, struct channel *to,
                                     struct buffer_pool *pool)
{
    size_t wanted = buffer_len(from->in) + buffer_len(body->trailers) + 2 * CHUNK_FRAME_BYTES;
    to->out = buffer_take(pool, smaller(wanted, BUFFER_LARGE_BYTES));
    if (!to->out)
        return BODY_NO_BUFFER;
    enum body_result appended = body_append(body, from, to->out, pool);
    if (appended == BODY_MALFORMED || appended == BODY_NO_BUFFER)
        return appended;
    enum body_result flushed = buffer_len(to->out) ? flush(to, pool) : BODY_MORE;
    if (to->out && buffer_len(to->out) == 0) {
        buffer_give_back(pool, to->out);
        to->out = NULL;
    }
    return flushed != BODY_MORE ? flushed : appended == BODY_BLOCKED ? BODY_MORE : appended;
}

enum body_result body_relay(struct body *body, struct channel *from, struct channel *to, struct buffer_pool *pool)
{
    bool is_unchanged = body->kind == HTTP_BODY_LENGTH || (body->kind == HTTP_BODY_UNTIL_CLOSE && !body->rechunks);
    bool goes_together = is_unchanged && !body->is_complete && from->in;
    enum body_result result = goes_together ? BODY_MORE : flush(to, pool);
    while (result == BODY_MORE && !body->is_complete && (from->in || body->is_ending))
        result = is_unchanged ? relay_unchanged(body, from, to, pool) : relay_framed(body, from, to, pool);
    return result == BODY_MORE && body->is_complete ? BODY_COMPLETE : result;
}

/* All of `in` behind what `out` holds. False: there is no room, or no buffer. */
static bool hand_over(struct channel *from, struct channel *to, struct buffer_pool *pool)
{
    size_t waiting = buffer_len(to->out), len = buffer_len(from->in);
    struct buffer *joined = from->in;
    if (waiting > 0) {
        joined = waiting + len <= BUFFER_LARGE_BYTES ? buffer_take(pool, waiting + len) : NULL;
        if (!joined)
            return false;
        put(joined, buffer_at(to->out), waiting);
        put(joined, buffer_at(from->in), len);
        buffer_give_back(pool, from->in);
        buffer_give_back(pool, to->out);
    }
    from->in = NULL;
    to->out = joined;
    return true;
}

/* Long ones are not held, and what more than the body has come is no part of it. */
static enum body_result hold_length(struct body *body, struct channel *from, struct channel *to,
                                    struct buffer_pool *pool)
{
    size_t len = buffer_len(from->in);
    if (body->left_bytes > BUFFER_BODY_BYTES || len > body->left_bytes)
        return BODY_BLOCKED;
    if (len < body->left_bytes)
        return BODY_MORE;
    if (!hand_over(from, to, pool))
        return BODY_BLOCKED;
    body->relayed_bytes += len;
    body->left_bytes = 0;
    body->is_complete = true;
    return BODY_COMPLETE;
}

static enum body_result hold_framed(struct body *body, struct channel *from, struct channel *to,
                                    struct buffer_pool *pool)
{
    bool has_input = from->in || body->is_ending;
    enum body_result result = has_input ? body_append(body, from, to->out, pool) : BODY_MORE;
    return result == BODY_MORE && buffer_room(to->out) <= CHUNK_FRAME_BYTES ? BODY_BLOCKED : result;
}

enum body_result body_hold_rest(struct body *body, struct channel *from, struct channel *to, struct buffer_pool *pool)
{
    if (body->is_complete)
        return BODY_COMPLETE;
    if (body->kind == HTTP_BODY_LENGTH)
        return hold_length(body, from, to, pool);
    bool is_framed = body->kind == HTTP_BODY_CHUNKED || body->rechunks;
    return is_framed && to->out ? hold_framed(body, from, to, pool) : BODY_BLOCKED;
}

/* The last chunk has to follow what may still wait in `out`. */
enum body_result body_end(struct body *body, struct channel *to, struct buffer_pool *pool)
{
    if (body->rechunks && !to->out)
        to->out = buffer_take(pool, CHUNK_FRAME_BYTES);
    if (body->rechunks && !to->out)
        return BODY_NO_BUFFER;
    if (body->rechunks && complete(body, to->out, pool) == BODY_BLOCKED)
        return BODY_BLOCKED;
    body->is_complete = true;
    enum body_result result = flush(to, pool);
    return result == BODY_MORE ? BODY_COMPLETE : result;
}
