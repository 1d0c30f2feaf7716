#include "controller/runtime/pull_progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define LINE(id, status, current, total)                                                                         \
    "{\"status\":\"" status "\",\"progressDetail\":{\"current\":" #current ",\"total\":" #total "},\"id\":\"" id \
    "\"}\r\n"

static const char whole[] = "{\"status\":\"Pulling from team/thing\",\"id\":\"1\"}\r\n"
                            "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"aaaaaaaaaaaa\"}\r\n"
                            "{\"status\":\"Already exists\",\"progressDetail\":{},\"id\":\"bbbbbbbbbbbb\"}\r\n" LINE(
                                "aaaaaaaaaaaa", "Downloading", 100, 1000)
                                LINE("aaaaaaaaaaaa", "Downloading", 400, 1000) "{\"status\":\"Digest: sha256:00\"}\r\n";

static void say(struct pull_progress *p, const char *text)
{
    struct error error;
    assert_true(pull_progress_add(p, slice_of(text), &error));
}

static void progress_is_the_same_however_the_stream_is_cut(void **state)
{
    (void)state;
    for (size_t step = 1; step < sizeof whole; step++) {
        struct pull_progress p;
        struct runtime_pull sum;
        struct error error;
        pull_progress_init(&p);
        for (size_t at = 0; at < sizeof whole - 1; at += step)
            assert_true(pull_progress_add(
                &p, (struct slice){ whole + at, at + step < sizeof whole ? step : sizeof whole - 1 - at }, &error));
        assert_true(pull_progress_end(&p, &error));
        pull_progress_sum(&p, &sum);
        assert_int_equal(sum.layer_count, 2);
        assert_int_equal(sum.done_count, 1);
        assert_int_equal(sum.downloaded_bytes, 400);
        assert_int_equal(sum.size_bytes, 1000);
        assert_string_equal(p.problem, "");
        pull_progress_fini(&p);
    }
}

static void only_what_was_never_there_is_news(void **state)
{
    (void)state;
    struct pull_progress p;
    pull_progress_init(&p);
    say(&p, whole);
    uint64_t before = p.news_count;
    say(&p, whole);
    say(&p, LINE("aaaaaaaaaaaa", "Downloading", 399, 1000));
    say(&p, "{\"status\":\"Retrying in 5 seconds\",\"progressDetail\":{},\"id\":\"aaaaaaaaaaaa\"}\n");
    say(&p, "{\"status\":\"Waiting\",\"id\":\"bbbbbbbbbbbb\"}\n{\"status\":\"Status: fine\"}\n");
    assert_int_equal(p.news_count, before);
    say(&p, LINE("aaaaaaaaaaaa", "Downloading", 401, 1000));
    say(&p, LINE("aaaaaaaaaaaa", "Extracting", 1, 1000));
    say(&p, LINE("aaaaaaaaaaaa", "Extracting", 2, 1000));
    say(&p, LINE("aaaaaaaaaaaa", "Pull complete", 0, 0));
    assert_int_equal(p.news_count, before + 5);
    struct runtime_pull sum;
    pull_progress_sum(&p, &sum);
    assert_int_equal(sum.downloaded_bytes, 1000);
    assert_int_equal(sum.done_count, 2);
    pull_progress_fini(&p);
}

static void sizes_that_cannot_be_are_not_counted(void **state)
{
    (void)state;
    struct pull_progress p;
    struct runtime_pull sum;
    pull_progress_init(&p);
    say(&p, LINE("aaaaaaaaaaaa", "Downloading", 9223372036854775807, 9223372036854775807));
    say(&p, LINE("aaaaaaaaaaaa", "Downloading", -5, -7));
    pull_progress_sum(&p, &sum);
    assert_int_equal(sum.downloaded_bytes, 0);
    assert_int_equal(sum.size_bytes, 0);
    for (int i = 0; i < 3 * PULL_LAYERS_MAX; i++) {
        char line[128];
        snprintf(line, sizeof line, "{\"status\":\"Waiting\",\"id\":\"%012d\"}\n", i);
        say(&p, line);
    }
    say(&p, "{\"status\":\"Waiting\",\"id\":\"an id that is longer than one of a layer ever is\"}\n");
    assert_int_equal(p.layer_count, PULL_LAYERS_MAX);
    pull_progress_fini(&p);
}

static void an_error_line_is_the_engines_last_word(void **state)
{
    (void)state;
    struct pull_progress p;
    pull_progress_init(&p);
    say(&p, "{\"errorDetail\":{\"message\":\"no space left on device\"},\"error\":\"other\"}\n");
    assert_string_equal(p.problem, "no space left on device");
    say(&p, "{\"error\":\"\"}\n");
    assert_string_equal(p.problem, "an error without a message");
    char *line = mem_alloc(4096);
    memset(line, 'x', 4000);
    memcpy(line, "{\"error\":\"first", 15);
    memcpy(line + 3990, "last\"}\n", 8);
    say(&p, line);
    assert_memory_equal(p.problem, "firstx", 6);
    assert_string_equal(p.problem + strlen(p.problem) - 5, "xlast");
    free(line);
    pull_progress_fini(&p);
}

static void assert_senseless(const char *text, size_t len, const char *expected)
{
    struct pull_progress p;
    struct error error = { "" };
    pull_progress_init(&p);
    bool ok = pull_progress_add(&p, (struct slice){ text, len }, &error) && pull_progress_end(&p, &error);
    assert_false(ok);
    if (strstr(error.text, expected) == NULL)
        fail_msg("'%s' is not in '%s'", expected, error.text);
    pull_progress_fini(&p);
}

static void what_is_no_line_of_json_is_refused(void **state)
{
    (void)state;
    static const char *const senseless[] = { "hello\n", "[]\n", "{\"status\":\n", "{}{}\n", "{\"a\":1,\"a\":2}\n",
                                             "{\"sta" };
    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++)
        assert_senseless(senseless[i], strlen(senseless[i]), "a line of it is not a JSON object");
    size_t len = DOCKER_EVENT_LINE_BYTES_MAX + 1;
    char *huge = mem_alloc(len + 1);
    memset(huge, ' ', len);
    assert_senseless(huge, len, "a line of it has more than 1048576 bytes");
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_is_the_same_however_the_stream_is_cut),
        cmocka_unit_test(only_what_was_never_there_is_news),
        cmocka_unit_test(sizes_that_cannot_be_are_not_counted),
        cmocka_unit_test(an_error_line_is_the_engines_last_word),
        cmocka_unit_test(what_is_no_line_of_json_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
