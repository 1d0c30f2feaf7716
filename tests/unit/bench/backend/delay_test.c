#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/backend/delay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 5000

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static const int64_t *draw_sorted(const struct delay *delay, uint64_t seed)
{
    static int64_t values[DRAWS];
    static struct delay_source source;
    delay_source_init(&source, seed);
    for (int i = 0; i < DRAWS; i++)
        values[i] = delay_draw_us(delay, &source);
    qsort(values, DRAWS, sizeof values[0], compare);
    return values;
}

static bool parse(struct delay *delay, const char *query, const char *text)
{
    for (size_t i = 0; i < DELAY_NAME_COUNT; i++)
        if (strcmp(delay_names[i].query, query) == 0)
            return delay_parse(delay, &delay_names[i], text, strlen(text));
    return false;
}

static void delays_are_read_in_their_unit(void **state)
{
    (void)state;
    struct delay d;
    assert_true(parse(&d, "delay_ms", "2.5") && d.kind == DELAY_FIXED && d.us == 2500);
    assert_true(parse(&d, "delay_us", "70") && d.kind == DELAY_FIXED && d.us == 70);
    assert_true(parse(&d, "delay_exp_ms", "20") && d.kind == DELAY_EXPONENTIAL && d.us == 20000);
    assert_true(parse(&d, "delay_bimodal", "5,100,0.1") && d.kind == DELAY_BIMODAL);
    assert_true(d.us == 5000 && d.slow_us == 100000 && d.slow_part == 0.1);
}

static void other_texts_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "x", "-1", "5,", "5,100", "5,100,2", "5,100,0.1,1", ",5", "1e99", "nan", "5 "
    };
    struct delay d = { .us = 77 };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(parse(&d, "delay_bimodal", bad[i]));
        assert_false(parse(&d, "delay_ms", bad[i]));
    }
    assert_true(d.us == 77);
}

static void a_fixed_delay_is_always_the_same(void **state)
{
    (void)state;
    const struct delay d = { .kind = DELAY_FIXED, .us = 1234 };
    const int64_t *values = draw_sorted(&d, 1);
    assert_int_equal(values[0], 1234);
    assert_int_equal(values[DRAWS - 1], 1234);
}

static void exponential_delays_have_its_quantiles_whatever_the_seed(void **state)
{
    (void)state;
    const struct delay d = { .kind = DELAY_EXPONENTIAL, .us = 20000 };
    for (uint64_t seed = 0; seed < 20; seed++) {
        const int64_t *values = draw_sorted(&d, seed);
        double sum = 0;
        for (int i = 0; i < DRAWS; i++)
            sum += (double)values[i];
        assert_true(fabs((double)values[DRAWS / 2] / (20000 * log(2)) - 1) < 0.005);
        /* The width of one stratum there. */
        assert_true(fabs((double)values[DRAWS * 99 / 100] / (20000 * log(100)) - 1) < 0.023);
        assert_true(fabs(sum / DRAWS / 20000 - 1) < 0.01);
    }
}

static void one_of_two_delays_comes_as_often_as_it_should(void **state)
{
    (void)state;
    const struct delay d = { .kind = DELAY_BIMODAL, .us = 5000, .slow_us = 100000, .slow_part = 0.1 };
    const int64_t *values = draw_sorted(&d, 4);
    assert_int_equal(values[DRAWS * 9 / 10 - 1], 5000);
    assert_int_equal(values[DRAWS * 9 / 10], 100000);
}

static void neighbours_are_not_alike(void **state)
{
    (void)state;
    const struct delay d = { .kind = DELAY_EXPONENTIAL, .us = 1000 };
    static struct delay_source source;
    delay_source_init(&source, 11);
    double covariance = 0, last = (double)delay_draw_us(&d, &source) - 1000;
    for (int i = 0; i < 20000; i++) {
        double next = (double)delay_draw_us(&d, &source) - 1000;
        covariance += last * next / 20000;
        last = next;
    }
    assert_true(fabs(covariance) < 0.04 * 1e6); /* of the variance */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_read_in_their_unit),
        cmocka_unit_test(other_texts_are_refused_and_change_nothing),
        cmocka_unit_test(a_fixed_delay_is_always_the_same),
        cmocka_unit_test(exponential_delays_have_its_quantiles_whatever_the_seed),
        cmocka_unit_test(one_of_two_delays_comes_as_often_as_it_should),
        cmocka_unit_test(neighbours_are_not_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
