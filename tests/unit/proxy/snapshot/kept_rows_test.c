#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/snapshot/kept_rows.h"

#define ROWS 256

static uint64_t called_in[ROWS / 64];

static size_t call_in(struct kept_rows *kept, size_t free_count, size_t wanted)
{
    for (size_t i = 0; i < ROWS / 64; i++)
        called_in[i] = 0;
    return kept_rows_call_in(kept, free_count, wanted, called_in);
}

static struct kept_rows *keeps(const uint32_t *rows, size_t count)
{
    struct kept_rows *kept = kept_rows_new(ROWS);
    for (size_t i = 0; i < count; i++)
        kept_rows_keep(kept, rows[i]);
    return kept;
}

static void ends(struct kept_rows *kept, const uint32_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kept_rows_return(kept, rows[i]);
    kept_rows_free(kept);
}

static void nothing_is_called_in_while_enough_are_free(void **state)
{
    static const uint32_t rows[] = { 7, 70, 200 };
    struct kept_rows *kept = keeps(rows, 3);
    (void)state;
    assert_int_equal(call_in(kept, 10, 10), 0);
    assert_int_equal(call_in(kept, 11, 10), 0);
    ends(kept, rows, 3);
}

static void those_that_left_first_are_called_in_first_and_no_more_than_are_wanted(void **state)
{
    static const uint32_t rows[] = { 200, 7, 255, 64 };
    struct kept_rows *kept = keeps(rows, 4);
    (void)state;
    assert_int_equal(call_in(kept, 8, 10), 2);
    assert_true(row_set_has(called_in, 200) && row_set_has(called_in, 7));
    assert_false(row_set_has(called_in, 255) || row_set_has(called_in, 64));
    ends(kept, rows, 4);
}

static void what_is_on_its_way_is_counted_and_not_called_in_again(void **state)
{
    static const uint32_t rows[] = { 1, 2, 3 };
    struct kept_rows *kept = keeps(rows, 3);
    (void)state;
    assert_int_equal(call_in(kept, 9, 10), 1);
    assert_int_equal(call_in(kept, 9, 10), 0);
    assert_int_equal(call_in(kept, 8, 10), 1);
    assert_true(row_set_has(called_in, 2));
    assert_int_equal(call_in(kept, 0, SIZE_MAX), 1);
    assert_int_equal(call_in(kept, 0, SIZE_MAX), 0);
    ends(kept, rows, 3);
}

static void a_row_is_kept_until_the_last_worker_has_returned_it(void **state)
{
    static const uint32_t rows[] = { 5, 6, 5 };
    struct kept_rows *kept = keeps(rows, 3);
    (void)state;
    kept_rows_return(kept, 5);
    assert_int_equal(call_in(kept, 0, 1), 1);
    assert_true(row_set_has(called_in, 5));
    kept_rows_return(kept, 5);
    assert_int_equal(call_in(kept, 0, 1), 1);
    assert_true(row_set_has(called_in, 6));
    kept_rows_return(kept, 6);
    kept_rows_free(kept);
}

/* It may have come back, and left again: then it left last. */
static void a_row_that_is_kept_again_is_called_in_like_a_new_one(void **state)
{
    static const uint32_t rows[] = { 1, 2 };
    struct kept_rows *kept = keeps(rows, 2);
    (void)state;
    assert_int_equal(call_in(kept, 0, 1), 1);
    kept_rows_return(kept, 1);
    kept_rows_keep(kept, 1);
    assert_int_equal(call_in(kept, 0, 1), 1);
    assert_true(row_set_has(called_in, 2));
    assert_int_equal(call_in(kept, 0, 2), 1);
    assert_true(row_set_has(called_in, 1));
    ends(kept, rows, 2);
}

/* That worker was not among those that were called, or had nothing there. */
static void a_row_that_a_further_worker_keeps_is_called_in_again(void **state)
{
    static const uint32_t rows[] = { 1, 1 };
    struct kept_rows *kept = keeps(rows, 1);
    (void)state;
    assert_int_equal(call_in(kept, 0, 1), 1);
    kept_rows_keep(kept, 1);
    assert_int_equal(call_in(kept, 0, 1), 1);
    assert_true(row_set_has(called_in, 1));
    assert_int_equal(call_in(kept, 0, 1), 0);
    ends(kept, rows, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_called_in_while_enough_are_free),
        cmocka_unit_test(those_that_left_first_are_called_in_first_and_no_more_than_are_wanted),
        cmocka_unit_test(what_is_on_its_way_is_counted_and_not_called_in_again),
        cmocka_unit_test(a_row_is_kept_until_the_last_worker_has_returned_it),
        cmocka_unit_test(a_row_that_is_kept_again_is_called_in_like_a_new_one),
        cmocka_unit_test(a_row_that_a_further_worker_keeps_is_called_in_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
