/* clients: what one worker has of its clients: their connections, what each address takes up, and what they may have. Each
 * file of this room works on it; the others only hand it on. One worker. */
#ifndef PROXY_CLIENT_CLIENTS_H
#define PROXY_CLIENT_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "proxy/client/client_table.h"
#include "proxy/io/graveyard.h"

struct conn;

TAILQ_HEAD(conn_list, conn);

struct clients {
    struct conn_list conns; /* open */
    uint32_t conn_count;
    struct graveyard yard;
    struct client_table *table;
    struct client_limits limits;
    bool limits_body_bytes; /* a rate of clients or of a listener is set */
};

#endif
