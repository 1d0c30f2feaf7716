/* channel: one non-blocking socket with its two events, its buffers and the transport that it speaks; what a client connection
 * and an upstream connection have in common. Nobody else touches the socket. The read event stays registered while it is
 * read, whatever the owner does; the write event exists only while something waits to be sent, also in memory: an idle
 * connection is mostly its read event. A send is tried before anything waits. One worker.
 *
 * A transport with a state (transport.h) may need the socket for itself. Then the channel watches for that, whatever the
 * owner waits for, and tells the owner when it is worth trying again: an event says "try", never what is possible.
 *
 *   in:  bytes received and not used yet; null when there are none
 *   out: bytes to send that could not be sent yet; null when there are none */
#ifndef PROXY_IO_CHANNEL_H
#define PROXY_IO_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <sys/socket.h>

#include "proxy/io/buffer_pool.h"
#include "proxy/io/transport.h"

enum channel_result {
    CHANNEL_OK = 0,
    CHANNEL_BLOCKED,   /* the socket takes or has nothing more now */
    CHANNEL_EOF,       /* the peer will send no more */
    CHANNEL_BROKEN,    /* reset, or another error */
    CHANNEL_NO_BUFFER, /* the worker's ceiling is reached */
    CHANNEL_RESULT_COUNT
};

struct channel {
    int fd;                              /* owned; -1 once closed */
    int16_t broken_by;                   /* errno of the last CHANNEL_BROKEN */
    bool is_reading : 1, is_writing : 1; /* what the owner waits for */
    bool is_watched : 1;                 /* `readable` is registered */
    bool keeps_state : 1;                /* its transport does; else epoll says all there is to say */
    bool has_failed : 1;                 /* it cannot be watched: the next receive says BROKEN */
    bool has_more : 1;                   /* the last receive did not take all there is */
    struct transport *transport;         /* owned, unless it is the plain one */
    struct buffer *in, *out;
    struct event readable;
    struct event *writable; /* owned; null unless it is registered */
};

/* A socket that is connected to `to`, or will be. -1: none can be had, or the network refuses at once (errno). */
int channel_dial(const struct sockaddr *to, socklen_t len);
/* What came of it, when the channel opened on it has become writable: 0 or an errno. */
int channel_connect_error(struct channel *ch);

/* What is sent leaves at once, whatever has not been acknowledged yet. Of a listening socket: on all connections that are made to it
 * from then on (they are copies of it; those in its queue are already), which saves a system call for each. */
void channel_send_at_once(int fd);

/* Takes fd and transport over. on_event: hears EV_READ or EV_WRITE, never both at once, with the owner. The channel must still
 * stand when on_event has closed it and returns: a graveyard sees to that. */
void channel_open(struct channel *ch, struct event_base *base, int fd, struct transport *transport,
                  event_callback_fn on_event, void *owner);
/* Tells the peer that no more will come. What was sent before arrives before. The connection stays open until it is closed,
 * also for what the transport still has to send of this. */
void channel_shut_down(struct channel *ch);
/* Closing it at once tells the peer the same: no message has to go before. */
bool channel_ends_by_closing(const struct channel *ch);
/* The peer will see that it was broken off (RST), and what it has not read yet may be lost. Before channel_close(). */
void channel_reset_on_close(struct channel *ch);
void channel_close(struct channel *ch, struct buffer_pool *pool); /* idempotent; buffers go back */

/* One receive behind what `in` holds already; a new buffer has room for `bytes`. OK also when `in` has no room left. */
enum channel_result channel_receive(struct channel *ch, struct buffer_pool *pool, size_t bytes);
/* Marks bytes of `in` as used; an empty buffer goes back to the pool. */
void channel_consume(struct channel *ch, struct buffer_pool *pool, size_t bytes);

/* One send, nothing kept here. *sent went, and are never to be sent again. OK: all of them, and out to the socket. BLOCKED: the
 * write event is on; it may be that all went, but no further than into the transport. */
enum channel_result channel_send(struct channel *ch, const char *bytes, size_t len, size_t *sent);
/* Sends `out` and, behind it in the same call, bytes that are not kept. OK when all went; *sent counts those bytes. */
enum channel_result channel_send_behind(struct channel *ch, struct buffer_pool *pool, const char *bytes, size_t len,
                                        size_t *sent);
/* Sends `out`. OK when nothing is left to be sent, here or in the transport; BLOCKED turns the write event on. */
enum channel_result channel_flush(struct channel *ch, struct buffer_pool *pool);

enum channel_result channel_broken(struct channel *ch, int cause); /* notes why; returns CHANNEL_BROKEN */
/* When there is no memory to watch it, or the kernel refuses, the owner hears of it as of a broken connection. */
void channel_set_reading(struct channel *ch, bool on);
bool channel_change_writing(struct channel *ch, bool on);
/* False: the same, told at once. Switching off always works. Mostly it is as it is to be: each send comes through here. */
static inline bool channel_set_writing(struct channel *ch, bool on)
{
    return (ch->is_writing == on && !ch->keeps_state) || channel_change_writing(ch, on);
}

/* Without reading. EOF: the peer has ended behind what can be read. BROKEN: reset. OK: neither. */
enum channel_result channel_look(const struct channel *ch);

/* This end of it. False: the kernel does not say. */
bool channel_local_address(const struct channel *ch, struct sockaddr *address, socklen_t len);

/* What the peer's machine has taken since the connection was made, as bytes on the wire; 0 when the kernel does not say. */
uint64_t channel_acked_bytes(const struct channel *ch);

#endif
