#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/series.h"

#include <pthread.h>

#define THREADS 3

static void count(struct interval *i, uint64_t ok, int64_t latency_us)
{
    i->offered += ok + 1;
    i->sent += ok + 1;
    i->ok += ok;
    i->failed += 1;
    for (uint64_t n = 0; n < ok; n++)
        hdr_add(&i->latency, latency_us);
}

static void a_row_is_the_sum_of_all_threads(void **state)
{
    (void)state;
    struct series *s = series_new(2);
    struct interval *a = series_post(s, NULL, 0), *b = series_post(s, NULL, 0);
    count(a, 3, 100);
    count(b, 2, 900);
    series_end(s, a);
    series_end(s, b);
    const struct series_row *row = series_wait_row(s);
    assert_non_null(row);
    assert_int_equal(row->offered, 7);
    assert_int_equal(row->sent, 7);
    assert_int_equal(row->ok, 5);
    assert_int_equal(row->failed, 2);
    assert_int_equal(row->p50_us, 100);
    assert_int_equal(row->p99_us, 900);
    assert_int_equal(row->max_us, 900);
    assert_null(series_wait_row(s));
    series_free(s);
}

static void an_interval_comes_back_empty(void **state)
{
    (void)state;
    struct series *s = series_new(1);
    struct interval *i = series_post(s, NULL, 0);
    count(i, 5, 1000);
    i = series_post(s, i, 1);
    assert_int_equal(series_wait_row(s)->ok, 5);
    count(i, 1, 7);
    i = series_post(s, i, 2); /* the memory of the first */
    assert_int_equal(i->second, 2);
    assert_int_equal(i->offered + i->sent + i->ok + i->failed + i->latency.count, 0);
    series_end(s, i);
    const struct series_row *row = series_wait_row(s);
    assert_int_equal(row->ok, 1);
    assert_int_equal(row->max_us, 7);
    row = series_wait_row(s);
    assert_int_equal(row->ok + row->failed, 0);
    assert_null(series_wait_row(s));
    size_t row_count;
    series_rows(s, &row_count);
    assert_int_equal(row_count, 3);
    series_free(s);
}

static void a_thread_that_ends_early_is_not_waited_for(void **state)
{
    (void)state;
    struct series *s = series_new(2);
    struct interval *early = series_post(s, NULL, 0), *late = series_post(s, NULL, 0);
    count(early, 1, 10);
    series_end(s, early);
    for (int64_t second = 0; second < 3; second++) {
        count(late, 1, 10);
        late = series_post(s, late, second + 1);
    }
    series_end(s, late);
    assert_int_equal(series_wait_row(s)->ok, 2);
    assert_int_equal(series_wait_row(s)->ok, 1);
    assert_int_equal(series_wait_row(s)->ok, 1);
    assert_int_equal(series_wait_row(s)->ok, 0);
    assert_null(series_wait_row(s));
    series_free(s);
}

struct poster {
    pthread_t thread;
    struct series *series;
    int64_t seconds;
};

static void *post_all(void *arg)
{
    struct poster *p = arg;
    struct interval *i = series_post(p->series, NULL, 0);
    for (int64_t second = 0; second < p->seconds; second++) {
        count(i, 10, second);
        i = series_post(p->series, i, second + 1);
    }
    series_end(p->series, i);
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    struct series *s = series_new(THREADS);
    struct poster posters[THREADS];
    uint64_t ok = 0;
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){ .series = s, .seconds = 50 + i * 20 };
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    for (const struct series_row *row; (row = series_wait_row(s));)
        ok += row->ok;
    for (int i = 0; i < THREADS; i++)
        pthread_join(posters[i].thread, NULL);
    assert_int_equal(ok, 10 * (50 + 70 + 90));
    size_t row_count;
    series_rows(s, &row_count);
    assert_int_equal(row_count, 91);
    series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_the_sum_of_all_threads),
        cmocka_unit_test(an_interval_comes_back_empty),
        cmocka_unit_test(a_thread_that_ends_early_is_not_waited_for),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
