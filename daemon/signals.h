/* signals: process signals as callbacks from a loop. One that comes several times before the loop gets to it is one, as
 * with signals in general: a wrapper that sends SIGTERM to its child and then to its group does not mean it twice. One
 * set in a process (libevent keeps one handler table); the thread that runs the loop. */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

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

#endif
