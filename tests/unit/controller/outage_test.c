#include "controller/outage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"

static struct event_log *events;
static struct outage outage;
static struct task tasks[4];
static struct observed_task seen[4];
static char newest[512];
static size_t event_count;

static int set_up(void **state)
{
    (void)state;
    events = event_log_new();
    outage = (struct outage){ 0 };
    memset(tasks, 0, sizeof tasks);
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < 4; i++) {
        seen[i].task = &tasks[i];
        snprintf(tasks[i].spec.id, sizeof tasks[i].spec.id, "task-%zu", i);
        tasks[i].spec.state = TASK_RUNNING;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    event_log_free(events);
    return 0;
}

static void take_event(void *owner, const struct controller_event *event)
{
    (void)owner;
    if (event_count++ == 0)
        snprintf(newest, sizeof newest, "%s", event->text);
}

static size_t follow(uint64_t refused_count, size_t task_count, int64_t now_ms)
{
    outage_follow(&outage, refused_count, seen, task_count, "web", events, now_ms);
    event_count = 0;
    event_log_each(events, "web", take_event, NULL);
    return event_count;
}

static void refusals_are_reported_at_once_and_then_with_pauses(void **state)
{
    (void)state;
    assert_int_equal(follow(100, 0, 1000), 0); /* what was before us */
    assert_int_equal(follow(100, 0, 1250), 0);
    assert_int_equal(follow(101, 0, 1500), 1);
    assert_string_equal(newest, "1 request answered 503, no task is routable: it has no task");
    assert_int_equal(follow(120, 0, 1750), 1);
    assert_int_equal(follow(140, 0, 1500 + OUTAGE_REPEAT_MS), 2);
    assert_string_equal(newest, "39 requests answered 503, no task is routable: it has no task");
    assert_int_equal(follow(140, 0, 1000000), 2);
}

static void a_counter_that_starts_anew_reports_nothing_by_itself(void **state)
{
    (void)state;
    follow(100, 0, 1000);
    assert_int_equal(follow(3, 0, 1250), 0);
    assert_int_equal(follow(4, 0, 1500), 1);
}

static void the_reason_names_tasks_and_what_their_checks_said(void **state)
{
    char why[OUTAGE_REASON_SIZE];
    (void)state;
    tasks[0].probe_health = TASK_HEALTH_DOWN;
    snprintf(tasks[0].probe_words, sizeof tasks[0].probe_words, "status 500 in 2 ms");
    tasks[1].spec.state = TASK_PENDING;
    outage_explain(seen, 2, why);
    assert_string_equal(why, "task task-0: DOWN: status 500 in 2 ms; task task-1: PENDING");
    tasks[1].admin = TASK_ADMIN_DRAINING;
    outage_explain(seen, 4, why);
    assert_string_equal(why, "task task-0: DOWN: status 500 in 2 ms; task task-1: DRAINING; and 2 more");
    strcpy(tasks[2].spec.problem, "no address");
    outage_explain(seen + 2, 1, why);
    assert_string_equal(why, "task task-2: UNUSABLE: no address");
    memset(tasks[0].probe_words, 'x', sizeof tasks[0].probe_words - 1);
    memset(tasks[0].spec.id, 'y', sizeof tasks[0].spec.id - 1);
    outage_explain(seen, 4, why);
    assert_true(strlen(why) < sizeof why - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refusals_are_reported_at_once_and_then_with_pauses),
        TEST(a_counter_that_starts_anew_reports_nothing_by_itself),
        TEST(the_reason_names_tasks_and_what_their_checks_said),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
