#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/error.h"

#include <errno.h>
#include <string.h>

static void setting_it_returns_false_and_keeps_the_text(void **state)
{
    (void)state;
    struct error error;
    assert_false(error_set(&error, "%s: %d is too large, allowed is %d", "port", 70000, 65535));
    assert_string_equal(error.text, "port: 70000 is too large, allowed is 65535");
    assert_false(error_set(&error, "later"));
    assert_string_equal(error.text, "later");
}

static void the_cause_of_a_failed_call_is_appended(void **state)
{
    (void)state;
    struct error error;
    errno = ENOENT;
    assert_false(error_set_errno(&error, "cannot open %s", "/x"));
    assert_string_equal(error.text, "cannot open /x: No such file or directory");
}

static void nobody_has_to_want_it(void **state)
{
    (void)state;
    errno = EACCES;
    assert_false(error_set(NULL, "%s", "x"));
    assert_false(error_set_errno(NULL, "%s", "x"));
    assert_int_equal(errno, EACCES);
}

static void a_text_that_is_too_long_is_cut(void **state)
{
    (void)state;
    struct error error;
    char text[2 * sizeof error.text];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_false(error_set(&error, "%s", text));
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    errno = ENOENT;
    assert_false(error_set_errno(&error, "%s", text));
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_it_returns_false_and_keeps_the_text),
        cmocka_unit_test(the_cause_of_a_failed_call_is_appended),
        cmocka_unit_test(nobody_has_to_want_it),
        cmocka_unit_test(a_text_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
