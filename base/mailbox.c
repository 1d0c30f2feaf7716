#include "base/mailbox.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    struct mail *top; /* newest first; atomic */
    struct event event;
    int wake_fd;
    mailbox_cb on_mail;
    void *owner; /* borrowed */
};

static struct mail *take_all_oldest_first(struct mailbox *box)
{
    struct mail *newest_first = __atomic_exchange_n(&box->top, NULL, __ATOMIC_ACQUIRE), *oldest_first = NULL;
    while (newest_first) {
        struct mail *next = newest_first->next;
        newest_first->next = oldest_first;
        oldest_first = newest_first;
        newest_first = next;
    }
    return oldest_first;
}

static void deliver(struct mailbox *box)
{
    struct mail *mail = take_all_oldest_first(box);
    while (mail) {
        struct mail *next = mail->next;
        box->on_mail(box->owner, mail);
        mail = next;
    }
}

static void mailbox_on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0)
        return; /* woken for nothing */
    deliver(arg);
}

struct mailbox *mailbox_new(struct loop *receiver, mailbox_cb on_mail, void *owner)
{
    struct mailbox *box = mem_alloc(sizeof *box);
    box->on_mail = on_mail;
    box->owner = owner;
    box->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check(box->wake_fd >= 0);
    check(event_assign(&box->event, loop_base(receiver), box->wake_fd, EV_READ | EV_PERSIST, mailbox_on_wake, box) ==
          0);
    check(event_add(&box->event, NULL) == 0);
    return box;
}

void mailbox_free(struct mailbox *box)
{
    deliver(box);
    event_del(&box->event);
    close(box->wake_fd);
    free(box);
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
    struct mail *top = __atomic_load_n(&box->top, __ATOMIC_RELAXED);
    do
        mail->next = top;
    while (!__atomic_compare_exchange_n(&box->top, &top, mail, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    if (top)
        return; /* the receiver has been woken already and has not looked yet */
    uint64_t one = 1;
    ssize_t written = write(box->wake_fd, &one, sizeof one);
    check(written == sizeof one);
}
