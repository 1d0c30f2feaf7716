#include "controller/scaler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct scaler s;
static struct config_service config;

static int set_up(void **state)
{
    (void)state;
    scaler_init(&s, 0);
    config = (struct config_service){ .name = (char *)"web", .desired_count = 2 };
    return 0;
}

static void scale(int64_t min, int64_t max)
{
    config.scaling = (struct config_scaling){
        .enabled = true, .min = min, .max = max, .in_flight_per_task = 5, .scale_in_cooldown_ms = 15000
    };
}

static struct store_record record_of(int64_t desired, int64_t min, int64_t max)
{
    struct store_record r;
    scaler_set_config(&s, &config, NULL, 0); /* remembered under today's configuration */
    scaler_record(&s, "web", desired, &r);
    r.min = min;
    r.max = max;
    return r;
}

static void a_fixed_count_comes_from_the_configuration(void **state)
{
    (void)state;
    scaler_set_config(&s, &config, NULL, 0);
    assert_null(s.policy);
    assert_int_equal(s.state.desired, 2);
    assert_false(scaler_adopt(&s, 9, 0)); /* nobody asked for nine */
}

static void a_fixed_count_may_be_what_the_configuration_may_say(void **state)
{
    struct store_record record;
    struct service_patch patch = { LIMIT_TASKS_OWN - 1, -1, -1 };
    (void)state;
    config.desired_count = LIMIT_TASKS_OWN;
    scaler_set_config(&s, &config, NULL, 0);
    assert_int_equal(s.state.desired, LIMIT_TASKS_OWN);
    assert_true(scaler_check_patch(&s, "web", &patch, &record, NULL));
    assert_int_equal(record.desired, LIMIT_TASKS_OWN - 1);
    patch.desired_count = LIMIT_TASKS_OWN + 1;
    assert_false(scaler_check_patch(&s, "web", &patch, &record, NULL));
}

static void what_was_remembered_counts_until_the_configuration_is_edited(void **state)
{
    (void)state;
    struct store_record r = record_of(5, 0, SCALER_TASKS_MAX);
    scaler_set_config(&s, &config, &r, 0);
    assert_int_equal(s.state.desired, 5);
    config.desired_count = 3;
    scaler_set_config(&s, &config, &r, 0);
    assert_int_equal(s.state.desired, 3);
}

static void with_scaling_an_edit_only_moves_the_limits(void **state)
{
    (void)state;
    scale(1, 10);
    struct store_record r = record_of(8, 1, 10);
    config.desired_count = 1;
    config.scaling.max = 9;
    scaler_set_config(&s, &config, &r, 0);
    assert_int_equal(s.state.desired, 8);
    config.scaling.max = 6;
    scaler_set_config(&s, &config, &r, 0);
    assert_int_equal(s.state.desired, 6);
}

static void a_patched_limit_that_an_edit_makes_impossible_is_dropped(void **state)
{
    (void)state;
    scale(1, 10);
    struct store_record r = record_of(8, 7, 10);
    config.scaling.max = 4;
    scaler_set_config(&s, &config, &r, 0);
    assert_int_equal(s.spec.min, 1);
    assert_int_equal(s.spec.max, 4);
    assert_int_equal(s.state.desired, 4);
}

static void a_restart_never_scales_in(void **state)
{
    (void)state;
    scale(1, 6);
    struct store_record r = record_of(2, 1, 6);
    scaler_set_config(&s, &config, &r, 0);
    assert_false(scaler_adopt(&s, 1, 0));
    assert_int_equal(s.state.desired, 2);
    assert_true(scaler_adopt(&s, 5, 0));
    assert_int_equal(s.state.desired, 5);
    assert_true(scaler_adopt(&s, 50, 0));
    assert_int_equal(s.state.desired, 6);
}

static void a_patch_names_the_field_that_is_wrong(void **state)
{
    (void)state;
    scale(1, 10);
    scaler_set_config(&s, &config, NULL, 0);
    const struct {
        struct service_patch patch;
        const char *field;
    } wrong[] = {
        { { 11, -1, -1 }, "desiredCount" },
        { { 0, -1, -1 }, "desiredCount" },
        { { -2, -1, -1 }, "desiredCount" },
        { { -1, 11, -1 }, "min" },
        { { -1, -2, -1 }, "min" },
        { { -1, -1, 0 }, "max" },
        { { -1, -1, LIMIT_TASKS_OWN + 1 }, "max" },
        { { -1, 5, 4 }, "min" },
        { { INT64_MIN, -1, -1 }, "desiredCount" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct store_record record;
        struct error error = { "" };
        assert_false(scaler_check_patch(&s, "web", &wrong[i].patch, &record, &error));
        if (strncmp(error.text, wrong[i].field, strlen(wrong[i].field)) != 0)
            fail_msg("patch %zu: %s", i, error.text);
    }
}

static void new_limits_pull_the_count_with_them(void **state)
{
    (void)state;
    scale(1, 10);
    scaler_set_config(&s, &config, NULL, 0);
    struct store_record record;
    struct service_patch patch = { -1, 4, 8 };
    assert_true(scaler_check_patch(&s, "web", &patch, &record, NULL));
    assert_int_equal(record.desired, 4);
    assert_int_equal(s.state.desired, 2); /* nothing counts before it is durable */
    scaler_apply_patch(&s, &record, 500);
    assert_int_equal(s.state.desired, 4);
    assert_int_equal(s.spec.max, 8);
    assert_int_equal(s.state.changed_at_ms, 500);
}

static void a_reload_that_changes_nothing_keeps_what_was_learned(void **state)
{
    (void)state;
    scale(1, 10);
    scaler_set_config(&s, &config, NULL, 0);
    s.state.covered_since_ms = 77;
    struct store_record r;
    scaler_record(&s, "web", s.state.desired, &r);
    scaler_set_config(&s, &config, &r, 1000);
    assert_int_equal(s.state.covered_since_ms, 77);
    config.scaling.in_flight_per_task = 6;
    scaler_set_config(&s, &config, &r, 1000);
    assert_int_equal(s.state.covered_since_ms, -1);
}

static void a_decision_counts_and_explains_itself(void **state)
{
    (void)state;
    scale(1, 10);
    scaler_set_config(&s, &config, NULL, 0);
    struct scaling_decision decision = { .desired = 4, .changed = true, .is_known = true, .why = "because" };
    scaler_accept(&s, &decision, 10);
    assert_string_equal(s.last_decision, "scale out 2 -> 4: because");
    decision.desired = 1;
    scaler_accept(&s, &decision, 20);
    assert_string_equal(s.last_decision, "scale in 4 -> 1: because");
    assert_int_equal(s.out_count, 1);
    assert_int_equal(s.in_count, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fixed_count_comes_from_the_configuration),
        TEST(a_fixed_count_may_be_what_the_configuration_may_say),
        TEST(what_was_remembered_counts_until_the_configuration_is_edited),
        TEST(with_scaling_an_edit_only_moves_the_limits),
        TEST(a_patched_limit_that_an_edit_makes_impossible_is_dropped),
        TEST(a_restart_never_scales_in),
        TEST(a_patch_names_the_field_that_is_wrong),
        TEST(new_limits_pull_the_count_with_them),
        TEST(a_reload_that_changes_nothing_keeps_what_was_learned),
        TEST(a_decision_counts_and_explains_itself),
    };
    return cmocka_run_group_tests_name("scaler", tests, NULL, NULL);
}
