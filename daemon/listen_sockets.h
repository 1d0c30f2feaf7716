/* listen_sockets: binds TCP addresses, before any process that serves them exists. Supervisor, and a proxy without one.
 * The caller owns the descriptors; they are non-blocking and close-on-exec. */
#ifndef DAEMON_LISTEN_SOCKETS_H
#define DAEMON_LISTEN_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum listen_mode {
    LISTEN_ALONE = 0, /* nobody can ever share the port */
    LISTEN_SHARED, /* for several workers, now or after an upgrade (SO_REUSEPORT); refused when anybody listens there */
    LISTEN_JOINING /* the same, beside sockets of ours that listen there already */
};

/* `count` sockets that listen on one address ("0.0.0.0:8080", "[::]:8080", "*:8080"): the kernel spreads connections
 * over them (SO_REUSEPORT, socket(7)). A port that anybody else listens on is refused, even one of ours that would
 * share it, unless JOINING. `[::]` is IPv6 only. On false nothing is left open and the error is the reason alone:
 * "Address already in use". */
bool listen_sockets_open(const char *address, enum listen_mode mode, size_t count, int *fds, struct error *error);

/* Could it be opened? Nothing ever listens for it, so that no connection comes to a socket that is closed again. */
bool listen_sockets_try(const char *address, enum listen_mode mode, struct error *error);

bool listen_sockets_is_on(int fd, const char *address);    /* the socket is bound to just that address */
bool listen_sockets_has_port(int fd, const char *address); /* or to another address of the same port */

void listen_sockets_close(int *fds, size_t count); /* and sets them to -1 */

#endif
