#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "discovery/task_registry.h"
#include "tests/unit/base/captured_stderr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct task_registry *r;
    uint8_t docker, file;
    char told[512]; /* "web;own;" */
    size_t told_count;
    const char *removes; /* when told of anything */
};

static void on_change(void *owner, const char *service)
{
    struct bench *b = owner;
    size_t len = strlen(b->told);
    b->told_count++;
    snprintf(b->told + len, sizeof b->told - len, "%s;", service);
    if (b->removes) {
        const char *id = b->removes;
        b->removes = NULL;
        task_registry_remove(b->r, id);
    }
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    clock_set_fake(5000000);
    b->r = task_registry_new();
    b->docker = task_registry_add_provider(b->r, "docker");
    b->file = task_registry_add_provider(b->r, "file");
    task_registry_set_listener(b->r, on_change, b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    task_registry_free(b->r);
    clock_set_fake(-1);
    free(b);
    return 0;
}

static struct task_spec spec(const char *id, const char *service, enum task_state state)
{
    struct task_spec out = { .weight = 1, .state = state };
    snprintf(out.id, sizeof out.id, "%s", id);
    snprintf(out.name, sizeof out.name, "name-%.20s", id);
    snprintf(out.service, sizeof out.service, "%s", service);
    if (state == TASK_RUNNING)
        snprintf(out.address, sizeof out.address, "10.0.0.1:80");
    return out;
}

static void apply(struct bench *b, const char *id, const char *service, enum task_state state)
{
    struct task_spec s = spec(id, service, state);
    assert_true(task_registry_apply(b->r, b->docker, &s));
}

static void a_task_is_told_of_once_until_it_changes(void **state)
{
    struct bench *b = *state;
    apply(b, "a", "web", TASK_RUNNING);
    apply(b, "a", "web", TASK_RUNNING);
    assert_string_equal(b->told, "web;");
    apply(b, "a", "web", TASK_STOPPING);
    assert_string_equal(b->told, "web;web;");
    task_registry_set_admin(b->r, "a", TASK_ADMIN_DRAINING);
    task_registry_set_admin(b->r, "a", TASK_ADMIN_DRAINING);
    assert_int_equal(b->told_count, 3);
    task_registry_remove(b->r, "a");
    task_registry_remove(b->r, "a");
    assert_int_equal(b->told_count, 4);
    assert_int_equal(task_registry_count(b->r), 0);
    assert_null(task_registry_find(b->r, "a"));
}

static void all_three_listeners_are_told(void **state)
{
    struct bench *b = *state;
    task_registry_set_controller_listener(b->r, on_change, b);
    task_registry_set_health_listener(b->r, on_change, b);
    apply(b, "a", "web", TASK_RUNNING);
    assert_int_equal(b->told_count, 3);
    task_registry_set_health_listener(b->r, NULL, NULL);
    apply(b, "a", "web", TASK_STOPPED);
    assert_int_equal(b->told_count, 5);
}

static void a_task_that_changes_its_service_is_told_to_both(void **state)
{
    struct bench *b = *state;
    apply(b, "a", "web", TASK_RUNNING);
    b->told[0] = '\0';
    apply(b, "a", "shop", TASK_RUNNING);
    assert_string_equal(b->told, "shop;web;");
}

static void count_one(void *owner, const struct task *task)
{
    (void)task;
    ++*(size_t *)owner;
}

static size_t count_of(struct bench *b, const char *service)
{
    size_t count = 0;
    task_registry_each_of(b->r, service, count_one, &count);
    return count;
}

static void each_of_walks_one_service(void **state)
{
    struct bench *b = *state;
    size_t all = 0;
    apply(b, "a", "web", TASK_RUNNING);
    apply(b, "b", "shop", TASK_RUNNING);
    apply(b, "c", "web", TASK_RUNNING);
    apply(b, "c", "shop", TASK_RUNNING);
    task_registry_each(b->r, count_one, &all);
    assert_int_equal(all, 3);
    assert_int_equal(count_of(b, "web"), 1);
    assert_int_equal(count_of(b, "shop"), 2);
    assert_int_equal(count_of(b, "none"), 0);
}

static void history_survives_an_update_but_not_another_address(void **state)
{
    struct bench *b = *state;
    apply(b, "a", "web", TASK_RUNNING);
    task_registry_set_probe(b->r, "a", TASK_HEALTH_UP, "");
    task_registry_set_admin(b->r, "a", TASK_ADMIN_DRAINING);
    struct task_spec s = spec("a", "web", TASK_RUNNING);
    s.weight = 9;
    task_registry_apply(b->r, b->docker, &s);
    const struct task *task = task_registry_find(b->r, "a");
    assert_int_equal(task->spec.weight, 9);
    assert_int_equal(task->probe_health, TASK_HEALTH_UP);
    assert_int_equal(task->admin, TASK_ADMIN_DRAINING);
    assert_int_equal(task->first_seen_at_ms, 5000);
    clock_set_fake(7000000);
    strcpy(s.address, "10.0.0.2:80");
    task_registry_apply(b->r, b->docker, &s);
    assert_int_equal(task->probe_health, TASK_HEALTH_UNKNOWN);
    assert_int_equal(task->probe_changed_at_ms, 7000);
    assert_int_equal(task->admin, TASK_ADMIN_DRAINING);
    assert_int_equal(task->first_seen_at_ms, 5000);
}

static void another_life_begins_with_unknown_health(void **state)
{
    struct bench *b = *state;
    apply(b, "a", "web", TASK_RUNNING);
    task_registry_set_probe(b->r, "a", TASK_HEALTH_UP, "");
    apply(b, "a", "web", TASK_STOPPING);
    const struct task *task = task_registry_find(b->r, "a");
    assert_int_equal(task->probe_health, TASK_HEALTH_UNKNOWN);
    task_registry_set_probe(b->r, "a", TASK_HEALTH_UP, ""); /* a late answer */
    assert_int_equal(task->probe_health, TASK_HEALTH_UNKNOWN);
    apply(b, "a", "web", TASK_RUNNING);
    task_registry_set_probe(b->r, "a", TASK_HEALTH_UP, "");
    struct task_spec s = spec("a", "web", TASK_RUNNING);
    s.started_at_wall_us = 99; /* a restart of which no event told */
    task_registry_apply(b->r, b->docker, &s);
    assert_int_equal(task->probe_health, TASK_HEALTH_UNKNOWN);
}

static void a_sync_removes_what_it_does_not_name(void **state)
{
    struct bench *b = *state;
    assert_false(task_registry_is_synced(b->r, b->docker));
    apply(b, "a", "web", TASK_RUNNING);
    apply(b, "b", "web", TASK_RUNNING);
    apply(b, "c", "shop", TASK_RUNNING);
    struct task_spec other = spec("f", "web", TASK_RUNNING);
    task_registry_apply(b->r, b->file, &other);
    b->told[0] = '\0';
    task_registry_begin_sync(b->r, b->docker);
    apply(b, "b", "web", TASK_RUNNING);
    assert_int_equal(task_registry_count(b->r), 4); /* nothing goes before the end */
    assert_false(task_registry_is_synced(b->r, b->docker));
    task_registry_end_sync(b->r, b->docker);
    assert_true(task_registry_is_synced(b->r, b->docker));
    assert_false(task_registry_is_synced(b->r, b->file));
    assert_null(task_registry_find(b->r, "a"));
    assert_non_null(task_registry_find(b->r, "b"));
    assert_null(task_registry_find(b->r, "c"));
    assert_non_null(task_registry_find(b->r, "f")); /* another provider's */
    assert_string_equal(b->told, "web;shop;");      /* each once, although it lost its last task */
}

static void a_sync_that_never_ends_removes_nothing(void **state)
{
    struct bench *b = *state;
    apply(b, "a", "web", TASK_RUNNING);
    task_registry_begin_sync(b->r, b->docker);
    task_registry_begin_sync(b->r, b->docker);
    apply(b, "a", "web", TASK_RUNNING);
    task_registry_end_sync(b->r, b->docker);
    assert_non_null(task_registry_find(b->r, "a"));
}

static void an_empty_sync_empties_the_provider(void **state)
{
    struct bench *b = *state;
    char id[16];
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "t%d", i);
        apply(b, id, i % 2 ? "web" : "shop", TASK_RUNNING);
    }
    b->told_count = 0;
    task_registry_begin_sync(b->r, b->docker);
    task_registry_end_sync(b->r, b->docker);
    assert_int_equal(task_registry_count(b->r), 0);
    assert_int_equal(b->told_count, 2);
}

static void a_listener_may_remove_what_it_is_told_of(void **state)
{
    struct bench *b = *state;
    apply(b, "a", "web", TASK_RUNNING);
    b->removes = "a";
    apply(b, "a", "web", TASK_STOPPED);
    assert_int_equal(task_registry_count(b->r), 0);
    apply(b, "a", "web", TASK_RUNNING);
    apply(b, "b", "shop", TASK_RUNNING);
    apply(b, "c", "cart", TASK_RUNNING);
    task_registry_begin_sync(b->r, b->docker);
    apply(b, "b", "shop", TASK_RUNNING);
    b->removes = "b"; /* while the end of the sync tells of the others */
    task_registry_end_sync(b->r, b->docker);
    assert_int_equal(task_registry_count(b->r), 0);
}

static void one_task_more_than_the_limit_is_refused(void **state)
{
    struct bench *b = *state;
    char id[16];
    for (int i = 0; i < TASK_REGISTRY_MAX; i++) {
        snprintf(id, sizeof id, "t%d", i);
        apply(b, id, "web", TASK_RUNNING);
    }
    struct task_spec s = spec("one more", "web", TASK_RUNNING);
    assert_false(task_registry_apply(b->r, b->docker, &s));
    assert_int_equal(task_registry_count(b->r), TASK_REGISTRY_MAX);
    apply(b, "t7", "web", TASK_STOPPED); /* known ones still change */
    task_registry_remove(b->r, "t7");
    assert_true(task_registry_apply(b->r, b->docker, &s));
}

static void strangers_never_take_the_places_of_our_own(void **state)
{
    struct bench *b = *state;
    char id[16];
    for (int i = 0; i < TASK_REGISTRY_MAX; i++) {
        snprintf(id, sizeof id, "t%d", i);
        apply(b, id, "web", TASK_RUNNING);
    }
    assert_int_equal(task_registry_foreign_count(b->r), TASK_REGISTRY_MAX);
    struct task_spec s = spec("ours", "web", TASK_RUNNING);
    s.managed = true;
    for (size_t room = TASK_REGISTRY_MANAGED_MAX; room > 0; room--) {
        assert_int_equal(task_registry_managed_room(b->r), room);
        snprintf(s.id, sizeof s.id, "own-%zu", room);
        assert_true(task_registry_apply(b->r, b->docker, &s));
    }
    assert_int_equal(task_registry_managed_room(b->r), 0);
    strcpy(s.id, "one more");
    assert_false(task_registry_apply(b->r, b->docker, &s));
    task_registry_remove(b->r, "own-7");
    assert_int_equal(task_registry_managed_room(b->r), 1);
    task_registry_remove(b->r, "t7");
    assert_int_equal(task_registry_foreign_count(b->r), TASK_REGISTRY_MAX - 1);
}

static size_t apply_many(struct bench *b, bool is_managed, size_t count)
{
    size_t taken = 0;
    struct task_spec s = spec("", "web", TASK_RUNNING);
    s.managed = is_managed;
    for (size_t i = 0; i < count; i++) {
        snprintf(s.id, sizeof s.id, "%s-%zu", is_managed ? "own" : "other", i);
        taken += task_registry_apply(b->r, b->docker, &s);
    }
    return taken;
}

/* Once each: that there is no room for strangers must not keep quiet that there is none for ours. */
static void of_each_kind_it_is_said_once_a_list_that_there_is_no_room(void **state)
{
    struct bench *b = *state;
    struct captured_stderr captured;
    char text[4096];
    log_init("test", LOG_LEVEL_WARN);
    captured_stderr_start(&captured);
    assert_int_equal(apply_many(b, false, TASK_REGISTRY_MAX + 100), TASK_REGISTRY_MAX);
    assert_int_equal(apply_many(b, true, TASK_REGISTRY_MANAGED_MAX + 100), TASK_REGISTRY_MANAGED_MAX);
    captured_stderr_stop(&captured, text, sizeof text);
    const char *others = strstr(text, "4096 of others are known, which is the limit; "),
               *own = strstr(text, "4096 of our own are known, which is the limit; ");
    assert_true(others != NULL && own != NULL);
    assert_non_null(strstr(own, "(own-4096) and later ones of docker are left out, as portico_tasks_refused counts"));
    assert_null(strstr(others + 1, "4096 of others"));
    assert_null(strstr(own + 1, "4096 of our own"));
    captured_stderr_start(&captured);
    task_registry_begin_sync(b->r, b->docker);
    apply_many(b, false, TASK_REGISTRY_MAX + 100);
    captured_stderr_stop(&captured, text, sizeof text);
    assert_non_null(strstr(text, "of others are known"));
}

static void one_with_a_problem_is_known_and_gets_no_requests(void **state)
{
    struct bench *b = *state;
    struct task_spec s = spec("a", "web", TASK_RUNNING);
    s.managed = true;
    assert_true(task_registry_apply(b->r, b->docker, &s));
    task_registry_set_probe(b->r, "a", TASK_HEALTH_UP, "");
    assert_true(task_is_routable(task_registry_find(b->r, "a")));
    strcpy(s.problem, "it has no address");
    assert_true(task_registry_apply(b->r, b->docker, &s));
    assert_true(task_is_unusable(task_registry_find(b->r, "a")));
    assert_false(task_is_routable(task_registry_find(b->r, "a")));
    s.problem[0] = '\0';
    assert_true(task_registry_apply(b->r, b->docker, &s));
    assert_true(task_is_routable(task_registry_find(b->r, "a")));
}

static void texts_without_an_end_are_cut(void **state)
{
    struct bench *b = *state;
    struct task_spec s;
    memset(&s, 'x', sizeof s);
    s.state = TASK_RUNNING;
    s.has_engine_health = s.managed = false;
    s.engine_health = TASK_HEALTH_UNKNOWN;
    assert_true(task_registry_apply(b->r, b->docker, &s));
    assert_int_equal(strlen(b->told), TASK_NAME_SIZE); /* 63 and ";" */
}

static void three_axes_decide_together_whether_it_gets_requests(void **state)
{
    static const struct {
        enum task_state state;
        const char *address;
        bool has_engine;
        enum task_health engine, probe;
        enum task_admin admin;
        bool routable;
        enum task_health health;
    } rows[] = {
        { TASK_RUNNING, "1", false, TASK_HEALTH_UNKNOWN, TASK_HEALTH_UP, TASK_ADMIN_READY, true, TASK_HEALTH_UP },
        { TASK_RUNNING, "1", true, TASK_HEALTH_UP, TASK_HEALTH_UP, TASK_ADMIN_READY, true, TASK_HEALTH_UP },
        { TASK_RUNNING, "1", true, TASK_HEALTH_UNKNOWN, TASK_HEALTH_UP, TASK_ADMIN_READY, false, TASK_HEALTH_UNKNOWN },
        { TASK_RUNNING, "1", true, TASK_HEALTH_DOWN, TASK_HEALTH_UP, TASK_ADMIN_READY, false, TASK_HEALTH_DOWN },
        { TASK_RUNNING, "1", true, TASK_HEALTH_UP, TASK_HEALTH_DOWN, TASK_ADMIN_READY, false, TASK_HEALTH_DOWN },
        { TASK_RUNNING, "1", false, TASK_HEALTH_UNKNOWN, TASK_HEALTH_UNKNOWN, TASK_ADMIN_READY, false,
          TASK_HEALTH_UNKNOWN },
        { TASK_RUNNING, "1", false, TASK_HEALTH_UNKNOWN, TASK_HEALTH_DOWN, TASK_ADMIN_READY, false, TASK_HEALTH_DOWN },
        { TASK_RUNNING, "", false, TASK_HEALTH_UNKNOWN, TASK_HEALTH_UP, TASK_ADMIN_READY, false, TASK_HEALTH_UP },
        { TASK_RUNNING, "1", false, TASK_HEALTH_UNKNOWN, TASK_HEALTH_UP, TASK_ADMIN_DRAINING, false, TASK_HEALTH_UP },
        { TASK_RUNNING, "1", false, TASK_HEALTH_UNKNOWN, TASK_HEALTH_UP, TASK_ADMIN_REMOVED, false, TASK_HEALTH_UP },
        { TASK_STOPPING, "1", false, TASK_HEALTH_UNKNOWN, TASK_HEALTH_UP, TASK_ADMIN_READY, false, TASK_HEALTH_UP },
        { TASK_PENDING, "1", false, TASK_HEALTH_UNKNOWN, TASK_HEALTH_UP, TASK_ADMIN_READY, false, TASK_HEALTH_UP },
        { TASK_STOPPED, "1", false, TASK_HEALTH_UNKNOWN, TASK_HEALTH_UP, TASK_ADMIN_READY, false, TASK_HEALTH_UP },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct task task = { .spec = { .state = rows[i].state,
                                       .has_engine_health = rows[i].has_engine,
                                       .engine_health = rows[i].engine },
                             .probe_health = rows[i].probe,
                             .admin = rows[i].admin };
        strcpy(task.spec.address, rows[i].address);
        assert_int_equal(task_is_routable(&task), rows[i].routable);
        assert_int_equal(task_health_of(&task), rows[i].health);
        assert_int_equal(task_awaits_probe(&task), rows[i].probe == TASK_HEALTH_UNKNOWN);
        task.admin = TASK_ADMIN_DRAINING;
        assert_false(task_awaits_probe(&task));
    }
}

struct report {
    size_t count;
    enum task_health before, now;
    char why[TASK_REASON_SIZE];
};

static void on_health(void *owner, const struct task *task, enum task_health before)
{
    struct report *report = owner;
    report->count++;
    report->before = before;
    report->now = task_health_of(task);
    task_health_explain(task, report->why);
}

static void each_change_of_health_is_reported_with_its_reason(void **state)
{
    struct bench *b = *state;
    struct report report = { 0 };
    struct task_spec spec = {
        .id = "a", .service = "web", .weight = 1, .address = "10.0.0.1:80", .state = TASK_RUNNING
    };
    task_registry_set_health_reporter(b->r, on_health, &report);
    task_registry_apply(b->r, b->docker, &spec);
    task_registry_set_probe(b->r, "a", TASK_HEALTH_UNKNOWN, "cannot connect");
    assert_int_equal(report.count, 0);
    task_health_explain(task_registry_find(b->r, "a"), report.why);
    assert_string_equal(report.why, "cannot connect");
    task_registry_set_probe(b->r, "a", TASK_HEALTH_UP, "status 200");
    assert_int_equal(report.count, 1);
    assert_int_equal(report.now, TASK_HEALTH_UP);
    assert_string_equal(report.why, "status 200");
    b->told_count = 0;
    task_registry_set_probe(b->r, "a", TASK_HEALTH_UP, "status 204");
    assert_int_equal(report.count, 1); /* other words are no change, but are kept */
    assert_int_equal(b->told_count, 0);
    task_health_explain(task_registry_find(b->r, "a"), report.why);
    assert_string_equal(report.why, "status 204");
    spec.has_engine_health = true;
    spec.engine_health = TASK_HEALTH_DOWN;
    strcpy(spec.engine_words, "exit code 1: no database");
    task_registry_apply(b->r, b->docker, &spec);
    assert_int_equal(report.count, 2);
    assert_int_equal(report.before, TASK_HEALTH_UP);
    assert_int_equal(report.now, TASK_HEALTH_DOWN);
    assert_string_equal(report.why, "the engine's check: exit code 1: no database");
    spec.state = TASK_STOPPED;
    task_registry_apply(b->r, b->docker, &spec);
    assert_int_equal(report.count, 2); /* its end is no change of health */
    task_health_explain(task_registry_find(b->r, "a"), report.why);
    assert_string_equal(report.why, "");
}

static struct task_spec running(const char *id, int64_t started_at_wall_us)
{
    struct task_spec spec = { .state = TASK_RUNNING,
                              .start_period_ms = 60000,
                              .started_at_wall_us = started_at_wall_us };
    snprintf(spec.id, sizeof spec.id, "%s", id);
    snprintf(spec.address, sizeof spec.address, "10.0.0.1:80");
    return spec;
}

static bool is_last_resort_when_down(struct task_registry *r, const char *id)
{
    task_registry_set_probe(r, id, TASK_HEALTH_DOWN, "");
    return task_is_last_resort(task_registry_find(r, id));
}

static void a_task_that_was_healthy_is_a_last_resort_until_another_life_begins(void **state)
{
    (void)state;
    struct task_registry *r = task_registry_new();
    uint8_t provider = task_registry_add_provider(r, "p");
    struct task_spec spec = running("a", 0);
    task_registry_begin_sync(r, provider);
    task_registry_end_sync(r, provider);
    task_registry_apply(r, provider, &spec);
    assert_false(is_last_resort_when_down(r, "a"));
    task_registry_set_probe(r, "a", TASK_HEALTH_UP, "");
    assert_false(task_is_last_resort(task_registry_find(r, "a"))); /* it is routable */
    assert_true(is_last_resort_when_down(r, "a"));
    spec.weight = 7;
    task_registry_apply(r, provider, &spec);
    assert_true(task_is_last_resort(task_registry_find(r, "a")));
    spec.has_engine_health = true;
    spec.engine_health = TASK_HEALTH_DOWN; /* the other check says no as well */
    task_registry_apply(r, provider, &spec);
    assert_true(task_is_last_resort(task_registry_find(r, "a")));
    spec.started_at_wall_us = 5;
    task_registry_apply(r, provider, &spec);
    assert_false(is_last_resort_when_down(r, "a"));
    task_registry_free(r);
}

/* Else everything that fails a check would be lost with a restart of control. */
static void what_ran_long_before_us_is_presumed_to_have_been_healthy(void **state)
{
    (void)state;
    struct task_registry *r = task_registry_new();
    uint8_t provider = task_registry_add_provider(r, "p");
    int64_t now_us = clock_wall_us();
    struct task_spec old = running("old", now_us - 3600 * INT64_C(1000000)), young = running("young", now_us - 1000000),
                     late = running("late", now_us - 3600 * INT64_C(1000000)), undated = running("undated", 0),
                     unsaid = running("unsaid", now_us - 60 * INT64_C(1000000));
    unsaid.start_period_ms = 0;
    task_registry_begin_sync(r, provider);
    task_registry_apply(r, provider, &old);
    task_registry_apply(r, provider, &young);
    task_registry_apply(r, provider, &undated);
    task_registry_apply(r, provider, &unsaid);
    task_registry_end_sync(r, provider);
    task_registry_apply(r, provider, &late);                         /* not in the first list */
    assert_false(task_is_last_resort(task_registry_find(r, "old"))); /* nobody has asked it yet */
    task_registry_set_probe(r, "old", TASK_HEALTH_UNKNOWN, "status 503");
    task_registry_set_probe(r, "young", TASK_HEALTH_UNKNOWN, "status 503");
    assert_true(task_is_last_resort(task_registry_find(r, "old"))); /* it has failed once, and is not DOWN yet */
    assert_false(task_is_last_resort(task_registry_find(r, "young")));
    assert_true(is_last_resort_when_down(r, "old"));
    assert_false(is_last_resort_when_down(r, "young"));
    assert_false(is_last_resort_when_down(r, "undated"));
    assert_false(is_last_resort_when_down(r, "unsaid"));
    assert_false(is_last_resort_when_down(r, "late"));
    task_registry_free(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_told_of_once_until_it_changes),
        TEST(all_three_listeners_are_told),
        TEST(a_task_that_changes_its_service_is_told_to_both),
        TEST(each_of_walks_one_service),
        TEST(each_change_of_health_is_reported_with_its_reason),
        TEST(history_survives_an_update_but_not_another_address),
        TEST(another_life_begins_with_unknown_health),
        TEST(a_sync_removes_what_it_does_not_name),
        TEST(a_sync_that_never_ends_removes_nothing),
        TEST(an_empty_sync_empties_the_provider),
        TEST(a_listener_may_remove_what_it_is_told_of),
        TEST(one_task_more_than_the_limit_is_refused),
        TEST(strangers_never_take_the_places_of_our_own),
        TEST(of_each_kind_it_is_said_once_a_list_that_there_is_no_room),
        TEST(one_with_a_problem_is_known_and_gets_no_requests),
        TEST(texts_without_an_end_are_cut),
        TEST(three_axes_decide_together_whether_it_gets_requests),
        TEST(a_task_that_was_healthy_is_a_last_resort_until_another_life_begins),
        TEST(what_ran_long_before_us_is_presumed_to_have_been_healthy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
