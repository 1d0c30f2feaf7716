#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/utf8.h"

#include <string.h>

static void a_sequence_is_as_long_as_its_character(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        uint32_t value;
    } cases[] = {
        { "a", 1, 'a' },
        { "\x7f", 1, 0x7f },
        { "\xc2\x80", 2, 0x80 },
        { "\xdf\xbf", 2, 0x7ff },
        { "\xe0\xa0\x80", 3, 0x800 },
        { "\xed\x9f\xbf", 3, 0xd7ff },
        { "\xee\x80\x80", 3, 0xe000 },
        { "\xf0\x90\x80\x80", 4, 0x10000 },
        { "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t value;
        assert_int_equal(utf8_sequence(cases[i].text, strlen(cases[i].text), &value), cases[i].len);
        assert_int_equal(value, cases[i].value);
        for (size_t left = 1; left < cases[i].len; left++) /* cut off */
            assert_int_equal(utf8_sequence(cases[i].text, left, &value), 0);
    }
}

static void what_is_no_utf8_has_no_length(void **state)
{
    static const char *const texts[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc2"
        "a",
        "\xe2\x82"
        "a",
        "\xe2\x82",
    };
    uint32_t value;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(utf8_sequence(texts[i], SIZE_MAX, &value), 0); /* each ends with a NUL */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sequence_is_as_long_as_its_character),
        cmocka_unit_test(what_is_no_utf8_has_no_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
