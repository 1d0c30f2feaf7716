#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"

#include <time.h>

static void the_real_one_never_goes_back(void **state)
{
    (void)state;
    int64_t before = clock_now_us();
    assert_true(before > 0);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_now_us();
        assert_true(now >= before);
        before = now;
    }
    assert_in_range(clock_now_ms(), before / 1000, before / 1000 + 60000);
}

static void a_fake_one_stands_still_until_it_is_set_again(void **state)
{
    (void)state;
    clock_set_fake(5000123);
    assert_int_equal(clock_now_us(), 5000123);
    assert_int_equal(clock_now_ms(), 5000);
    assert_int_equal(clock_now_us(), 5000123);
    clock_set_fake(0);
    assert_int_equal(clock_now_us(), 0);
    clock_set_fake(INT64_C(6) * 3600 * 1000000);
    assert_int_equal(clock_now_ms(), 6 * 3600 * 1000);
    clock_set_fake(-1);
    assert_true(clock_now_us() != INT64_C(6) * 3600 * 1000000);
}

static void wall_time_is_not_faked(void **state)
{
    (void)state;
    clock_set_fake(1);
    time_t before_s = time(NULL);
    int64_t now_s = clock_wall_us() / 1000000;
    time_t after_s = time(NULL);
    clock_set_fake(-1);
    assert_in_range(now_s, before_s - 1, after_s + 1);
}

static void wall_time_reads_as_utc_with_milliseconds(void **state)
{
    (void)state;
    char text[32];
    clock_format_wall(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format_wall(INT64_C(1795383389825999), text);
    assert_string_equal(text, "2026-11-22T21:36:29.825Z");
    clock_format_wall(INT64_C(253402300799999999), text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_one_never_goes_back),
        cmocka_unit_test(a_fake_one_stands_still_until_it_is_set_again),
        cmocka_unit_test(wall_time_is_not_faked),
        cmocka_unit_test(wall_time_reads_as_utc_with_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
