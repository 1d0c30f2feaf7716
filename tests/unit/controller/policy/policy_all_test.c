/* Every policy against the same suite: what no policy may ever do, and that each follows its own load. */
#include "controller/policy/policy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLES 16
#define NOW 1000000

static struct load_sample samples[SAMPLES];
static struct scaling_spec spec;
static struct scaling_state memory;

/* The load in the policy's own unit: `times` the target for the present number of tasks. */
static void fill(double times)
{
    for (int i = 0; i < SAMPLES; i++) {
        double load = times * spec.target * (double)(memory.desired > 0 ? memory.desired : 1);
        samples[i] = (struct load_sample){
            .at_ms = NOW - (SAMPLES - 1 - i) * 250,
            .span_ms = 250,
            .finished = load / 4,
            .arrived = load / 4,
            .in_flight = load,
            .latency_count = times > 0 ? 1000 : 0,
            .latency_p99_ms = times * spec.target,
        };
    }
}

static void begin(int64_t desired)
{
    spec = (struct scaling_spec){ .min = 1, .max = 20, .target = 10, .scale_in_cooldown_ms = 15000 };
    scaling_state_init(&memory, desired, NOW - 100000);
    memory.covered_since_ms = NOW - 100000;
}

static struct scaling_decision decide(const struct scaling_policy_ops *policy)
{
    struct scaling_decision decision = policy->decide(&spec, samples, SAMPLES, &memory, NOW);
    assert_true(strlen(decision.why) > 0);
    assert_int_equal(decision.changed, decision.desired != memory.desired);
    return decision;
}

#define EACH_POLICY(policy)                           \
    for (size_t i_ = 0; i_ < policy_list_count; i_++) \
        for (const struct scaling_policy_ops *policy = policy_list[i_]; policy != NULL; policy = NULL)

static void each_has_a_name_a_summary_and_is_found_by_its_target(void **state)
{
    (void)state;
    const struct config_scaling by_rate = { .enabled = true, .requests_per_second_per_task = 1 };
    const struct config_scaling by_latency = { .enabled = true, .latency_p99_ms = 1 };
    const struct config_scaling off = { .latency_p99_ms = 1 }, nothing = { .enabled = true };
    assert_string_equal(policy_find(&by_rate)->name, "requests_per_second_per_task");
    assert_string_equal(policy_find(&by_latency)->name, "latency_p99");
    assert_null(policy_find(&off));
    assert_null(policy_find(&nothing));
    EACH_POLICY(policy)
    {
        assert_true(strlen(policy->name) > 0 && strlen(policy->summary) > 0);
    }
}

static void each_grows_under_double_load(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(3);
        fill(2);
        assert_int_equal(decide(policy).desired, 6);
    }
}

static void each_holds_within_the_tolerance(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(10);
        for (double times = 0.91; times <= 1.09; times += 0.02) {
            fill(times);
            assert_false(decide(policy).changed);
        }
    }
}

static void each_at_most_doubles_or_adds_four(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        spec.max = 1000;
        begin(1);
        fill(500);
        assert_true(decide(policy).desired <= 5);
        begin(8);
        fill(500);
        assert_true(decide(policy).desired <= 16);
    }
}

static void each_respects_the_limits_whatever_the_load(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    for (int64_t desired = 1; desired <= 20; desired++)
        for (double times = 0; times < 1e300; times = times * 7 + 0.1) {
            begin(desired);
            fill(times);
            struct scaling_decision decision = decide(policy);
            assert_in_range(decision.desired, spec.min, spec.max);
        }
}

static void each_shrinks_when_the_whole_cooldown_was_idle(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(10);
        fill(0);
        assert_int_equal(decide(policy).desired, 5);
    }
}

static void none_shrinks_before_the_cooldown(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(10);
        fill(0);
        memory.changed_at_ms = NOW - 14999;
        assert_false(decide(policy).changed);
        begin(10);
        memory.covered_since_ms = NOW - 14999; /* numbers are missing for a part of it */
        assert_false(decide(policy).changed);
        begin(10);
        memory.pending_count = 1;
        assert_false(decide(policy).changed);
    }
}

static void none_shrinks_below_what_was_needed_during_the_cooldown(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(10);
        fill(0);
        struct scaling_decision busy = { .is_known = true, .needed = 8 };
        scaling_state_remember(&memory, &spec, &busy, NOW - 14000);
        assert_int_equal(decide(policy).desired, 8);
        begin(10);
        scaling_state_remember(&memory, &spec, &busy, NOW - 40000);
        assert_int_equal(decide(policy).desired, 5);
    }
}

static void check_held(const struct scaling_policy_ops *policy)
{
    struct scaling_decision decision = decide(policy);
    assert_false(decision.changed);
    assert_false(decision.is_known);
}

static void each_holds_without_fresh_numbers(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(10);
        fill(0);
        struct scaling_decision none = policy->decide(&spec, NULL, 0, &memory, NOW);
        assert_false(none.changed || none.is_known);
        for (int i = 0; i < SAMPLES; i++)
            samples[i].at_ms -= POLICY_STALE_MS + 1;
        check_held(policy);
        fill(0);
        for (int i = 0; i < SAMPLES; i++)
            samples[i].at_ms += 10000; /* from the future */
        check_held(policy);
        fill(0);
        samples[SAMPLES - 2].at_ms -= 100; /* a hole: what is left is too short */
        check_held(policy);
    }
}

static void each_holds_on_numbers_that_make_no_sense(void **state)
{
    (void)state;
    const double senseless[] = { NAN, INFINITY, -INFINITY, -1 };
    EACH_POLICY(policy)
    for (size_t i = 0; i < 4; i++) {
        begin(10);
        fill(0);
        samples[SAMPLES - 1].finished = senseless[i];
        check_held(policy);
        fill(0);
        samples[SAMPLES - 2].in_flight = senseless[i];
        check_held(policy);
        fill(0);
        samples[SAMPLES - 1].latency_p99_ms = senseless[i];
        check_held(policy);
        fill(0);
        samples[SAMPLES - 1].span_ms = 0;
        check_held(policy);
    }
}

static void missing_numbers_start_the_cooldown_again(void **state)
{
    (void)state;
    begin(10);
    struct scaling_decision blind = { 0 }, idle = { .is_known = true };
    scaling_state_remember(&memory, &spec, &blind, NOW - 1000);
    scaling_state_remember(&memory, &spec, &idle, NOW - 500);
    assert_int_equal(memory.covered_since_ms, NOW - 500);
}

static void each_says_the_same_to_the_same(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(3);
        fill(1.7);
        struct scaling_decision a = decide(policy), b = decide(policy);
        assert_int_equal(a.desired, b.desired);
        assert_string_equal(a.why, b.why);
    }
}

static void each_starts_from_zero_on_the_first_request(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(0);
        spec.min = 0;
        fill(0);
        assert_int_equal(decide(policy).desired, 0);
        fill(0.01);
        assert_int_equal(decide(policy).desired, 1);
    }
}

static void a_request_at_zero_asks_for_one_task(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(0);
        spec.min = 0;
        fill(0);
        assert_false(decide(policy).changed);
        samples[SAMPLES - 1].finished = samples[SAMPLES - 1].arrived = 1; /* answered 503: never in flight */
        assert_int_equal(decide(policy).desired, 1);
        fill(0);
        samples[SAMPLES - 1].in_flight = 1; /* or one that waits */
        assert_int_equal(decide(policy).desired, 1);
        spec.max = 0;
        assert_int_equal(decide(policy).desired, 0);
    }
}

static void open_tunnels_and_streams_are_use(void **state)
{
    (void)state;
    EACH_POLICY(policy)
    {
        begin(4);
        spec.min = 0;
        fill(0);
        assert_int_equal(decide(policy).desired, 0);
        memory.occupied_count = 3; /* spread over three tasks */
        assert_int_equal(decide(policy).desired, 3);
        assert_int_equal(decide(policy).needed, 3); /* and for a cooldown after they are closed */
        memory.occupied_count = 0;
        for (int i = 0; i < SAMPLES; i++)
            samples[i].in_flight = 0.01 * spec.target; /* one that nobody could place */
        assert_true(decide(policy).desired >= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_at_zero_asks_for_one_task),
        cmocka_unit_test(open_tunnels_and_streams_are_use),
        cmocka_unit_test(each_has_a_name_a_summary_and_is_found_by_its_target),
        cmocka_unit_test(each_grows_under_double_load),
        cmocka_unit_test(each_holds_within_the_tolerance),
        cmocka_unit_test(each_at_most_doubles_or_adds_four),
        cmocka_unit_test(each_respects_the_limits_whatever_the_load),
        cmocka_unit_test(each_shrinks_when_the_whole_cooldown_was_idle),
        cmocka_unit_test(none_shrinks_before_the_cooldown),
        cmocka_unit_test(none_shrinks_below_what_was_needed_during_the_cooldown),
        cmocka_unit_test(each_holds_without_fresh_numbers),
        cmocka_unit_test(each_holds_on_numbers_that_make_no_sense),
        cmocka_unit_test(missing_numbers_start_the_cooldown_again),
        cmocka_unit_test(each_says_the_same_to_the_same),
        cmocka_unit_test(each_starts_from_zero_on_the_first_request),
    };
    return cmocka_run_group_tests_name("every policy", tests, NULL, NULL);
}
