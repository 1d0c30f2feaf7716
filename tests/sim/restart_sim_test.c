/* The control process killed at any moment: nothing is lost, doubled or scaled in. */
#include "tests/sim/controller_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controller/drain_book.h"

static bool is_down_to_one(struct world *w)
{
    return world_desired(w) == 1 && world_alive_count(w) == 1 && world_status(w).draining_count == 0;
}

static int64_t running_count(const struct world *w)
{
    int64_t count = 0;
    for (size_t i = 0; i < w->container_count; i++)
        count += w->containers[i].is_managed && w->containers[i].state == CONTAINER_RUNNING;
    return count;
}

/* What every restart must keep, whatever it interrupts: what is desired is in the store. Tasks that run beyond it were
 * on their way out, or are the surplus of a replacement. */
static void check_after_restart(struct world *w, int64_t desired_before)
{
    world_step(w);
    controller_tick(w->controller, w->now_ms);
    assert_int_equal(world_desired(w), desired_before);
}

static void run_and_kill_at(struct world *w, int64_t kill_at_ms)
{
    world_scale_by_rate(w, 60, 1, 6);
    w->capacity = 65;
    w->rate = 20;
    w->create_ms = 400;
    w->start_ms = 600;
    world_begin(w);
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
    assert_true(world_is_steady(w));
    assert_int_equal(world_alive_count(w), world_desired(w));
    assert_true(world_desired(w) >= 4);
    w->rate = 0;
    assert_true(world_run_until(w, is_down_to_one, 120000));
    world_run(w, 5000);
    for (size_t i = 0; i < w->container_count; i++) /* no orphan: everything but the last one is gone */
        assert_true(w->containers[i].state == CONTAINER_GONE || w->containers[i].state == CONTAINER_RUNNING);
    assert_int_equal(running_count(w), 1);
}

static void a_patch_survives_a_restart_and_an_edit_beats_it(void **state)
{
    (void)state;
    struct world *w = &world;
    world_begin(w);
    struct service_patch patch = { .desired_count = 3, .min = -1, .max = -1 };
    assert_int_equal(controller_patch_service(w->controller, "web", &patch, NULL), CONTROLLER_OK);
    assert_true(world_run_until(w, world_is_steady, 10000));
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
    w->service.desired_count = 1; /* edited back: the patch of then does not rise from the dead */
    controller_apply_config(w->controller, &w->config);
    world_restart_control(w);
    world_run(w, 10000);
    assert_int_equal(world_desired(w), 1);
}

static void a_service_that_was_removed_begins_anew(void **state)
{
    (void)state;
    struct world *w = &world;
    static const struct config nothing = { .cluster = (char *)"test" };
    struct service_patch patch = { .desired_count = 3, .min = -1, .max = -1 };
    w->service.stop_timeout_ms = w->service.deregistration_delay_ms = 30000;
    world_begin(w);
    assert_int_equal(controller_patch_service(w->controller, "web", &patch, NULL), CONTROLLER_OK);
    assert_true(world_run_until(w, world_is_steady, 10000));
    controller_apply_config(w->controller, &nothing);
    world_run(w, 10000);
    assert_int_equal(world_alive_count(w), 0);
    world_restart_control(w);
    world_run(w, 10000);
    assert_int_equal(world_desired(w), 1);
    assert_int_equal(world_alive_count(w), 1);
}

static void a_service_that_was_removed_while_control_was_down_is_drained(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.stop_timeout_ms = w->service.deregistration_delay_ms = 30000;
    w->service.desired_count = 3;
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 10000));
    w->config.service_count = 0;
    world_restart_control(w);
    world_run(w, 10000);
    assert_int_equal(world_alive_count(w), 0);
    assert_int_equal(w->stop_calls, 3);
    assert_int_equal(w->remove_calls, 3);
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
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 10000));
    w->service.image = (char *)"web:2";
    for (int i = 0; i < 200; i++) {
        world_restart_control(w);
        world_run(w, 350 + i * 10);
        assert_true(running_count(w) >= 3);
        assert_true(world_alive_count(w) <= 5);
    }
    world_run(w, 30000);
    assert_true(world_is_steady(w));
    assert_int_equal(running_count(w), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->containers[i].state, CONTAINER_GONE);
}

static void a_scaled_service_killed_in_a_deployment_wants_no_more_than_before(void **state)
{
    (void)state;
    struct world *w = &world;
    world_scale_by_rate(w, 60, 4, 10);
    world_begin(w); /* nothing is stored yet, and nothing was decided */
    assert_true(world_run_until(w, world_is_steady, 10000));
    w->service.image = (char *)"web:2";
    for (int i = 0; i < 100; i++) {
        world_restart_control(w);
        world_run(w, 350 + i * 10);
        assert_int_equal(world_desired(w), 4);
    }
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(running_count(w), 4);
}

static void running_tasks_say_what_is_desired_only_where_nothing_is_stored(void **state)
{
    (void)state;
    struct world *w = &world;
    world_scale_by_rate(w, 60, 1, 10);
    for (int i = 0; i < 3; i++)
        world_add_container(w, "web", true, "of another revision");
    world_begin(w);
    world_run(w, 1000);
    assert_int_equal(world_desired(w), 3);
    assert_true(world_has_event(w, "3 tasks were running already, and nothing is stored: desired 1 -> 3"));
    world_restart_control(w);
    world_run(w, 1000);
    assert_int_equal(world_desired(w), 3);
    assert_false(world_has_event(w, "running already"));
}

static void count_drain(void *owner, const struct store_drain *drain)
{
    (void)drain;
    ++*(size_t *)owner;
}

static int64_t ever_started_count(const struct world *w)
{
    int64_t count = 0;
    for (size_t i = 0; i < w->container_count; i++)
        count += w->containers[i].is_managed && w->containers[i].started_at_ms > 0;
    return count;
}

static bool is_ready(const struct world *w, const char *id)
{
    const struct task *task = task_registry_find(w->registry, id);
    return task != NULL && task->admin == TASK_ADMIN_READY;
}

static bool has_stored_drain(const struct world *w)
{
    size_t count = 0;
    assert_true(w->store->ops->load_drains(w->store, count_drain, &count, NULL));
    return count > 0;
}

static void run_and_never_see_ready(struct world *w, int64_t duration_ms, const char *ours, const char *theirs)
{
    for (int64_t end_ms = w->now_ms + duration_ms; w->now_ms < end_ms;) {
        world_step(w);
        assert_false(is_ready(w, ours));
        assert_false(is_ready(w, theirs));
        assert_true(world_alive_count(w) <= 2);
    }
}

static void drain_and_kill_at(struct world *w, int64_t kill_at_ms)
{
    w->service.desired_count = 2;
    w->rate = 40;
    size_t foreign = world_add_container(w, "theirs", false, "");
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 10000));
    const char *ours = w->containers[1].id, *theirs = w->containers[foreign].id;
    assert_int_equal(controller_drain_task(w->controller, ours, NULL), CONTROLLER_OK);
    assert_int_equal(controller_drain_task(w->controller, theirs, NULL), CONTROLLER_OK);
    run_and_never_see_ready(w, kill_at_ms, ours, theirs);
    for (int i = 0; i < 2; i++) { /* the second one dies before its first turn */
        world_kill_control(w);
        world_start(w);
        world_sync(w);
        assert_false(is_ready(w, ours));
        assert_false(is_ready(w, theirs));
    }
    run_and_never_see_ready(w, 30000, ours, theirs);
    assert_true(world_is_steady(w));
    assert_int_equal(running_count(w), 2);
    assert_int_equal(ever_started_count(w), 3);
    assert_int_equal(w->containers[1].state, CONTAINER_GONE);
    assert_int_equal(w->containers[foreign].state, CONTAINER_RUNNING);
    w->containers[foreign].state = CONTAINER_GONE;
    world_restart_control(w);
    assert_true(has_stored_drain(w));
    world_run(w, DRAIN_BOOK_ABSENT_MS + 1000);
    assert_false(has_stored_drain(w));
}

static void an_acknowledged_drain_survives_control_killed_at_any_moment(void **state)
{
    (void)state;
    for (int64_t kill_at_ms = 0; kill_at_ms < 4000; kill_at_ms += 50) {
        world_fini(&world);
        world_init(&world);
        drain_and_kill_at(&world, kill_at_ms);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_patch_survives_a_restart_and_an_edit_beats_it),
        TEST(a_service_that_was_removed_begins_anew),
        TEST(a_service_that_was_removed_while_control_was_down_is_drained),
        TEST(control_killed_at_any_moment_leaves_no_orphan_and_no_duplicate),
        TEST(an_acknowledged_drain_survives_control_killed_at_any_moment),
        TEST(control_killed_again_and_again_during_a_deployment_finishes_it),
        TEST(a_scaled_service_killed_in_a_deployment_wants_no_more_than_before),
        TEST(running_tasks_say_what_is_desired_only_where_nothing_is_stored),
    };
    return cmocka_run_group_tests_name("restart simulation", tests, NULL, NULL);
}
