/* transport: how the bytes of a connection become those on its socket. A channel has one as long as it is open: plain, where
 * they are the same, or one with a state of its own, as TLS has. One worker.
 *
 * Results are those of recv(2) and send(2): so many bytes, or -1 and errno. EAGAIN and EINTR say "not now", all else that
 * the connection is broken, and goes on saying so; what a transport itself has to complain of is EPROTO. Nothing waits, and
 * no pointer to what was given is kept.
 *
 * What a transport with a state has to say beside, and what that is in OpenSSL:
 *
 *   needs READ      nothing moves in either direction before something has come: a handshake; SSL_write says WANT_READ
 *   needs WRITE     nothing moves before something has left; SSL_read says WANT_WRITE
 *   HOLDS_OUTPUT    bytes that were taken are records now, which the socket has not taken: no byte is ever offered twice,
 *                   nor is a close_notify; what comes can be read meanwhile
 *   holds_input     SSL_pending(): bytes that epoll knows nothing of
 *
 * A handshake is nothing else than a need: the connection is open, whoever reads or sends is told "not now", and the channel
 * calls go_on() when the socket is ready for it. The deadline is the owner's, as for all that may last.
 *
 * What every socket has, whatever is spoken on it, is the channel's own: what was acknowledged, addresses, whether the
 * peer is still there. */
#ifndef PROXY_IO_TRANSPORT_H
#define PROXY_IO_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <event2/event.h>

#include "base/slice.h"

struct buffer_pool;

enum transport_need {
    TRANSPORT_NEEDS_NOTHING = 0,
    TRANSPORT_NEEDS_READ,
    TRANSPORT_NEEDS_WRITE,
    TRANSPORT_HOLDS_OUTPUT
};

/* Embedded at the start of a transport with a state: one for each channel, owned by it. */
struct transport {
    const struct transport_ops *ops;
    event_callback_fn on_event; /* the channel's notes of whom to tell; unused by plain */
    void *owner;
};

struct transport_ops {
    const char *name;

    /* 0: the peer has said that no more comes. An end of the socket without that is no end, but ECONNRESET. While bytes are
     * held, they are what is received, and the socket is left alone: what a turn costs is bounded. */
    ssize_t (*receive)(struct transport *t, int fd, void *into, size_t room);
    /* Two pieces, one behind the other; either can be empty. How many bytes were taken, in order. While output is held, none. */
    ssize_t (*send)(struct transport *t, int fd, struct slice first, struct slice second);
    /* Tells the peer that no more comes, behind all that was taken. That may have to wait for the socket: HOLDS_OUTPUT.
     * What fails here, the next receive tells. */
    void (*shutdown)(struct transport *t, int fd);

    /* Only of one with a state; null, all of them, in one without. */

    /* Sends what is held, or the next step of a handshake, as far as that goes. 0, or why the connection is broken. */
    int (*go_on)(struct transport *t, int fd);
    enum transport_need (*need)(const struct transport *t);
    bool (*holds_input)(const struct transport *t);
    /* The socket is being closed. Without a shutdown before, the peer sees that the connection was broken off. */
    void (*close)(struct transport *t, struct buffer_pool *pool);
};

/* Bytes as they are. Without a state, and so the same for all. */
struct transport *transport_plain(void);

#endif
