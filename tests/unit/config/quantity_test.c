#include "config/quantity.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

typedef bool (*parse_cb)(const char *text, int64_t *value);
typedef void (*print_cb)(int64_t value, struct buf *out);

static void assert_value(parse_cb parse, const char *text, int64_t expected)
{
    int64_t value = -1;
    if (!parse(text, &value))
        fail_msg("'%s' was refused", text);
    assert_true(value == expected);
}

static void assert_refused(parse_cb parse, const char *text)
{
    int64_t value;
    if (parse(text, &value))
        fail_msg("'%s' was accepted", text);
}

static void assert_printed(print_cb print, int64_t value, const char *expected)
{
    struct buf out;
    buf_init(&out, 0);
    print(value, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void integers_are_digits_up_to_the_last_that_fits(void **state)
{
    (void)state;
    assert_value(quantity_parse_integer, "0", 0);
    assert_value(quantity_parse_integer, "9223372036854775807", INT64_MAX);
    static const char *const bad[] = {
        "", "9223372036854775808", "99999999999999999999", "-1", "+1", "01", "1 ", " 1", "0x1", "1s"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(quantity_parse_integer, bad[i]);
}

static void durations_need_a_unit(void **state)
{
    (void)state;
    assert_value(quantity_parse_duration, "250ms", 250);
    assert_value(quantity_parse_duration, "0s", 0);
    assert_value(quantity_parse_duration, "5s", 5000);
    assert_value(quantity_parse_duration, "2m", 120000);
    assert_value(quantity_parse_duration, "1h", 3600000);
    static const char *const bad[] = {
        "", "5", "s", "5 s", "5sec", "5S", "1d", "1m30s", "1.5s", "9223372036854775807s"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(quantity_parse_duration, bad[i]);
}

static void sizes_are_binary(void **state)
{
    (void)state;
    assert_value(quantity_parse_size, "64KiB", 65536);
    assert_value(quantity_parse_size, "1MiB", 1 << 20);
    assert_value(quantity_parse_size, "3GiB", INT64_C(3) << 30);
    assert_value(quantity_parse_size, "17", 17);
    assert_refused(quantity_parse_size, "64KB");
    assert_refused(quantity_parse_size, "64kib");
    assert_refused(quantity_parse_size, "8589934592GiB");
    assert_value(quantity_parse_memory, "512", 512);
    assert_value(quantity_parse_memory, "2GiB", 2048);
    assert_value(quantity_parse_memory, "1024KiB", 1);
    assert_refused(quantity_parse_memory, "1000KiB");
}

static void values_are_printed_in_the_largest_unit_without_fraction(void **state)
{
    (void)state;
    assert_printed(quantity_print_duration, 0, "0s");
    assert_printed(quantity_print_duration, 1500, "1500ms");
    assert_printed(quantity_print_duration, 75000, "75s");
    assert_printed(quantity_print_duration, 120000, "2m");
    assert_printed(quantity_print_duration, 7200000, "2h");
    assert_printed(quantity_print_size, 0, "0");
    assert_printed(quantity_print_size, 1025, "1025");
    assert_printed(quantity_print_size, 32768, "32KiB");
    assert_printed(quantity_print_size, INT64_C(64) << 30, "64GiB");
    assert_printed(quantity_print_memory, 2048, "2048");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_digits_up_to_the_last_that_fits),
        cmocka_unit_test(durations_need_a_unit),
        cmocka_unit_test(sizes_are_binary),
        cmocka_unit_test(values_are_printed_in_the_largest_unit_without_fraction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
