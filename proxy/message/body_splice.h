/* body_splice: moves a long body of known length from socket to socket inside the kernel (splice(2)), through a pipe that
 * the body holds while bytes are in it or more of them must come. What body_relay.h says of its results holds here too.
 * One worker. */
#ifndef PROXY_MESSAGE_BODY_SPLICE_H
#define PROXY_MESSAGE_BODY_SPLICE_H

#include <stdbool.h>

#include "proxy/message/body_relay.h"

/* The rest of the body can go this way from here on, or it does so already. Takes a pipe; false when there is none. What
 * is still to come must be at least bytes_min; 0: never. */
bool body_start_splice(struct body *body, const struct channel *from, const struct channel *to,
                       struct buffer_pool *pool, int64_t bytes_min);

/* As much as both sockets allow, within a bound. BODY_SENDER_ENDED, BODY_SENDER_BROKEN: `from` did, before the body was
 * complete. */
enum body_result body_splice(struct body *body, const struct channel *from, struct channel *to,
                             struct buffer_pool *pool);

/* body_splice() while the body holds a pipe, else body_relay(). */
enum body_result body_move(struct body *body, struct channel *from, struct channel *to, struct buffer_pool *pool);

#endif
