#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/verdict.h"

#include <string.h>

static const struct verdict_facts good = {
    .planned = 1000, .scheduled = 1000, .lateness_p99_us = 1100, .latency_p50_us = 2000
};

static void the_limit_follows_the_latency_up_to_a_bound(void **state)
{
    (void)state;
    assert_int_equal(verdict_lateness_limit_us(0), 1000);
    assert_int_equal(verdict_lateness_limit_us(2000), 1100);
    assert_int_equal(verdict_lateness_limit_us(100000), 6000);
    assert_int_equal(verdict_lateness_limit_us(10000000), VERDICT_LATENESS_MAX_US);
}

static void a_run_at_the_limit_is_valid(void **state)
{
    (void)state;
    struct verdict v;
    verdict_decide(&v, &good);
    assert_int_equal(v.reason_count, 0);
}

static void a_late_generator_makes_the_run_invalid(void **state)
{
    (void)state;
    struct verdict_facts facts = good;
    struct verdict v;
    facts.lateness_p99_us++;
    verdict_decide(&v, &facts);
    assert_int_equal(v.reason_count, 1);
    assert_non_null(strstr(v.reasons[0], "1.101 ms, the limit 1.100 ms"));
    facts.latency_p50_us = 3600000000; /* a slow target is no excuse for any lateness */
    facts.lateness_p99_us = VERDICT_LATENESS_MAX_US + 1;
    verdict_decide(&v, &facts);
    assert_int_equal(v.reason_count, 1);
}

static void the_closed_loop_cannot_be_late(void **state)
{
    (void)state;
    struct verdict_facts facts = { .is_closed = true, .planned = -1, .scheduled = 5, .lateness_p99_us = 1000000 };
    struct verdict v;
    verdict_decide(&v, &facts);
    assert_int_equal(v.reason_count, 0);
}

static void what_was_not_done_makes_the_run_invalid(void **state)
{
    (void)state;
    struct verdict_facts facts = good;
    struct verdict v;
    facts.scheduled = 999;
    facts.was_interrupted = true;
    facts.lateness_p99_us = 5000;
    verdict_decide(&v, &facts);
    assert_int_equal(v.reason_count, VERDICT_REASONS_MAX);
    assert_string_equal(v.reasons[0], "interrupted");
    assert_string_equal(v.reasons[1], "999 of 1000 planned requests became due");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_follows_the_latency_up_to_a_bound), cmocka_unit_test(a_run_at_the_limit_is_valid),
        cmocka_unit_test(a_late_generator_makes_the_run_invalid),      cmocka_unit_test(the_closed_loop_cannot_be_late),
        cmocka_unit_test(what_was_not_done_makes_the_run_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
