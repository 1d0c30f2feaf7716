#include "controller/metrics_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct metrics_window *w;
static struct service_traffic reading;
static int64_t now_ms;

static int set_up(void **state)
{
    (void)state;
    w = metrics_window_new();
    memset(&reading, 0, sizeof reading);
    now_ms = 1000;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    metrics_window_free(w);
    return 0;
}

static void add(uint64_t requests, uint64_t latency_us, uint64_t in_flight)
{
    now_ms += 250;
    reading.requests += requests;
    reading.in_flight = in_flight;
    for (uint64_t i = 0; i < requests; i++)
        histogram_add(&reading.latency, latency_us);
    metrics_window_add(w, now_ms, &reading);
}

static const struct load_sample *last_sample(void)
{
    size_t n;
    const struct load_sample *samples = metrics_window_samples(w, &n);
    assert_true(n > 0);
    return &samples[n - 1];
}

static void the_first_reading_is_only_a_starting_point(void **state)
{
    (void)state;
    size_t n;
    reading.requests = 1000000;
    add(10, 1000, 3);
    metrics_window_samples(w, &n);
    assert_int_equal(n, 0);
    assert_false(metrics_window_is_warm(w, now_ms));
    add(10, 1000, 3);
    assert_float_equal(last_sample()->finished, 10, 0);
}

static void rate_in_flight_and_p99_are_of_the_last_two_seconds(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        add(100, 90000, 50);
    for (int i = 0; i < 8; i++)
        add(10, 1000, 4);
    assert_true(metrics_window_is_warm(w, now_ms));
    assert_float_equal(metrics_window_rate(w), 40, 0.001);
    assert_float_equal(metrics_window_in_flight(w), 4, 0.001);
    assert_true(metrics_window_p99_ms(w) >= 1 && metrics_window_p99_ms(w) < 1.1);
    assert_float_equal(last_sample()->latency_count, 80, 0);
}

static void arrivals_are_what_ended_and_what_piled_up(void **state)
{
    (void)state;
    add(10, 1000, 0);
    add(10, 1000, 30);
    assert_float_equal(last_sample()->arrived, 40, 0);
    add(20, 1000, 10);
    assert_float_equal(last_sample()->arrived, 0, 0);
}

static void a_counter_that_restarted_counts_from_zero(void **state)
{
    (void)state;
    add(1000, 1000, 9);
    add(10, 1000, 9);
    memset(&reading, 0, sizeof reading);
    add(7, 1000, 2);
    assert_float_equal(last_sample()->finished, 7, 0);
    assert_float_equal(last_sample()->arrived, 9, 0);
    for (int i = 0; i < 7; i++)
        add(0, 0, 2);
    assert_float_equal(last_sample()->latency_count, 7, 0);
}

static void a_gap_forgets_what_was_before(void **state)
{
    (void)state;
    size_t n;
    for (int i = 0; i < 10; i++)
        add(10, 50000, 1);
    assert_true(metrics_window_is_warm(w, now_ms));
    metrics_window_add_gap(w);
    assert_false(metrics_window_is_warm(w, now_ms));
    add(10000, 1000, 1);
    metrics_window_samples(w, &n);
    assert_int_equal(n, 0); /* what happened in the gap is nobody's rate */
    add(10, 1000, 1);
    assert_float_equal(last_sample()->latency_count, 10, 0);
    now_ms += METRICS_WINDOW_GAP_MS;
    add(10, 1000, 1);
    metrics_window_samples(w, &n);
    assert_int_equal(n, 0);
}

static void old_samples_are_not_warm(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        add(10, 1000, 1);
    assert_true(metrics_window_is_warm(w, now_ms + POLICY_STALE_MS));
    assert_false(metrics_window_is_warm(w, now_ms + POLICY_STALE_MS + 1));
}

static void a_clock_that_stands_still_does_no_harm(void **state)
{
    (void)state;
    add(10, 1000, 1);
    now_ms -= 250;
    add(10, 1000, 1);
    size_t n;
    metrics_window_samples(w, &n);
    assert_int_equal(n, 0);
    assert_float_equal(metrics_window_rate(w), 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void a_quiet_reading_is_the_last_one_again(void **state)
{
    (void)state;
    struct metrics_window *whole = metrics_window_new();
    size_t n, whole_n;
    for (int i = 0; i < 40; i++) {
        if (i < 6) {
            add(20, 3000, 0);
        } else {
            struct service_load load = { reading.requests, 0, reading.no_endpoint };
            now_ms += 250;
            assert_true(metrics_window_add_quiet(w, &load, now_ms));
        }
        metrics_window_add(whole, now_ms, &reading);
        const struct load_sample *samples = metrics_window_samples(w, &n);
        const struct load_sample *of_whole = metrics_window_samples(whole, &whole_n);
        assert_int_equal(n, whole_n);
        for (size_t j = 0; j < n; j++) {
            assert_int_equal(samples[j].at_ms, of_whole[j].at_ms);
            assert_int_equal(samples[j].span_ms, of_whole[j].span_ms);
            assert_float_equal(samples[j].finished, of_whole[j].finished, 0);
            assert_float_equal(samples[j].arrived, of_whole[j].arrived, 0);
            assert_float_equal(samples[j].in_flight, of_whole[j].in_flight, 0);
            assert_float_equal(samples[j].latency_count, of_whole[j].latency_count, 0);
            assert_float_equal(samples[j].latency_p99_ms, of_whole[j].latency_p99_ms, 0);
        }
    }
    metrics_window_free(whole);
}

static void what_is_not_the_last_reading_again_wants_a_whole_one(void **state)
{
    (void)state;
    struct service_load same = { 10, 0, 0 };
    assert_false(metrics_window_add_quiet(w, &same, now_ms + 250)); /* there is no last one */
    add(10, 1000, 1);
    assert_false(metrics_window_add_quiet(w, &same, now_ms + 250)); /* something was in flight */
    add(0, 1000, 0);
    assert_true(metrics_window_add_quiet(w, &same, now_ms + 250));
    now_ms += 250;
    assert_false(metrics_window_add_quiet(w, &(struct service_load){ 11, 0, 0 }, now_ms + 250));
    assert_false(metrics_window_add_quiet(w, &(struct service_load){ 9, 0, 0 }, now_ms + 250));
    assert_false(metrics_window_add_quiet(w, &(struct service_load){ 10, 1, 0 }, now_ms + 250));
    assert_false(metrics_window_add_quiet(w, &(struct service_load){ 10, 0, 1 }, now_ms + 250));
    assert_false(metrics_window_add_quiet(w, &same, now_ms));
    assert_false(metrics_window_add_quiet(w, &same, now_ms + METRICS_WINDOW_GAP_MS + 1));
    assert_true(metrics_window_add_quiet(w, &same, now_ms + 250));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_reading_is_only_a_starting_point),
        TEST(rate_in_flight_and_p99_are_of_the_last_two_seconds),
        TEST(arrivals_are_what_ended_and_what_piled_up),
        TEST(a_counter_that_restarted_counts_from_zero),
        TEST(a_gap_forgets_what_was_before),
        TEST(old_samples_are_not_warm),
        TEST(a_clock_that_stands_still_does_no_harm),
        TEST(a_quiet_reading_is_the_last_one_again),
        TEST(what_is_not_the_last_reading_again_wants_a_whole_one),
    };
    return cmocka_run_group_tests_name("metrics_window", tests, NULL, NULL);
}
