/* The whole controller against a fake engine, a fake data plane and a fake clock: minutes and hours in milliseconds. */
#include "controller/reconciler.h"
#include "tests/sim/controller_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool has_one_routable(struct world *w)
{
    return world_routable_count(w) == 1;
}

static bool wants_four(struct world *w)
{
    return world_desired(w) == 4;
}

static void start_scaled(struct world *w, double rate)
{
    world_scale_by_rate(w, 60, 1, 10);
    w->rate = rate;
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 5000));
    world_run(w, 5000);
    w->traffic.no_endpoint = 0; /* those of before the first task */
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
    world_begin(w);
    world_run(w, 44000);
    assert_int_equal(w->create_calls, 3);
    assert_int_equal(world_status(w).pending_count, 3);
    assert_true(world_run_until(w, world_is_steady, 60000));
    world_run(w, 10000);
    assert_int_equal(w->create_calls, 3);
    assert_int_equal(w->stop_calls, 0);
}

static bool has_image(struct world *w)
{
    return world_status(w).image_id != NULL;
}

static void an_engine_that_hangs_gets_a_bounded_number_of_orders(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 100;
    w->is_engine_hung = true;
    world_begin(w);
    world_run(w, 600000);
    assert_int_equal(w->resolve_calls, 1);
    assert_int_equal(w->create_calls, 0);
    w->is_engine_hung = false;
    assert_true(world_run_until(w, has_image, 1000));
    w->is_engine_hung = true;
    world_run(w, 600000);
    assert_in_range(w->create_calls, 1, 8);
    w->is_engine_hung = false;
    assert_true(world_run_until(w, world_is_steady, 120000));
    assert_int_equal(w->create_calls, 100);
}

static void a_missing_image_is_tried_again_with_growing_delay(void **state)
{
    (void)state;
    struct world *w = &world;
    w->is_image_missing = true;
    world_begin(w);
    world_run(w, 3600 * 1000);
    /* 100 ms doubled up to a minute, then one a minute. */
    assert_in_range(w->resolve_calls, 60, 75);
    assert_true(
        world_has_event(w, "next try in 60 s: the image is missing: inspect image web:2: 404: No such image: web:2"));
    assert_int_equal(world_status(w).phase, SERVICE_IMPAIRED);
    w->is_image_missing = false;
    assert_true(world_run_until(w, world_is_steady, 70000));
}

static void a_task_that_never_becomes_healthy_is_not_duplicated(void **state)
{
    (void)state;
    struct world *w = &world;
    w->is_never_healthy = true;
    w->service.desired_count = 2;
    world_begin(w);
    for (int i = 0; i < 3600; i++) {
        world_run(w, 1000);
        assert_true(world_alive_count(w) <= 2);
    }
    assert_true(w->create_calls < 40);
    assert_true(world_has_event(w, "not healthy within"));
    w->is_never_healthy = false;
    assert_true(world_run_until(w, world_is_steady, 120000));
}

static void a_service_that_listens_after_100_s_comes_up(void **state)
{
    (void)state;
    struct world *w = &world;
    w->ready_ms = 100000;
    w->service.desired_count = 2;
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 110000));
    assert_int_equal(w->create_calls, 2);
    assert_int_equal(w->stop_calls, 0);
}

static void a_start_period_that_is_too_short_grows_until_it_is_long_enough(void **state)
{
    (void)state;
    struct world *w = &world;
    w->ready_ms = 100000;
    w->service.health_check.start_period_ms = 30000;
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 400000));
    assert_true(w->stop_calls > 0);
    assert_true(world_has_event(w, "not healthy within 33 s of its start"));
}

static void a_crash_loop_slows_down_and_recovers(void **state)
{
    (void)state;
    struct world *w = &world;
    w->lifetime_ms = 100;
    world_begin(w);
    world_run(w, 600 * 1000);
    assert_in_range(w->create_calls, 10, 25);
    assert_true(world_has_event(w, "next try in 60 s: task"));
    w->lifetime_ms = -1;
    assert_true(world_run_until(w, world_is_steady, 70000));
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
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 10000));
    world_run(w, 15000);
    for (size_t i = 0; i < 3; i++)
        w->containers[i].dies_at_ms = w->now_ms;
    world_run(w, 5000);
    assert_false(world_is_steady(w)); /* what is dead is still there */
    assert_int_equal(world_routable_count(w), 3);
    assert_int_equal(w->create_calls, 6);
    world_run(w, RECONCILER_RESTART_GRACE_MS);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->containers[i].state, CONTAINER_GONE);
    assert_true(world_is_steady(w));
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
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 10000));
    uint64_t failed = w->traffic.no_endpoint;
    w->service.image = (char *)"web:2";
    controller_apply_config(w->controller, &w->config);
    for (int i = 0; i < 600; i++) {
        world_run(w, 100);
        assert_in_range(world_alive_count(w), 4, 5);
        assert_true(world_routable_count(w) >= 4);
    }
    assert_true(world_is_steady(w));
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
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 10000));
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
    assert_true(world_run_until(w, world_is_steady, 10000));
    assert_int_equal(w->stop_calls, 0);
}

static void a_request_that_never_ends_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    struct world *w = &world;
    w->rate = 10;
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 10000));
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
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 10000));
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
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 10000));
    w->containers[0].is_sick = true;
    world_run(w, 20000);
    assert_int_equal(w->create_calls, 2); /* it may come back */
    world_run(w, 20000);
    assert_int_equal(world_routable_count(w), 2);
    assert_int_equal(w->containers[0].state, CONTAINER_GONE);
    assert_int_equal(w->containers[1].state, CONTAINER_RUNNING);
    assert_int_equal(w->create_calls, 3);
}

static void a_patch_that_makes_no_sense_changes_nothing(void **state)
{
    (void)state;
    struct world *w = &world;
    world_begin(w);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_happens_before_the_first_full_list),
        TEST(a_slow_engine_gets_no_second_order),
        TEST(an_engine_that_hangs_gets_a_bounded_number_of_orders),
        TEST(a_missing_image_is_tried_again_with_growing_delay),
        TEST(a_task_that_never_becomes_healthy_is_not_duplicated),
        TEST(a_service_that_listens_after_100_s_comes_up),
        TEST(a_start_period_that_is_too_short_grows_until_it_is_long_enough),
        TEST(a_crash_loop_slows_down_and_recovers),
        TEST(dead_tasks_are_replaced_and_removed),
        TEST(foreign_containers_are_never_touched),
        TEST(a_changed_image_rolls_one_at_a_time_without_a_failed_request),
        TEST(a_broken_new_revision_leaves_the_old_tasks_serving),
        TEST(a_request_that_never_ends_is_waited_for_until_the_deadline),
        TEST(a_service_that_left_the_configuration_is_drained),
        TEST(a_sick_task_is_replaced_before_it_is_stopped),
        TEST(a_patch_that_makes_no_sense_changes_nothing),
        TEST(without_a_durable_store_nothing_changes),
    };
    return cmocka_run_group_tests_name("controller simulation", tests, NULL, NULL);
}
