#include "controller/stopped_book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static struct stopped_book *book;

static int set_up(void **state)
{
    (void)state;
    clock_set_fake(1000000);
    book = stopped_book_new("docker");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stopped_book_free(book);
    clock_set_fake(-1);
    return 0;
}

static void note(const char *service, int number, enum stop_code code)
{
    char id[32];
    struct stop_cause cause;
    const struct last_words words = { .exit_code = 1, .output = (char *)"bye" };
    snprintf(id, sizeof id, "%s%08d", service, number);
    stop_cause_set(&cause, code, "because");
    stopped_book_note(book, id, service, &cause, &words);
}

static struct {
    size_t count;
    char ids[2000][40];
} seen;

static void on_task(void *owner, const struct stopped_task *task)
{
    (void)owner;
    snprintf(seen.ids[seen.count++], sizeof seen.ids[0], "%.39s", task->id);
}

static size_t look(const char *service)
{
    seen.count = 0;
    stopped_book_each(book, service, on_task, NULL);
    return seen.count;
}

static struct stopped_book_status status(void)
{
    struct stopped_book_status out;
    stopped_book_status(book, &out);
    return out;
}

static const struct stopped_task *find(const char *id)
{
    size_t count;
    const struct stopped_task *task = stopped_book_find(book, id, &count);
    assert_non_null(task);
    return task;
}

static const char *explain(const char *id)
{
    static char text[STOPPED_REASON_SIZE];
    stopped_task_explain(find(id), text);
    return text;
}

static void a_service_keeps_its_last_ten_and_nobody_elses(void **state)
{
    (void)state;
    note("quiet", 1, STOP_EXITED);
    for (int i = 0; i < 25; i++)
        note("noisy", i, STOP_EXITED);
    assert_int_equal(look("noisy"), STOPPED_BOOK_OF_SERVICE);
    assert_string_equal(seen.ids[0], "noisy00000024");
    assert_string_equal(seen.ids[9], "noisy00000015");
    assert_int_equal(look("quiet"), 1);
    assert_int_equal(look(NULL), 11);
    assert_int_equal(look("nobody"), 0);
    assert_int_equal(status().noted_count, 26);
    assert_int_equal(status().dropped_count, 15);
}

static void of_all_services_together_the_oldest_go(void **state)
{
    (void)state;
    char service[16];
    for (int i = 0; i < 150; i++)
        for (int k = 0; k < STOPPED_BOOK_OF_SERVICE; k++) {
            snprintf(service, sizeof service, "s%d", i);
            note(service, k, STOP_SCHEDULER);
        }
    assert_int_equal(look(NULL), STOPPED_BOOK_MAX);
    assert_int_equal(status().kept_count, STOPPED_BOOK_MAX);
    assert_int_equal(look("s49"), 0);
    assert_int_equal(look("s50"), STOPPED_BOOK_OF_SERVICE);
    assert_int_equal(status().dropped_count, 500);
}

static void nothing_is_kept_for_more_than_a_day(void **state)
{
    (void)state;
    note("web", 1, STOP_EXITED);
    clock_set_fake(2000000);
    note("web", 2, STOP_EXITED);
    stopped_book_forget_old(book, 1000 + STOPPED_BOOK_AGE_MS - 1);
    assert_int_equal(look("web"), 2);
    stopped_book_forget_old(book, 1000 + STOPPED_BOOK_AGE_MS);
    assert_int_equal(look("web"), 1);
    assert_string_equal(seen.ids[0], "web00000002");
    stopped_book_forget_old(book, 2000 + STOPPED_BOOK_AGE_MS);
    assert_int_equal(look(NULL), 0);
    assert_int_equal(status().dropped_count, 0);
}

static void one_that_cannot_start_does_not_drive_out_the_crash_before_it(void **state)
{
    (void)state;
    note("web", 1, STOP_EXITED);
    for (int i = 0; i < 100; i++) {
        char name[TASK_NAME_SIZE];
        snprintf(name, sizeof name, "portico-test-web-%08d", i);
        stopped_book_note_outcome(book, &(struct actuator_outcome){ .kind = ACTION_CREATE,
                                                                    .result = RUNTIME_IMAGE_MISSING,
                                                                    .service = "web",
                                                                    .task_id = "",
                                                                    .name = name,
                                                                    .revision = "r",
                                                                    .text = "create: 404: No such image" });
    }
    assert_int_equal(look("web"), 1 + STOPPED_BOOK_STARTS_OF_SERVICE);
    assert_string_equal(seen.ids[0], "docker/web/portico-test-web-00000099");
    assert_string_equal(seen.ids[3], "web00000001");
    const struct stopped_task *task = find("docker/web/portico-test-web-00000099");
    assert_int_equal(task->cause.code, STOP_FAILED_TO_START);
    assert_string_equal(task->words.name, "portico-test-web-00000099");
    assert_string_equal(task->words.revision, "r");
    assert_string_equal(task->words.output, "");
    assert_true(task->words.stopped_at_wall_us > 0);
    assert_string_equal(explain("docker/web/portico-test-web-00000099"), "create: 404: No such image");
}

static const struct last_words read_words = {
    .id = "id-1",
    .image = "web:1",
    .exit_code = 137,
    .is_out_of_memory = true,
    .started_at_wall_us = 5,
    .stopped_at_wall_us = 7,
    .output = (char *)"no memory",
};

static void removed(enum runtime_result result, const struct last_words *words)
{
    stopped_book_note_outcome(book, &(struct actuator_outcome){ .kind = ACTION_REMOVE,
                                                                .result = result,
                                                                .service = "web",
                                                                .task_id = "id-1",
                                                                .text = "",
                                                                .last_words = words });
}

static void what_is_learned_of_one_task_comes_together_in_any_order(void **state)
{
    (void)state;
    const struct last_words seen_gone = {
        .exit_code = 137, .name = "web-1", .revision = "r", .output_problem = "it was not read"
    };
    struct stop_cause cause;
    stop_cause_set(&cause, STOP_EXITED, "it ended by itself");
    for (int order = 0; order < 2; order++) {
        if (order == 0)
            stopped_book_note(book, "id-1", "web", &cause, &seen_gone);
        removed(RUNTIME_OK, &read_words);
        if (order == 1)
            stopped_book_note(book, "id-1", "web", &cause, &seen_gone);
        assert_int_equal(look("web"), 1);
        const struct stopped_task *task = find("id-1");
        assert_int_equal(task->cause.code, STOP_EXITED);
        assert_string_equal(task->words.name, "web-1");
        assert_string_equal(task->words.image, "web:1");
        assert_string_equal(task->words.output, "no memory");
        assert_string_equal(task->words.output_problem, "");
        assert_int_equal(task->words.stopped_at_wall_us, 7);
        assert_string_equal(explain("id-1"), "it ended by itself with exit code 137, out of memory");
        tear_down(NULL);
        set_up(NULL);
    }
}

static void a_second_look_that_finds_less_takes_nothing_away(void **state)
{
    (void)state;
    removed(RUNTIME_UNKNOWN, &read_words);
    const struct last_words less = { .id = "id-1", .exit_code = -1, .output_problem = "no such file" };
    removed(RUNTIME_OK, &less);
    const struct stopped_task *task = find("id-1");
    assert_string_equal(task->words.output, "no memory");
    assert_string_equal(task->words.output_problem, "");
    assert_int_equal(task->words.exit_code, 137);
    assert_int_equal(status().noted_count, 1);
    assert_string_equal(explain("id-1"), "it is not known why it ended, out of memory");
}

static void one_that_was_gone_before_its_removal_is_kept_with_what_is_known(void **state)
{
    (void)state;
    removed(RUNTIME_OK, NULL);
    assert_null(find("id-1")->words.output);
    assert_true(find("id-1")->words.output_problem[0] != '\0');
}

static void a_start_without_a_name_is_one_however_often_it_is_tried(void **state)
{
    (void)state;
    stopped_book_note_failed_start(book, "web", "", "", "r", "the image is missing");
    note("web", 1, STOP_EXITED);
    stopped_book_note_failed_start(book, "web", "", "", "r", "the image is missing still");
    assert_int_equal(look("web"), 2);
    assert_string_equal(seen.ids[0], "docker/web/next");
    assert_string_equal(explain("docker/web/next"), "the image is missing still");
}

static void what_is_no_end_is_not_noted(void **state)
{
    (void)state;
    static const struct actuator_outcome outcomes[] = {
        { .kind = ACTION_CREATE, .result = RUNTIME_OK, .task_id = "id-1" },
        { .kind = ACTION_CREATE, .result = RUNTIME_UNKNOWN, .task_id = "" }, /* it may run */
        { .kind = ACTION_CREATE, .result = RUNTIME_UNREACHABLE, .task_id = "" },
        { .kind = ACTION_CREATE, .result = RUNTIME_CANCELLED, .task_id = "" },
        { .kind = ACTION_STOP, .result = RUNTIME_FAILED, .task_id = "id-1" },
        { .kind = ACTION_REMOVE, .result = RUNTIME_UNREACHABLE, .task_id = "id-1" }, /* and nothing was read */
        { .kind = ACTION_REMOVE, .result = RUNTIME_FAILED, .task_id = "id-1" },
    };
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        struct actuator_outcome outcome = outcomes[i];
        outcome.service = "web";
        outcome.name = outcome.revision = outcome.text = "";
        stopped_book_note_outcome(book, &outcome);
    }
    removed(RUNTIME_REFUSED, &read_words); /* it was started again meanwhile */
    assert_int_equal(look(NULL), 0);
}

static void one_is_found_by_the_beginning_of_its_id(void **state)
{
    (void)state;
    size_t count;
    note("web", 12, STOP_EXITED);
    note("web", 13, STOP_EXITED);
    note("web", 130, STOP_EXITED);
    assert_non_null(stopped_book_find(book, "web00000012", &count));
    assert_non_null(stopped_book_find(book, "web00000013", &count));
    assert_non_null(stopped_book_find(book, "web000001", &count));
    assert_null(stopped_book_find(book, "web0000001", &count));
    assert_int_equal(count, 2);
    assert_null(stopped_book_find(book, "x", &count));
    assert_int_equal(count, 0);
}

static void codes_are_those_of_ecs(void **state)
{
    (void)state;
    assert_null(stop_code_to_str(STOP_UNKNOWN));
    assert_string_equal(stop_code_to_str(STOP_FAILED_TO_START), "TaskFailedToStart");
    assert_string_equal(stop_code_to_str(STOP_EXITED), "EssentialContainerExited");
    assert_string_equal(stop_code_to_str(STOP_USER), "UserInitiated");
    assert_string_equal(stop_code_to_str(STOP_SCHEDULER), "ServiceSchedulerInitiated");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_keeps_its_last_ten_and_nobody_elses),
        TEST(of_all_services_together_the_oldest_go),
        TEST(nothing_is_kept_for_more_than_a_day),
        TEST(one_that_cannot_start_does_not_drive_out_the_crash_before_it),
        TEST(what_is_learned_of_one_task_comes_together_in_any_order),
        TEST(a_second_look_that_finds_less_takes_nothing_away),
        TEST(one_that_was_gone_before_its_removal_is_kept_with_what_is_known),
        TEST(a_start_without_a_name_is_one_however_often_it_is_tried),
        TEST(what_is_no_end_is_not_noted),
        TEST(one_is_found_by_the_beginning_of_its_id),
        TEST(codes_are_those_of_ecs),
    };
    return cmocka_run_group_tests_name("stopped_book", tests, NULL, NULL);
}
