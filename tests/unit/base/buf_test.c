#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

static void it_grows_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    for (int i = 0; i < 10000; i++)
        assert_true(buf_printf(&b, "%04d,", i));
    assert_int_equal(b.len, 50000);
    for (int i = 0; i < 10000; i += 17) {
        char number[8];
        memcpy(number, b.at + i * 5, 5);
        number[5] = '\0';
        assert_int_equal(strtol(number, NULL, 10), i);
    }
    assert_false(b.overflowed);
    buf_fini(&b);
}

static void each_way_to_append_adds_the_same_bytes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    assert_true(buf_append(&b, "a\0b", 3));
    assert_true(buf_append_slice(&b, SLICE_LITERAL("cd")));
    assert_true(buf_append_text(&b, "ef"));
    assert_true(buf_printf(&b, "%s%d", "g", 7));
    assert_int_equal(b.len, 9);
    assert_memory_equal(buf_text(&b), "a\0bcdefg7", 10); /* with the NUL behind it */
    buf_fini(&b);
}

static void what_would_pass_the_limit_changes_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    assert_true(buf_append_text(&b, "12345"));
    assert_false(buf_append_text(&b, "6789"));
    assert_false(buf_printf(&b, "%s", "6789"));
    assert_true(b.overflowed);
    assert_string_equal(buf_text(&b), "12345");
    assert_true(buf_append_text(&b, "678"));
    assert_false(buf_append(&b, "9", 1));
    assert_false(buf_append(&b, "9", SIZE_MAX));
    assert_string_equal(buf_text(&b), "12345678");
    buf_clear(&b);
    assert_true(b.overflowed); /* until buf_fini */
    assert_true(buf_append_text(&b, "again"));
    buf_fini(&b);
}

static void consuming_drops_from_the_front(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_append_text(&b, "hello world");
    buf_consume(&b, 6);
    assert_string_equal(buf_text(&b), "world");
    buf_consume(&b, 0);
    buf_consume(&b, 5);
    assert_int_equal(b.len, 0);
    assert_string_equal(buf_text(&b), "");
    buf_fini(&b);
}

static void an_empty_one_has_a_text_and_can_take_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1);
    assert_string_equal(buf_text(&b), "");
    assert_true(buf_append(&b, NULL, 0));
    assert_true(buf_append_text(&b, ""));
    buf_consume(&b, 0);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_and_keeps_what_it_has),
        cmocka_unit_test(each_way_to_append_adds_the_same_bytes),
        cmocka_unit_test(what_would_pass_the_limit_changes_nothing),
        cmocka_unit_test(consuming_drops_from_the_front),
        cmocka_unit_test(an_empty_one_has_a_text_and_can_take_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
