/* The autoscaler over hours of load: fast out, slow in, no flapping. */
#include "tests/sim/controller_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <string.h>

#include <cmocka.h>

static bool has_one_routable(struct world *w)
{
    return world_routable_count(w) == 1;
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
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 5000));
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
    assert_true(world_run_until(w, world_is_steady, 10000));
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
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
    world_run(w, 6 * 3600 * 1000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    struct service_status after = world_status(w);
    assert_int_equal(after.scale_out_count, before.scale_out_count);
    assert_int_equal(after.scale_in_count, before.scale_in_count);
    assert_int_equal(after.desired_count, before.desired_count);
    assert_int_equal(w->traffic.no_endpoint, 0);
    double seconds = (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
    print_message("six hours took %.2f s of CPU time\n", seconds);
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

static void scale_from_zero_starts_on_the_first_request(void **state)
{
    (void)state;
    struct world *w = &world;
    world_scale_by_rate(w, 60, 0, 5);
    world_begin(w);
    world_run(w, 30000);
    assert_int_equal(w->create_calls, 0);
    w->rate = 2;
    assert_true(world_run_until(w, has_one_routable, 5000));
    w->rate = 0;
    world_run(w, 60000);
    assert_int_equal(world_alive_count(w), 0);
}

static void a_request_wakes_a_service_at_zero_with_every_policy(void **state)
{
    (void)state;
    struct world *w = &world;
    for (int policy = 0; policy < 3; policy++) {
        world_fini(w);
        world_init(w);
        world_scale_by_rate(w, policy == 0 ? 60 : 0, 0, 2);
        w->service.scaling.in_flight_per_task = policy == 1 ? 2 : 0;
        w->service.scaling.latency_p99_ms = policy == 2 ? 100 : 0;
        world_begin(w);
        world_run(w, 30000);
        assert_int_equal(w->create_calls, 0);
        w->rate = 20; /* for one step: a single request */
        world_step(w);
        w->rate = 0;
        assert_true(world_run_until(w, has_one_routable, 5000));
        world_run(w, 60000);
        assert_int_equal(world_alive_count(w), 0);
    }
}

static void an_open_tunnel_holds_its_task(void **state)
{
    (void)state;
    struct world *w = &world;
    world_scale_by_rate(w, 60, 0, 5);
    w->rate = 150;
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    world_run(w, 10000);
    struct world_container *held = NULL;
    for (size_t i = 0; i < w->container_count; i++)
        if (w->containers[i].state == CONTAINER_RUNNING)
            held = &w->containers[i];
    held->tunnels = 1;
    w->rate = 0;
    world_run(w, 1000);
    for (size_t i = 0; i < w->container_count; i++)
        w->containers[i].queue = 0; /* the fluid model leaves parts of a request */
    world_run(w, 300000);
    assert_int_equal(world_desired(w), 1);
    assert_int_equal(held->state, CONTAINER_RUNNING);
    assert_true(held->drain_seen_at_ms < 0);
    held->tunnels = 0;
    world_run(w, 60000);
    assert_int_equal(world_alive_count(w), 0);
}

static void a_p99_over_its_target_is_judged_anew_only_when_the_new_tasks_serve(void **state)
{
    (void)state;
    struct world *w = &world;
    world_scale_by_rate(w, 0, 4, 16);
    w->service.scaling.latency_p99_ms = 100;
    w->capacity = 50;
    w->create_ms = 1000;
    w->start_ms = 900; /* they arrive just before the settle time of the decision is over */
    w->rate = 150;
    world_begin(w);
    assert_true(world_run_until(w, world_is_steady, 60000));
    world_run(w, 20000);
    w->rate = 260;
    world_run(w, 60000);
    assert_in_range(world_status(w).scale_out_count, 1, 2);
    assert_true(world_desired(w) <= 8);
}

/* Two minutes to find the size, then three hours in which next to nothing may move. */
static void check_stays(struct world *w)
{
    w->step_ms = 250;
    w->noise = 0.1;
    w->capacity = 65;
    w->rate = 20;
    world_begin(w);
    world_run(w, 10000);
    w->rate = 182;
    world_run(w, 120000);
    struct service_status before = world_status(w);
    assert_true(before.healthy_count >= 3);
    world_run(w, 3 * 3600 * 1000);
    struct service_status after = world_status(w);
    assert_int_equal(after.scale_out_count, before.scale_out_count);
    assert_true(after.scale_in_count - before.scale_in_count <= 2);
    assert_true(after.healthy_count >= 3);
}

static void in_flight_finds_a_size_and_stays(void **state)
{
    (void)state;
    world_scale_by_rate(&world, 0, 1, 10);
    world.service.scaling.in_flight_per_task = 2;
    check_stays(&world);
}

static void latency_finds_a_size_and_stays(void **state)
{
    (void)state;
    world_scale_by_rate(&world, 0, 1, 10);
    world.service.scaling.latency_p99_ms = 100;
    check_stays(&world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_load_step_scales_out_within_two_seconds_and_back_in_slowly),
        TEST(the_decision_says_what_it_saw),
        TEST(six_hours_of_steady_noisy_load_change_nothing),
        TEST(a_day_of_changing_load_is_followed_without_flapping),
        TEST(stale_or_missing_numbers_hold_the_size),
        TEST(scale_from_zero_starts_on_the_first_request),
        TEST(a_request_wakes_a_service_at_zero_with_every_policy),
        TEST(an_open_tunnel_holds_its_task),
        TEST(a_p99_over_its_target_is_judged_anew_only_when_the_new_tasks_serve),
        TEST(in_flight_finds_a_size_and_stays),
        TEST(latency_finds_a_size_and_stays),
    };
    return cmocka_run_group_tests_name("scaling simulation", tests, NULL, NULL);
}
