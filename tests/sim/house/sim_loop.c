#include "tests/sim/house/sim_loop.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event_struct.h>

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/sim_net.h"

#define WATCHED_MAX 512
#define TIMERS_MAX 64

struct sim_timer {
    struct event *event;
    int64_t due_us, period_us; /* period: 0: once */
};

struct due {
    struct event *event; /* null: it was taken away before its turn */
    short what;
};

struct event_base {
    struct event *watched[WATCHED_MAX]; /* descriptors */
    size_t watched_count;
    struct sim_timer timers[TIMERS_MAX];
    size_t timer_count;
    struct due due[WATCHED_MAX + TIMERS_MAX]; /* of this turn */
    size_t due_count;
    bool is_stopped;
};

static sim_loop_wait_cb wait_in_loop;
static size_t loop_count;

struct event_config *__wrap_event_config_new(void);
int __wrap_event_config_set_flag(struct event_config *config, int flag);
void __wrap_event_config_free(struct event_config *config);
struct event_base *__wrap_event_base_new_with_config(const struct event_config *config);
void __wrap_event_base_free(struct event_base *base);
int __wrap_event_base_loop(struct event_base *base, int flags);
int __wrap_event_base_loopexit(struct event_base *base, const struct timeval *delay);
int __wrap_event_assign(struct event *event, struct event_base *base, evutil_socket_t fd, short events,
                        event_callback_fn callback, void *arg);
struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short events, event_callback_fn callback,
                               void *arg);
void __wrap_event_free(struct event *event);
int __wrap_event_add(struct event *event, const struct timeval *delay);
int __wrap_event_del(struct event *event);
int __wrap_event_del_noblock(struct event *event);

void sim_loop_set_wait(sim_loop_wait_cb wait)
{
    wait_in_loop = wait;
}

bool sim_loop_is_stopped(const struct event_base *base)
{
    return base->is_stopped;
}

size_t sim_loop_count(void)
{
    return loop_count;
}

/* ---- bases ---- */

struct event_config *__wrap_event_config_new(void)
{
    static char config;
    return (struct event_config *)&config;
}

int __wrap_event_config_set_flag(struct event_config *config, int flag)
{
    (void)config;
    (void)flag;
    return 0;
}

void __wrap_event_config_free(struct event_config *config)
{
    (void)config;
}

struct event_base *__wrap_event_base_new_with_config(const struct event_config *config)
{
    (void)config;
    loop_count++;
    return mem_alloc(sizeof(struct event_base));
}

/* Whoever still stood in it would be called back by memory that is gone. */
void __wrap_event_base_free(struct event_base *base)
{
    if (base->watched_count > 0 || base->timer_count > 0)
        house_violated("a loop has ended with %zu descriptors and %zu timers in it", base->watched_count,
                       base->timer_count);
    loop_count--;
    free(base);
}

/* ---- events ---- */

int __wrap_event_assign(struct event *event, struct event_base *base, evutil_socket_t fd, short events,
                        event_callback_fn callback, void *arg)
{
    memset(event, 0, sizeof *event);
    event->ev_base = base;
    event->ev_fd = fd;
    event->ev_events = events;
    event->ev_evcallback.evcb_cb_union.evcb_callback = callback;
    event->ev_evcallback.evcb_arg = arg;
    return 0;
}

struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short events, event_callback_fn callback,
                               void *arg)
{
    struct event *event = mem_alloc(sizeof *event);
    __wrap_event_assign(event, base, fd, events, callback, arg);
    return event;
}

static void unwatch(struct event_base *base, const struct event *event)
{
    for (size_t i = 0; i < base->watched_count; i++) {
        if (base->watched[i] != event)
            continue;
        base->watched[i] = base->watched[--base->watched_count];
        return;
    }
}

static void stop_timer(struct event_base *base, const struct event *event)
{
    for (size_t i = 0; i < base->timer_count; i++) {
        if (base->timers[i].event != event)
            continue;
        base->timers[i] = base->timers[--base->timer_count];
        return;
    }
}

static void forget(struct event_base *base, const struct event *event)
{
    unwatch(base, event);
    stop_timer(base, event);
}

int __wrap_event_add(struct event *event, const struct timeval *delay)
{
    struct event_base *base = event->ev_base;
    if (event->ev_events & EV_SIGNAL)
        return 0;
    forget(base, event);
    if (event->ev_fd >= 0) {
        check(base->watched_count < WATCHED_MAX);
        base->watched[base->watched_count++] = event;
    }
    if (delay) {
        int64_t delay_us = delay->tv_sec * INT64_C(1000000) + delay->tv_usec;
        check(base->timer_count < TIMERS_MAX);
        base->timers[base->timer_count++] =
            (struct sim_timer){ .event = event,
                                .due_us = house_now_us() + delay_us,
                                .period_us = event->ev_events & EV_PERSIST ? delay_us : 0 };
    }
    return 0;
}

int __wrap_event_del(struct event *event)
{
    struct event_base *base = event->ev_base;
    if (!base)
        return 0; /* was never assigned */
    forget(base, event);
    for (size_t i = 0; i < base->due_count; i++) {
        if (base->due[i].event == event)
            base->due[i].event = NULL;
    }
    return 0;
}

int __wrap_event_del_noblock(struct event *event)
{
    return __wrap_event_del(event);
}

void __wrap_event_free(struct event *event)
{
    __wrap_event_del(event);
    free(event);
}

/* ---- turns ---- */

static void note_due(struct event_base *base, struct event *event, short what)
{
    size_t at = house_random(++base->due_count);
    base->due[base->due_count - 1] = base->due[at];
    base->due[at] = (struct due){ event, what };
}

static short what_is_ready(const struct event *event)
{
    short what = 0;
    if (event->ev_events & EV_READ && net_is_readable(event->ev_fd))
        what |= EV_READ;
    if (event->ev_events & EV_WRITE && net_is_writable(event->ev_fd))
        what |= EV_WRITE;
    return what;
}

static void collect_ready(struct event_base *base)
{
    for (size_t i = 0; i < base->watched_count; i++) {
        short what = what_is_ready(base->watched[i]);
        if (what)
            note_due(base, base->watched[i], what);
    }
}

static void collect_timers(struct event_base *base)
{
    for (size_t i = 0; i < base->timer_count; i++) {
        if (base->timers[i].due_us <= house_now_us())
            note_due(base, base->timers[i].event, EV_TIMEOUT);
    }
}

/* From here on it may be added again, by its own callback too. */
static void rearm(struct event_base *base, struct event *event)
{
    for (size_t i = 0; i < base->timer_count; i++) {
        struct sim_timer *timer = &base->timers[i];
        if (timer->event != event)
            continue;
        if (timer->period_us > 0)
            timer->due_us = house_now_us() + timer->period_us;
        else
            *timer = base->timers[--base->timer_count];
        return;
    }
}

void sim_loop_turn(struct event_base *base)
{
    check(base->due_count == 0);
    collect_ready(base);
    collect_timers(base);
    for (size_t i = 0; i < base->due_count; i++) {
        struct event *event = base->due[i].event;
        if (!event)
            continue;
        if (base->due[i].what & EV_TIMEOUT)
            rearm(base, event);
        else if (!(event->ev_events & EV_PERSIST))
            unwatch(base, event);
        event->ev_evcallback.evcb_cb_union.evcb_callback(event->ev_fd, base->due[i].what,
                                                         event->ev_evcallback.evcb_arg);
    }
    base->due_count = 0;
}

int __wrap_event_base_loop(struct event_base *base, int flags)
{
    if (!(flags & EVLOOP_NO_EXIT_ON_EMPTY))
        sim_loop_turn(base);
    else
        wait_in_loop(base);
    return 0;
}

int __wrap_event_base_loopexit(struct event_base *base, const struct timeval *delay)
{
    (void)delay;
    base->is_stopped = true;
    return 0;
}
