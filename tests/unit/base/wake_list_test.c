#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/wake_list.h"

#include "base/clock.h"
#include "tests/unit/base/scripted_server.h"

#include <stdbool.h>

#define PERSONS 4
#define NIGHT_MS 3600000
#define NAP_MS 50
#define TICK_MS 10 /* so much libevent's clock, CLOCK_MONOTONIC_COARSE, may be behind, and a timer early */

struct person {
    struct sleeper sleeper;
    int woken_count, place;
    struct person *calls, *stops; /* when woken, once: who sleeps again until now, who is not woken any more */
};

static struct loop *loop;
static struct wake_list *list;
static struct person persons[PERSONS];
static int woken_count;

static void on_wake(void *owner)
{
    struct person *p = owner;
    struct person *calls = p->calls, *stops = p->stops;
    p->woken_count++;
    p->place = ++woken_count;
    p->calls = p->stops = NULL;
    if (calls)
        sleeper_start(&calls->sleeper, clock_now_ms());
    if (stops)
        sleeper_stop(&stops->sleeper);
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    list = wake_list_new(loop);
    woken_count = 0;
    for (int i = 0; i < PERSONS; i++) {
        persons[i] = (struct person){ 0 };
        sleeper_init(&persons[i].sleeper, list, on_wake, &persons[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < PERSONS; i++)
        sleeper_stop(&persons[i].sleeper);
    wake_list_free(list); /* checks that no group is left */
    loop_free(loop);
    return 0;
}

static bool has_woken_fewer(void *count)
{
    return woken_count < *(int *)count;
}

static void wait_for_woken(int count)
{
    scripted_run_while(loop, has_woken_fewer, &count);
}

static void sleepers_of_a_moment_are_woken_in_their_order_and_once(void **state)
{
    int64_t at_ms = clock_now_ms() + NAP_MS;
    (void)state;
    for (int i = 0; i < PERSONS; i++)
        sleeper_start(&persons[i].sleeper, at_ms);
    wait_for_woken(PERSONS);
    assert_true(clock_now_ms() + TICK_MS + 1 >= at_ms);
    scripted_run_turns(loop, 5);
    for (int i = 0; i < PERSONS; i++) {
        assert_int_equal(persons[i].woken_count, 1);
        assert_int_equal(persons[i].place, i + 1);
    }
}

static void nobody_is_woken_before_the_time(void **state)
{
    (void)state;
    sleeper_start(&persons[0].sleeper, clock_now_ms() + NIGHT_MS);
    sleeper_start(&persons[1].sleeper, clock_now_ms() - 1); /* what is over: as soon as possible */
    wait_for_woken(1);
    scripted_run_turns(loop, 5);
    assert_int_equal(persons[0].woken_count, 0);
    assert_int_equal(persons[1].woken_count, 1);
}

static void who_lies_down_again_is_woken_at_the_new_time_alone(void **state)
{
    (void)state;
    sleeper_start(&persons[0].sleeper, clock_now_ms() + NIGHT_MS);
    sleeper_start(&persons[0].sleeper, clock_now_ms());
    wait_for_woken(1);
    sleeper_start(&persons[0].sleeper, clock_now_ms());
    sleeper_start(&persons[0].sleeper, clock_now_ms() + NIGHT_MS);
    scripted_run_turns(loop, 5);
    assert_int_equal(persons[0].woken_count, 1);
}

static void who_is_stopped_is_not_woken_even_when_its_turn_is_next(void **state)
{
    int64_t at_ms = clock_now_ms();
    (void)state;
    for (int i = 0; i < PERSONS; i++)
        sleeper_start(&persons[i].sleeper, at_ms);
    sleeper_stop(&persons[3].sleeper);
    sleeper_stop(&persons[3].sleeper);
    persons[0].stops = &persons[1];
    wait_for_woken(2);
    scripted_run_turns(loop, 5);
    assert_int_equal(persons[1].woken_count, 0);
    assert_int_equal(persons[2].woken_count, 1);
    assert_int_equal(persons[3].woken_count, 0);
}

/* Also for the millisecond that is being told of: it does not hold up the loop. */
static void a_callback_may_put_itself_and_others_to_sleep(void **state)
{
    (void)state;
    clock_set_fake(clock_now_us());
    sleeper_start(&persons[0].sleeper, clock_now_ms());
    sleeper_start(&persons[1].sleeper, clock_now_ms());
    persons[0].calls = &persons[0];
    persons[1].calls = &persons[2];
    wait_for_woken(4);
    clock_set_fake(-1);
    assert_int_equal(persons[0].woken_count, 2);
    assert_int_equal(persons[1].woken_count, 1);
    assert_int_equal(persons[2].woken_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(sleepers_of_a_moment_are_woken_in_their_order_and_once),
        TEST(nobody_is_woken_before_the_time),
        TEST(who_lies_down_again_is_woken_at_the_new_time_alone),
        TEST(who_is_stopped_is_not_woken_even_when_its_turn_is_next),
        TEST(a_callback_may_put_itself_and_others_to_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
