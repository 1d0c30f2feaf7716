#include "controller/runtime/last_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *begin_of(const char *json)
{
    static char out[LAST_WORDS_SIZE];
    json_t *inspected = json_loads(json, 0, NULL);
    last_words_begin(inspected, out);
    json_decref(inspected);
    return out;
}

static void one_that_ended_well_or_as_a_stop_ends_it_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(begin_of("{\"State\":{\"ExitCode\":0}}"), "");
    assert_string_equal(begin_of("{\"State\":{\"ExitCode\":137,\"OOMKilled\":false}}"), "");
    assert_string_equal(begin_of("{\"State\":{\"ExitCode\":143}}"), "");
    assert_string_equal(begin_of("{\"State\":{}}"), "");
    assert_string_equal(begin_of("{}"), "");
}

static void a_bad_end_is_named(void **state)
{
    (void)state;
    assert_string_equal(begin_of("{\"State\":{\"ExitCode\":1,\"Error\":\"\"}}"), "exit code 1");
    assert_string_equal(begin_of("{\"State\":{\"ExitCode\":137,\"OOMKilled\":true}}"), "exit code 137, out of memory");
    assert_string_equal(begin_of("{\"State\":{\"ExitCode\":127,\"Error\":\"exec: /nope\"}}"),
                        "exit code 127: exec: /nope");
}

static const char *with_log(const char *begin, const char *raw, size_t len)
{
    static char out[LAST_WORDS_SIZE];
    snprintf(out, sizeof out, "%s", begin);
    last_words_add_log((struct slice){ raw, len }, out);
    return out;
}

#define WITH(begin, raw) with_log(begin, raw, sizeof(raw) - 1)

static void frames_of_both_streams_become_lines(void **state)
{
    (void)state;
    assert_string_equal(WITH("exit code 1", "\1\0\0\0\0\0\0\6hello\n\2\0\0\0\0\0\0\5oops\n"),
                        "exit code 1; its last lines: hello | oops");
    assert_string_equal(WITH("exit code 1", "of a\r\nterminal\r\n"), "exit code 1; its last lines: of a | terminal");
    assert_string_equal(WITH("exit code 1", ""), "exit code 1");
    assert_string_equal(WITH("exit code 1", "\n\n\n"), "exit code 1");
    assert_string_equal(WITH("exit code 1", "\1\0\0\0\0\0\0\6hel"), "exit code 1; its last lines: hel"); /* cut */
    assert_string_equal(WITH("exit code 1", "\1\0\0\0\377\377\377\377x\n"), "exit code 1; its last lines: x");
}

static void of_too_many_lines_the_newest_stay_and_of_a_too_long_one_its_end(void **state)
{
    char raw[4000];
    size_t len = 0;
    (void)state;
    for (int i = 0; i < 300; i++)
        len += (size_t)snprintf(raw + len, sizeof raw - len, "line %d\n", i);
    const char *words = with_log("exit code 1", raw, len);
    assert_non_null(strstr(words, "; its last lines: line "));
    assert_string_equal(words + strlen(words) - 19, "line 298 | line 299");
    assert_null(strstr(words, "line 10 "));
    memset(raw, 'x', sizeof raw);
    raw[sizeof raw - 2] = 'Z';
    raw[sizeof raw - 1] = '\n';
    words = with_log("exit code 1", raw, sizeof raw);
    assert_int_equal(strlen(words), LAST_WORDS_SIZE - 1);
    assert_string_equal(words + strlen(words) - 2, "xZ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_ended_well_or_as_a_stop_ends_it_says_nothing),
        cmocka_unit_test(a_bad_end_is_named),
        cmocka_unit_test(frames_of_both_streams_become_lines),
        cmocka_unit_test(of_too_many_lines_the_newest_stay_and_of_a_too_long_one_its_end),
    };
    return cmocka_run_group_tests_name("last_words", tests, NULL, NULL);
}
