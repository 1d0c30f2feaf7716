/* signals: process signals as callbacks from a loop. One that comes several times before the loop gets to it is one, as
 * with signals in general: a wrapper that sends SIGTERM to its child and then to its group does not mean it twice. One
 * set in a process (libevent keeps one handler table); the thread that runs the loop. */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

#define SIGNALS_MAX 8

typedef void (*signals_cb)(void *owner, int signal_number);

/* Embedded in its owner. */
struct signals {
    struct event events[SIGNALS_MAX];
    size_t count;
    struct event deliver;
    uint64_t pending; /* bit n: signal n came in this turn */
    signals_cb on_signal;
    void *owner; /* borrowed */
};

void signals_start(struct signals *signals, struct loop *loop, const int *numbers, size_t count, signals_cb on_signal,
                   void *owner);
void signals_stop(struct signals *signals); /* default actions again */

/* They wait, also over an exec, until let through. Then exactly these are blocked: what an earlier program of this process
 * blocked besides is let through, or every child would be born with it blocked. */
void signals_hold_back(const int *numbers, size_t count, bool on);

#endif
