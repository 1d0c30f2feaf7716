#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/mem.h"
#include "tests/unit/base/captured_stderr.h"

#include <string.h>

static void what_it_gives_is_zeroed(void **state)
{
    (void)state;
    static const char zeros[1000];
    for (int i = 0; i < 20; i++) { /* memory that was used before comes back */
        char *one = mem_alloc(1000), *many = mem_alloc_array(100, 10);
        assert_memory_equal(one, zeros, 1000);
        assert_memory_equal(many, zeros, 1000);
        memset(one, 0xff, 1000);
        memset(many, 0xff, 1000);
        free(one);
        free(many);
    }
}

static void an_array_grows_with_its_elements(void **state)
{
    (void)state;
    int *numbers = NULL;
    for (size_t count = 1; count <= 1000; count++) {
        numbers = mem_grow_array(numbers, count, sizeof *numbers);
        numbers[count - 1] = (int)count;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i + 1);
    free(numbers);
}

static void no_elements_are_still_memory(void **state)
{
    (void)state;
    void *none = mem_alloc_array(0, 16), *grown = mem_grow_array(NULL, 0, 16);
    assert_non_null(none);
    assert_non_null(grown);
    memset(none, 1, 16);
    memset(grown, 1, 16);
    free(none);
    free(grown);
}

static void texts_are_copied(void **state)
{
    (void)state;
    char original[] = "abcdef";
    char *whole = mem_strdup(original), *part = mem_strndup(original, 3), *short_text = mem_strndup("ab", 10);
    char *printed = mem_printf("%s-%d", original, 7);
    memset(original, 'x', sizeof original - 1);
    assert_string_equal(whole, "abcdef");
    assert_string_equal(part, "abc");
    assert_string_equal(short_text, "ab");
    assert_string_equal(printed, "abcdef-7");
    free(whole);
    free(part);
    free(short_text);
    free(printed);
}

static void ask_for_more_than_there_can_be(void)
{
    volatile size_t count = SIZE_MAX / 2;
    free(mem_alloc_array(count, 4));
}

static void grow_beyond_what_there_can_be(void)
{
    volatile size_t count = SIZE_MAX / 2;
    free(mem_grow_array(NULL, count, 4));
}

static void a_product_that_overflows_ends_the_process(void **state)
{
    (void)state;
    char text[16384];
    assert_true(dies(ask_for_more_than_there_can_be, text, sizeof text));
    assert_true(dies(grow_beyond_what_there_can_be, text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_gives_is_zeroed),
        cmocka_unit_test(an_array_grows_with_its_elements),
        cmocka_unit_test(no_elements_are_still_memory),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(a_product_that_overflows_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
