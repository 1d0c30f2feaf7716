/* Images are pulled before tasks are created from them: when, how often, and what a pull that fails does not do. */
#include "tests/sim/controller_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DIGIT_AT 10 /* of an id of the world, behind "sha256:": all are alike */

static int64_t running_of(const struct world *w, char digit)
{
    int64_t count = 0;
    for (size_t i = 0; i < w->container_count; i++)
        count += w->containers[i].is_managed && w->containers[i].state == CONTAINER_RUNNING &&
                 w->containers[i].image_id[DIGIT_AT] == digit;
    return count;
}

static void set_up_pull(struct world *w, const char *policy, bool is_image_missing, char registry_digit)
{
    w->service.pull = (char *)policy;
    w->is_image_missing = is_image_missing;
    w->registry_digit = registry_digit;
}

static void settle(struct world *w, int64_t desired_count)
{
    w->service.desired_count = desired_count;
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
}

static void read_configuration_again(struct world *w)
{
    controller_apply_config(w->controller, &w->config);
}

static void want(struct world *w, int64_t desired_count)
{
    struct error error;
    struct service_patch patch = { .desired_count = desired_count, .min = -1, .max = -1 };
    assert_int_equal(controller_patch_service(w->controller, "web", &patch, &error), CONTROLLER_OK);
}

static bool is_pulling(struct world *w)
{
    return w->pull_calls > 0;
}

static void a_missing_image_is_pulled_once_before_the_first_task(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "missing", true, 'b');
    settle(w, 3);
    assert_int_equal(w->pull_calls, 1);
    assert_int_equal(running_of(w, 'b'), 3);
    assert_int_equal(w->create_calls, 3);
    assert_int_equal(world_status(w).start_failure_count, 0);
    assert_true(world_has_event(w, "pull of image web:1 is asked for"));
    assert_true(world_has_event(w, "pull of image web:1 ends after"));
}

static void an_image_that_is_here_is_not_pulled_unless_always(void **state)
{
    (void)state;
    static const char *const policies[] = { "missing", "never", "always" };
    for (size_t i = 0; i < 3; i++) {
        world_fini(&world);
        world_init(&world);
        struct world *w = &world;
        set_up_pull(w, policies[i], false, 'a');
        settle(w, 2);
        assert_int_equal(w->pull_calls, i == 2);
    }
}

static void always_rolls_at_a_reload_to_what_the_registry_has_now_and_not_at_a_restart(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "always", false, 'a');
    settle(w, 2);
    w->registry_digit = 'b';
    world_restart_control(w);
    world_run(w, 60000);
    assert_int_equal(running_of(w, 'a'), 2);
    assert_int_equal(w->pull_calls, 1);
    read_configuration_again(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(running_of(w, 'b'), 2);
    assert_int_equal(running_of(w, 'a'), 0);
    assert_true(world_has_event(w, "image web:1 moved from sha256:aaaaaaaaaaaa to sha256:bbbbbbbbbbbb, rolling"));
}

static void a_pull_that_fails_is_the_cause_of_the_failed_start_and_tried_again_with_growing_delay(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "missing", true, 0);
    world_begin(w);
    world_run(w, 600 * 1000);
    assert_in_range(w->pull_calls, 10, 20); /* 100 ms doubled up to a minute, and 5 s each */
    assert_int_equal(w->create_calls, 0);
    assert_true(
        world_has_event(w, "next try in 60 s: the image could not be pulled: pull web:1: 404: manifest unknown"));
    assert_int_equal(world_status(w).phase, SERVICE_IMPAIRED);
    w->registry_digit = 'b';
    assert_true(world_run_until(w, world_is_steady, 90000));
    assert_int_equal(running_of(w, 'b'), 1);
}

static void a_new_revision_that_cannot_be_pulled_leaves_the_old_tasks_alone(void **state)
{
    (void)state;
    struct world *w = &world;
    settle(w, 3);
    set_up_pull(w, "missing", true, 0);
    w->service.image = (char *)"web:2";
    read_configuration_again(w);
    world_run(w, 600 * 1000);
    assert_int_equal(running_of(w, 'a'), 3);
    assert_int_equal(w->stop_calls, 0);
    w->registry_digit = 'b';
    assert_true(world_run_until(w, world_is_steady, 120000));
    assert_int_equal(running_of(w, 'b'), 3);
}

static void always_that_fails_at_a_reload_leaves_the_tasks_as_they_are(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "always", false, 'a');
    settle(w, 2);
    w->registry_digit = 0;
    read_configuration_again(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(running_of(w, 'a'), 2);
    assert_true(world_has_event(
        w, "image web:1 could not be pulled, tasks are created from sha256:aaaaaaaaaaaa as before: pull web:1: 404"));
    assert_int_equal(world_status(w).start_failure_count, 0);
    want(w, 3);
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(running_of(w, 'a'), 3);
}

static void however_many_services_want_an_image_it_is_pulled_once(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "missing", true, 'b');
    world_add_services(w, 20);
    world_begin(w);
    world_run(w, 30000);
    assert_int_equal(w->pull_calls, 1);
    assert_int_equal(running_of(w, 'b'), 20);
}

static void a_slow_pull_holds_up_no_other_service(void **state)
{
    (void)state;
    struct world *w = &world;
    world_add_services(w, 12);
    for (size_t i = 0; i < 11; i++) /* more than may look at once */
        w->services[i].pull = (char *)"always";
    w->pull_ms = 3600 * 1000;
    w->registry_digit = 'a';
    world_begin(w);
    world_run(w, 10000);
    assert_int_equal(running_of(w, 'a'), 1);
}

static void a_pull_that_nobody_wants_any_more_is_ended(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "missing", true, 'b');
    w->pull_ms = 3600 * 1000;
    world_begin(w);
    assert_true(world_run_until(w, is_pulling, 10000));
    want(w, 0);
    world_run(w, 1000);
    assert_int_equal(w->pull_cancels, 1);
    w->pull_ms = 5000;
    want(w, 1);
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(w->pull_calls, 2);
    assert_int_equal(running_of(w, 'b'), 1);
}

static void a_service_that_leaves_the_configuration_ends_its_pull(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "missing", true, 'b');
    w->pull_ms = 3600 * 1000;
    world_begin(w);
    assert_true(world_run_until(w, is_pulling, 10000));
    w->config.service_count = 0;
    read_configuration_again(w);
    world_run(w, 1000);
    assert_int_equal(w->pull_cancels, 1);
}

static void a_reload_in_the_middle_of_a_pull_does_not_begin_it_anew(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "missing", true, 'b');
    world_begin(w);
    assert_true(world_run_until(w, is_pulling, 10000));
    for (int i = 0; i < 10; i++) {
        world_run(w, 300);
        read_configuration_again(w);
    }
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(w->pull_calls, 1);
    assert_int_equal(w->pull_cancels, 0);
}

/* The last service has to wait until the others have been looked for; what it waits for is the pull that is under way. */
static void a_reload_of_more_services_than_may_look_at_once_ends_no_pull(void **state)
{
    (void)state;
    struct world *w = &world;
    world_add_services(w, 12);
    w->services[11].pull = (char *)"always";
    w->registry_digit = 'a';
    w->pull_ms = 60000;
    world_begin(w);
    world_run(w, 10000);
    assert_int_equal(running_of(w, 'a'), 11);
    read_configuration_again(w);
    world_run(w, 120000);
    assert_int_equal(w->pull_calls, 1);
    assert_int_equal(w->pull_cancels, 0);
    assert_int_equal(running_of(w, 'a'), 12);
}

static void what_is_missing_is_not_pulled_once_the_configuration_forbids_it(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "missing", true, 'b');
    w->is_engine_hung = true;
    world_begin(w);
    world_run(w, 1000);
    assert_int_equal(w->resolve_calls, 1);
    w->service.pull = (char *)"never";
    read_configuration_again(w);
    world_run(w, 1000);
    w->is_engine_hung = false;
    world_run(w, 60000);
    assert_int_equal(w->pull_calls, 0);
    assert_true(world_has_event(w, "the image is missing"));
}

static void an_engine_that_goes_during_a_pull_has_not_failed(void **state)
{
    (void)state;
    struct world *w = &world;
    set_up_pull(w, "missing", true, 'b');
    world_begin(w);
    assert_true(world_run_until(w, is_pulling, 10000));
    world_engine_leave(w, false);
    world_run(w, 30000);
    assert_int_equal(w->pull_calls, 1);
    world_engine_return(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(w->pull_calls, 2);
    assert_int_equal(world_status(w).start_failure_count, 0);
}

static void killed_at_any_moment_of_a_pull_it_converges(void **state)
{
    (void)state;
    for (int64_t kill_at_ms = 0; kill_at_ms < 8000; kill_at_ms += 100) {
        world_fini(&world);
        world_init(&world);
        struct world *w = &world;
        set_up_pull(w, "missing", true, 'b');
        w->service.desired_count = 2;
        world_begin(w);
        world_run(w, kill_at_ms);
        world_restart_control(w);
        assert_true(world_run_until(w, world_is_steady, 60000));
        world_run(w, 60000);
        assert_int_equal(running_of(w, 'b'), 2);
        assert_int_equal(world_alive_count(w), 2);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_missing_image_is_pulled_once_before_the_first_task),
        TEST(an_image_that_is_here_is_not_pulled_unless_always),
        TEST(always_rolls_at_a_reload_to_what_the_registry_has_now_and_not_at_a_restart),
        TEST(a_pull_that_fails_is_the_cause_of_the_failed_start_and_tried_again_with_growing_delay),
        TEST(a_new_revision_that_cannot_be_pulled_leaves_the_old_tasks_alone),
        TEST(always_that_fails_at_a_reload_leaves_the_tasks_as_they_are),
        TEST(however_many_services_want_an_image_it_is_pulled_once),
        TEST(a_slow_pull_holds_up_no_other_service),
        TEST(a_pull_that_nobody_wants_any_more_is_ended),
        TEST(a_service_that_leaves_the_configuration_ends_its_pull),
        TEST(a_reload_in_the_middle_of_a_pull_does_not_begin_it_anew),
        TEST(a_reload_of_more_services_than_may_look_at_once_ends_no_pull),
        TEST(what_is_missing_is_not_pulled_once_the_configuration_forbids_it),
        TEST(an_engine_that_goes_during_a_pull_has_not_failed),
        TEST(killed_at_any_moment_of_a_pull_it_converges),
    };
    return cmocka_run_group_tests_name("pull simulation", tests, NULL, NULL);
}
