#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/watchdog.h"

static void a_child_that_beats_is_left_alone(void **state)
{
    struct child child = { .pid = 1, .started_at_ms = 1000 };
    struct watchdog w = { .child = &child, .limit_ms = 100 };
    (void)state;
    for (int64_t now_ms = 1000; now_ms < 5000; now_ms += 25) {
        child.beat_at_ms = now_ms - now_ms % 90;
        assert_false(watchdog_is_stuck(&w, now_ms));
    }
}

static void a_silent_one_goes_at_the_second_look(void **state)
{
    struct child child = { .pid = 1, .started_at_ms = 1000, .beat_at_ms = 2000 };
    struct watchdog w = { .child = &child, .limit_ms = 100 };
    (void)state;
    assert_false(watchdog_is_stuck(&w, 2099));
    assert_false(watchdog_is_stuck(&w, 2100));
    assert_true(watchdog_is_stuck(&w, 2125));
}

static void whoever_stood_still_is_not_killed_for_what_it_did_not_read(void **state)
{
    struct child child = { .pid = 1, .started_at_ms = 1000, .beat_at_ms = 2000 };
    struct watchdog w = { .child = &child, .limit_ms = 100 };
    (void)state;
    assert_false(watchdog_is_stuck(&w, 9000)); /* the look comes before the messages are read */
    child.beat_at_ms = 9001;
    assert_false(watchdog_is_stuck(&w, 9025));
}

static void nobody_and_one_that_has_just_started_are_not_stuck(void **state)
{
    struct child child = { .pid = 0, .started_at_ms = 1000, .beat_at_ms = 2000 };
    struct watchdog w = { .child = &child, .limit_ms = 100 };
    (void)state;
    assert_false(watchdog_is_stuck(&w, 9000));
    assert_false(watchdog_is_stuck(&w, 9025));
    child = (struct child){ .pid = 2, .started_at_ms = 9030 };
    assert_false(watchdog_is_stuck(&w, 9100));
    assert_false(watchdog_is_stuck(&w, 9129));
}

static void a_start_has_twice_the_time_after_each_that_failed_up_to_16_times(void **state)
{
    static const int64_t limits_ms[] = { 100, 200, 400, 800, 1600, 1600 };
    (void)state;
    for (uint32_t failed = 0; failed < sizeof limits_ms / sizeof *limits_ms; failed++) {
        struct child child = { .pid = 1, .started_at_ms = 1000, .failed_starts = failed };
        struct watchdog w = { .child = &child, .limit_ms = 100 };
        assert_false(watchdog_is_stuck(&w, 1000 + limits_ms[failed] - 1));
        assert_false(watchdog_is_stuck(&w, 1000 + limits_ms[failed]));
        assert_true(watchdog_is_stuck(&w, 1000 + limits_ms[failed] + 1));
        child.is_ready = true;
        assert_false(watchdog_is_stuck(&w, 1000 + 99));
        assert_false(watchdog_is_stuck(&w, 1000 + 100));
        assert_true(watchdog_is_stuck(&w, 1000 + 101));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_that_beats_is_left_alone),
        cmocka_unit_test(a_silent_one_goes_at_the_second_look),
        cmocka_unit_test(whoever_stood_still_is_not_killed_for_what_it_did_not_read),
        cmocka_unit_test(a_start_has_twice_the_time_after_each_that_failed_up_to_16_times),
        cmocka_unit_test(nobody_and_one_that_has_just_started_are_not_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
