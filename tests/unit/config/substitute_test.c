#include "config/substitute.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void assert_result(const char *text, const char *expected)
{
    struct buf out;
    struct error error = { "" };
    buf_init(&out, 0);
    assert_true(substitute_variables(text, &out, &error));
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void assert_refused(const char *text, size_t limit_bytes, const char *error_start)
{
    struct buf out;
    struct error error = { "" };
    buf_init(&out, limit_bytes);
    assert_false(substitute_variables(text, &out, &error));
    assert_memory_equal(error.text, error_start, strlen(error_start));
    buf_fini(&out);
}

static void variables_and_dollar_signs_are_replaced(void **state)
{
    (void)state;
    setenv("PORTICO_TEST_A", "1$2${PORTICO_TEST_A}", 1);
    setenv("PORTICO_TEST_EMPTY", "", 1);
    assert_result("", "");
    assert_result("plain", "plain");
    assert_result("$$", "$");
    assert_result("$$$$", "$$");
    assert_result("$${PORTICO_TEST_A}", "${PORTICO_TEST_A}");
    assert_result("<${PORTICO_TEST_A}>", "<1$2${PORTICO_TEST_A}>"); /* not replaced once more */
    assert_result("${PORTICO_TEST_EMPTY}${PORTICO_TEST_EMPTY}", "");
}

static void any_other_dollar_sign_is_a_mistake(void **state)
{
    (void)state;
    assert_refused("$", 0, "has a '$' alone");
    assert_refused("a$b", 0, "has a '$' alone");
    assert_refused("$$$", 0, "has a '$' alone");
    assert_refused("${", 0, "has a '${' without a name");
    assert_refused("${}", 0, "has a '${' without a name");
    assert_refused("${1A}", 0, "has a '${' without a name");
    assert_refused("${A-b}", 0, "has a '${' without a name");
    assert_refused("${A", 0, "has a '${' without a name");
}

static void a_value_must_be_set_and_utf8_and_fit(void **state)
{
    (void)state;
    static const char *const bad[] = { "\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xe2\x82" };
    unsetenv("PORTICO_TEST_A");
    assert_refused("${PORTICO_TEST_A}", 0, "the environment variable 'PORTICO_TEST_A' is not set");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("PORTICO_TEST_A", bad[i], 1);
        assert_refused("${PORTICO_TEST_A}", 0, "the environment variable 'PORTICO_TEST_A' is not UTF-8");
    }
    setenv("PORTICO_TEST_A", "\xf0\x9f\x98\x80", 1);
    assert_result("${PORTICO_TEST_A}", "\xf0\x9f\x98\x80");
    assert_refused("${PORTICO_TEST_A}", 3, "is too long with its variables replaced, at most 3 bytes");
    assert_refused("abcd", 3, "is too long, at most 3 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_and_dollar_signs_are_replaced),
        cmocka_unit_test(any_other_dollar_sign_is_a_mistake),
        cmocka_unit_test(a_value_must_be_set_and_utf8_and_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
