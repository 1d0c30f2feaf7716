#include "daemon/signals.h"

#include "base/check.h"

#include <signal.h>

/* libevent calls once for each time that it came. */
static void signals_on_event(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct signals *signals = arg;
    signals->pending |= UINT64_C(1) << number;
    event_active(&signals->deliver, EV_TIMEOUT, 0);
}

static void signals_on_deliver(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct signals *signals = arg;
    uint64_t pending = signals->pending;
    signals->pending = 0;
    for (int number = 1; number < 64; number++) {
        if (pending & UINT64_C(1) << number)
            signals->on_signal(signals->owner, number);
    }
}

void signals_start(struct signals *signals, struct loop *loop, const int *numbers, size_t count, signals_cb on_signal,
                   void *owner)
{
    check(count <= SIGNALS_MAX);
    signals->count = count;
    signals->on_signal = on_signal;
    signals->owner = owner;
    signals->pending = 0;
    check(event_assign(&signals->deliver, loop_base(loop), -1, 0, signals_on_deliver, signals) == 0);
    for (size_t i = 0; i < count; i++) {
        struct event *event = &signals->events[i];
        check(event_assign(event, loop_base(loop), numbers[i], EV_SIGNAL | EV_PERSIST, signals_on_event, signals) == 0);
        check(event_add(event, NULL) == 0);
    }
}

void signals_stop(struct signals *signals)
{
    for (size_t i = 0; i < signals->count; i++)
        event_del(&signals->events[i]);
    event_del(&signals->deliver);
    signals->count = 0;
}

void signals_hold_back(const int *numbers, size_t count, bool on)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(on ? SIG_SETMASK : SIG_UNBLOCK, &set, NULL);
}
