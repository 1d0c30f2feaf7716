#include "controller/event_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"

struct reading {
    size_t count;
    char first[512], last[512];
};

static void read_event(void *owner, const struct controller_event *event)
{
    struct reading *r = owner;
    snprintf(r->count++ == 0 ? r->first : r->last, 512, "%s", event->text);
    assert_true(event->at_wall_us > 0);
}

static void the_newest_comes_first_and_the_oldest_are_forgotten(void **state)
{
    (void)state;
    struct event_log *log = event_log_new();
    for (int i = 0; i < EVENT_LOG_OF_SERVICE + 10; i++)
        event_log_add(log, "web", "event %d", i);
    struct reading r = { 0 };
    event_log_each(log, NULL, read_event, &r);
    assert_int_equal(r.count, EVENT_LOG_OF_SERVICE);
    assert_string_equal(r.first, "event 137");
    assert_string_equal(r.last, "event 10");
    event_log_free(log);
}

static void a_noisy_service_does_not_drive_out_the_events_of_another(void **state)
{
    (void)state;
    struct event_log *log = event_log_new();
    event_log_add(log, "quiet", "what matters");
    for (int i = 0; i < 1000; i++)
        event_log_warn(log, "noisy", "event %d", i);
    struct reading r = { 0 }, all = { 0 };
    event_log_each(log, "quiet", read_event, &r);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.first, "what matters");
    event_log_each(log, NULL, read_event, &all);
    assert_int_equal(all.count, EVENT_LOG_OF_SERVICE + 1);
    assert_string_equal(all.last, "what matters");
    event_log_free(log);
}

static void of_too_many_names_the_most_silent_is_forgotten(void **state)
{
    (void)state;
    struct event_log *log = event_log_new();
    char name[32];
    for (int i = 0; i < EVENT_LOG_SERVICES_MAX; i++) {
        snprintf(name, sizeof name, "s%d", i);
        event_log_keep(log, name, "begins");
    }
    event_log_keep(log, "s0", "speaks again");
    event_log_keep(log, "new", "begins");
    struct reading old = { 0 }, silent = { 0 }, new = { 0 }, all = { 0 };
    event_log_each(log, "s0", read_event, &old);
    event_log_each(log, "s1", read_event, &silent);
    event_log_each(log, "new", read_event, &new);
    event_log_each(log, NULL, read_event, &all);
    assert_int_equal(old.count, 2);
    assert_int_equal(silent.count, 0);
    assert_int_equal(new.count, 1);
    assert_int_equal(all.count, EVENT_LOG_READ_MAX);
    event_log_free(log);
}

static void a_service_reads_its_own(void **state)
{
    (void)state;
    struct event_log *log = event_log_new();
    event_log_add(log, "web", "one");
    event_log_add(log, "api", "two");
    event_log_add(log, "web", "three");
    struct reading r = { 0 };
    event_log_each(log, "web", read_event, &r);
    assert_int_equal(r.count, 2);
    assert_string_equal(r.first, "three");
    assert_string_equal(r.last, "one");
    struct reading none = { 0 };
    event_log_each(log, "nobody", read_event, &none);
    assert_int_equal(none.count, 0);
    event_log_free(log);
}

static void a_hostile_text_is_cut_and_stays_one_line(void **state)
{
    (void)state;
    struct event_log *log = event_log_new();
    char huge[2000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    huge[0] = '\n';
    huge[1] = '\x1b';
    event_log_add(log, huge, "%s", huge);
    struct reading r = { 0 };
    event_log_each(log, NULL, read_event, &r);
    assert_int_equal(strlen(r.first), 511);
    assert_int_equal(strncmp(r.first, "??xx", 4), 0);
    event_log_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_comes_first_and_the_oldest_are_forgotten),
        cmocka_unit_test(a_noisy_service_does_not_drive_out_the_events_of_another),
        cmocka_unit_test(of_too_many_names_the_most_silent_is_forgotten),
        cmocka_unit_test(a_service_reads_its_own),
        cmocka_unit_test(a_hostile_text_is_cut_and_stays_one_line),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("event_log", tests, NULL, NULL);
}
