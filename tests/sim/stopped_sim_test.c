/* What the controller keeps of the tasks that have ended, in every way that they can. */
#include "tests/sim/controller_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controller/stopped_book.h"

static struct {
    size_t count;
    struct stopped_task newest; /* its output is not ours */
    char reason[STOPPED_REASON_SIZE];
} seen;

static void on_task(void *owner, const struct stopped_task *task)
{
    (void)owner;
    if (seen.count++ > 0)
        return;
    seen.newest = *task;
    stopped_task_explain(task, seen.reason);
}

static size_t look(struct world *w, const char *service)
{
    seen.count = 0;
    stopped_book_each(controller_stopped_tasks(w->controller), service, on_task, NULL);
    return seen.count;
}

static uint64_t noted_count(const struct world *w)
{
    struct stopped_book_status status;
    stopped_book_status(controller_stopped_tasks(w->controller), &status);
    return status.noted_count;
}

static uint64_t gone_count(const struct world *w)
{
    uint64_t count = 0;
    for (size_t i = 0; i < w->container_count; i++)
        count += w->containers[i].state == CONTAINER_GONE;
    return count;
}

static bool has_stopped_one(struct world *w)
{
    return look(w, "web") > 0;
}

static bool is_gone(struct world *w)
{
    struct service_status status;
    return !controller_find_service(w->controller, "web", &status);
}

static struct world_container *begin_with_one(struct world *w)
{
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    return &w->containers[0];
}

static void one_that_crashed_is_kept_with_all_that_is_known(void **state)
{
    (void)state;
    struct world *w = &world;
    struct world_container *c = begin_with_one(w);
    c->exit_code = 3;
    c->dies_at_ms = w->now_ms + 20000;
    assert_true(world_run_until(w, has_stopped_one, 60000));
    assert_string_equal(seen.newest.id, c->id);
    assert_string_equal(seen.newest.service, "web");
    assert_string_equal(seen.newest.words.name, c->name);
    assert_int_equal(seen.newest.cause.code, STOP_EXITED);
    assert_string_equal(seen.reason, "it ended by itself with exit code 3");
    assert_string_equal(seen.newest.words.output, "bye");
    world_run(w, 30000);
    assert_int_equal(look(w, "web"), 1); /* once, and not again when the registry has lost it */
}

static void of_many_that_go_at_once_each_is_noted_and_the_last_are_kept(void **state)
{
    (void)state;
    struct world *w = &world;
    struct error error;
    w->service.desired_count = 40;
    begin_with_one(w);
    const struct service_patch patch = { .desired_count = 0, .min = -1, .max = -1 };
    assert_int_equal(controller_patch_service(w->controller, "web", &patch, &error), CONTROLLER_OK);
    assert_true(world_run_until(w, world_is_steady, 120000));
    assert_int_equal(look(w, "web"), STOPPED_BOOK_OF_SERVICE);
    assert_int_equal(noted_count(w), 40);
    assert_int_equal(gone_count(w), 40);
    assert_int_equal(seen.newest.cause.code, STOP_SCHEDULER);
    assert_string_equal(seen.reason, "more tasks than the 0 desired");
}

static void an_operators_drain_is_why_also_after_a_restart(void **state)
{
    (void)state;
    struct world *w = &world;
    struct error error;
    struct world_container *c = begin_with_one(w);
    c->is_stuck = true;
    c->queue = 1;
    assert_int_equal(controller_drain_task(w->controller, c->id, &error), CONTROLLER_OK);
    world_run(w, 1000);
    world_restart_control(w);
    assert_true(world_run_until(w, has_stopped_one, 60000));
    assert_string_equal(seen.newest.id, c->id);
    assert_int_equal(seen.newest.cause.code, STOP_USER);
    assert_string_equal(seen.reason, "taken out of rotation by order of an operator");
}

static bool has_exited(struct world *w)
{
    return w->containers[0].state == CONTAINER_EXITED;
}

static void one_that_ended_before_a_restart_is_read_by_the_next_process(void **state)
{
    (void)state;
    struct world *w = &world;
    struct world_container *c = begin_with_one(w);
    c->exit_code = 9;
    c->dies_at_ms = w->now_ms + 20000;
    assert_true(world_run_until(w, has_exited, 60000));
    world_restart_control(w); /* between its end and its removal */
    assert_true(world_run_until(w, has_stopped_one, 60000));
    assert_string_equal(seen.newest.id, c->id);
    assert_int_equal(seen.newest.cause.code, STOP_UNKNOWN);
    assert_string_equal(seen.reason, "it had ended before control looked at it");
    assert_int_equal(seen.newest.words.exit_code, 9);
    assert_string_equal(seen.newest.words.output, "bye");
}

static void tasks_of_a_service_that_left_the_configuration_are_kept(void **state)
{
    (void)state;
    struct world *w = &world;
    struct world_container *c = begin_with_one(w);
    const struct config without = { .cluster = (char *)"test" };
    controller_apply_config(w->controller, &without);
    assert_true(world_run_until(w, is_gone, 60000));
    assert_int_equal(look(w, "web"), 1);
    assert_string_equal(seen.newest.id, c->id);
    assert_string_equal(seen.newest.words.output, "bye");
    assert_int_equal(seen.newest.cause.code, STOP_SCHEDULER);
}

static void a_start_that_came_to_nothing_is_kept_with_its_reason(void **state)
{
    (void)state;
    struct world *w = &world;
    w->is_image_missing = true;
    world_begin(w);
    assert_true(world_run_until(w, has_stopped_one, 60000));
    assert_string_equal(seen.newest.id, "fake/web/next"); /* it did not come to a creation */
    assert_string_equal(seen.reason, "inspect image web:2: 404: No such image: web:2");
    w->is_image_missing = false;
    assert_true(world_run_until(w, world_is_steady, 120000));
    w->is_image_missing = true; /* from now on creations fail */
    w->containers[w->container_count - 1].dies_at_ms = w->now_ms;
    world_run(w, 60000);
    look(w, "web");
    assert_int_equal(seen.newest.cause.code, STOP_FAILED_TO_START);
    assert_int_equal(seen.newest.words.exit_code, -1);
    assert_memory_equal(seen.newest.id, "fake/web/portico-test-web-", 26);
    assert_string_equal(seen.reason, "create: 404: No such image: web:2");
    assert_int_equal(seen.count, STOPPED_BOOK_STARTS_OF_SERVICE + 1); /* and the one that ran */
}

static void one_that_somebody_else_removed_is_kept_without_its_output(void **state)
{
    (void)state;
    struct world *w = &world;
    struct world_container *c = begin_with_one(w);
    c->state = CONTAINER_GONE;
    task_registry_remove(w->registry, c->id);
    assert_true(world_run_until(w, has_stopped_one, 60000));
    assert_string_equal(seen.newest.id, c->id);
    assert_string_equal(seen.newest.words.name, c->name);
    assert_int_equal(seen.newest.cause.code, STOP_UNKNOWN);
    assert_string_equal(seen.reason, "it disappeared, removed by somebody else");
    assert_null(seen.newest.words.output);
    assert_true(seen.newest.words.output_problem[0] != '\0');
}

static void in_any_trouble_what_ran_and_is_gone_was_noted_once(void **state)
{
    (void)state;
    struct world *w = &world;
    w->service.desired_count = 5;
    w->lifetime_ms = 15000;
    w->trouble_percent = 30;
    world_begin(w);
    world_run(w, 600000);
    uint64_t ran_count = 0, made_count = 0;
    for (size_t i = 0; i < w->container_count; i++) {
        const struct world_container *c = &w->containers[i];
        made_count++;
        ran_count += c->state == CONTAINER_GONE && c->was_routable;
    }
    assert_true(ran_count > 50 && made_count < WORLD_CONTAINERS_MAX); /* no place was used twice */
    assert_true(noted_count(w) >= ran_count);
    assert_true(noted_count(w) <= w->create_calls);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_crashed_is_kept_with_all_that_is_known),
        TEST(of_many_that_go_at_once_each_is_noted_and_the_last_are_kept),
        TEST(an_operators_drain_is_why_also_after_a_restart),
        TEST(one_that_ended_before_a_restart_is_read_by_the_next_process),
        TEST(tasks_of_a_service_that_left_the_configuration_are_kept),
        TEST(a_start_that_came_to_nothing_is_kept_with_its_reason),
        TEST(one_that_somebody_else_removed_is_kept_without_its_output),
        TEST(in_any_trouble_what_ran_and_is_gone_was_noted_once),
    };
    return cmocka_run_group_tests_name("stopped_sim", tests, NULL, NULL);
}
