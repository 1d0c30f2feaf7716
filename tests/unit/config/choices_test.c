#include "config/choices.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const char *const words[] = { "desiredCount", "host", "p2c", "in" };

static const char *nearest(const char *misspelt)
{
    return choices_nearest(words, sizeof words / sizeof words[0], misspelt);
}

static void two_edits_are_forgiven_and_three_are_not(void **state)
{
    (void)state;
    assert_string_equal(nearest("desiredCuont"), "desiredCount");
    assert_string_equal(nearest("desired_count"), "desiredCount");
    assert_string_equal(nearest("hots"), "host");
    assert_string_equal(nearest("hostt"), "host");
    assert_string_equal(nearest("hst"), "host");
    assert_null(nearest("desiredCuonts"));
    assert_null(nearest("hxyz"));
    assert_null(nearest(""));
}

static void a_word_with_every_letter_changed_is_not_meant(void **state)
{
    (void)state;
    assert_null(nearest("xx"));
    assert_string_equal(nearest("p3c"), "p2c");
}

static void a_very_long_word_is_not_compared(void **state)
{
    (void)state;
    assert_null(nearest("desiredCountdesiredCountdesiredCountdesiredCountdesiredCount"));
}

static void a_set_has_its_words_and_can_be_replaced(void **state)
{
    (void)state;
    static const char *const before[] = { "p2c" };
    assert_true(choices_include(CHOICES_LOG_LEVEL, "warn"));
    assert_false(choices_include(CHOICES_LOG_LEVEL, "WARN"));
    assert_false(choices_include(CHOICES_BALANCER, "host"));
    choices_replace(CHOICES_BALANCER, words, 2);
    assert_true(choices_include(CHOICES_BALANCER, "host"));
    assert_false(choices_include(CHOICES_BALANCER, "p2c"));
    choices_replace(CHOICES_BALANCER, before, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_edits_are_forgiven_and_three_are_not),
        cmocka_unit_test(a_word_with_every_letter_changed_is_not_meant),
        cmocka_unit_test(a_very_long_word_is_not_compared),
        cmocka_unit_test(a_set_has_its_words_and_can_be_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
