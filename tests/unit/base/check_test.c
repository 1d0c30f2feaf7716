#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/check.h"
#include "tests/unit/base/captured_stderr.h"

#include <string.h>

static void a_condition_that_holds_costs_nothing(void **state)
{
    (void)state;
    int evaluated = 0;
    check(++evaluated == 1);
    assert_int_equal(evaluated, 1);
}

static void break_a_condition(void)
{
    int one = 1;
    check(one == 2);
}

static void one_that_does_not_hold_ends_the_process_and_says_where(void **state)
{
    (void)state;
    char text[1024];
    assert_true(dies(break_a_condition, text, sizeof text));
    assert_non_null(strstr(text, "check_test.c:"));
    assert_non_null(strstr(text, "check failed: one == 2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_condition_that_holds_costs_nothing),
        cmocka_unit_test(one_that_does_not_hold_ends_the_process_and_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
