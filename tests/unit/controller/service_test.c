#include "controller/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"

static struct service *s;
static struct event_log *events;
static struct stopped_book *stopped;
static struct config_service config;

static int set_up(void **state)
{
    (void)state;
    config = (struct config_service){ .name = (char *)"web",
                                      .host = (char *)"example.org",
                                      .path = (char *)"/",
                                      .image = (char *)"web:1",
                                      .desired_count = 2,
                                      .stop_timeout_ms = 1000,
                                      .deregistration_delay_ms = 2000 };
    events = event_log_new();
    stopped = stopped_book_new("docker");
    s = service_new("web", 0);
    service_set_config(s, &config, NULL, 0);
    image_pin_settle(&s->image, "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    service_free(s);
    event_log_free(events);
    stopped_book_free(stopped);
    return 0;
}

static void count_event(void *owner, const struct controller_event *event)
{
    (void)event;
    ++*(size_t *)owner;
}

static size_t event_count(void)
{
    size_t count = 0;
    event_log_each(events, NULL, count_event, &count);
    return count;
}

static struct task task_of(const char *id, bool is_healthy)
{
    struct task t = { .spec = { .managed = true, .state = TASK_RUNNING },
                      .probe_health = is_healthy ? TASK_HEALTH_UP : TASK_HEALTH_UNKNOWN };
    snprintf(t.spec.id, sizeof t.spec.id, "%s", id);
    snprintf(t.spec.revision, sizeof t.spec.revision, "%s", s->revision);
    return t;
}

static void turn(const struct task *tasks, size_t n, int64_t now_ms)
{
    const struct task_facts facts = { 0 };
    service_begin_turn(s, now_ms);
    for (size_t i = 0; i < n; i++)
        service_see_task(s, &tasks[i], &facts, now_ms);
    service_end_turn(s, events, stopped, now_ms);
}

static void failures_of_one_batch_count_once(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        service_note_failed_start(s, "no", events, 1000);
    assert_int_equal(s->backoff.failure_count, 1);
    assert_int_equal(s->backoff.next_start_at_ms, 1100);
    assert_int_equal(s->backoff.total_count, 4);
    assert_int_equal(event_count(), 1);
    service_note_failed_start(s, "no", events, 1100);
    assert_int_equal(s->backoff.failure_count, 2);
    assert_int_equal(s->backoff.next_start_at_ms, 1300);
}

static void keep_newest(void *owner, const struct controller_event *event)
{
    char *newest = owner;
    if (newest[0] == '\0')
        snprintf(newest, 512, "%s", event->text);
}

static void a_long_reason_keeps_its_point(void **state)
{
    (void)state;
    char text[340], newest[512] = "";
    memset(text, 'x', sizeof text);
    snprintf(text + sizeof text - 20, 20, " no space left");
    struct actuator_outcome outcome = { ACTION_CREATE, RUNTIME_IMAGE_MISSING, "web", "", text, NULL, NULL, NULL, NULL };
    service_note_outcome(s, &outcome, events, 1000);
    event_log_each(events, "web", keep_newest, newest);
    assert_non_null(strstr(newest, "the image is missing: xxx"));
    assert_non_null(strstr(newest, "xxx no space left"));
}

static void a_task_healthy_for_ten_seconds_ends_the_backoff(void **state)
{
    (void)state;
    struct task old = task_of("old", true), fresh = task_of("fresh", true);
    turn(&old, 1, 0);
    service_note_failed_start(s, "no", events, 1000);
    struct task both[] = { old, fresh };
    turn(&old, 1, 20000);
    assert_int_equal(s->backoff.failure_count, 1); /* one from before the failure proves nothing */
    turn(both, 2, 20000);
    assert_int_equal(s->backoff.failure_count, 0); /* all that are wanted are healthy, and it is long ago */
    service_note_failed_start(s, "no", events, 21000);
    struct task third[] = { old, fresh, task_of("third", true) };
    config.desired_count = 5;
    service_set_config(s, &config, NULL, 21000);
    turn(third, 3, 22000);
    turn(third, 3, 31999);
    assert_int_equal(s->backoff.failure_count, 1);
    turn(third, 3, 32000);
    assert_int_equal(s->backoff.failure_count, 0);
}

static void a_new_revision_forgets_what_the_old_one_did(void **state)
{
    (void)state;
    service_note_failed_start(s, "no", events, 1000);
    s->scaler.state.saturated_rate = 12;
    service_set_config(s, &config, NULL, 1000);
    assert_int_equal(s->backoff.failure_count, 1);
    config.image = (char *)"web:2";
    service_set_config(s, &config, NULL, 1000);
    assert_int_equal(s->backoff.failure_count, 0);
    assert_int_equal(s->backoff.total_count, 1);
    assert_true(s->scaler.state.saturated_rate == 0);
}

static void an_engines_refusal_becomes_an_event_in_its_own_words(void **state)
{
    (void)state;
    struct actuator_outcome outcome = {
        ACTION_CREATE, RUNTIME_REFUSED, "web", "", "create: 400: invalid mount", NULL, NULL, NULL, NULL
    };
    service_note_outcome(s, &outcome, events, 1000);
    outcome = (struct actuator_outcome){
        ACTION_STOP, RUNTIME_UNKNOWN, "web", "0123456789abcdef", "no answer", NULL, NULL, NULL, NULL
    };
    service_note_outcome(s, &outcome, events, 1000);
    assert_int_equal(event_count(), 2);
    assert_int_equal(s->backoff.failure_count, 1);
    outcome.result = RUNTIME_OK;
    service_note_outcome(s, &outcome, events, 1000);
    assert_int_equal(event_count(), 2);
}

static void a_removed_task_that_crashed_leaves_its_last_words(void **state)
{
    (void)state;
    char newest[512] = "";
    struct actuator_outcome outcome = {
        ACTION_REMOVE, RUNTIME_OK, "web", "0123456789abcdef", "", NULL, NULL, NULL, NULL
    };
    service_note_outcome(s, &outcome, events, 1000);
    assert_int_equal(event_count(), 0);
    const struct last_words words = { .exit_code = 1, .started_at_wall_us = 1, .output = (char *)"no database" };
    outcome.last_words = &words;
    service_note_outcome(s, &outcome, events, 1000);
    event_log_each(events, "web", keep_newest, newest);
    assert_string_equal(newest, "task 0123456789ab had ended: exit code 1; its last lines: no database");
}

static enum service_phase phase(int64_t creating_count)
{
    struct service_status status;
    service_fill_status(s, creating_count, 50000, &status);
    return status.phase;
}

static void tasks_at_rest_are_looked_at_now_and_then(void **state)
{
    (void)state;
    struct task tasks[] = { task_of("a", true), task_of("b", true) };
    assert_true(service_needs_look(s, 0, 1000)); /* never looked at */
    turn(tasks, 2, 1000);
    assert_true(service_needs_look(s, 0, 1001)); /* what ran before us is not taken into account yet */
    s->is_adopted = true;
    assert_false(service_needs_look(s, 0, 1000 + SERVICE_REST_MS - 1));
    assert_true(service_needs_look(s, 0, 1000 + SERVICE_REST_MS));
    assert_true(service_needs_look(s, 1, 1001)); /* one is being created */
    s->has_news = true;
    assert_true(service_needs_look(s, 0, 1001));
    turn(tasks, 2, 1001);
    assert_false(service_needs_look(s, 0, 1002));
    s->scaler.policy = policy_find(&(struct config_scaling){ .enabled = true, .max = 3, .in_flight_per_task = 1 });
    assert_true(service_needs_look(s, 0, 1002)); /* something may be in flight */
    s->scaler.is_quiet = true;
    assert_false(service_needs_look(s, 0, 1002));
    service_note_failed_start(s, "no", events, 1002);
    assert_true(service_needs_look(s, 0, 1002));
}

static void tasks_that_are_not_as_they_should_be_are_looked_at_each_turn(void **state)
{
    (void)state;
    struct task tasks[] = { task_of("a", true), task_of("b", false) };
    s->is_adopted = true;
    turn(tasks, 2, 1000);
    assert_true(service_needs_look(s, 0, 1001));
    tasks[1] = task_of("b", true);
    tasks[1].admin = TASK_ADMIN_DRAINING;
    turn(tasks, 2, 2000);
    assert_true(service_needs_look(s, 0, 2001));
    tasks[1].spec.state = TASK_STOPPED;
    turn(tasks, 2, 3000);
    assert_true(service_needs_look(s, 0, 3001));
    service_retire(s, events, 3001);
    assert_true(service_needs_look(s, 0, 3002)); /* nobody wants them, and they are there */
    tasks[0].spec.managed = tasks[1].spec.managed = false;
    task_watch_fini(&s->watch);
    turn(tasks, 2, 4000);
    assert_false(service_needs_look(s, 0, 4001)); /* others', whatever they are like */
    assert_true(service_needs_look(s, 1, 4001));  /* ours is being created, and nobody wants it */
}

static void the_phase_says_how_it_goes(void **state)
{
    (void)state;
    struct task tasks[] = { task_of("a", true), task_of("b", false) };
    turn(tasks, 2, 1000);
    assert_int_equal(phase(0), SERVICE_CONVERGING);
    tasks[1].probe_health = TASK_HEALTH_UP;
    turn(tasks, 2, 2000);
    assert_int_equal(phase(0), SERVICE_STEADY);
    assert_int_equal(phase(1), SERVICE_CONVERGING);
    turn(tasks, 1, 3000); /* one has vanished */
    assert_int_equal(phase(0), SERVICE_CONVERGING);
    service_note_failed_start(s, "no", events, 5000);
    assert_int_equal(phase(0), SERVICE_IMPAIRED);
}

static void a_retired_service_is_gone_with_its_last_task(void **state)
{
    (void)state;
    struct task task = task_of("a", true);
    turn(&task, 1, 1000);
    service_retire(s, events, 1000);
    assert_false(service_is_gone(s));
    struct plan plan;
    service_plan(s, &(struct service_means){ .has_runtime = true, .is_reachable = true, .create_budget = 10 }, 1000,
                 &plan);
    assert_int_equal(plan.action_count, 1);
    assert_int_equal(plan.actions[0].kind, ACTION_START_DRAIN);
    assert_int_equal(s->stop_timeout_ms, 1000); /* its own timeouts stay with it */
    turn(NULL, 0, 2000);
    assert_true(service_is_gone(s));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failures_of_one_batch_count_once),
        TEST(a_long_reason_keeps_its_point),
        TEST(a_task_healthy_for_ten_seconds_ends_the_backoff),
        TEST(a_new_revision_forgets_what_the_old_one_did),
        TEST(a_removed_task_that_crashed_leaves_its_last_words),
        TEST(an_engines_refusal_becomes_an_event_in_its_own_words),
        TEST(tasks_at_rest_are_looked_at_now_and_then),
        TEST(tasks_that_are_not_as_they_should_be_are_looked_at_each_turn),
        TEST(the_phase_says_how_it_goes),
        TEST(a_retired_service_is_gone_with_its_last_task),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
