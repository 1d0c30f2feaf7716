/* exchange: one request and its response. From a complete request head to the last response byte: route, pick an
 * endpoint, send, relay both bodies with back-pressure, try another endpoint where that is safe, count and log. One
 * worker.
 *
 *   request:  SENDING --all bytes given to the endpoint--> SENT
 *                 \---it takes no more: it has answered early, or is gone--> REFUSED
 *   response: AWAITED --head--> RELAYING --last byte from the endpoint--> ENDED --flushed--> (exchange is over)
 *                  \---101---> TUNNELLING --both ends have said their last--> (exchange is over)
 *
 * ENDED has no upstream any more: it is idle in its pool, or carries another exchange, while a slow client still takes
 * what waits for it in memory.
 *
 * Bytes are held in one place: request bytes in the client's `in` or in `head`, which keeps a small request whole so that
 * it can be sent again; response bytes in the upstream's `in`, the last of them in the client's `out`; what cannot be passed
 * on stops the reading behind it. */
#ifndef PROXY_EXCHANGE_EXCHANGE_H
#define PROXY_EXCHANGE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/exchange/client_side.h"
#include "proxy/log/termination.h"
#include "proxy/snapshot/kept_rows.h"

struct exchange;
struct worker;

/* Once for each worker, before anything else. */
void exchange_set_up(struct worker *w);
void exchange_tear_down(struct worker *w);
size_t exchange_trim(struct worker *w); /* bytes that were freed */
void exchange_start(struct worker *w, struct client_side *client, const struct client_request *request);
/* The client is being let go of: by itself, when `end` is COMPLETE. */
void exchange_abort(struct exchange *x, enum exchange_end end);
/* Broken off if it counts in one of these rows, which are called in, and no snapshot names that any more. */
void exchange_leave_rows(struct exchange *x, const struct row_set *rows);
/* It will be the last one on its connection to the client. */
void exchange_end_connection(struct exchange *x);

bool exchange_is_tunnel(const struct exchange *x);
/* A response is on its way to the client that only the end of the connection would end, as HTTP/1.0 has it: closed now, it
 * would be taken for whole. */
bool exchange_leaves_end_open(const struct exchange *x);

/* From the client. Each may end the exchange: client->exchange tells whether it has. */
void exchange_on_client_bytes(struct exchange *x);
void exchange_on_client_eof(struct exchange *x);
void exchange_on_client_writable(struct exchange *x);
/* Its client's body is not read for a while, because a share is used up; or is again. */
void exchange_on_throttle(struct exchange *x, bool is_throttled);
void exchange_end_tunnel(struct exchange *x); /* it has lasted long enough */

void exchange_send_due(struct worker *w); /* the turn ends */

#endif
