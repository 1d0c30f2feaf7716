#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/hdr.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/unit/base/random_source.h"

static int set_up(void **state)
{
    *state = mem_alloc(sizeof(struct hdr));
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void check_value(int64_t value_us)
{
    uint32_t bucket = hdr_bucket_of(value_us);
    assert_true(bucket < HDR_BUCKET_COUNT);
    int64_t upper_us = hdr_bucket_upper_us(bucket);
    assert_true(upper_us >= value_us);
    assert_true((upper_us - value_us) * 1000 <= value_us);
    if (bucket > 0)
        assert_true(hdr_bucket_upper_us(bucket - 1) < value_us);
}

static void a_bucket_knows_its_values_to_three_digits(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int64_t value_us = 0; value_us < 100000; value_us++)
        check_value(value_us);
    for (int i = 0; i < 200000; i++)
        check_value((int64_t)random_below(&random, HDR_MAX_US + 1));
    check_value(HDR_MAX_US);
}

static void an_empty_histogram_has_only_zeros(void **state)
{
    struct hdr *h = *state;
    assert_int_equal(hdr_quantile_us(h, 0), 0);
    assert_int_equal(hdr_quantile_us(h, 1), 0);
    assert_true(hdr_mean_us(h) == 0);
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
    struct hdr *h = *state;
    for (int value_us = 1000; value_us >= 1; value_us--)
        hdr_add(h, value_us);
    assert_int_equal(hdr_quantile_us(h, 0), 1);
    assert_int_equal(hdr_quantile_us(h, 0.001), 1);
    assert_int_equal(hdr_quantile_us(h, 0.5), 500);
    assert_int_equal(hdr_quantile_us(h, 0.99), 990);
    assert_int_equal(hdr_quantile_us(h, 0.999), 999);
    assert_int_equal(hdr_quantile_us(h, 0.9991), 1000);
    assert_int_equal(hdr_quantile_us(h, 1), 1000);
    assert_true(fabs(hdr_mean_us(h) - 500.5) < 1e-9);
}

static void a_quantile_does_not_exceed_the_largest_value(void **state)
{
    struct hdr *h = *state;
    hdr_add(h, 1000000);
    assert_true(hdr_bucket_upper_us(hdr_bucket_of(1000000)) > 1000000);
    assert_int_equal(hdr_quantile_us(h, 0.5), 1000000);
}

static void values_out_of_range_count_as_the_nearest_in_range(void **state)
{
    struct hdr *h = *state;
    hdr_add(h, -5);
    hdr_add(h, INT64_MAX);
    assert_int_equal(h->min_us, 0);
    assert_int_equal(h->max_us, HDR_MAX_US);
    assert_int_equal(h->count, 2);
}

static void merging_is_like_adding_to_one(void **state)
{
    struct hdr *h = *state, *one = mem_alloc(sizeof *one), *other = mem_alloc(sizeof *other);
    uint64_t random = 3;
    hdr_merge(h, other); /* empty: changes nothing */
    assert_int_equal(h->count, 0);
    for (int i = 0; i < 10000; i++) {
        int64_t value_us = (int64_t)random_below(&random, 5000000);
        hdr_add(one, value_us);
        hdr_add(i % 3 ? h : other, value_us);
    }
    hdr_merge(h, other);
    assert_memory_equal(h, one, sizeof *h);
    free(one);
    free(other);
}

static void cleared_is_as_new(void **state)
{
    struct hdr *h = *state, *fresh = mem_alloc(sizeof *fresh);
    hdr_add(h, 17);
    hdr_add(h, HDR_MAX_US);
    hdr_clear(h);
    assert_memory_equal(h, fresh, sizeof *h);
    free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_knows_its_values_to_three_digits),
        cmocka_unit_test_setup_teardown(an_empty_histogram_has_only_zeros, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quantiles_are_those_of_the_sorted_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_quantile_does_not_exceed_the_largest_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_out_of_range_count_as_the_nearest_in_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(merging_is_like_adding_to_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cleared_is_as_new, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
