#include "controller/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000

static struct load_sample samples[4];
static const struct scaling_spec spec = { .min = 1, .max = 20, .target = 10, .scale_in_cooldown_ms = 15000 };
static struct scaling_state memory;

static void fill(double in_flight, double finished, double arrived)
{
    for (int i = 0; i < 4; i++)
        samples[i] = (struct load_sample){ .at_ms = NOW - (3 - i) * 250,
                                           .span_ms = 250,
                                           .in_flight = in_flight,
                                           .finished = finished / 4,
                                           .arrived = arrived / 4 };
    scaling_state_init(&memory, 2, NOW - 60000);
}

static struct scaling_decision decide(void)
{
    return policy_in_flight_per_task.decide(&spec, samples, 4, &memory, NOW);
}

static void the_mean_of_the_last_second_counts(void **state)
{
    (void)state;
    fill(20, 100, 100);
    samples[3].in_flight = 60;
    struct scaling_decision decision = decide();
    assert_int_equal(decision.desired, 3);
    assert_string_equal(decision.why, "30.0 requests in flight over 1.0 s, target 10 per task");
}

static void a_queue_is_not_counted_twice_while_new_tasks_begin_to_work(void **state)
{
    (void)state;
    fill(100, 100, 100);
    memory.changed_at_ms = NOW - 1499;
    assert_int_equal(decide().desired, 2);
    memory.changed_at_ms = NOW - 1500;
    assert_int_equal(decide().desired, 6);
    fill(100, 100, 90);
    assert_int_equal(decide().desired, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mean_of_the_last_second_counts),
        cmocka_unit_test(a_queue_is_not_counted_twice_while_new_tasks_begin_to_work),
    };
    return cmocka_run_group_tests_name("in_flight_per_task", tests, NULL, NULL);
}
