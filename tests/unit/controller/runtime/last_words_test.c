#include "controller/runtime/last_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct last_words words;

static void read_state(const char *state)
{
    char text[512];
    snprintf(text, sizeof text, "{\"Id\":\"0123\",\"State\":{\"StartedAt\":\"2026-11-22T21:50:00Z\"%s%s}}",
             state[0] != '\0' ? "," : "", state);
    json_t *inspected = json_loads(text, 0, NULL);
    assert_non_null(inspected);
    last_words_fini(&words);
    last_words_read(&words, inspected);
    json_decref(inspected);
}

static const char *summary_of(const char *state)
{
    static char out[LAST_WORDS_SUMMARY_SIZE];
    read_state(state);
    last_words_summarize(&words, out);
    return out;
}

static void one_that_ended_well_or_as_a_stop_ends_it_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(summary_of("\"ExitCode\":0"), "");
    assert_string_equal(summary_of("\"ExitCode\":137,\"OOMKilled\":false"), "");
    assert_string_equal(summary_of("\"ExitCode\":143"), "");
    assert_string_equal(summary_of(""), "");
}

static void a_bad_end_is_named(void **state)
{
    (void)state;
    assert_string_equal(summary_of("\"ExitCode\":1,\"Error\":\"\""), "exit code 1");
    assert_string_equal(summary_of("\"ExitCode\":137,\"OOMKilled\":true"), "exit code 137, out of memory");
    assert_string_equal(summary_of("\"ExitCode\":127,\"Error\":\"exec:\\n/nope\""), "exit code 127: exec: /nope");
}

static void all_that_the_engine_says_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"Id\":\"0123\",\"Name\":\"/portico-a-web-1\",\"Created\":\"1970-01-01T00:00:01Z\","
        "\"Image\":\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
        "\"Config\":{\"Image\":\"sha256:0123\",\"Labels\":{\"portico.image\":\"web:1\",\"portico.revision\":\"r-1\"}},"
        "\"State\":{\"StartedAt\":\"1970-01-01T00:00:02Z\",\"FinishedAt\":\"1970-01-01T00:00:03.5Z\",\"ExitCode\":3}}";
    json_t *inspected = json_loads(text, 0, NULL);
    last_words_read(&words, inspected);
    json_decref(inspected);
    assert_string_equal(words.id, "0123");
    assert_string_equal(words.name, "portico-a-web-1");
    assert_string_equal(words.image, "web:1");
    assert_memory_equal(words.image_id, "sha256:0123456789abcdef", 23);
    assert_string_equal(words.revision, "r-1");
    assert_int_equal(words.created_at_wall_us, 1000000);
    assert_int_equal(words.started_at_wall_us, 2000000);
    assert_int_equal(words.stopped_at_wall_us, 3500000);
    assert_int_equal(words.exit_code, 3);
    assert_null(words.output);
}

static void one_that_never_ran_has_no_exit_code(void **state)
{
    (void)state;
    char out[LAST_WORDS_SUMMARY_SIZE];
    json_t *inspected = json_loads("{\"State\":{\"Status\":\"created\",\"StartedAt\":\"0001-01-01T00:00:00Z\","
                                   "\"ExitCode\":127,\"Error\":\"exec: no such file\"}}",
                                   0, NULL);
    last_words_read(&words, inspected);
    json_decref(inspected);
    assert_int_equal(words.exit_code, -1);
    assert_int_equal(words.started_at_wall_us, 0);
    last_words_summarize(&words, out);
    assert_string_equal(out, "it never started: exec: no such file");
}

static void what_is_not_a_container_is_all_unknown(void **state)
{
    (void)state;
    static const char *const texts[] = { "{}", "[]", "{\"State\":7,\"Config\":[],\"Name\":null,\"Id\":{}}" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *inspected = json_loads(texts[i], 0, NULL);
        last_words_read(&words, inspected);
        json_decref(inspected);
        assert_string_equal(words.id, "");
        assert_string_equal(words.name, "");
        assert_int_equal(words.exit_code, -1);
    }
}

static const char *with_output(const char *output)
{
    static char out[LAST_WORDS_SUMMARY_SIZE];
    read_state("\"ExitCode\":1");
    last_words_set_output(&words, mem_strdup(output), NULL);
    last_words_summarize(&words, out);
    last_words_fini(&words);
    return out;
}

static void lines_of_the_output_follow_on_one_line(void **state)
{
    (void)state;
    assert_string_equal(with_output("hello\noops"), "exit code 1; its last lines: hello | oops");
    assert_string_equal(with_output("of a\n\nterminal"), "exit code 1; its last lines: of a | terminal");
    assert_string_equal(with_output(""), "exit code 1");
}

static void of_too_many_lines_the_newest_stay_and_of_a_too_long_one_its_end(void **state)
{
    char raw[4000];
    size_t len = 0;
    (void)state;
    for (int i = 0; i < 300; i++)
        len += (size_t)snprintf(raw + len, sizeof raw - len, "%sline %d", i > 0 ? "\n" : "", i);
    const char *summary = with_output(raw);
    assert_non_null(strstr(summary, "; its last lines: line "));
    assert_string_equal(summary + strlen(summary) - 19, "line 298 | line 299");
    assert_null(strstr(summary, "line 10 "));
    memset(raw, 'x', sizeof raw);
    raw[sizeof raw - 2] = 'Z';
    raw[sizeof raw - 1] = '\0';
    summary = with_output(raw);
    assert_int_equal(strlen(summary), LAST_WORDS_SUMMARY_SIZE - 1);
    assert_string_equal(summary + strlen(summary) - 2, "xZ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_ended_well_or_as_a_stop_ends_it_says_nothing),
        cmocka_unit_test(a_bad_end_is_named),
        cmocka_unit_test(all_that_the_engine_says_is_read),
        cmocka_unit_test(one_that_never_ran_has_no_exit_code),
        cmocka_unit_test(what_is_not_a_container_is_all_unknown),
        cmocka_unit_test(lines_of_the_output_follow_on_one_line),
        cmocka_unit_test(of_too_many_lines_the_newest_stay_and_of_a_too_long_one_its_end),
    };
    return cmocka_run_group_tests_name("last_words", tests, NULL, NULL);
}
