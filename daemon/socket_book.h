/* socket_book: the listening sockets of an installation: of each listener as many, and one of the admin API. A new
 * configuration's book is made out of the one before: a socket that is bound to a wanted address is shared by both books,
 * so that no connection in its queue is lost, and what is missing is bound. Supervisor only. */
#ifndef DAEMON_SOCKET_BOOK_H
#define DAEMON_SOCKET_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

/* Embedded in its owner. */
struct socket_book {
    int *fds; /* owned array: socket i of listener l: [l * per_listener + i] */
    size_t listener_count;
    size_t per_listener; /* at least one for each worker. It never shrinks: closing one would reset who waits in it */
    int admin_fd;        /* -1: none */
};

#define SOCKET_BOOK_EMPTY \
    {                     \
        .admin_fd = -1    \
    }

/* before: null, or where to take sockets from; it keeps all of its own. False: the error names the field, and nothing new
 * is open. */
bool socket_book_open(struct socket_book *book, const struct config *config, uint32_t workers,
                      const struct socket_book *before, struct error *error);

/* Would socket_book_open() succeed? No connection can come to anything that this does. */
bool socket_book_try(const struct config *config, uint32_t workers, const struct socket_book *before,
                     struct error *error);

size_t socket_book_fd_count(const struct socket_book *book); /* of listeners */

/* Closes what `kept` does not have too (null: everything), and empties the book. */
void socket_book_close(struct socket_book *book, const struct socket_book *kept);

#endif
