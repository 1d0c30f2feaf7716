#include "controller/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000

static struct load_sample samples[4];
static const struct scaling_spec spec = { .min = 1, .max = 20, .target = 100, .scale_in_cooldown_ms = 15000 };
static struct scaling_state memory;

static void fill(double rate, double p99_ms, double count)
{
    for (int i = 0; i < 4; i++)
        samples[i] = (struct load_sample){ .at_ms = NOW - (3 - i) * 250,
                                           .span_ms = 250,
                                           .finished = rate / 4,
                                           .arrived = rate / 4,
                                           .in_flight = 1,
                                           .latency_count = count,
                                           .latency_p99_ms = p99_ms };
}

static void begin(int64_t desired)
{
    scaling_state_init(&memory, desired, NOW - 100000);
    memory.covered_since_ms = NOW - 100000;
}

static struct scaling_decision decide(void)
{
    return policy_latency_p99.decide(&spec, samples, 4, &memory, NOW);
}

static void a_step_waits_for_the_one_before(void **state)
{
    (void)state;
    begin(4);
    fill(100, 150, 100);
    assert_int_equal(decide().desired, 6);
    memory.changed_at_ms = NOW - 1999;
    assert_int_equal(decide().desired, 4);
    memory.changed_at_ms = NOW - 5000;
    memory.pending_count = 1;
    assert_int_equal(decide().desired, 4);
    memory.changed_at_ms = NOW - 10000; /* a task that hangs does not hold it up for ever */
    assert_int_equal(decide().desired, 6);
}

static void a_queue_that_is_shrinking_is_no_reason_to_grow(void **state)
{
    (void)state;
    begin(4);
    fill(100, 500, 100);
    for (int i = 0; i < 4; i++)
        samples[i].arrived = 20;
    assert_int_equal(decide().desired, 4);
}

static void a_handful_of_requests_proves_nothing(void **state)
{
    (void)state;
    begin(4);
    fill(2, 500, 4);
    assert_int_equal(decide().desired, 4);
    fill(2, 500, 5);
    assert_true(decide().desired > 4);
}

static void requests_that_never_end_are_not_idleness(void **state)
{
    (void)state;
    begin(4);
    fill(0, 0, 0);
    samples[3].arrived = 10;
    assert_int_equal(decide().desired, 4);
}

static void what_saturated_it_once_limits_the_way_back(void **state)
{
    (void)state;
    begin(4);
    fill(200, 300, 200);
    struct scaling_decision out = decide();
    assert_float_equal(out.saturated_rate, 50, 0.001);
    scaling_state_remember(&memory, &spec, &out, NOW);
    begin(10);
    memory.saturated_rate = 50;
    memory.saturated_at_ms = NOW - 1000;
    fill(200, 20, 200);
    assert_int_equal(decide().desired, 5); /* 200 / (0.8 * 50), and half of ten at most */
    begin(6);
    memory.saturated_rate = 50;
    memory.saturated_at_ms = NOW - 1000;
    fill(230, 20, 200);
    assert_int_equal(decide().desired, 6);
}

static void without_experience_it_feels_its_way_one_at_a_time(void **state)
{
    (void)state;
    begin(10);
    fill(10, 49, 10);
    assert_int_equal(decide().desired, 9);
    fill(10, 60, 10);
    assert_int_equal(decide().desired, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_waits_for_the_one_before),
        cmocka_unit_test(a_queue_that_is_shrinking_is_no_reason_to_grow),
        cmocka_unit_test(a_handful_of_requests_proves_nothing),
        cmocka_unit_test(requests_that_never_end_are_not_idleness),
        cmocka_unit_test(what_saturated_it_once_limits_the_way_back),
        cmocka_unit_test(without_experience_it_feels_its_way_one_at_a_time),
    };
    return cmocka_run_group_tests_name("latency_p99", tests, NULL, NULL);
}
