#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "config/status_ranges.h"

static void single_statuses_and_ranges_match_what_they_name(void **state)
{
    (void)state;
    assert_true(status_ranges_match("200-399", 200));
    assert_true(status_ranges_match("200-399", 399));
    assert_false(status_ranges_match("200-399", 400));
    assert_false(status_ranges_match("200-399", 199));
    assert_true(status_ranges_match("204,401,500-599", 401));
    assert_true(status_ranges_match("204,401,500-599", 503));
    assert_false(status_ranges_match("204,401,500-599", 200));
    assert_false(status_ranges_match("200", 0));
}

static void what_is_no_set_of_statuses_is_refused_and_matches_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        "2xx",
        "200,",
        ",200",
        "200-",
        "-200",
        "399-200",
        "99",
        "600",
        "200 -299",
        "200-299-399",
        "0200",
        "200,,201",
        " 200",
        "200-299,",
        "20a",
        "200,201,202,203,204,205,206,207,208,209,210,211,212,213,214,215,216",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (status_ranges_is_valid(bad[i]) || status_ranges_match(bad[i], 200))
            fail_msg("%s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_statuses_and_ranges_match_what_they_name),
        cmocka_unit_test(what_is_no_set_of_statuses_is_refused_and_matches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
