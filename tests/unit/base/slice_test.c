#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/slice.h"

static void equal_means_the_same_bytes(void **state)
{
    (void)state;
    struct slice nothing = { NULL, 0 };
    assert_true(slice_equals(slice_of("abc"), SLICE_LITERAL("abc")));
    assert_false(slice_equals(slice_of("abc"), slice_of("abd")));
    assert_false(slice_equals(slice_of("abc"), slice_of("ab")));
    assert_false(slice_equals(slice_of("abc"), slice_of("ABC")));
    assert_true(slice_equals(nothing, slice_of("")));
    assert_true(slice_equals((struct slice){ "a\0b", 3 }, (struct slice){ "a\0b", 3 }));
    assert_false(slice_equals((struct slice){ "a\0b", 3 }, (struct slice){ "a\0c", 3 }));
}

static void case_is_ignored_where_asked_for(void **state)
{
    (void)state;
    struct slice nothing = { NULL, 0 };
    assert_true(slice_equals_ignoring_case(slice_of("Content-Length"), slice_of("cONTENT-lENGTH")));
    assert_false(slice_equals_ignoring_case(slice_of("a-b"), slice_of("a\rb")));
    assert_false(slice_equals_ignoring_case(slice_of("ab"), slice_of("abc")));
    assert_false(slice_equals_ignoring_case(slice_of("["), slice_of("{")));
    assert_true(slice_equals_ignoring_case(nothing, slice_of("")));
}

static void a_prefix_is_a_start_of_the_same_bytes(void **state)
{
    (void)state;
    struct slice nothing = { NULL, 0 };
    assert_true(slice_starts_with(slice_of("/api/v1"), slice_of("/api")));
    assert_true(slice_starts_with(slice_of("/api"), slice_of("/api")));
    assert_false(slice_starts_with(slice_of("/ap"), slice_of("/api")));
    assert_false(slice_starts_with(slice_of("/API"), slice_of("/api")));
    assert_true(slice_starts_with(slice_of("x"), nothing));
    assert_true(slice_starts_with(nothing, nothing));
    assert_false(slice_starts_with(nothing, slice_of("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_means_the_same_bytes),
        cmocka_unit_test(case_is_ignored_where_asked_for),
        cmocka_unit_test(a_prefix_is_a_start_of_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
