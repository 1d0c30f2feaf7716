/* listen_sockets: binds TCP addresses, before any process that serves them exists. Supervisor, and a proxy without one.
 * The caller owns the descriptors; they are non-blocking and close-on-exec. */
#ifndef DAEMON_LISTEN_SOCKETS_H
#define DAEMON_LISTEN_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* `count` sockets that listen on one address ("0.0.0.0:8080", "[::]:8080", "*:8080"): the kernel spreads connections
 * over them (SO_REUSEPORT, socket(7)). A port that anybody else listens on is refused, even one of ours that would
 * share it.
 * `[::]` is IPv6 only. On false nothing is left open and the error is the reason alone: "Address already in use". */
bool listen_sockets_open(const char *address, size_t count, int *fds, struct error *error);

void listen_sockets_close(int *fds, size_t count); /* and sets them to -1 */

#endif
