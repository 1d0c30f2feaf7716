/* child_channel: what a parent process and its child say to one another: one byte, and perhaps a descriptor, over a
 * SOCK_SEQPACKET pair. The end of the stream means that the other process is gone. One thread; driven by a loop.
 * The channel owns its descriptor. Descriptors travel by SCM_RIGHTS (unix(7)). */
#ifndef BASE_CHILD_CHANNEL_H
#define BASE_CHILD_CHANNEL_H

#include <stdbool.h>

#include "base/loop.h"

enum child_message {
    CHILD_MESSAGE_LINK = 'L',       /* parent: here is a new stream to your peer; drop the old one */
    CHILD_MESSAGE_STARTED = 'S',    /* parent: your peer was started, or started again */
    CHILD_MESSAGE_RELOAD = 'R',     /* parent: read your configuration again */
    CHILD_MESSAGE_DRAIN = 'D',      /* parent: finish what you do, take nothing new, then exit */
    CHILD_MESSAGE_RETIRE = 'T',     /* parent: your successor serves; finish what you have, for as long as it takes */
    CHILD_MESSAGE_COMMIT = 'C',     /* parent: there is no way back to who came before you */
    CHILD_MESSAGE_ENDED = 'E',      /* parent: a proxy that had retired, whose counters you cannot read, has ended */
    CHILD_MESSAGE_LOG = 'G',        /* whoever has the rights: here is the access log, opened anew */
    CHILD_MESSAGE_READY = 'Y',      /* child: I have started */
    CHILD_MESSAGE_BEAT = 'B',       /* child, each second: all of me turns its loop */
    CHILD_MESSAGE_SERVING = 'V',    /* child: all of me serves clients now; once */
    CHILD_MESSAGE_RELINK = 'N',     /* child: my stream broke though my peer may live; give both of us a new one */
    CHILD_MESSAGE_REOPEN_LOG = 'O', /* to whoever has the rights: open the access log anew for me */
};

struct child_channel;

struct child_channel_callbacks {
    /* fd: -1, or the callee's to close. A byte that is no child_message is dropped before it gets here. */
    void (*on_message)(void *owner, enum child_message message, int fd);
    void (*on_close)(void *owner); /* once; free the channel in here or later, but not in on_message */
};

bool child_channel_open_pair(int fds[2]); /* both close-on-exec and non-blocking; false: see errno */

struct child_channel *child_channel_new(struct loop *loop, int fd, const struct child_channel_callbacks *callbacks,
                                        void *owner);
void child_channel_free(struct child_channel *channel); /* closes the descriptor; no callback */

int child_channel_fd(const struct child_channel *channel); /* borrowed */

/* fd: -1 or one to pass along (borrowed). False when the other side is gone or does not read. */
bool child_channel_send(struct child_channel *channel, enum child_message message, int fd);

#endif
