#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/message/http_date.h"

#define SECOND INT64_C(1000000)

static void assert_line(const struct http_date *date, const char *wanted)
{
    struct slice line = http_date_line(date);
    assert_true(slice_equals(line, slice_of(wanted)));
}

static void the_line_is_that_of_the_rfc(void **state)
{
    (void)state;
    struct http_date date = { .second = 0 };
    assert_int_equal(http_date_line(&date).len, 0);
    http_date_set(&date, 784111777 * SECOND);
    assert_line(&date, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    http_date_set(&date, 784111777 * SECOND + 999999);
    assert_line(&date, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    http_date_set(&date, 784111778 * SECOND);
    assert_line(&date, "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
    http_date_set(&date, 1709164800 * SECOND);
    assert_line(&date, "Date: Thu, 29 Feb 2024 00:00:00 GMT\r\n");
    http_date_set(&date, 253402300799 * SECOND);
    assert_line(&date, "Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n");
}

static void the_first_second_of_all_is_one_too(void **state)
{
    (void)state;
    struct http_date date = { .second = 0 };
    http_date_set(&date, 0);
    assert_line(&date, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_is_that_of_the_rfc),
        cmocka_unit_test(the_first_second_of_all_is_one_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
