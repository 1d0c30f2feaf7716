#include "controller/task_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct task_watch w;
static struct task task;
static struct task_facts facts;
static struct task_loss loss;
static size_t loss_count;
static struct task_departure departure;
static size_t departure_count;

static int set_up(void **state)
{
    (void)state;
    task_watch_init(&w);
    task = (struct task){ .spec = {
                              .id = "id-1", .revision = "r", .address = "a", .managed = true, .state = TASK_RUNNING } };
    facts = (struct task_facts){ 0 };
    loss_count = departure_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    task_watch_fini(&w);
    return 0;
}

static void on_loss(void *owner, const struct task_loss *l)
{
    (void)owner;
    loss = *l;
    loss_count++;
}

static void on_departure(void *owner, const struct task_departure *d)
{
    (void)owner;
    departure = *d;
    departure_count++;
}

static void turn(bool shows_task, int64_t now_ms)
{
    task_watch_begin_turn(&w);
    if (shows_task)
        task_watch_see(&w, &task, &facts, "r", now_ms);
    task_watch_end_turn(&w, now_ms, on_loss, on_departure, NULL);
}

static int64_t occupied(uint64_t in_flight, uint64_t tunnels, uint64_t requests, int64_t now_ms)
{
    facts.in_flight = in_flight;
    facts.tunnels = tunnels;
    facts.requests = requests;
    turn(true, now_ms);
    return w.counts.occupied;
}

static void a_task_with_a_tunnel_or_a_stream_is_occupied(void **state)
{
    (void)state;
    assert_int_equal(occupied(0, 0, 10, 1000), 0);
    assert_int_equal(occupied(1, 1, 11, 2000), 1);
    assert_int_equal(occupied(0, 0, 11, 3000), 0);
    assert_int_equal(occupied(1, 0, 12, 4000), 0); /* a stream, or a slow request: nobody knows yet */
    assert_int_equal(occupied(1, 0, 12, 4000 + TASK_WATCH_STREAM_MS - 1), 0);
    assert_int_equal(occupied(1, 0, 12, 4000 + TASK_WATCH_STREAM_MS), 1);
    assert_int_equal(occupied(7, 0, 13, 4001 + TASK_WATCH_STREAM_MS), 0); /* load */
    assert_int_equal(occupied(UINT64_MAX, 0, 13, 60000), 0);
    task.admin = TASK_ADMIN_DRAINING;
    assert_int_equal(occupied(1, 1, 13, 61000), 0);
}

static void one_that_somebody_had_stopped_says_so(void **state)
{
    (void)state;
    turn(true, 1000);
    task.spec.state = TASK_STOPPED;
    task.spec.is_signalled = true;
    turn(true, 2000);
    assert_int_equal(loss_count, 1);
    assert_true(loss.is_signalled);
}

static void an_end_that_nobody_ordered_is_reported_once(void **state)
{
    (void)state;
    turn(true, 1000);
    task.spec.state = TASK_STOPPED;
    task.spec.exit_code = 3;
    turn(true, 4000);
    turn(true, 5000);
    turn(false, 6000);
    assert_int_equal(loss_count, 1);
    assert_int_equal(loss.exit_code, 3);
    assert_int_equal(loss.lived_ms, 3000);
}

static void a_task_that_vanishes_is_reported_without_exit_code(void **state)
{
    (void)state;
    turn(true, 1000);
    turn(false, 2000);
    assert_int_equal(loss_count, 1);
    assert_false(loss.has_exit_code);
}

static void an_end_that_was_ordered_is_no_loss(void **state)
{
    (void)state;
    turn(true, 1000);
    task_watch_expect_end(&w, "id-1");
    turn(false, 2000);
    assert_int_equal(loss_count, 0);
    turn(true, 3000);
    task.admin = TASK_ADMIN_DRAINING;
    turn(true, 4000);
    task.spec.state = TASK_STOPPED;
    turn(true, 5000);
    assert_int_equal(loss_count, 0);
}

static void what_was_dead_when_we_came_is_no_news(void **state)
{
    (void)state;
    task.spec.state = TASK_STOPPED;
    turn(true, 1000);
    assert_int_equal(loss_count, 0);
    turn(false, 2000);
    facts.is_starting = true; /* unless we have just made it */
    turn(true, 3000);
    assert_int_equal(loss_count, 1);
}

static void assert_gone(enum stop_code code, const char *text)
{
    turn(false, 9000);
    assert_int_equal(departure_count, 1);
    assert_int_equal(departure.cause.code, code);
    assert_string_equal(departure.cause.text, text);
}

static void one_that_ended_by_itself_is_gone_with_its_exit_code(void **state)
{
    (void)state;
    turn(true, 1000);
    task.spec.state = TASK_STOPPED;
    task.spec.exit_code = 3;
    turn(true, 2000);
    assert_string_equal(task_watch_find_cause(&w, "id-1")->text, "it ended by itself");
    assert_int_equal(departure_count, 0);
    task_watch_order_end(&w, &(struct action){ .kind = ACTION_REMOVE, .task_id = "id-1", .reason = "stopped" });
    assert_string_equal(task_watch_find_cause(&w, "id-1")->text, "it ended by itself");
    task_watch_note_failed_removal(&w, "id-1");
    assert_gone(STOP_EXITED, "it ended by itself");
    assert_true(departure.has_exit_code);
    assert_int_equal(departure.exit_code, 3);
    assert_null(task_watch_find_cause(&w, "id-1"));
}

static void one_that_we_remove_is_told_of_by_its_removal(void **state)
{
    (void)state;
    task.spec.state = TASK_STOPPED;
    turn(true, 1000);
    task_watch_order_end(&w, &(struct action){ .kind = ACTION_REMOVE, .task_id = "id-1", .reason = "stopped" });
    turn(false, 2000);
    assert_int_equal(departure_count, 0);
}

static void the_first_reason_is_why(void **state)
{
    (void)state;
    turn(true, 1000);
    task_watch_order_end(&w, &(struct action){ .kind = ACTION_START_DRAIN, .task_id = "id-1", .reason = "surplus" });
    task.admin = TASK_ADMIN_DRAINING;
    turn(true, 2000);
    task_watch_order_end(&w, &(struct action){ .kind = ACTION_STOP, .task_id = "id-1", .reason = "out of rotation" });
    task.spec.state = TASK_STOPPED;
    task.spec.is_signalled = true;
    turn(true, 3000);
    assert_gone(STOP_SCHEDULER, "surplus");
}

static void an_operators_drain_is_why(void **state)
{
    (void)state;
    turn(true, 1000);
    task.admin = TASK_ADMIN_DRAINING;
    facts.is_drain_ordered = true;
    turn(true, 2000);
    assert_gone(STOP_USER, "taken out of rotation by order of an operator");
}

static void a_drain_of_an_earlier_process_is_why(void **state)
{
    (void)state;
    task.admin = TASK_ADMIN_DRAINING;
    turn(true, 1000);
    assert_gone(STOP_SCHEDULER, "it was being drained when control started");
}

static void one_that_somebody_signalled_or_removed_says_so(void **state)
{
    (void)state;
    turn(true, 1000);
    assert_gone(STOP_UNKNOWN, "it disappeared, removed by somebody else");
    assert_false(departure.has_exit_code);
    departure_count = 0;
    turn(true, 10000);
    task.spec.state = TASK_STOPPED;
    task.spec.is_signalled = true;
    turn(true, 11000);
    assert_gone(STOP_USER, "it was sent its stop signal, and not by Portico");
}

static void one_that_was_dead_when_we_came_is_not_explained(void **state)
{
    (void)state;
    task.spec.state = TASK_STOPPED;
    task.spec.started_at_wall_us = 1;
    turn(true, 1000);
    assert_gone(STOP_UNKNOWN, "it had ended before control looked at it");
}

static void one_that_is_started_again_has_not_ended(void **state)
{
    (void)state;
    turn(true, 1000);
    task.spec.state = TASK_STOPPED;
    turn(true, 2000);
    task.spec.state = TASK_RUNNING;
    turn(true, 3000);
    assert_string_equal(task_watch_find_cause(&w, "id-1")->text, "");
    task_watch_order_end(&w, &(struct action){ .kind = ACTION_START_DRAIN, .task_id = "id-1", .reason = "surplus" });
    assert_gone(STOP_SCHEDULER, "surplus");
}

static void one_that_never_ran_or_is_not_ours_is_not_told_of(void **state)
{
    (void)state;
    task.spec.state = TASK_PENDING;
    turn(true, 1000);
    task_watch_order_end(&w, &(struct action){ .kind = ACTION_REMOVE, .task_id = "id-1", .reason = "never started" });
    assert_int_equal(task_watch_find_cause(&w, "id-1")->code, STOP_FAILED_TO_START); /* for who removes it */
    turn(false, 2000);
    task.spec.managed = false;
    task.spec.state = TASK_RUNNING;
    turn(true, 3000);
    turn(false, 4000);
    assert_int_equal(departure_count, 0);
}

static void somebody_elses_end_is_no_loss(void **state)
{
    (void)state;
    task.spec.managed = false;
    turn(true, 1000);
    turn(false, 2000);
    assert_int_equal(loss_count, 0);
}

static void health_has_a_history(void **state)
{
    (void)state;
    turn(true, 1000);
    assert_false(w.observed[0].is_healthy || w.observed[0].was_healthy);
    task.probe_health = TASK_HEALTH_UP;
    turn(true, 2000);
    assert_true(w.observed[0].is_healthy);
    assert_false(task_watch_has_proven(&w, "r", 1000, 10000, 11999));
    assert_true(task_watch_has_proven(&w, "r", 1000, 10000, 12000));
    assert_false(task_watch_has_proven(&w, "r", 1001, 10000, 12000)); /* older than what it should prove */
    assert_false(task_watch_has_proven(&w, "other", 1000, 10000, 12000));
    task.probe_health = TASK_HEALTH_DOWN;
    turn(true, 3000);
    turn(true, 4000);
    assert_true(w.observed[0].was_healthy && !w.observed[0].is_healthy);
    assert_int_equal(w.observed[0].unhealthy_since_ms, 3000);
}

static void tasks_are_counted_by_what_they_are(void **state)
{
    (void)state;
    task_watch_begin_turn(&w);
    for (int i = 0; i < 6; i++) {
        struct task t = task;
        snprintf(t.spec.id, sizeof t.spec.id, "id-%d", i);
        t.probe_health = i < 3 ? TASK_HEALTH_UP : TASK_HEALTH_UNKNOWN;
        t.spec.managed = i != 0;
        t.admin = i == 2 ? TASK_ADMIN_DRAINING : TASK_ADMIN_READY;
        if (i == 4)
            t.spec.state = TASK_PENDING;
        if (i == 5)
            snprintf(t.spec.revision, sizeof t.spec.revision, "old");
        task_watch_see(&w, &t, &facts, "r", 1000);
    }
    const struct task_counts *c = &w.counts;
    assert_int_equal(c->running, 4);
    assert_int_equal(c->managed_running, 3);
    assert_int_equal(c->managed_pending, 1);
    assert_int_equal(c->managed_healthy, 1);
    assert_int_equal(c->managed_draining, 1);
    assert_int_equal(c->on_their_way, 3);
    assert_int_equal(c->other_revision, 1);
    assert_int_equal(c->current_healthy, 1);
}

static void a_drain_has_a_beginning(void **state)
{
    (void)state;
    turn(true, 1000);
    assert_int_equal(w.observed[0].ending_since_ms, 0);
    task.admin = TASK_ADMIN_DRAINING;
    turn(true, 2000);
    turn(true, 3000);
    assert_int_equal(w.observed[0].ending_since_ms, 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_with_a_tunnel_or_a_stream_is_occupied),
        TEST(one_that_somebody_had_stopped_says_so),
        TEST(an_end_that_nobody_ordered_is_reported_once),
        TEST(a_task_that_vanishes_is_reported_without_exit_code),
        TEST(an_end_that_was_ordered_is_no_loss),
        TEST(what_was_dead_when_we_came_is_no_news),
        TEST(one_that_ended_by_itself_is_gone_with_its_exit_code),
        TEST(one_that_we_remove_is_told_of_by_its_removal),
        TEST(the_first_reason_is_why),
        TEST(an_operators_drain_is_why),
        TEST(a_drain_of_an_earlier_process_is_why),
        TEST(one_that_somebody_signalled_or_removed_says_so),
        TEST(one_that_was_dead_when_we_came_is_not_explained),
        TEST(one_that_is_started_again_has_not_ended),
        TEST(one_that_never_ran_or_is_not_ours_is_not_told_of),
        TEST(somebody_elses_end_is_no_loss),
        TEST(health_has_a_history),
        TEST(tasks_are_counted_by_what_they_are),
        TEST(a_drain_has_a_beginning),
    };
    return cmocka_run_group_tests_name("task_watch", tests, NULL, NULL);
}
