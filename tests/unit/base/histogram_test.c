#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/histogram.h"

#include "base/mem.h"
#include "tests/unit/base/random_source.h"

#include <math.h>
#include <stdlib.h>

#define LAST (HISTOGRAM_BUCKET_COUNT - 1)
#define LIMIT_US (UINT64_C(1) << HISTOGRAM_MAX_BITS)

/* Any size from microseconds to half an hour is as likely as any other. */
static uint64_t any_duration_us(uint64_t *random)
{
    return random_next(random) >> (64 - HISTOGRAM_MAX_BITS) >> random_below(random, HISTOGRAM_MAX_BITS);
}

static void check_value(uint64_t value_us)
{
    size_t bucket = histogram_bucket_of(value_us);
    uint64_t upper = histogram_bucket_upper_us(bucket);
    assert_in_range(bucket, 0, LAST);
    assert_true(upper >= value_us);
    assert_true((upper - value_us) * 16 <= value_us); /* 6.25 % */
    if (bucket > 0)
        assert_true(histogram_bucket_upper_us(bucket - 1) < value_us);
}

static void a_bucket_knows_its_values_to_within_one_sixteenth(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (uint64_t value = 0; value < 100000; value++)
        check_value(value);
    for (int bit = 0; bit < HISTOGRAM_MAX_BITS; bit++) {
        check_value((UINT64_C(1) << bit) - 1);
        check_value(UINT64_C(1) << bit);
        check_value((UINT64_C(1) << bit) + 1);
    }
    for (int i = 0; i < 200000; i++)
        check_value(any_duration_us(&random));
    check_value(LIMIT_US - 1);
}

static void buckets_touch_and_do_not_overlap(void **state)
{
    (void)state;
    for (size_t bucket = 0; bucket < LAST; bucket++) {
        uint64_t upper = histogram_bucket_upper_us(bucket);
        assert_int_equal(histogram_bucket_of(upper), bucket);
        assert_int_equal(histogram_bucket_of(upper + 1), bucket + 1);
    }
    assert_int_equal(histogram_bucket_upper_us(LAST), LIMIT_US - 1);
}

static void what_is_too_long_is_counted_in_the_last_bucket(void **state)
{
    (void)state;
    struct histogram h = { 0 };
    histogram_add(&h, LIMIT_US);
    histogram_add(&h, UINT64_C(1) << 40);
    histogram_add(&h, UINT64_MAX / 4);
    assert_int_equal(h.buckets[LAST], 3);
    assert_int_equal(histogram_count(&h), 3);
    assert_int_equal(histogram_quantile_us(&h, 0.5), LIMIT_US - 1);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void check_quantiles(uint64_t *values, size_t count)
{
    static const double quantiles[] = { 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1 };
    struct histogram h = { 0 };
    for (size_t i = 0; i < count; i++)
        histogram_add(&h, values[i]);
    qsort(values, count, sizeof *values, compare);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        size_t rank = (size_t)ceil(quantiles[i] * (double)count);
        uint64_t exact = values[(rank ? rank : 1) - 1], got = histogram_quantile_us(&h, quantiles[i]);
        assert_true(got >= exact);
        assert_true((got - exact) * 16 <= exact);
    }
}

static void a_quantile_is_never_more_than_one_sixteenth_above_the_exact_one(void **state)
{
    (void)state;
    uint64_t random = 2, values[1000];
    for (int round = 0; round < 300; round++) {
        size_t count = 1 + random_below(&random, 1000);
        for (size_t i = 0; i < count; i++)
            values[i] = any_duration_us(&random);
        check_quantiles(values, count);
    }
}

static void an_empty_one_has_the_quantile_zero(void **state)
{
    (void)state;
    struct histogram h = { 0 };
    assert_int_equal(histogram_quantile_us(&h, 0.99), 0);
    assert_int_equal(histogram_count(&h), 0);
}

static void merging_is_adding_to_one(void **state)
{
    (void)state;
    struct histogram *a = mem_alloc(sizeof *a), *b = mem_alloc(sizeof *b), *all = mem_alloc(sizeof *all);
    uint64_t random = 3;
    for (int i = 0; i < 5000; i++) {
        uint64_t value = any_duration_us(&random);
        histogram_add(i % 3 ? a : b, value);
        histogram_add(all, value);
    }
    histogram_merge(a, b);
    assert_memory_equal(a, all, sizeof *all);
    free(a);
    free(b);
    free(all);
}

static void a_difference_is_what_happened_in_between_and_never_negative(void **state)
{
    (void)state;
    struct histogram earlier = { 0 }, later, between, backwards;
    histogram_add(&earlier, 10);
    histogram_add(&earlier, 2000);
    later = earlier;
    histogram_add(&later, 2000);
    histogram_add(&later, 300000);
    histogram_diff(&between, &later, &earlier);
    assert_int_equal(histogram_count(&between), 2);
    assert_int_equal(between.sum_us, 302000);
    assert_in_range(histogram_quantile_us(&between, 0.5), 2000, 2125);
    assert_in_range(histogram_quantile_us(&between, 1), 300000, 318750);
    histogram_diff(&backwards, &earlier, &later); /* the row was wiped in between */
    assert_int_equal(histogram_count(&backwards), 0);
    assert_int_equal(backwards.sum_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_knows_its_values_to_within_one_sixteenth),
        cmocka_unit_test(buckets_touch_and_do_not_overlap),
        cmocka_unit_test(what_is_too_long_is_counted_in_the_last_bucket),
        cmocka_unit_test(a_quantile_is_never_more_than_one_sixteenth_above_the_exact_one),
        cmocka_unit_test(an_empty_one_has_the_quantile_zero),
        cmocka_unit_test(merging_is_adding_to_one),
        cmocka_unit_test(a_difference_is_what_happened_in_between_and_never_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
