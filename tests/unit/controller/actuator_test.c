#include "controller/actuator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

#define CALLS_MAX 16

/* A runtime that answers when the test says so. */
static struct fake {
    struct runtime runtime;
    size_t create_count, stop_count, remove_count, abandon_count;
    const void *cancelled;
    char ended[TASK_ID_SIZE]; /* what was stopped or removed last */
    bool is_unreachable;
    char names[CALLS_MAX][TASK_NAME_SIZE];
    runtime_start_cb started[CALLS_MAX];
    void *started_owner[CALLS_MAX];
    runtime_done_cb done;
    void *done_owner;
    bool answers_inside;
} fake;

static void fake_create(struct runtime *runtime, const struct task_order *order, runtime_start_cb done, void *owner)
{
    (void)runtime;
    snprintf(fake.names[fake.create_count], TASK_NAME_SIZE, "%s", order->name);
    fake.started[fake.create_count] = done;
    fake.started_owner[fake.create_count++] = owner;
    if (fake.answers_inside)
        done(owner, RUNTIME_REFUSED, "", "no");
}

static void fake_stop(struct runtime *runtime, const char *id, int64_t timeout_ms, runtime_done_cb done, void *owner)
{
    (void)runtime;
    snprintf(fake.ended, sizeof fake.ended, "%s", id);
    assert_int_equal(timeout_ms, 5000);
    fake.stop_count++;
    fake.done = done;
    fake.done_owner = owner;
}

static void fake_remove(struct runtime *runtime, const char *id, runtime_done_cb done, void *owner)
{
    (void)runtime;
    snprintf(fake.ended, sizeof fake.ended, "%s", id);
    fake.remove_count++;
    fake.done = done;
    fake.done_owner = owner;
}

static void fake_abandon(struct runtime *runtime)
{
    (void)runtime;
    fake.abandon_count++;
}

static void fake_cancel_start(struct runtime *runtime, const void *owner)
{
    (void)runtime;
    assert_null(fake.cancelled); /* once */
    fake.cancelled = owner;
}

static bool fake_is_reachable(const struct runtime *runtime)
{
    (void)runtime;
    return !fake.is_unreachable;
}

static const struct runtime_ops fake_ops = {
    .name = "fake",
    .create_and_start = fake_create,
    .cancel_start = fake_cancel_start,
    .is_reachable = fake_is_reachable,
    .stop = fake_stop,
    .remove = fake_remove,
    .abandon = fake_abandon,
};

static struct actuator *a;
static struct actuator_outcome last;
static char last_service[TASK_NAME_SIZE], last_name[TASK_NAME_SIZE], last_cause[STOP_CAUSE_SIZE];
static size_t outcome_count;
static int64_t now_ms;
static struct task_lists lists;
static struct task task;
static const struct config_service service = { .name = (char *)"web" };
static const struct actuator_target target = {
    .cluster = "prod", .service_name = "web", .revision = "r", .service = &service, .stop_timeout_ms = 5000
};

static void on_outcome(void *owner, const struct actuator_outcome *outcome)
{
    (void)owner;
    last = *outcome;
    snprintf(last_service, sizeof last_service, "%s", outcome->service); /* valid only here */
    snprintf(last_name, sizeof last_name, "%s", outcome->name != NULL ? outcome->name : "");
    snprintf(last_cause, sizeof last_cause, "%s", outcome->cause != NULL ? outcome->cause->text : "");
    outcome_count++;
}

static void set_now(int64_t at_ms)
{
    now_ms = at_ms;
    clock_set_fake(at_ms * 1000);
}

static int set_up(void **state)
{
    (void)state;
    fake = (struct fake){ .runtime = { &fake_ops } };
    outcome_count = 0;
    lists = (struct task_lists){ 3, 3 };
    set_now(1000);
    task = (struct task){ .spec = { .id = "id-1", .managed = true, .state = TASK_RUNNING } };
    a = actuator_new(&fake.runtime, on_outcome, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    actuator_free(a);
    assert_int_equal(fake.abandon_count, 1);
    clock_set_fake(-1);
    return 0;
}

static void run(enum action_kind kind)
{
    struct action action = { .kind = kind, .reason = "test" };
    snprintf(action.task_id, sizeof action.task_id, "%s", kind == ACTION_CREATE ? "" : task.spec.id);
    actuator_run(a, &target, &action, now_ms);
}

static struct actuator_view turn(bool shows_task)
{
    struct actuator_view view = { 0 };
    actuator_begin_turn(a);
    if (shows_task)
        view = actuator_see_task(a, &task, now_ms);
    actuator_end_turn(a, lists, now_ms);
    return view;
}

static void a_creation_counts_until_the_registry_shows_its_task(void **state)
{
    (void)state;
    run(ACTION_CREATE);
    turn(false);
    assert_int_equal(actuator_creating(a, "web", "r").current, 1);
    assert_int_equal(actuator_creating(a, "api", "r").current, 0);
    fake.started[0](fake.started_owner[0], RUNTIME_OK, "id-1", "");
    assert_int_equal(last.kind, ACTION_CREATE);
    set_now(now_ms + 20000);
    turn(false); /* started, but the registry is late */
    assert_int_equal(actuator_creating(a, "web", "r").current, 1);
    turn(true);
    assert_int_equal(actuator_creating(a, "web", "r").current, 0);
    assert_int_equal(actuator_creations(a), 0);
}

static void a_task_that_shows_up_before_the_engine_answers_counts_once(void **state)
{
    (void)state;
    run(ACTION_CREATE);
    snprintf(task.spec.name, sizeof task.spec.name, "%s", fake.names[0]);
    task.spec.state = TASK_PENDING;
    struct actuator_view view = turn(true);
    assert_true(view.is_starting && view.is_busy);
    assert_int_equal(actuator_creating(a, "web", "r").current, 0);
    assert_int_equal(actuator_creations(a), 1);
    fake.started[0](fake.started_owner[0], RUNTIME_OK, "id-1", "");
    view = turn(true);
    assert_true(view.is_starting && !view.is_busy);
}

static void a_creation_that_failed_does_not_count(void **state)
{
    (void)state;
    run(ACTION_CREATE);
    fake.started[0](fake.started_owner[0], RUNTIME_IMAGE_MISSING, "", "No such image");
    assert_int_equal(last.result, RUNTIME_IMAGE_MISSING);
    assert_string_equal(last_service, "web");
    turn(false);
    assert_int_equal(actuator_creations(a), 0);
    fake.answers_inside = true;
    run(ACTION_CREATE);
    assert_int_equal(outcome_count, 2);
    assert_int_equal(actuator_creations(a), 0);
}

static void a_started_task_that_never_shows_up_is_done_away_with_by_its_id(void **state)
{
    (void)state;
    run(ACTION_CREATE);
    fake.started[0](fake.started_owner[0], RUNTIME_OK, "id-1", "");
    set_now(now_ms + ACTUATOR_APPEAR_MS - 1);
    turn(false);
    assert_int_equal(actuator_creations(a), 1);
    fake.is_unreachable = true;
    set_now(now_ms + 1);
    turn(false);
    assert_int_equal(fake.stop_count, 0); /* not while nobody would hear it */
    fake.is_unreachable = false;
    turn(false);
    assert_int_equal(fake.stop_count, 1);
    fake.done(fake.done_owner, RUNTIME_OK, "", NULL);
    assert_int_equal(fake.remove_count, 1);
    assert_string_equal(fake.ended, "id-1");
    turn(false);
    assert_int_equal(actuator_creating(a, "web", "r").current, 1); /* it counts until it is gone */
    fake.done(fake.done_owner, RUNTIME_OK, "", NULL);
    assert_int_equal(last.kind, ACTION_CREATE);
    assert_int_equal(last.result, RUNTIME_FAILED);
    assert_int_equal(actuator_creations(a), 0);
}

static void what_cannot_be_done_away_with_counts_on_and_is_tried_again(void **state)
{
    (void)state;
    run(ACTION_CREATE);
    fake.started[0](fake.started_owner[0], RUNTIME_OK, "id-1", "");
    for (size_t i = 1; i <= 3; i++) {
        set_now(now_ms + ACTUATOR_APPEAR_MS);
        turn(false);
        assert_int_equal(fake.stop_count, i);
        fake.done(fake.done_owner, RUNTIME_FAILED, "the engine could not", NULL);
        turn(false);
        assert_int_equal(actuator_creating(a, "web", "r").current, 1);
    }
}

static void a_creation_whose_answer_was_lost_counts_until_it_is_known_what_came_of_it(void **state)
{
    (void)state;
    run(ACTION_CREATE);
    fake.started[0](fake.started_owner[0], RUNTIME_UNREACHABLE, "", "cut off");
    lists.begun = 4; /* a list that may be older than the container */
    turn(false);
    lists.ended = 4;
    turn(false);
    assert_int_equal(actuator_creating(a, "web", "r").current, 1);
    lists = (struct task_lists){ 5, 5 };
    turn(false);
    assert_int_equal(actuator_creations(a), 0);

    run(ACTION_CREATE); /* this one did exist: the list shows it under its name */
    fake.started[1](fake.started_owner[1], RUNTIME_UNKNOWN, "", "timed out");
    snprintf(task.spec.name, sizeof task.spec.name, "%s", fake.names[1]);
    struct actuator_view view = turn(true);
    assert_false(view.is_starting || view.is_busy);
    assert_int_equal(actuator_creations(a), 0);

    run(ACTION_CREATE); /* nobody shows it: it is asked for by its name */
    fake.started[2](fake.started_owner[2], RUNTIME_UNKNOWN, "", "timed out");
    set_now(now_ms + ACTUATOR_APPEAR_MS);
    turn(false);
    assert_string_equal(fake.ended, fake.names[2]);
    outcome_count = 0;
    fake.done(fake.done_owner, RUNTIME_OK, "", NULL);
    fake.done(fake.done_owner, RUNTIME_OK, "", NULL);
    assert_int_equal(actuator_creations(a), 0);
    assert_int_equal(outcome_count, 0); /* the failure was told when the answer was lost */
}

static void how_a_removed_task_ended_is_handed_on(void **state)
{
    (void)state;
    const struct last_words words = { .id = "id-1", .exit_code = 3 };
    struct stop_cause cause = { STOP_EXITED, "it ended by itself" };
    struct actuator_target removed = target;
    struct action action = { .kind = ACTION_REMOVE, .task_id = "id-1" };
    removed.cause = &cause;
    task.spec.state = TASK_STOPPED;
    actuator_run(a, &removed, &action, now_ms);
    stop_cause_set(&cause, STOP_UNKNOWN, "the task is not watched any more");
    fake.done(fake.done_owner, RUNTIME_OK, "", &words);
    assert_string_equal(last_cause, "it ended by itself");
    assert_int_equal(last.kind, ACTION_REMOVE);
    assert_ptr_equal(last.last_words, &words);

    run(ACTION_CREATE); /* also of one that nobody ever saw */
    fake.started[0](fake.started_owner[0], RUNTIME_UNKNOWN, "", "timed out");
    assert_string_equal(last_name, fake.names[0]);
    set_now(now_ms + ACTUATOR_APPEAR_MS);
    turn(false);
    fake.done(fake.done_owner, RUNTIME_OK, "", NULL); /* stopped */
    outcome_count = 0;
    fake.done(fake.done_owner, RUNTIME_OK, "", &words);
    assert_int_equal(outcome_count, 1);
    assert_int_equal(last.kind, ACTION_REMOVE);
    assert_ptr_equal(last.last_words, &words);
    assert_string_equal(last_service, "web");
}

static void run_cancel(const char *revision, bool is_outdated, const char *task_id)
{
    struct actuator_target other = target;
    struct action action = { .kind = ACTION_CANCEL, .is_outdated = is_outdated, .reason = "test" };
    other.revision = revision;
    snprintf(action.task_id, sizeof action.task_id, "%s", task_id);
    actuator_run(a, &other, &action, now_ms);
}

static void a_creation_can_be_cancelled_until_it_is_answered(void **state)
{
    (void)state;
    run(ACTION_CREATE);
    run(ACTION_CREATE);
    run_cancel("r", false, ""); /* the newest */
    assert_ptr_equal(fake.cancelled, fake.started_owner[1]);
    turn(false);
    assert_int_equal(actuator_creating(a, "web", "r").current, 1);
    assert_int_equal(actuator_creations(a), 2);
    fake.started[1](fake.started_owner[1], RUNTIME_CANCELLED, "", "as asked");
    assert_int_equal(last.result, RUNTIME_CANCELLED);
    assert_int_equal(actuator_creations(a), 1);
    fake.cancelled = NULL;
    snprintf(task.spec.name, sizeof task.spec.name, "%s", fake.names[0]);
    task.spec.state = TASK_PENDING;
    turn(true);
    run_cancel("r", false, ""); /* what has been seen is meant by its id only */
    assert_null(fake.cancelled);
    run_cancel("r", false, task.spec.id);
    assert_ptr_equal(fake.cancelled, fake.started_owner[0]);
    struct actuator_view view = turn(true);
    assert_true(view.is_busy && !view.is_starting);
    fake.started[0](fake.started_owner[0], RUNTIME_OK, "id-1", ""); /* too late: it counts again */
    task.spec.state = TASK_RUNNING;
    view = turn(true);
    assert_true(view.is_starting && !view.is_busy);
    assert_int_equal(actuator_creations(a), 0);
}

static void of_two_creations_that_of_another_revision_is_cancelled(void **state)
{
    (void)state;
    run(ACTION_CREATE);
    struct actuator_target newer = target;
    newer.revision = "s";
    struct action action = { .kind = ACTION_CREATE };
    actuator_run(a, &newer, &action, now_ms);
    turn(false);
    struct creating_count count = actuator_creating(a, "web", "s");
    assert_int_equal(count.current, 1);
    assert_int_equal(count.outdated, 1);
    run_cancel("s", true, "");
    assert_ptr_equal(fake.cancelled, fake.started_owner[0]);
    fake.cancelled = NULL;
    fake.started[0](fake.started_owner[0], RUNTIME_UNKNOWN, "", "no answer");
    turn(false);
    count = actuator_creating(a, "web", "s");
    assert_int_equal(count.outdated, 0);
    assert_int_equal(count.lingering, 1);
    run_cancel("s", true, ""); /* not the other one in its stead */
    assert_null(fake.cancelled);
}

static void an_action_that_was_not_tried_does_not_wait(void **state)
{
    (void)state;
    run(ACTION_REMOVE);
    fake.done(fake.done_owner, RUNTIME_UNREACHABLE, "nobody there", NULL);
    assert_false(turn(true).is_busy);
    run(ACTION_REMOVE);
    assert_int_equal(fake.remove_count, 2);
}

static void names_are_unique_readable_and_short(void **state)
{
    (void)state;
    run(ACTION_CREATE);
    run(ACTION_CREATE);
    assert_int_equal(strncmp(fake.names[0], "portico-prod-web-", 17), 0);
    assert_int_equal(strlen(fake.names[0]), 25);
    assert_string_not_equal(fake.names[0], fake.names[1]);
    struct actuator_target wide = target;
    wide.cluster = "a-cluster-with-a-name-that-is-really-rather-long";
    wide.service_name = "a-service-with-a-name-that-is-really-rather-long-too";
    struct action action = { .kind = ACTION_CREATE };
    actuator_run(a, &wide, &action, now_ms);
    assert_true(strlen(fake.names[2]) < TASK_NAME_SIZE - 1);
}

static void a_task_has_one_outstanding_action(void **state)
{
    (void)state;
    run(ACTION_STOP);
    assert_true(turn(true).is_busy);
    run(ACTION_STOP);
    run(ACTION_REMOVE);
    assert_int_equal(fake.stop_count, 1);
    assert_int_equal(fake.remove_count, 0);
}

static void a_stop_that_worked_is_not_repeated_and_makes_way_for_the_removal(void **state)
{
    (void)state;
    run(ACTION_STOP);
    fake.done(fake.done_owner, RUNTIME_OK, "", NULL);
    assert_true(turn(true).is_busy); /* the registry does not know yet */
    task.spec.state = TASK_STOPPED;
    assert_false(turn(true).is_busy);
    run(ACTION_REMOVE);
    assert_int_equal(fake.remove_count, 1);
    assert_true(turn(true).is_busy);
    fake.done(fake.done_owner, RUNTIME_OK, "", NULL);
    turn(false);
    task.spec.state = TASK_RUNNING; /* the same id again would be a new story */
    assert_false(turn(true).is_busy);
}

static void a_stop_that_had_no_effect_is_tried_again(void **state)
{
    (void)state;
    run(ACTION_STOP);
    fake.done(fake.done_owner, RUNTIME_OK, "", NULL);
    set_now(now_ms + ACTUATOR_SETTLE_MS);
    assert_false(turn(true).is_busy);
    run(ACTION_STOP);
    assert_int_equal(fake.stop_count, 2);
}

static void a_failed_action_waits_longer_each_time(void **state)
{
    (void)state;
    run(ACTION_STOP);
    for (int i = 1; i <= 12; i++) {
        fake.done(fake.done_owner, RUNTIME_UNKNOWN, "no answer", NULL);
        assert_int_equal(last.result, RUNTIME_UNKNOWN);
        set_now(now_ms + reconciler_backoff_ms(i) - 1);
        assert_true(turn(true).is_busy);
        set_now(now_ms + 1);
        assert_false(turn(true).is_busy);
        run(ACTION_STOP);
        assert_int_equal(fake.stop_count, i + 1);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_creation_counts_until_the_registry_shows_its_task),
        TEST(a_task_that_shows_up_before_the_engine_answers_counts_once),
        TEST(a_creation_that_failed_does_not_count),
        TEST(a_started_task_that_never_shows_up_is_done_away_with_by_its_id),
        TEST(what_cannot_be_done_away_with_counts_on_and_is_tried_again),
        TEST(a_creation_whose_answer_was_lost_counts_until_it_is_known_what_came_of_it),
        TEST(a_creation_can_be_cancelled_until_it_is_answered),
        TEST(how_a_removed_task_ended_is_handed_on),
        TEST(of_two_creations_that_of_another_revision_is_cancelled),
        TEST(an_action_that_was_not_tried_does_not_wait),
        TEST(names_are_unique_readable_and_short),
        TEST(a_task_has_one_outstanding_action),
        TEST(a_stop_that_worked_is_not_repeated_and_makes_way_for_the_removal),
        TEST(a_stop_that_had_no_effect_is_tried_again),
        TEST(a_failed_action_waits_longer_each_time),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("actuator", tests, NULL, NULL);
}
