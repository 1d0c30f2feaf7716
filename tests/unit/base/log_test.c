#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/log.h"
#include "tests/unit/base/captured_stderr.h"

#include <string.h>

#define TEXT_BYTES 32768

/* The part behind "role[pid] "; the line is checked for its other parts. */
static char *text_of(char *line, const char *level)
{
    char start[64];
    int year, month, day, hour, minute, used = 0;
    snprintf(start, sizeof start, " %-5s tester[%d] ", level, (int)getpid());
    assert_int_equal(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%n", &year, &month, &day, &hour, &minute, &used), 5);
    assert_int_equal(used, 17);
    assert_int_equal(line[23], 'Z');
    assert_int_equal(strncmp(line + 24, start, strlen(start)), 0);
    return line + 24 + strlen(start);
}

static void a_line_says_when_how_bad_who_and_what(void **state)
{
    (void)state;
    struct captured_stderr captured;
    char out[TEXT_BYTES];
    captured_stderr_start(&captured);
    log_error("port %d is taken", 80);
    captured_stderr_stop(&captured, out, sizeof out);
    assert_string_equal(text_of(out, "ERROR"), "port 80 is taken\n");
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    struct captured_stderr captured;
    char out[TEXT_BYTES];
    captured_stderr_start(&captured);
    log_debug("hidden");
    log_init("tester", LOG_LEVEL_DEBUG);
    log_debug("shown");
    log_init("tester", LOG_LEVEL_ERROR);
    log_warn("hidden too");
    log_init("tester", LOG_LEVEL_INFO);
    captured_stderr_stop(&captured, out, sizeof out);
    assert_string_equal(text_of(out, "DEBUG"), "shown\n");
}

static void a_hostile_text_stays_on_its_line(void **state)
{
    (void)state;
    struct captured_stderr captured;
    char out[TEXT_BYTES];
    captured_stderr_start(&captured);
    log_info("name '%s'", "a\nb\r\x1b[2J\t\x7f\x01 caf\xc3\xa9");
    captured_stderr_stop(&captured, out, sizeof out);
    assert_string_equal(text_of(out, "INFO"), "name 'a\\x0ab\\x0d\\x1b[2J\\x09\\x7f\\x01 caf\xc3\xa9'\n");
}

static void a_long_text_is_cut_and_still_ends_its_line(void **state)
{
    (void)state;
    static const char fills[] = { 'x', '\n' }; /* as it is, and escaped to four times its length */
    for (size_t i = 0; i < sizeof fills; i++) {
        struct captured_stderr captured;
        char out[TEXT_BYTES], text[10000];
        memset(text, fills[i], sizeof text);
        text[sizeof text - 1] = '\0';
        captured_stderr_start(&captured);
        log_info("%s", text);
        size_t len = captured_stderr_stop(&captured, out, sizeof out);
        assert_in_range(len, 4000, 4096);
        assert_ptr_equal(strchr(out, '\n'), out + len - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_when_how_bad_who_and_what),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(a_hostile_text_stays_on_its_line),
        cmocka_unit_test(a_long_text_is_cut_and_still_ends_its_line),
    };
    log_init("tester", LOG_LEVEL_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
