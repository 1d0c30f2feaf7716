#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/client/token_bucket.h"

#define MOST_PER_SECOND (INT64_C(1) << 40)

static int64_t take_all(struct token_bucket *bucket, int64_t per_second, int64_t now_ms)
{
    int64_t taken = 0;
    for (; token_bucket_count(bucket, per_second, now_ms) > 0; taken++)
        token_bucket_take(bucket, 1);
    return taken;
}

static void a_new_one_is_full_whatever_its_rate(void **state)
{
    (void)state;
    static const int64_t rates[] = { 1, 7, 1000, MOST_PER_SECOND };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct token_bucket bucket = token_bucket_new(0), late = token_bucket_new(123456789);
        assert_true(token_bucket_count(&bucket, rates[i], 0) == rates[i]);
        assert_true(token_bucket_count(&late, rates[i], 123456789) == rates[i]);
        assert_true(token_bucket_count(&late, rates[i], 123456789 + 5000) == rates[i]);
    }
}

static void tokens_come_in_a_burst_of_one_second_and_then_at_their_rate(void **state)
{
    (void)state;
    struct token_bucket bucket = token_bucket_new(5000);
    assert_int_equal(take_all(&bucket, 10, 5000), 10);
    assert_int_equal(take_all(&bucket, 10, 5099), 0);
    assert_int_equal(take_all(&bucket, 10, 5100), 1);
    assert_int_equal(take_all(&bucket, 10, 5350), 2);
    assert_int_equal(take_all(&bucket, 10, 5400), 1);
}

static void looking_takes_nothing(void **state)
{
    (void)state;
    struct token_bucket bucket = token_bucket_new(0);
    for (int64_t now_ms = 0; now_ms < 100; now_ms++)
        assert_int_equal(token_bucket_count(&bucket, 3, now_ms), 3);
    assert_int_equal(take_all(&bucket, 3, 100), 3);
}

static void a_rate_is_kept_however_often_it_is_looked_at(void **state)
{
    (void)state;
    struct token_bucket bucket = token_bucket_new(0);
    int64_t taken = 0;
    for (int64_t now_ms = 0; now_ms <= 10000; now_ms++)
        taken += take_all(&bucket, 7, now_ms);
    assert_int_equal(taken, 7 + 70);
}

static void a_debt_is_made_up_for_first(void **state)
{
    (void)state;
    struct token_bucket bucket = token_bucket_new(0);
    assert_int_equal(token_bucket_count(&bucket, 100, 0), 100);
    token_bucket_take(&bucket, 1000); /* 900 too many: nine seconds */
    assert_int_equal(token_bucket_count(&bucket, 100, 0), 0);
    assert_true(token_bucket_is_in_debt(&bucket, 8999));
    assert_int_equal(token_bucket_count(&bucket, 100, 8999), 0);
    assert_false(token_bucket_is_in_debt(&bucket, 9000));
    assert_int_equal(token_bucket_count(&bucket, 100, 9009), 0);
    assert_int_equal(token_bucket_count(&bucket, 100, 9010), 1);
}

static void a_long_pause_fills_it_and_no_more(void **state)
{
    (void)state;
    struct token_bucket bucket = token_bucket_new(0);
    assert_int_equal(take_all(&bucket, 10, 0), 10);
    assert_int_equal(take_all(&bucket, 10, INT64_C(1) << 40), 10);
    assert_int_equal(take_all(&bucket, 10, INT64_C(1) << 60), 10);
    token_bucket_count(&bucket, 1, INT64_C(1) << 60);
    token_bucket_take(&bucket, 65536); /* a debt of eighteen hours: one look after them is enough */
    assert_int_equal(token_bucket_count(&bucket, 1, (INT64_C(1) << 60) + 65535 * 1000), 0);
    struct token_bucket untouched = token_bucket_new(0);
    token_bucket_take(&untouched, 65536);
    assert_int_equal(token_bucket_count(&untouched, 1, 65535 * 1000), 0);
    assert_int_equal(token_bucket_count(&untouched, 1, 65536 * 1000), 1);
}

static void the_largest_rates_do_not_overflow(void **state)
{
    (void)state;
    struct token_bucket bucket = token_bucket_new(INT64_MAX / 4);
    token_bucket_take(&bucket, MOST_PER_SECOND);
    assert_true(token_bucket_count(&bucket, MOST_PER_SECOND, INT64_MAX / 4) == 0);
    assert_true(token_bucket_count(&bucket, MOST_PER_SECOND, INT64_MAX / 2) == MOST_PER_SECOND);
}

static void a_clock_that_steps_back_adds_nothing(void **state)
{
    (void)state;
    struct token_bucket bucket = token_bucket_new(5000);
    assert_int_equal(take_all(&bucket, 10, 5000), 10);
    assert_int_equal(take_all(&bucket, 10, 1000), 0);
    assert_int_equal(take_all(&bucket, 10, 5100), 1);
}

static void a_rate_may_fall_and_rise(void **state)
{
    (void)state;
    struct token_bucket bucket = token_bucket_new(0);
    assert_int_equal(token_bucket_count(&bucket, 1000, 0), 1000);
    assert_int_equal(token_bucket_count(&bucket, 2, 1), 2);
    assert_int_equal(take_all(&bucket, 2, 1), 2);
    assert_int_equal(token_bucket_count(&bucket, 1000, 11), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_is_full_whatever_its_rate),
        cmocka_unit_test(tokens_come_in_a_burst_of_one_second_and_then_at_their_rate),
        cmocka_unit_test(looking_takes_nothing),
        cmocka_unit_test(a_rate_is_kept_however_often_it_is_looked_at),
        cmocka_unit_test(a_debt_is_made_up_for_first),
        cmocka_unit_test(a_long_pause_fills_it_and_no_more),
        cmocka_unit_test(the_largest_rates_do_not_overflow),
        cmocka_unit_test(a_clock_that_steps_back_adds_nothing),
        cmocka_unit_test(a_rate_may_fall_and_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
