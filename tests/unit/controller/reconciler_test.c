#include "controller/reconciler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000
#define TASKS_MAX 80

static struct task tasks[TASKS_MAX];
static struct observed_task seen[TASKS_MAX];
static size_t seen_count;
static struct plan plan;
static struct desired_service desired;

static int set_up(void **state)
{
    (void)state;
    memset(tasks, 0, sizeof tasks);
    memset(seen, 0, sizeof seen);
    seen_count = 0;
    desired = (struct desired_service){
        .count = 2,
        .revision = "new",
        .may_create = true,
        .create_budget = 32,
        .start_grace_ms = 60000,
        .deregistration_delay_ms = 30000,
    };
    return 0;
}

static struct observed_task *see(enum task_state task_state, bool is_healthy)
{
    struct task *t = &tasks[seen_count];
    struct observed_task *o = &seen[seen_count++];
    snprintf(t->spec.id, sizeof t->spec.id, "task-%02zu", seen_count);
    snprintf(t->spec.revision, sizeof t->spec.revision, "new");
    t->spec.managed = true;
    t->spec.state = task_state;
    t->first_seen_at_ms = NOW - 1000;
    o->task = t;
    o->is_healthy = o->was_healthy = is_healthy;
    return o;
}

static struct task *task_of(const struct observed_task *o)
{
    return &tasks[o - seen];
}

static struct observed_task *see_draining(void)
{
    struct observed_task *o = see(TASK_RUNNING, true);
    task_of(o)->admin = TASK_ADMIN_DRAINING;
    o->ending_since_ms = NOW - 1000;
    return o;
}

static void make_plan(void)
{
    reconciler_plan(&desired, seen, seen_count, NOW, &plan);
    for (size_t i = 0; i < plan.action_count; i++)
        assert_true(strlen(plan.actions[i].reason) > 0);
}

static size_t count_of(enum action_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < plan.action_count; i++)
        count += plan.actions[i].kind == kind;
    return count;
}

static bool has(enum action_kind kind, const struct observed_task *o)
{
    for (size_t i = 0; i < plan.action_count; i++)
        if (plan.actions[i].kind == kind && strcmp(plan.actions[i].task_id, o->task->spec.id) == 0)
            return true;
    return false;
}

static void missing_tasks_are_created_and_pending_ones_count(void **state)
{
    (void)state;
    make_plan();
    assert_int_equal(count_of(ACTION_CREATE), 2);
    see(TASK_PENDING, false)->is_starting = true;
    make_plan();
    assert_int_equal(count_of(ACTION_CREATE), 1);
    desired.creating_count = 1;
    make_plan();
    assert_int_equal(plan.action_count, 0);
}

static void creations_are_bounded(void **state)
{
    (void)state;
    desired.count = 1000;
    make_plan();
    assert_int_equal(count_of(ACTION_CREATE), RECONCILER_CREATES_MAX);
    desired.create_budget = 3;
    make_plan();
    assert_int_equal(count_of(ACTION_CREATE), 3);
    desired.creating_count = RECONCILER_CREATES_MAX;
    make_plan();
    assert_int_equal(count_of(ACTION_CREATE), 0);
    desired.creating_count = 0;
    desired.create_budget = -5;
    make_plan();
    assert_int_equal(count_of(ACTION_CREATE), 0);
}

static void a_failed_start_is_tried_one_at_a_time_and_not_before_its_time(void **state)
{
    (void)state;
    desired.failure_count = 3;
    desired.next_start_at_ms = NOW + 1;
    make_plan();
    assert_int_equal(plan.action_count, 0);
    desired.next_start_at_ms = NOW;
    make_plan();
    assert_int_equal(count_of(ACTION_CREATE), 1);
}

static void an_image_that_names_a_longer_start_period_gets_it(void **state)
{
    (void)state;
    desired.count = 1;
    struct observed_task *t = see(TASK_RUNNING, false);
    task_of(t)->first_seen_at_ms = NOW - desired.start_grace_ms;
    task_of(t)->spec.start_period_ms = desired.start_grace_ms + 1;
    reconciler_plan(&desired, seen, seen_count, NOW, &plan);
    assert_int_equal(plan.action_count, 0);
    reconciler_plan(&desired, seen, seen_count, NOW + 1, &plan);
    assert_int_equal(plan.action_count, 1);
    assert_int_equal(plan.actions[0].kind, ACTION_START_DRAIN);
    assert_true(plan.actions[0].is_start_failure);
}

static void backoff_doubles_up_to_a_minute(void **state)
{
    (void)state;
    assert_int_equal(reconciler_backoff_ms(0), 0);
    assert_int_equal(reconciler_backoff_ms(1), 100);
    assert_int_equal(reconciler_backoff_ms(2), 200);
    assert_int_equal(reconciler_backoff_ms(10), 51200);
    assert_int_equal(reconciler_backoff_ms(11), 60000);
    assert_int_equal(reconciler_backoff_ms(INT64_MAX), 60000);
}

static void what_is_not_ours_is_passed_over(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        task_of(see(TASK_RUNNING, true))->spec.managed = false;
    task_of(see(TASK_STOPPED, false))->spec.managed = false;
    struct observed_task *drained = see_draining();
    task_of(drained)->spec.managed = false;
    drained->is_out_of_rotation = true;
    make_plan();
    assert_int_equal(plan.action_count, 2);
    assert_int_equal(count_of(ACTION_CREATE), 2); /* nor do they count */
    desired.count = 0;
    make_plan();
    assert_int_equal(plan.action_count, 0);
}

static void the_least_busy_leaves_then_the_youngest(void **state)
{
    (void)state;
    struct observed_task *a = see(TASK_RUNNING, true), *b = see(TASK_RUNNING, true), *c = see(TASK_RUNNING, true);
    a->in_flight = 5;
    b->in_flight = 1;
    c->in_flight = 1;
    task_of(b)->spec.started_at_wall_us = 100;
    task_of(c)->spec.started_at_wall_us = 200;
    make_plan();
    assert_int_equal(plan.action_count, 1);
    assert_true(has(ACTION_START_DRAIN, c));
    desired.count = 1;
    make_plan();
    assert_true(has(ACTION_START_DRAIN, b) && has(ACTION_START_DRAIN, c));
}

static void one_that_serves_nobody_leaves_before_one_that_does(void **state)
{
    (void)state;
    see(TASK_RUNNING, true);
    see(TASK_RUNNING, true);
    struct observed_task *sick = see(TASK_RUNNING, false);
    sick->in_flight = 50;
    make_plan();
    assert_true(has(ACTION_START_DRAIN, sick));
}

static void draining_tasks_do_not_count(void **state)
{
    (void)state;
    see_draining();
    see_draining();
    see(TASK_STOPPING, false)->ending_since_ms = NOW - 10;
    make_plan();
    assert_int_equal(count_of(ACTION_CREATE), 2);
}

static void a_stop_waits_for_rotation_and_requests(void **state)
{
    (void)state;
    desired.count = 0;
    struct observed_task *t = see_draining();
    make_plan();
    assert_int_equal(plan.action_count, 0);
    t->is_out_of_rotation = true;
    t->in_flight = 1;
    make_plan();
    assert_int_equal(plan.action_count, 0);
    t->in_flight = UINT64_MAX;
    make_plan();
    assert_int_equal(plan.action_count, 0);
    t->in_flight = 0;
    make_plan();
    assert_true(has(ACTION_STOP, t));
    t->is_out_of_rotation = false;
    make_plan();
    assert_int_equal(plan.action_count, 0);
}

static void the_deregistration_delay_ends_the_wait(void **state)
{
    (void)state;
    desired.count = 0;
    struct observed_task *t = see_draining();
    t->in_flight = 7;
    t->ending_since_ms = NOW - 29999;
    make_plan();
    assert_int_equal(plan.action_count, 0);
    t->ending_since_ms = NOW - 30000;
    make_plan();
    assert_true(has(ACTION_STOP, t));
    assert_non_null(strstr(plan.actions[0].reason, "7 requests in flight"));
}

static void open_tunnels_have_a_longer_delay_of_their_own(void **state)
{
    (void)state;
    desired.count = 0;
    desired.tunnel_deregistration_delay_ms = 600000;
    struct observed_task *t = see_draining();
    t->is_out_of_rotation = true;
    t->in_flight = 3;
    t->tunnels = 2;
    t->ending_since_ms = NOW - 599999;
    make_plan();
    assert_int_equal(plan.action_count, 0);
    t->ending_since_ms--;
    make_plan();
    assert_true(has(ACTION_STOP, t));
    assert_non_null(strstr(plan.actions[0].reason, "3 requests in flight, 2 of them tunnels"));
    t->ending_since_ms = NOW - 30000;
    t->tunnels = 0; /* the last one was closed, a slow request is left */
    make_plan();
    assert_true(has(ACTION_STOP, t));
    t->tunnels = 2;
    desired.tunnel_deregistration_delay_ms = 0; /* never shorter than that of requests */
    t->ending_since_ms = NOW - 29999;
    make_plan();
    assert_int_equal(plan.action_count, 0);
}

static void a_busy_task_is_left_alone(void **state)
{
    (void)state;
    desired.count = 0;
    struct observed_task *stopping = see_draining(), *stopped = see(TASK_STOPPED, false),
                         *starting = see(TASK_PENDING, false);
    stopping->is_out_of_rotation = true;
    stopping->is_busy = stopped->is_busy = starting->is_busy = true;
    make_plan();
    assert_int_equal(plan.action_count, 0);
}

static void dead_tasks_are_removed_and_replaced(void **state)
{
    (void)state;
    struct observed_task *dead = see(TASK_STOPPED, false);
    task_of(dead)->spec.exit_code = 137;
    make_plan();
    assert_true(has(ACTION_REMOVE, dead));
    assert_non_null(strstr(plan.actions[0].reason, "137"));
    assert_int_equal(count_of(ACTION_CREATE), 2);
}

static void a_task_that_worked_and_stopped_is_left_for_a_restart_but_replaced_at_once(void **state)
{
    (void)state;
    struct observed_task *dead = see(TASK_STOPPED, false);
    dead->was_healthy = true;
    dead->stopped_since_ms = NOW - RECONCILER_RESTART_GRACE_MS + 1;
    make_plan();
    assert_false(has(ACTION_REMOVE, dead));
    assert_int_equal(count_of(ACTION_CREATE), 2);
    dead->stopped_since_ms--;
    make_plan();
    assert_true(has(ACTION_REMOVE, dead));
}

static void what_an_earlier_run_left_half_made_is_removed(void **state)
{
    (void)state;
    struct observed_task *t = see(TASK_PENDING, false);
    make_plan();
    assert_false(has(ACTION_REMOVE, t)); /* too young to be sure */
    task_of(t)->first_seen_at_ms = NOW - RECONCILER_ORPHAN_MS;
    make_plan();
    assert_true(has(ACTION_REMOVE, t));
    t->is_starting = true;
    make_plan();
    assert_false(has(ACTION_REMOVE, t));
}

static void a_stop_signal_that_did_nothing_is_repeated(void **state)
{
    (void)state;
    struct observed_task *t = see(TASK_STOPPING, false);
    t->ending_since_ms = NOW - RECONCILER_STUCK_MS + 1;
    make_plan();
    assert_false(has(ACTION_STOP, t));
    t->ending_since_ms--;
    make_plan();
    assert_true(has(ACTION_STOP, t));
}

static struct observed_task *see_old(void)
{
    struct observed_task *o = see(TASK_RUNNING, true);
    snprintf(task_of(o)->spec.revision, TASK_REVISION_SIZE, "old");
    return o;
}

static void a_new_revision_rolls_one_at_a_time(void **state)
{
    (void)state;
    see_old();
    see_old();
    make_plan();
    assert_int_equal(plan.action_count, 1);
    assert_int_equal(count_of(ACTION_CREATE), 1);
    assert_int_equal(plan.replace_count, 2);
    struct observed_task *fresh = see(TASK_RUNNING, false);
    make_plan();
    assert_int_equal(plan.action_count, 0); /* waits until it is healthy */
    fresh->is_healthy = true;
    make_plan();
    assert_int_equal(plan.action_count, 1);
    assert_int_equal(count_of(ACTION_START_DRAIN), 1);
    assert_false(has(ACTION_START_DRAIN, fresh));
}

static void a_rolling_replacement_fills_a_gap_first(void **state)
{
    (void)state;
    desired.count = 3;
    see_old();
    see(TASK_RUNNING, false);
    make_plan();
    assert_int_equal(plan.action_count, 1);
    assert_int_equal(count_of(ACTION_CREATE), 1); /* up to three, and no surge while one is unproven */
}

static void a_scale_in_during_a_replacement_keeps_the_healthy(void **state)
{
    (void)state;
    desired.count = 2;
    struct observed_task *old[2] = { see_old(), see_old() };
    for (int i = 0; i < 4; i++)
        see(TASK_RUNNING, false);
    make_plan();
    assert_int_equal(count_of(ACTION_START_DRAIN), 3); /* 6 active, 2 desired and one replacement */
    assert_false(has(ACTION_START_DRAIN, old[0]) || has(ACTION_START_DRAIN, old[1]));
}

static void a_task_that_is_down_for_long_is_replaced_after_its_successor_is_up(void **state)
{
    (void)state;
    see(TASK_RUNNING, true);
    struct observed_task *down = see(TASK_RUNNING, true);
    down->is_healthy = false;
    down->unhealthy_since_ms = NOW - RECONCILER_DOWN_REPLACE_MS + 1;
    make_plan();
    assert_int_equal(plan.action_count, 0);
    down->unhealthy_since_ms--;
    make_plan();
    assert_int_equal(count_of(ACTION_CREATE), 1);
    see(TASK_RUNNING, true);
    make_plan();
    assert_true(has(ACTION_START_DRAIN, down));
}

static void tasks_that_never_become_healthy_are_given_up_one_by_one(void **state)
{
    (void)state;
    struct observed_task *a = see(TASK_RUNNING, false), *b = see(TASK_RUNNING, false);
    task_of(a)->first_seen_at_ms = task_of(b)->first_seen_at_ms = NOW - 60000;
    make_plan();
    assert_int_equal(plan.action_count, 1);
    assert_true(has(ACTION_START_DRAIN, a));
    assert_true(plan.actions[0].is_start_failure);
    task_of(a)->admin = TASK_ADMIN_DRAINING;
    a->ending_since_ms = NOW;
    desired.create_budget = 0;
    make_plan();
    assert_int_equal(plan.action_count, 0);
    task_of(a)->admin = TASK_ADMIN_READY;
    desired.failure_count = 2; /* a slow starter gets more time after each try */
    make_plan();
    assert_int_equal(plan.action_count, 0);
}

static void nothing_desired_drains_all_of_ours(void **state)
{
    (void)state;
    desired = (struct desired_service){ .revision = "", .deregistration_delay_ms = 30000 };
    for (int i = 0; i < 3; i++)
        see(TASK_RUNNING, true);
    make_plan();
    assert_int_equal(count_of(ACTION_START_DRAIN), 3);
    assert_int_equal(plan.action_count, 3);
}

static void a_plan_that_is_full_stops_there(void **state)
{
    (void)state;
    desired.count = 0;
    for (int i = 0; i < TASKS_MAX; i++)
        see(i % 2 ? TASK_STOPPED : TASK_RUNNING, i % 2 == 0);
    make_plan();
    assert_int_equal(plan.action_count, PLAN_ACTIONS_MAX);
}

static void see_starting(void)
{
    struct observed_task *o = see(TASK_PENDING, false);
    o->is_starting = o->is_busy = true;
}

static void a_changed_mind_gives_up_what_serves_nobody(void **state)
{
    (void)state;
    struct observed_task *healthy[2] = { see(TASK_RUNNING, true), see(TASK_RUNNING, true) };
    struct observed_task *young = see(TASK_RUNNING, false), *sick = see(TASK_RUNNING, false);
    sick->was_healthy = true;
    sick->unhealthy_since_ms = NOW;
    see_starting();
    desired.creating_count = 3;
    desired.count = 8; /* and then: */
    desired.count = 2;
    make_plan();
    assert_int_equal(count_of(ACTION_CANCEL), 4);
    assert_true(has(ACTION_START_DRAIN, young) && has(ACTION_START_DRAIN, sick));
    assert_false(has(ACTION_START_DRAIN, healthy[0]) || has(ACTION_START_DRAIN, healthy[1]));
    assert_int_equal(plan.action_count, 6);
}

static void who_goes_first_follows_the_order_of_standing(void **state)
{
    (void)state;
    see(TASK_RUNNING, true);
    struct observed_task *sick = see(TASK_RUNNING, false), *young = see(TASK_RUNNING, false),
                         *failed = see(TASK_RUNNING, false);
    sick->was_healthy = true;
    sick->unhealthy_since_ms = NOW;
    snprintf(task_of(failed)->spec.problem, TASK_PROBLEM_SIZE, "no address");
    see_starting();
    const struct observed_task *order[] = { failed, &seen[4], young, sick };
    for (size_t i = 0; i < 4; i++) {
        desired.count = 4 - (int64_t)i;
        make_plan();
        assert_int_equal(plan.action_count, i + 1);
        for (size_t j = 0; j <= i; j++)
            assert_string_equal(plan.actions[j].task_id, order[j]->task->spec.id);
    }
}

static void the_last_healthy_task_stays_whatever_its_revision(void **state)
{
    (void)state;
    desired.count = 1;
    see_old();
    struct observed_task *second = see(TASK_PENDING, false); /* a start of a revision that is outdated by now */
    snprintf(task_of(second)->spec.revision, TASK_REVISION_SIZE, "middle");
    second->is_starting = second->is_busy = true;
    make_plan();
    assert_true(has(ACTION_CANCEL, second));
    assert_int_equal(count_of(ACTION_START_DRAIN), 0);
    assert_int_equal(count_of(ACTION_CREATE), 1); /* its place is free at once */
}

static void creations_of_another_revision_are_cancelled(void **state)
{
    (void)state;
    desired.creating_outdated_count = 2;
    make_plan();
    assert_int_equal(count_of(ACTION_CANCEL), 2);
    assert_int_equal(count_of(ACTION_CREATE), 2);
}

static void healthy_surplus_of_a_scale_in_goes_and_no_more(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        see(TASK_RUNNING, true);
    make_plan();
    assert_int_equal(count_of(ACTION_START_DRAIN), 3);
}

static void what_was_not_started_is_removed_without_a_stop(void **state)
{
    (void)state;
    see(TASK_RUNNING, true);
    see(TASK_RUNNING, true);
    struct observed_task *t = see(TASK_PENDING, false);
    make_plan();
    assert_int_equal(plan.action_count, 1);
    assert_true(has(ACTION_REMOVE, t));
    task_of(t)->admin = TASK_ADMIN_DRAINING; /* by an operator */
    make_plan();
    assert_int_equal(plan.action_count, 1);
    assert_true(has(ACTION_REMOVE, t));
}

static void what_ran_before_us_is_not_given_up_before_it_was_looked_at(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        see(TASK_RUNNING, false)->is_inherited = true;
    make_plan();
    assert_int_equal(plan.action_count, 0); /* two too many, and any of them may be the last that serves */
    task_of(&seen[0])->probe_health = TASK_HEALTH_DOWN;
    make_plan();
    assert_int_equal(plan.action_count, 1);
    assert_true(has(ACTION_START_DRAIN, &seen[0]));
    seen[1].is_healthy = seen[2].is_healthy = true;
    make_plan();
    assert_int_equal(plan.action_count, 2); /* enough others are known to serve */
    assert_true(has(ACTION_START_DRAIN, &seen[3]));
    desired.revision = "newer"; /* nor for a replacement */
    seen[1].is_healthy = seen[2].is_healthy = false;
    make_plan();
    assert_false(has(ACTION_START_DRAIN, &seen[1]) || has(ACTION_START_DRAIN, &seen[2]));
}

static void an_engine_that_is_away_is_not_tried(void **state)
{
    (void)state;
    see(TASK_STOPPED, false);
    see_draining()->is_out_of_rotation = true;
    for (int i = 0; i < 4; i++)
        see(TASK_RUNNING, true);
    desired.is_unreachable = true;
    make_plan();
    assert_int_equal(plan.action_count, 0);
    desired.is_unreachable = false;
    make_plan();
    assert_int_equal(plan.action_count, 4);
}

static void one_that_cannot_be_used_is_a_start_that_failed(void **state)
{
    (void)state;
    see(TASK_RUNNING, true);
    struct observed_task *t = see(TASK_RUNNING, false);
    snprintf(task_of(t)->spec.problem, TASK_PROBLEM_SIZE, "no address on the network blue");
    task_of(t)->first_seen_at_ms = NOW - RECONCILER_UNUSABLE_MS + 1;
    make_plan();
    assert_int_equal(plan.action_count, 0); /* it holds its place meanwhile */
    task_of(t)->first_seen_at_ms--;
    make_plan();
    assert_true(has(ACTION_START_DRAIN, t));
    assert_true(plan.actions[0].is_start_failure);
    assert_non_null(strstr(plan.actions[0].reason, "no address on the network blue"));
    desired.next_start_at_ms = NOW + 1; /* the back-off of the last one */
    make_plan();
    assert_int_equal(plan.action_count, 0);
}

static void one_that_worked_and_lost_its_address_is_replaced_like_one_that_is_down(void **state)
{
    (void)state;
    see(TASK_RUNNING, true);
    struct observed_task *t = see(TASK_RUNNING, false);
    snprintf(task_of(t)->spec.problem, TASK_PROBLEM_SIZE, "no address");
    t->was_healthy = true;
    t->unhealthy_since_ms = NOW - RECONCILER_DOWN_REPLACE_MS;
    make_plan();
    assert_int_equal(plan.action_count, 1);
    assert_int_equal(count_of(ACTION_CREATE), 1);
    see(TASK_RUNNING, true);
    make_plan();
    assert_true(has(ACTION_START_DRAIN, t));
}

static void the_same_input_gives_the_same_plan(void **state)
{
    (void)state;
    see_old();
    see(TASK_RUNNING, true);
    see_draining()->is_out_of_rotation = true;
    see(TASK_STOPPED, false);
    make_plan();
    struct plan first = plan;
    memset(&plan, 0xff, sizeof plan);
    make_plan();
    assert_int_equal(first.action_count, plan.action_count);
    for (size_t i = 0; i < plan.action_count; i++) {
        assert_int_equal(first.actions[i].kind, plan.actions[i].kind);
        assert_string_equal(first.actions[i].task_id, plan.actions[i].task_id);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_changed_mind_gives_up_what_serves_nobody),
        TEST(who_goes_first_follows_the_order_of_standing),
        TEST(the_last_healthy_task_stays_whatever_its_revision),
        TEST(creations_of_another_revision_are_cancelled),
        TEST(healthy_surplus_of_a_scale_in_goes_and_no_more),
        TEST(what_was_not_started_is_removed_without_a_stop),
        TEST(what_ran_before_us_is_not_given_up_before_it_was_looked_at),
        TEST(an_engine_that_is_away_is_not_tried),
        TEST(one_that_cannot_be_used_is_a_start_that_failed),
        TEST(one_that_worked_and_lost_its_address_is_replaced_like_one_that_is_down),
        TEST(missing_tasks_are_created_and_pending_ones_count),
        TEST(creations_are_bounded),
        TEST(a_failed_start_is_tried_one_at_a_time_and_not_before_its_time),
        TEST(an_image_that_names_a_longer_start_period_gets_it),
        TEST(backoff_doubles_up_to_a_minute),
        TEST(what_is_not_ours_is_passed_over),
        TEST(the_least_busy_leaves_then_the_youngest),
        TEST(one_that_serves_nobody_leaves_before_one_that_does),
        TEST(draining_tasks_do_not_count),
        TEST(open_tunnels_have_a_longer_delay_of_their_own),
        TEST(a_stop_waits_for_rotation_and_requests),
        TEST(the_deregistration_delay_ends_the_wait),
        TEST(a_busy_task_is_left_alone),
        TEST(dead_tasks_are_removed_and_replaced),
        TEST(a_task_that_worked_and_stopped_is_left_for_a_restart_but_replaced_at_once),
        TEST(what_an_earlier_run_left_half_made_is_removed),
        TEST(a_stop_signal_that_did_nothing_is_repeated),
        TEST(a_new_revision_rolls_one_at_a_time),
        TEST(a_rolling_replacement_fills_a_gap_first),
        TEST(a_scale_in_during_a_replacement_keeps_the_healthy),
        TEST(a_task_that_is_down_for_long_is_replaced_after_its_successor_is_up),
        TEST(tasks_that_never_become_healthy_are_given_up_one_by_one),
        TEST(nothing_desired_drains_all_of_ours),
        TEST(a_plan_that_is_full_stops_there),
        TEST(the_same_input_gives_the_same_plan),
    };
    return cmocka_run_group_tests_name("reconciler", tests, NULL, NULL);
}
