/* frame_link: length-prefixed frames (4 bytes, big endian, then that many bytes) over a stream socket, driven by a
 * loop. One thread. The link owns its descriptor. Frames arrive whole; a frame above the limit, or a broken stream,
 * closes the link and calls on_close once (never from inside frame_link_send). */
#ifndef BASE_FRAME_LINK_H
#define BASE_FRAME_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/slice.h"

#define FRAME_BYTES_MAX (64u << 20)
#define FRAME_QUEUE_BYTES_MAX (128u << 20) /* unsent; one frame more closes the link: the peer is stuck */

struct frame_link;

struct frame_link_callbacks {
    void (*on_frame)(void *owner, struct slice frame); /* borrowed for the call */
    void (*on_close)(void *owner, const char *reason); /* free the link from a later loop turn or in here */
    uint32_t frame_bytes_max; /* of those that arrive; 0: FRAME_BYTES_MAX. So much is kept in memory for the peer */
};

struct frame_link *frame_link_new(struct loop *loop, int fd, const struct frame_link_callbacks *callbacks, void *owner);
void frame_link_free(struct frame_link *link); /* closes the descriptor; no callback */
bool frame_link_send(struct frame_link *link,
                     struct slice frame); /* copies; false when the link is closed or its queue full */

#endif
