/* channel: one non-blocking socket with its two events and its buffers; what a client connection and an upstream
 * connection have in common. The read event stays registered while it is read, whatever the owner does; the write
 * event exists only while something waits to be sent, also in memory: an idle connection is mostly its read event. A send is tried before anything waits.
 * One worker.
 *
 *   in:  bytes received and not used yet; null when there are none
 *   out: bytes to send that could not be sent yet; null when there are none */
#ifndef PROXY_IO_CHANNEL_H
#define PROXY_IO_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "proxy/io/buffer_pool.h"

enum channel_result {
    CHANNEL_OK = 0,
    CHANNEL_BLOCKED,   /* the socket takes or has nothing more now */
    CHANNEL_EOF,       /* the peer will send no more */
    CHANNEL_BROKEN,    /* reset, or another error */
    CHANNEL_NO_BUFFER, /* the worker's ceiling is reached */
    CHANNEL_RESULT_COUNT
};

struct channel {
    int fd;            /* owned; -1 once closed */
    int16_t broken_by; /* errno of the last CHANNEL_BROKEN */
    bool is_reading : 1, is_writing : 1;
    bool has_failed : 1; /* it cannot be watched: the next receive says BROKEN */
    bool has_more : 1;   /* the last receive filled its buffer */
    struct buffer *in, *out;
    struct event readable;
    struct event *writable; /* owned; null unless is_writing */
};

/* on_event: hears EV_READ or EV_WRITE, never both at once, with the owner. */
void channel_open(struct channel *ch, struct event_base *base, int fd, event_callback_fn on_event, void *owner);
/* The peer will see that it was broken off (RST), and what it has not read yet may be lost. Before channel_close(). */
void channel_reset_on_close(struct channel *ch);
void channel_close(struct channel *ch, struct buffer_pool *pool); /* idempotent; buffers go back */

/* One recv behind what `in` holds already; a new buffer has room for `bytes`. OK also when `in` has no room left. */
enum channel_result channel_receive(struct channel *ch, struct buffer_pool *pool, size_t bytes);
/* Marks bytes of `in` as used; an empty buffer goes back to the pool. */
void channel_consume(struct channel *ch, struct buffer_pool *pool, size_t bytes);

/* One send, nothing kept. OK when all went, BLOCKED when only *sent did (the write event is then on). */
enum channel_result channel_send(struct channel *ch, const char *bytes, size_t len, size_t *sent);
/* Sends `out` and, behind it in the same call, bytes that are not kept. OK when all went; *sent counts those bytes. */
enum channel_result channel_send_behind(struct channel *ch, struct buffer_pool *pool, const char *bytes, size_t len,
                                        size_t *sent);
/* Sends `out`. OK when it is empty afterwards; BLOCKED turns the write event on. */
enum channel_result channel_flush(struct channel *ch, struct buffer_pool *pool);

enum channel_result channel_broken(struct channel *ch, int cause); /* notes why; returns CHANNEL_BROKEN */
/* When there is no memory to watch it, or the kernel refuses, the owner hears of it as of a broken connection. */
void channel_set_reading(struct channel *ch, bool on);
/* False: the same, told at once. Switching off always works. */
bool channel_set_writing(struct channel *ch, bool on);

/* Without reading. EOF: the peer has ended behind what can be read. BROKEN: reset. OK: neither. */
enum channel_result channel_look(const struct channel *ch);

/* What the peer's machine has taken since the connection was made; 0 when the kernel does not say. */
uint64_t channel_acked_bytes(const struct channel *ch);

#endif
