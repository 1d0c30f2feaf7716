#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/base/captured_stderr.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct alarm_clock {
    struct loop *loop;
    struct timer timer;
    int fired_count;
    int stop_after; /* stops the loop when fired so often; 0: never */
    int *order;     /* shared counter */
    int place;
};

static void alarm_on_fire(void *owner)
{
    struct alarm_clock *a = owner;
    a->fired_count++;
    if (a->order)
        a->place = ++*a->order;
    if (a->fired_count == a->stop_after)
        loop_stop(a->loop);
}

static int set_up(void **state)
{
    *state = loop_new();
    return 0;
}

static int tear_down(void **state)
{
    loop_free(*state);
    return 0;
}

static void alarm_init(struct alarm_clock *a, struct loop *loop, int stop_after)
{
    *a = (struct alarm_clock){ .loop = loop, .stop_after = stop_after };
    timer_init(&a->timer, loop, alarm_on_fire, a);
}

static void a_timer_fires_once(void **state)
{
    struct alarm_clock once, end;
    alarm_init(&once, *state, 0);
    alarm_init(&end, *state, 1);
    timer_start(&once.timer, 0);
    timer_start(&end.timer, 3);
    loop_run(*state);
    assert_int_equal(once.fired_count, 1);
    assert_int_equal(end.fired_count, 1);
}

/* The deadlines are as far apart as the delays only if no time passes between the starts. Where it does, all are started
 * anew: the loop has not run meanwhile. */
static void timers_fire_in_the_order_of_their_deadlines(void **state)
{
    enum { APART_MS = 20 }; /* more than twice what the loop's clock may be off */
    struct alarm_clock alarms[4];
    static const int places[4] = { 3, 0, 2, 1 };
    int order = 0;
    for (int i = 0; i < 4; i++) {
        alarm_init(&alarms[i], *state, i == 0);
        alarms[i].order = &order;
    }
    int64_t begun_us;
    do {
        begun_us = clock_now_us();
        for (int i = 0; i < 4; i++)
            timer_start(&alarms[i].timer, places[i] * APART_MS);
    } while (clock_now_us() - begun_us > APART_MS * 1000 / 2);
    loop_run(*state);
    for (int i = 0; i < 4; i++)
        assert_int_equal(alarms[i].place, places[i] + 1);
}

static void starting_again_replaces_the_deadline(void **state)
{
    struct alarm_clock late, end;
    alarm_init(&late, *state, 0);
    alarm_init(&end, *state, 1);
    timer_start(&late.timer, 0);
    timer_start(&late.timer, 3600 * 1000);
    timer_start(&end.timer, 3600 * 1000);
    timer_start(&end.timer, 1);
    loop_run(*state);
    assert_int_equal(late.fired_count, 0);
    assert_int_equal(end.fired_count, 1);
    timer_stop(&late.timer);
}

static void a_periodic_timer_fires_until_it_is_stopped(void **state)
{
    struct alarm_clock tick, end;
    alarm_init(&tick, *state, 5);
    timer_start_every(&tick.timer, 1);
    loop_run(*state);
    assert_int_equal(tick.fired_count, 5);
    timer_stop(&tick.timer);
    timer_stop(&tick.timer);
    alarm_init(&end, *state, 1);
    timer_start(&end.timer, 3);
    loop_run(*state);
    assert_int_equal(tick.fired_count, 5);
}

static void a_periodic_timer_can_become_one_that_fires_once(void **state)
{
    struct alarm_clock tick, end;
    alarm_init(&tick, *state, 0);
    alarm_init(&end, *state, 1);
    timer_start_every(&tick.timer, 1);
    timer_start(&tick.timer, 0);
    timer_start(&end.timer, 4);
    loop_run(*state);
    assert_int_equal(tick.fired_count, 1);
}

static void stopping_the_loop_finishes_the_turn(void **state)
{
    struct alarm_clock first, second;
    int order = 0;
    alarm_init(&first, *state, 1);
    alarm_init(&second, *state, 0);
    first.order = second.order = &order;
    timer_start(&first.timer, 0);
    timer_start(&second.timer, 0);
    loop_run(*state);
    assert_int_equal(first.fired_count + second.fired_count, 2);
}

static void a_timer_that_never_ran_can_be_stopped(void **state)
{
    struct alarm_clock a;
    alarm_init(&a, *state, 0);
    timer_stop(&a.timer);
    assert_int_equal(a.fired_count, 0);
}

/* What libevent complains of: a loop inside itself. */
static void complain(struct loop *loop, int times)
{
    for (int i = 0; i < times; i++)
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}

struct complainer {
    struct loop *loop;
    char text[2048];
};

static void on_complain(void *owner)
{
    struct complainer *c = owner;
    struct captured_stderr captured;
    clock_set_fake(1000000 * 1000);
    captured_stderr_start(&captured);
    complain(c->loop, 100);
    clock_set_fake(1002000 * 1000);
    complain(c->loop, 1);
    captured_stderr_stop(&captured, c->text, sizeof c->text);
    clock_set_fake(-1);
    loop_stop(c->loop);
}

static void what_libevent_says_is_a_line_of_our_log_a_second_at_most(void **state)
{
    struct complainer c = { .loop = *state };
    struct timer timer;
    log_init("test", LOG_LEVEL_WARN);
    timer_init(&timer, c.loop, on_complain, &c);
    timer_start(&timer, 0);
    loop_run(c.loop);
    const char *first = strstr(c.text, "WARN  test");
    const char *second = first ? strstr(first + 1, "WARN  test") : NULL;
    assert_non_null(second);
    assert_null(strstr(second + 1, "WARN  test"));
    assert_non_null(strstr(first, "libevent: event_base_loop: reentrant invocation"));
    assert_non_null(strstr(second, "(99 lines before it left out)"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_timer_fires_once),
        TEST(timers_fire_in_the_order_of_their_deadlines),
        TEST(starting_again_replaces_the_deadline),
        TEST(a_periodic_timer_fires_until_it_is_stopped),
        TEST(a_periodic_timer_can_become_one_that_fires_once),
        TEST(stopping_the_loop_finishes_the_turn),
        TEST(a_timer_that_never_ran_can_be_stopped),
        TEST(what_libevent_says_is_a_line_of_our_log_a_second_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
