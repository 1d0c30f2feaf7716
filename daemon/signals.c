#include "daemon/signals.h"

#include "base/check.h"

static void signals_on_event(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct signals *signals = arg;
    signals->on_signal(signals->owner, (int)number);
}

void signals_start(struct signals *signals, struct loop *loop, const int *numbers, size_t count, signals_cb on_signal,
                   void *owner)
{
    check(count <= SIGNALS_MAX);
    signals->count = count;
    signals->on_signal = on_signal;
    signals->owner = owner;
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
    signals->count = 0;
}
