/* clients: what one worker has of its clients: their connections, what each address takes up, and what they may have. This is the
 * door of the room for the thread, which builds, drains and ends all of it; the struct is open to the files of the room, and
 * embedded by the thread. One worker. */
#ifndef PROXY_CLIENT_CLIENTS_H
#define PROXY_CLIENT_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "proxy/client/client_table.h"
#include "proxy/io/graveyard.h"

struct conn;
struct row_set;
struct worker;

TAILQ_HEAD(conn_list, conn);

struct clients {
    struct conn_list conns; /* open */
    uint32_t conn_count;
    struct graveyard yard;
    struct client_table *table;
    struct client_limits limits;
    bool limits_body_bytes; /* a rate of clients or of a listener is set */
};

/* Once for each worker, before anything else. */
void clients_set_up(struct worker *w); /* w->clients is zeroed */
void clients_tear_down(struct worker *w);
size_t clients_trim(struct worker *w); /* bytes that were freed */

/* What the settings say of trust and limits has changed: all that are open are let in once more, the oldest first. */
void clients_readmit(struct worker *w);

/* Closes what waits for a request; the others close behind the present one. True: none is left on which a request may begin. */
bool clients_drain(struct worker *w);
void clients_end_tunnels(struct worker *w); /* they have lasted long enough */
void clients_leave_rows(struct worker *w,
                        const struct row_set *rows); /* which others need: proxy/snapshot/kept_rows.h */
uint32_t clients_cut_off(struct worker *w);          /* closes all; returns how many of them had a request under way */

#endif
