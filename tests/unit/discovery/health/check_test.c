#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "discovery/health/check.h"

static const struct config_health_check often = {
    .interval_ms = 5000, .timeout_ms = 2000, .healthy_threshold = 2, .unhealthy_threshold = 3
};

/* outcomes: 'p' passed, 'f' failed, 'n' not sent; one every step_ms. */
static struct health_state run(struct health_state state, const char *outcomes, int64_t step_ms)
{
    int64_t now_ms = state.began_at_ms;
    for (; *outcomes; outcomes++, now_ms += step_ms) {
        enum check_outcome outcome = *outcomes == 'p'   ? CHECK_PASSED
                                     : *outcomes == 'n' ? CHECK_NOT_SENT
                                                        : CHECK_CONNECT_FAILED;
        state = health_next(state, outcome, &often, now_ms);
    }
    return state;
}

static void thresholds_decide(void **state)
{
    static const struct {
        const char *outcomes;
        enum task_health expected;
    } rows[] = {
        { "", TASK_HEALTH_UNKNOWN },         { "p", TASK_HEALTH_UNKNOWN },    { "pp", TASK_HEALTH_UP },
        { "pfp", TASK_HEALTH_UNKNOWN },      { "pfpp", TASK_HEALTH_UP },      { "ppff", TASK_HEALTH_UP },
        { "ppfff", TASK_HEALTH_DOWN },       { "ppffpff", TASK_HEALTH_UP },   { "ppfffp", TASK_HEALTH_DOWN },
        { "ppfffpp", TASK_HEALTH_UP },       { "ppfnfnf", TASK_HEALTH_DOWN }, { "pnp", TASK_HEALTH_UP },
        { "nnnnnnnn", TASK_HEALTH_UNKNOWN },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (run((struct health_state){ .began_at_ms = 1000 }, rows[i].outcomes, 5000).health != rows[i].expected)
            fail_msg("%s", rows[i].outcomes);
}

static void a_slow_starter_is_not_down_before_its_time(void **state)
{
    (void)state;
    struct health_state s = run((struct health_state){ .began_at_ms = 1000 }, "ffffffffff", 1000); /* 9 s of failures */
    assert_int_equal(s.health, TASK_HEALTH_UNKNOWN);
    s = run((struct health_state){ .began_at_ms = 1000 }, "ffffffffffffffff", 1000); /* 15 s = 3 x 5 s */
    assert_int_equal(s.health, TASK_HEALTH_DOWN);
    assert_false(s.was_up);
}

static void one_that_was_up_goes_down_by_count_alone(void **state)
{
    (void)state;
    assert_int_equal(run((struct health_state){ .began_at_ms = 1000 }, "ppfff", 1).health, TASK_HEALTH_DOWN);
}

static void the_first_answer_is_asked_for_often(void **state)
{
    static const int64_t expected_ms[] = { 100, 100, 200, 400, 800, 1000, 1000 };
    struct health_state s = { .began_at_ms = 0 };
    (void)state;
    for (uint32_t i = 0; i < sizeof expected_ms / sizeof *expected_ms; i++) {
        s.failures = i;
        assert_int_equal(health_next_delay_ms(&s, &often), expected_ms[i]);
    }
    s.failures = UINT32_MAX;
    assert_int_equal(health_next_delay_ms(&s, &often), 1000);
    struct config_health_check fast = often;
    fast.interval_ms = 300;
    assert_int_equal(health_next_delay_ms(&s, &fast), 300); /* never slower than its interval */
    s.was_up = true;
    assert_int_equal(health_next_delay_ms(&s, &often), 5000);
    s.health = TASK_HEALTH_DOWN;
    assert_int_equal(health_next_delay_ms(&s, &often), 5000);
}

static void jitter_stays_within_a_tenth_and_uses_all_of_it(void **state)
{
    int64_t least = INT64_MAX, most = 0;
    (void)state;
    for (uint32_t random = 0; random < 2000; random++) {
        int64_t delay_ms = health_add_jitter(5000, random);
        least = delay_ms < least ? delay_ms : least;
        most = delay_ms > most ? delay_ms : most;
    }
    assert_int_equal(least, 4500);
    assert_int_equal(most, 5500);
    assert_int_equal(health_add_jitter(0, 77), 0);
    assert_int_equal(health_add_jitter(5, UINT32_MAX), 5);
}

static void missing_settings_have_defaults(void **state)
{
    (void)state;
    struct config_health_check check = health_check_effective(NULL);
    assert_int_equal(check.interval_ms, 5000);
    assert_int_equal(check.timeout_ms, 2000);
    assert_int_equal(check.healthy_threshold, 1);
    assert_int_equal(check.unhealthy_threshold, 3);
    assert_null(check.path);
    check = health_check_effective(&(struct config_health_check){ .interval_ms = -1, .unhealthy_threshold = 1 });
    assert_int_equal(check.interval_ms, 5000);
    assert_int_equal(check.unhealthy_threshold, 1);
}

static void probes_far_off_come_in_groups_and_near_ones_when_they_are_due(void **state)
{
    (void)state;
    for (int64_t delay_ms = 1; delay_ms < 20000; delay_ms += 7) {
        int64_t now_ms = 123456789 + delay_ms * 13, together_ms = health_wake_together(now_ms, delay_ms);
        if (delay_ms < HEALTH_SOON_MS) {
            assert_int_equal(together_ms, delay_ms);
            continue;
        }
        assert_in_range(together_ms, delay_ms - HEALTH_TOGETHER_MS / 2, delay_ms + HEALTH_TOGETHER_MS / 2);
        assert_int_equal((now_ms + together_ms) % HEALTH_TOGETHER_MS, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_decide),
        cmocka_unit_test(a_slow_starter_is_not_down_before_its_time),
        cmocka_unit_test(one_that_was_up_goes_down_by_count_alone),
        cmocka_unit_test(the_first_answer_is_asked_for_often),
        cmocka_unit_test(jitter_stays_within_a_tenth_and_uses_all_of_it),
        cmocka_unit_test(missing_settings_have_defaults),
        cmocka_unit_test(probes_far_off_come_in_groups_and_near_ones_when_they_are_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
