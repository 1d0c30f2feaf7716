/* mailbox: how one thread hands something to another. Many senders, one receiver: a lock-free stack that the receiver
 * takes whole and turns round, and an eventfd that is written only when the box was empty. Posting transfers ownership
 * of the mail (and of what embeds it) to the receiver. Order is kept per sender. */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include "base/loop.h"

/* Embed as the first member of a message. */
struct mail {
    struct mail *next; /* owned by the box while posted */
};

typedef void (*mailbox_cb)(void *owner, struct mail *mail);

struct mailbox;

struct mailbox *mailbox_new(struct loop *receiver, mailbox_cb on_mail, void *owner);
void mailbox_free(struct mailbox *box); /* no sender may be left; undelivered mail is delivered first */
void mailbox_post(struct mailbox *box, struct mail *mail); /* any thread; cannot fail */

#endif
