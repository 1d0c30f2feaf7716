/* The whole controller against a fake engine, a fake data plane and a fake clock: minutes and hours in milliseconds. */
#include "tests/sim/controller_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct world world; /* large; one test at a time */

static int set_up(void **state)
{
    (void)state;
    world_init(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void begin(struct world *w)
{
    world_start(w);
    world_sync(w);
}

static bool has_one_routable(struct world *w)
{
    return world_routable_count(w) == 1;
}

static bool is_steady(struct world *w)
{
    return world_status(w).phase == SERVICE_STEADY;
}

static bool is_down_to_one(struct world *w)
{
    return world_desired(w) == 1 && world_alive_count(w) == 1 && world_status(w).draining_count == 0;
}

static bool wants_four(struct world *w)
{
    return world_desired(w) == 4;
}

static void start_scaled(struct world *w, double rate)
{
    world_scale_by_rate(w, 60, 1, 10);
    w->rate = rate;
    begin(w);
    assert_true(world_run_until(w, is_steady, 5000));
    world_run(w, 5000);
    w->traffic.no_endpoint = 0; /* those of before the first task */
}

static void a_load_step_scales_out_within_two_seconds_and_back_in_slowly(void **state)
{
    (void)state;
    struct world *w = &world;
    w->capacity = 65;
    start_scaled(w, 20);
    assert_int_equal(world_desired(w), 1);
    w->rate = 230;
    int64_t step_at_ms = w->now_ms;
    assert_true(world_run_until(w, wants_four, 2000));
    assert_true(w->now_ms - step_at_ms <= 2000);
    assert_true(world_run_until(w, is_steady, 10000));
    world_run(w, 60000);
    assert_in_range(world_routable_count(w), 4, 6); /* the queue of the first seconds may ask for one or two more */
    assert_int_equal(world_status(w).scale_in_count, 0);

    w->rate = 5;
    int64_t fall_at_ms = w->now_ms;
    assert_true(world_run_until(w, is_down_to_one, 120000));
    assert_true(w->now_ms - fall_at_ms >= 15000);
    assert_true(world_has_event(w, "scale in"));
    assert_int_equal(w->traffic.no_endpoint, 0);
}

static void the_decision_says_what_it_saw(void **state)
{
    (void)state;
    struct world *w = &world;
    start_scaled(w, 20);
    w->rate = 182;
    world_run(w, 3000);
    assert_true(world_has_event(w, "scale out 1 -> "));
    const char *text = world_status(w).last_decision;
    assert_non_null(strstr(text, " requests/s over 1.0 s, target 60 per task"));
}

static void six_hours_of_steady_noisy_load_change_nothing(void **state)
{
    (void)state;
    struct world *w = &world;
    w->step_ms = 250;
    w->noise = 0.2;
    w->capacity = 100;
    start_scaled(w, 150);
    world_run(w, 60000);
    w->traffic.no_endpoint = 0;
    struct service_status before = world_status(w);
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    world_run(w, 6 * 3600 * 1000);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    struct service_status after = world_status(w);
    assert_int_equal(after.scale_out_count, before.scale_out_count);
    assert_int_equal(after.scale_in_count, before.scale_in_count);
    assert_int_equal(after.desired_count, before.desired_count);
    assert_int_equal(w->traffic.no_endpoint, 0);
    double seconds = (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
    print_message("six hours took %.2f s\n", seconds);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
    assert_true(seconds < 2);
#endif
}

static void a_day_of_changing_load_is_followed_without_flapping(void **state)
{
    (void)state;
    struct world *w = &world;
    w->step_ms = 250;
    w->noise = 0.1;
    start_scaled(w, 30);
    /* One slow swing up and down in two hours: no more decisions than there are steps in it. */
    for (int minute = 0; minute < 120; minute++) {
        w->rate = 30 + (minute < 60 ? minute : 120 - minute) * 8;
        world_run(w, 60000);
        assert_true(world_routable_count(w) * w->capacity >= w->rate * 0.9);
    }
    struct service_status status = world_status(w);
    assert_true(status.scale_out_count <= 15);
    assert_true(status.scale_in_count <= 15);
    assert_true(status.scale_out_count >= 5 && status.scale_in_count >= 3);
    assert_int_equal(w->traffic.no_endpoint, 0);
}

static void stale_or_missing_numbers_hold_the_size(void **state)
{
    (void)state;
    struct world *w = &world;
    w->capacity = 65;
    start_scaled(w, 20);
    w->rate = 230;
    world_run(w, 60000);
    int64_t held = world_desired(w);
    assert_true(held >= 4);
    w->rate = 1;
    w->is_fresh = false;
    world_run(w, 120000);
    assert_int_equal(world_desired(w), held);
    assert_false(world_status(w).has_traffic);
    w->is_fresh = true;
    w->has_service_traffic = false;
    world_run(w, 120000);
    assert_int_equal(world_desired(w), held);
    assert_int_equal(world_routable_count(w), held);
    w->has_service_traffic = true;
    world_run(w, 14000); /* a whole cooldown of good numbers is needed first */
    assert_int_equal(world_desired(w), held);
    assert_true(world_run_until(w, is_down_to_one, 60000));
}

static void nothing_happens_before_the_first_full_list(void **state)
{
    (void)state;
    struct world *w = &world;
    world_add_container(w, "unknown", true, "r");
    world_start(w);
    world_run(w, 10000);
    assert_int_equal(w->create_calls + w->stop_calls + w->remove_calls, 0);
    world_sync(w);
    assert_true(world_run_until(w, has_one_routable, 5000));
}

static void a_slow_engine_gets_no_second_order(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 3;
    w->create_ms = 20000;
    w->start_ms = 25000;
    w->ready_ms = 3000;
    begin(w);
    world_run(w, 44000);
    assert_int_equal(w->create_calls, 3);
    assert_int_equal(world_status(w).pending_count, 3);
    assert_true(world_run_until(w, is_steady, 60000));
    world_run(w, 10000);
    assert_int_equal(w->create_calls, 3);
    assert_int_equal(w->stop_calls, 0);
}

static void an_engine_that_hangs_gets_a_bounded_number_of_orders(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 100;
    w->is_engine_hung = true;
    begin(w);
    world_run(w, 600000);
    assert_in_range(w->create_calls, 1, 8);
    w->is_engine_hung = false;
    assert_true(world_run_until(w, is_steady, 120000));
    assert_int_equal(w->create_calls, 100);
}

static void a_missing_image_is_tried_again_with_growing_delay(void **state)
{
    (void)state;
    struct world *w = &world;
    w->is_image_missing = true;
    begin(w);
    world_run(w, 3600 * 1000);
    /* 100 ms doubled up to a minute, then one a minute. */
    assert_in_range(w->create_calls, 60, 75);
    assert_true(world_has_event(w, "next try in 60 s: the image is missing: create: 404: No such image: web:2"));
    assert_int_equal(world_status(w).phase, SERVICE_IMPAIRED);
    w->is_image_missing = false;
    assert_true(world_run_until(w, is_steady, 70000));
}

static void a_task_that_never_becomes_healthy_is_not_duplicated(void **state)
{
    (void)state;
    struct world *w = &world;
    w->is_never_healthy = true;
    w->service.desired_count = 2;
    begin(w);
    for (int i = 0; i < 3600; i++) {
        world_run(w, 1000);
        assert_true(world_alive_count(w) <= 2);
    }
    assert_true(w->create_calls < 40);
    assert_true(world_has_event(w, "not healthy within"));
    w->is_never_healthy = false;
    assert_true(world_run_until(w, is_steady, 120000));
}

static void a_crash_loop_slows_down_and_recovers(void **state)
{
    (void)state;
    struct world *w = &world;
    w->lifetime_ms = 100;
    begin(w);
    world_run(w, 600 * 1000);
    assert_in_range(w->create_calls, 10, 25);
    assert_true(world_has_event(w, "next try in 60 s: task"));
    w->lifetime_ms = -1;
    assert_true(world_run_until(w, is_steady, 70000));
    world_run(w, 15000);
    /* Proven again: the next death is answered at once. */
    uint64_t calls = w->create_calls;
    w->containers[w->container_count - 1].dies_at_ms = w->now_ms;
    world_run(w, 1000);
    assert_int_equal(w->create_calls, calls + 1);
}

static void dead_tasks_are_replaced_and_removed(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 3;
    begin(w);
    assert_true(world_run_until(w, is_steady, 10000));
    world_run(w, 15000);
    for (size_t i = 0; i < 3; i++)
        w->containers[i].dies_at_ms = w->now_ms;
    world_run(w, 5000);
    assert_true(is_steady(w));
    assert_int_equal(world_routable_count(w), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->containers[i].state, CONTAINER_GONE);
    assert_int_equal(w->create_calls, 6);
}

static void foreign_containers_are_never_touched(void **state)
{
    (void)state;
    struct world *w = &world;
    for (int i = 0; i < 5; i++) {
        world_add_container(w, "web", false, "");
        world_add_container(w, "theirs", false, "");
    }
    start_scaled(w, 230);
    assert_true(world_run_until(w, wants_four, 20000)); /* theirs serve, and do not count */
    struct service_status status;
    assert_true(controller_find_service(w->controller, "theirs", &status));
    assert_false(status.managed);
    assert_int_equal(status.running_count, 5);
    w->rate = 0;
    world_run(w, 60000);
    static const struct config nothing = { .cluster = (char *)"test" };
    controller_apply_config(w->controller, &nothing);
    world_run(w, 60000);
    assert_int_equal(world_alive_count(w), 0);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(w->containers[i].state, CONTAINER_RUNNING);
    assert_int_equal(controller_drain_task(w->controller, w->containers[0].id, NULL), CONTROLLER_OK);
    world_run(w, 60000);
    assert_int_equal(w->containers[0].state, CONTAINER_RUNNING);
    assert_int_equal(task_registry_find(w->registry, w->containers[0].id)->admin, TASK_ADMIN_DRAINING);
}

static void a_changed_image_rolls_one_at_a_time_without_a_failed_request(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 4;
    w->rate = 100;
    begin(w);
    assert_true(world_run_until(w, is_steady, 10000));
    uint64_t failed = w->traffic.no_endpoint;
    w->service.image = (char *)"web:2";
    controller_apply_config(w->controller, &w->config);
    for (int i = 0; i < 600; i++) {
        world_run(w, 100);
        assert_in_range(world_alive_count(w), 4, 5);
        assert_true(world_routable_count(w) >= 4);
    }
    assert_true(is_steady(w));
    assert_int_equal(w->create_calls, 8);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(w->containers[i].state, CONTAINER_GONE);
    assert_int_equal(w->traffic.no_endpoint, failed);
    assert_true(world_has_event(w, "deployment begins: 4 tasks to replace"));
    assert_true(world_has_event(w, "deployment ends: 4 healthy tasks"));
}

static void a_broken_new_revision_leaves_the_old_tasks_serving(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 3;
    begin(w);
    assert_true(world_run_until(w, is_steady, 10000));
    w->service.image = (char *)"web:2";
    w->lifetime_ms = 50;
    controller_apply_config(w->controller, &w->config);
    for (int i = 0; i < 600; i++) {
        world_run(w, 1000);
        assert_true(world_routable_count(w) >= 3);
        assert_true(world_alive_count(w) <= 4);
    }
    assert_int_equal(world_status(w).phase, SERVICE_IMPAIRED);
    w->service.image = (char *)"web:1"; /* rolled back: the survivors are current again */
    w->lifetime_ms = -1;
    controller_apply_config(w->controller, &w->config);
    assert_true(world_run_until(w, is_steady, 10000));
    assert_int_equal(w->stop_calls, 0);
}

static void a_request_that_never_ends_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    struct world *w = &world;
    w->rate = 10;
    begin(w);
    assert_true(world_run_until(w, is_steady, 10000));
    w->containers[0].is_stuck = true;
    world_run(w, 1000);
    assert_int_equal(controller_drain_task(w->controller, w->containers[0].id, NULL), CONTROLLER_OK);
    world_run(w, 19000);
    assert_int_equal(w->stop_calls, 0);
    assert_int_equal(world_routable_count(w), 1); /* it has been replaced meanwhile */
    world_run(w, 3000);
    assert_int_equal(w->stop_calls, 1);
    assert_true(world_has_event(w, "deregistration delay is over"));
}

static void a_service_that_left_the_configuration_is_drained(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 3;
    w->service.stop_timeout_ms = 30000;
    w->service.deregistration_delay_ms = 30000;
    w->rate = 50;
    begin(w);
    assert_true(world_run_until(w, is_steady, 10000));
    static const struct config nothing = { .cluster = (char *)"test" };
    controller_apply_config(w->controller, &nothing);
    world_run(w, 5000);
    assert_int_equal(w->stop_calls, 3);
    assert_int_equal(w->remove_calls, 3);
    struct service_status status;
    assert_false(controller_find_service(w->controller, "web", &status));
}

static void a_sick_task_is_replaced_before_it_is_stopped(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 2;
    begin(w);
    assert_true(world_run_until(w, is_steady, 10000));
    w->containers[0].is_sick = true;
    world_run(w, 20000);
    assert_int_equal(w->create_calls, 2); /* it may come back */
    world_run(w, 20000);
    assert_int_equal(world_routable_count(w), 2);
    assert_int_equal(w->containers[0].state, CONTAINER_GONE);
    assert_int_equal(w->containers[1].state, CONTAINER_RUNNING);
    assert_int_equal(w->create_calls, 3);
}

static void a_patch_survives_a_restart_and_an_edit_beats_it(void **state)
{
    (void)state;
    struct world *w = &world;
    begin(w);
    struct service_patch patch = { .desired_count = 3, .min = -1, .max = -1 };
    assert_int_equal(controller_patch_service(w->controller, "web", &patch, NULL), CONTROLLER_OK);
    assert_true(world_run_until(w, is_steady, 10000));
    world_restart_control(w);
    world_run(w, 10000);
    assert_int_equal(world_desired(w), 3);
    assert_int_equal(w->create_calls, 3);
    assert_int_equal(w->stop_calls, 0);
    w->service.desired_count = 2;
    controller_apply_config(w->controller, &w->config);
    world_run(w, 10000);
    assert_int_equal(world_alive_count(w), 2);
    world_restart_control(w);
    world_run(w, 10000);
    assert_int_equal(world_desired(w), 2);
}

static void a_patch_that_makes_no_sense_changes_nothing(void **state)
{
    (void)state;
    struct world *w = &world;
    begin(w);
    world_run(w, 5000);
    struct error error;
    struct service_patch too_many = { 100000, -1, -1 }, limits = { -1, 1, 4 }, fine = { 2, -1, -1 };
    assert_int_equal(controller_patch_service(w->controller, "web", &too_many, &error), CONTROLLER_INVALID);
    assert_non_null(strstr(error.text, "desiredCount"));
    assert_int_equal(controller_patch_service(w->controller, "web", &limits, &error), CONTROLLER_INVALID);
    assert_non_null(strstr(error.text, "min"));
    assert_int_equal(controller_patch_service(w->controller, "nobody", &fine, &error), CONTROLLER_NOT_FOUND);
    world_add_container(w, "theirs", false, "");
    world_run(w, 1000);
    assert_int_equal(controller_patch_service(w->controller, "theirs", &fine, &error), CONTROLLER_CONFLICT);
    assert_int_equal(world_desired(w), 1);
}

static bool refuse_to_put(struct store *store, const struct store_record *record, struct error *error)
{
    (void)store;
    (void)record;
    return error_set(error, "disk full");
}

static void without_a_durable_store_nothing_changes(void **state)
{
    (void)state;
    struct world *w = &world;
    start_scaled(w, 20);
    const struct store_ops *sound = w->store->ops;
    struct store_ops broken = *sound;
    broken.put = refuse_to_put;
    w->store->ops = &broken;
    struct service_patch patch = { .desired_count = 3, .min = -1, .max = -1 };
    struct error error;
    assert_int_equal(controller_patch_service(w->controller, "web", &patch, &error), CONTROLLER_NOT_DURABLE);
    w->rate = 230;
    world_run(w, 10000);
    assert_int_equal(world_desired(w), 1);
    assert_true(world_has_event(w, "is held back: disk full"));
    w->store->ops = sound;
    world_run(w, 2000);
    assert_true(world_desired(w) >= 4);
}

static int64_t running_count(const struct world *w)
{
    int64_t count = 0;
    for (size_t i = 0; i < w->container_count; i++)
        count += w->containers[i].is_managed && w->containers[i].state == CONTAINER_RUNNING;
    return count;
}

/* What every restart must keep, whatever it interrupts. */
static void check_after_restart(struct world *w, int64_t desired_before)
{
    world_step(w);
    int64_t running = running_count(w);
    controller_tick(w->controller, w->now_ms);
    int64_t desired = world_desired(w);
    assert_true(desired >= desired_before);
    assert_true(desired >= running || desired == w->service.scaling.max);
}

static void run_and_kill_at(struct world *w, int64_t kill_at_ms)
{
    world_scale_by_rate(w, 60, 1, 6);
    w->capacity = 65;
    w->rate = 20;
    w->create_ms = 400;
    w->start_ms = 600;
    begin(w);
    world_run(w, 4000);
    w->rate = 200;
    world_run(w, kill_at_ms < 4000 ? kill_at_ms : 4000);
    if (kill_at_ms >= 4000) { /* the second half: on the way back in */
        world_run(w, 10000);
        w->rate = 10;
        world_run(w, 13000 + kill_at_ms - 4000);
    }
    int64_t desired = world_desired(w);
    world_restart_control(w);
    check_after_restart(w, desired);
    w->rate = 200;
    for (int i = 0; i < 40; i++) {
        world_run(w, 1000);
        assert_true(world_alive_count(w) <= w->service.scaling.max);
    }
    assert_true(is_steady(w));
    assert_int_equal(world_alive_count(w), world_desired(w));
    assert_true(world_desired(w) >= 4);
    w->rate = 0;
    assert_true(world_run_until(w, is_down_to_one, 120000));
    world_run(w, 5000);
    for (size_t i = 0; i < w->container_count; i++) /* no orphan: everything but the last one is gone */
        assert_true(w->containers[i].state == CONTAINER_GONE || w->containers[i].state == CONTAINER_RUNNING);
    assert_int_equal(running_count(w), 1);
}

static void control_killed_at_any_moment_leaves_no_orphan_and_no_duplicate(void **state)
{
    (void)state;
    for (int64_t kill_at_ms = 0; kill_at_ms < 14000; kill_at_ms += 50) {
        world_fini(&world);
        world_init(&world);
        run_and_kill_at(&world, kill_at_ms);
    }
}

static void control_killed_again_and_again_during_a_deployment_finishes_it(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 3;
    w->rate = 60;
    begin(w);
    assert_true(world_run_until(w, is_steady, 10000));
    w->service.image = (char *)"web:2";
    for (int i = 0; i < 200; i++) {
        world_restart_control(w);
        world_run(w, 350 + i * 10);
        assert_true(running_count(w) >= 3);
        assert_true(world_alive_count(w) <= 5);
    }
    world_run(w, 30000);
    assert_true(is_steady(w));
    assert_int_equal(running_count(w), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->containers[i].state, CONTAINER_GONE);
}

static void scale_from_zero_starts_on_the_first_request(void **state)
{
    (void)state;
    struct world *w = &world;
    world_scale_by_rate(w, 60, 0, 5);
    begin(w);
    world_run(w, 30000);
    assert_int_equal(w->create_calls, 0);
    w->rate = 2;
    assert_true(world_run_until(w, has_one_routable, 5000));
    w->rate = 0;
    world_run(w, 60000);
    assert_int_equal(world_alive_count(w), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_load_step_scales_out_within_two_seconds_and_back_in_slowly),
        TEST(the_decision_says_what_it_saw),
        TEST(six_hours_of_steady_noisy_load_change_nothing),
        TEST(a_day_of_changing_load_is_followed_without_flapping),
        TEST(stale_or_missing_numbers_hold_the_size),
        TEST(nothing_happens_before_the_first_full_list),
        TEST(a_slow_engine_gets_no_second_order),
        TEST(an_engine_that_hangs_gets_a_bounded_number_of_orders),
        TEST(a_missing_image_is_tried_again_with_growing_delay),
        TEST(a_task_that_never_becomes_healthy_is_not_duplicated),
        TEST(a_crash_loop_slows_down_and_recovers),
        TEST(dead_tasks_are_replaced_and_removed),
        TEST(foreign_containers_are_never_touched),
        TEST(a_changed_image_rolls_one_at_a_time_without_a_failed_request),
        TEST(a_broken_new_revision_leaves_the_old_tasks_serving),
        TEST(a_request_that_never_ends_is_waited_for_until_the_deadline),
        TEST(a_service_that_left_the_configuration_is_drained),
        TEST(a_sick_task_is_replaced_before_it_is_stopped),
        TEST(a_patch_survives_a_restart_and_an_edit_beats_it),
        TEST(a_patch_that_makes_no_sense_changes_nothing),
        TEST(without_a_durable_store_nothing_changes),
        TEST(control_killed_at_any_moment_leaves_no_orphan_and_no_duplicate),
        TEST(control_killed_again_and_again_during_a_deployment_finishes_it),
        TEST(scale_from_zero_starts_on_the_first_request),
    };
    return cmocka_run_group_tests_name("controller simulation", tests, NULL, NULL);
}
