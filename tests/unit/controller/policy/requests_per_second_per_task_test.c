#include "controller/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000

static struct load_sample samples[4];
static const struct scaling_spec spec = { .min = 1, .max = 20, .target = 60, .scale_in_cooldown_ms = 15000 };
static struct scaling_state memory;

static void fill(double finished, double arrived)
{
    for (int i = 0; i < 4; i++)
        samples[i] = (struct load_sample){
            .at_ms = NOW - (3 - i) * 250, .span_ms = 250, .finished = finished / 4, .arrived = arrived / 4
        };
}

static struct scaling_decision decide(int64_t desired)
{
    scaling_state_init(&memory, desired, 0);
    return policy_requests_per_second_per_task.decide(&spec, samples, 4, &memory, NOW);
}

static void the_reason_names_rate_span_and_target(void **state)
{
    (void)state;
    fill(182, 182);
    struct scaling_decision decision = decide(1);
    assert_string_equal(decision.why, "182.0 requests/s over 1.0 s, target 60 per task");
    assert_int_equal(decision.desired, 3); /* two requests a second are no reason for a fourth */
    fill(200, 200);
    assert_int_equal(decide(1).desired, 4);
}

static void saturated_tasks_are_judged_by_what_arrives(void **state)
{
    (void)state;
    fill(60, 240);
    assert_int_equal(decide(1).desired, 4);
}

static void only_the_last_second_counts_for_growth(void **state)
{
    (void)state;
    fill(60, 60);
    samples[3].arrived = 200; /* a quarter of a second into a step it is seen already */
    assert_int_equal(decide(1).desired, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reason_names_rate_span_and_target),
        cmocka_unit_test(saturated_tasks_are_judged_by_what_arrives),
        cmocka_unit_test(only_the_last_second_counts_for_growth),
    };
    return cmocka_run_group_tests_name("requests_per_second_per_task", tests, NULL, NULL);
}
