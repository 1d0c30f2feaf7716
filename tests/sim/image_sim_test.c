/* All tasks of a revision run one image, whatever becomes of its name meanwhile. */
#include "tests/sim/controller_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "discovery/revision.h"

#define DIGIT_AT 10 /* of an id of the world, behind "sha256:": all are alike */

static int64_t running_of(const struct world *w, char digit)
{
    int64_t count = 0;
    for (size_t i = 0; i < w->container_count; i++)
        count += w->containers[i].is_managed && w->containers[i].state == CONTAINER_RUNNING &&
                 w->containers[i].image_id[DIGIT_AT] == digit;
    return count;
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

static void settle(struct world *w, int64_t desired_count)
{
    w->service.desired_count = desired_count;
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
}

/* So that what is not done for a minute is not done. */
static void run_on(struct world *w)
{
    world_run(w, 60000);
    assert_true(world_is_steady(w));
}

static void a_tag_that_moves_changes_nothing_before_the_configuration_is_read_again(void **state)
{
    (void)state;
    struct world *w = &world;
    settle(w, 2);
    world_move_image(w, 'b');
    want(w, 4);
    run_on(w);
    assert_int_equal(running_of(w, 'a'), 4);
    assert_int_equal(w->resolve_calls, 1);
}

static void a_tag_that_moved_is_rolled_when_the_configuration_is_read_again(void **state)
{
    (void)state;
    struct world *w = &world;
    settle(w, 3);
    world_move_image(w, 'b');
    read_configuration_again(w);
    assert_false(world_is_steady(w)); /* not before it is known */
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(running_of(w, 'b'), 3);
    assert_int_equal(running_of(w, 'a'), 0);
    assert_true(world_has_event(w, "image web:1 moved from sha256:aaaaaaaaaaaa to sha256:bbbbbbbbbbbb, rolling"));
    assert_true(world_has_event(w, "deployment begins: 3 tasks to replace"));
    assert_string_equal(world_status(w).image_id, w->image_id);
}

static void reading_the_configuration_again_rolls_nothing_when_the_tag_stands_still(void **state)
{
    (void)state;
    struct world *w = &world;
    settle(w, 3);
    read_configuration_again(w);
    run_on(w);
    assert_int_equal(w->create_calls, 3);
    assert_false(world_has_event(w, "moved"));
}

static void a_restart_alone_rolls_nothing(void **state)
{
    (void)state;
    struct world *w = &world;
    settle(w, 2);
    world_move_image(w, 'b');
    world_restart_control(w);
    run_on(w);
    want(w, 3);
    run_on(w);
    assert_int_equal(running_of(w, 'a'), 3);
    assert_int_equal(w->create_calls, 3);
}

static bool has_moved(struct world *w)
{
    return world_has_event(w, "rolling");
}

static void a_roll_that_was_announced_goes_on_after_a_kill(void **state)
{
    (void)state;
    struct world *w = &world;
    settle(w, 2);
    world_move_image(w, 'b');
    read_configuration_again(w);
    assert_true(world_run_until(w, has_moved, 60000));
    world_run(w, 250); /* stored with the next turn */
    world_restart_control(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(running_of(w, 'b'), 2);
}

static void killed_at_any_moment_of_a_roll_all_run_one_image_in_the_end(void **state)
{
    (void)state;
    for (int64_t kill_at_ms = 0; kill_at_ms < 4000; kill_at_ms += 50) {
        world_fini(&world);
        world_init(&world);
        struct world *w = &world;
        settle(w, 2);
        world_move_image(w, 'b');
        read_configuration_again(w);
        world_run(w, kill_at_ms);
        world_restart_control(w);
        assert_true(world_run_until(w, world_is_steady, 60000));
        run_on(w);
        assert_true(running_of(w, 'a') == 2 || running_of(w, 'b') == 2);
        assert_int_equal(world_alive_count(w), 2);
    }
}

static void an_engine_that_cannot_say_is_no_reason_to_roll(void **state)
{
    (void)state;
    static const enum runtime_result results[] = { RUNTIME_REFUSED, RUNTIME_FAILED, RUNTIME_UNKNOWN };
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        world_fini(&world);
        world_init(&world);
        struct world *w = &world;
        settle(w, 2);
        world_move_image(w, 'b');
        w->resolve_result = results[i];
        read_configuration_again(w);
        run_on(w);
        assert_int_equal(running_of(w, 'a'), 2);
        assert_true(world_has_event(w, "cannot tell whether image web:1 has moved"));
    }
}

static void an_engine_that_never_could_say_creates_by_the_name(void **state)
{
    (void)state;
    struct world *w = &world;
    w->resolve_result = RUNTIME_REFUSED;
    settle(w, 2);
    assert_int_equal(running_of(w, 'a'), 2);
    assert_true(world_has_event(w, "cannot tell which image web:1 is, tasks are created by its name"));
    world_restart_control(w);
    run_on(w);
    assert_int_equal(w->create_calls, 2);
}

static void the_engine_is_asked_again_when_it_could_not_be_reached(void **state)
{
    (void)state;
    struct world *w = &world;
    settle(w, 2);
    world_move_image(w, 'b');
    world_engine_leave(w, false);
    read_configuration_again(w);
    world_run(w, 30000);
    assert_int_equal(w->resolve_calls, 1); /* not while it is away */
    world_engine_return(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(running_of(w, 'b'), 2);
}

static void an_image_that_is_missing_at_a_reload_is_told_and_changes_nothing(void **state)
{
    (void)state;
    struct world *w = &world;
    settle(w, 2);
    w->is_image_missing = true;
    read_configuration_again(w);
    run_on(w);
    assert_int_equal(running_of(w, 'a'), 2);
    assert_true(world_has_event(w, "image web:1 is missing, tasks are created from sha256:aaaaaaaaaaaa as before"));
    assert_int_equal(world_status(w).start_failure_count, 0);
}

static void a_missing_image_is_a_failed_start_until_somebody_brings_it(void **state)
{
    (void)state;
    struct world *w = &world;
    w->is_image_missing = true;
    world_begin(w);
    world_run(w, 20000);
    assert_true(world_has_event(w, "the image is missing: inspect image web:2: 404"));
    int64_t failures = (int64_t)world_status(w).start_failure_count;
    assert_in_range(failures, 3, 10); /* with back-off */
    assert_int_equal(world_status(w).phase, SERVICE_IMPAIRED);
    w->is_image_missing = false;
    assert_true(world_run_until(w, world_is_steady, 90000));
}

/* Of a version that did not remember, or with a lost store. */
static void adopt(struct world *w, char first, char second)
{
    char definition[TASK_REVISION_SIZE];
    runtime_definition_of(&w->service, definition);
    w->service.desired_count = 2;
    for (int i = 0; i < 2; i++) {
        struct world_container *c = &w->containers[world_add_container(w, "web", true, definition)];
        snprintf(c->image_id, sizeof c->image_id, "%s", w->image_id);
        memset(c->image_id + strlen("sha256:"), i == 0 ? first : second, 64);
        revision_make(definition, c->image_id, c->revision); /* as discovery makes it of what the engine says */
    }
    world_begin(w);
    run_on(w);
    assert_int_equal(w->create_calls, 0);
}

static void tasks_of_a_version_that_remembered_nothing_say_which_image_it_is(void **state)
{
    (void)state;
    struct world *w = &world;
    world_move_image(w, 'b');
    adopt(w, 'a', 'a');
    want(w, 3);
    run_on(w);
    assert_int_equal(running_of(w, 'a'), 3);
    read_configuration_again(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(running_of(w, 'b'), 3);
}

static void tasks_that_were_mixed_stay_until_the_configuration_is_read_again(void **state)
{
    (void)state;
    struct world *w = &world;
    world_move_image(w, 'b');
    adopt(w, 'a', 'b');
    assert_true(world_has_event(w, "its tasks run different images of the name web:1"));
    read_configuration_again(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    assert_int_equal(running_of(w, 'b'), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tag_that_moves_changes_nothing_before_the_configuration_is_read_again),
        TEST(a_tag_that_moved_is_rolled_when_the_configuration_is_read_again),
        TEST(reading_the_configuration_again_rolls_nothing_when_the_tag_stands_still),
        TEST(a_restart_alone_rolls_nothing),
        TEST(a_roll_that_was_announced_goes_on_after_a_kill),
        TEST(killed_at_any_moment_of_a_roll_all_run_one_image_in_the_end),
        TEST(an_engine_that_cannot_say_is_no_reason_to_roll),
        TEST(an_engine_that_never_could_say_creates_by_the_name),
        TEST(the_engine_is_asked_again_when_it_could_not_be_reached),
        TEST(an_image_that_is_missing_at_a_reload_is_told_and_changes_nothing),
        TEST(a_missing_image_is_a_failed_start_until_somebody_brings_it),
        TEST(tasks_of_a_version_that_remembered_nothing_say_which_image_it_is),
        TEST(tasks_that_were_mixed_stay_until_the_configuration_is_read_again),
    };
    return cmocka_run_group_tests_name("image simulation", tests, NULL, NULL);
}
