#include "base/loop.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LOG_LINE_MS 1000

struct loop {
    struct event_base *base;
};

/* What libevent would print to stderr by itself: a line a second at most, with the number of those left out. Any thread. */
static void loop_on_log(int severity, const char *text)
{
    static _Atomic int64_t said_at_ms;
    static _Atomic uint64_t left_out;
    int64_t now_ms = clock_now_ms();
    if (severity < EVENT_LOG_WARN)
        return;
    if (said_at_ms != 0 && now_ms - said_at_ms < LOG_LINE_MS) {
        left_out++;
        return;
    }
    said_at_ms = now_ms;
    log_warn("libevent: %s (%llu lines before it left out)", text, (unsigned long long)left_out);
    left_out = 0;
}

struct loop *loop_new(void)
{
    event_set_log_callback(loop_on_log);
    struct loop *loop = mem_alloc(sizeof *loop);
    struct event_config *config = event_config_new();
    check(config != NULL);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    check(loop->base != NULL);
    return loop;
}

void loop_free(struct loop *loop)
{
    event_base_free(loop->base);
    free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

void loop_run(struct loop *loop)
{
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(struct loop *loop)
{
    event_base_loopexit(loop->base, NULL);
}

static void timer_on_fire(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct timer *timer = arg;
    timer->fire(timer->owner);
}

static struct timeval to_timeval(int64_t ms)
{
    return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

void timer_init(struct timer *timer, struct loop *loop, timer_cb fire, void *owner)
{
    timer->fire = fire;
    timer->owner = owner;
    check(event_assign(&timer->event, loop->base, -1, 0, timer_on_fire, timer) == 0);
}

void timer_start(struct timer *timer, int64_t delay_ms)
{
    struct timeval delay = to_timeval(delay_ms);
    event_del(&timer->event);
    check(event_assign(&timer->event, event_get_base(&timer->event), -1, 0, timer_on_fire, timer) == 0);
    check(event_add(&timer->event, &delay) == 0);
}

void timer_start_every(struct timer *timer, int64_t period_ms)
{
    struct timeval period = to_timeval(period_ms);
    event_del(&timer->event);
    check(event_assign(&timer->event, event_get_base(&timer->event), -1, EV_PERSIST, timer_on_fire, timer) == 0);
    check(event_add(&timer->event, &period) == 0);
}

void timer_stop(struct timer *timer)
{
    event_del(&timer->event);
}
