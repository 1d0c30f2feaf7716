#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/schedule.h"

#include <math.h>

/* Arrivals of the plan in [from_us, to_us). */
static int64_t count_between(const struct schedule_plan *plan, int64_t from_us, int64_t to_us)
{
    struct schedule s;
    int64_t due_us, count = 0;
    schedule_init(&s, plan, 0, 1);
    while (schedule_next(&s, &due_us))
        count += due_us >= from_us && due_us < to_us;
    return count;
}

static void an_even_rate_is_even_and_does_not_drift(void **state)
{
    (void)state;
    struct schedule_piece piece = { 1000, 3, 3 };
    const struct schedule_plan plan = { .pieces = &piece, .piece_count = 1 };
    struct schedule s;
    int64_t due_us;
    schedule_init(&s, &plan, 0, 1);
    for (int64_t k = 0; k < 3000; k++) {
        assert_true(schedule_next(&s, &due_us));
        assert_int_equal(due_us, llround((double)k * 1e6 / 3));
    }
    assert_false(schedule_next(&s, &due_us));
    assert_false(schedule_next(&s, &due_us));
}

static void the_count_is_rate_times_duration(void **state)
{
    (void)state;
    struct schedule_piece pieces[] = { { 10, 1000, 1000 }, { 0.5, 0, 0 }, { 20, 500, 500 } };
    const struct schedule_plan plan = { .pieces = pieces, .piece_count = 3 };
    assert_int_equal(schedule_plan_count(&plan), 20000);
    assert_true(schedule_plan_duration_s(&plan) == 30.5);
    assert_int_equal(count_between(&plan, 0, 10000000), 10000);
    assert_int_equal(count_between(&plan, 10000000, 10500000), 0);
    assert_int_equal(count_between(&plan, 10500000, 11500000), 500);
}

static void a_ramp_has_the_rate_of_its_middle_in_each_part(void **state)
{
    (void)state;
    struct schedule_piece up = { 30, 100, 1000 }, down = { 30, 1000, 100 };
    const struct schedule_plan rising = { .pieces = &up, .piece_count = 1 }, falling = { &down, 1, 0, 0, 0 };
    assert_int_equal(schedule_plan_count(&rising), 16500);
    assert_int_equal(schedule_plan_count(&falling), 16500);
    for (int second = 0; second < 30; second++) {
        double middle = 100 + 30 * (second + 0.5);
        int64_t here = count_between(&rising, second * 1000000, (second + 1) * 1000000);
        int64_t mirrored = count_between(&falling, (29 - second) * 1000000, (30 - second) * 1000000);
        assert_true(fabs((double)here - middle) <= 1);
        assert_true(fabs((double)mirrored - middle) <= 1);
    }
}

static void a_ramp_can_start_from_nothing_and_end_in_it(void **state)
{
    (void)state;
    struct schedule_piece pieces[] = { { 10, 0, 100 }, { 10, 100, 0 } };
    const struct schedule_plan plan = { .pieces = pieces, .piece_count = 2 };
    assert_int_equal(schedule_plan_count(&plan), 1000);
    assert_int_equal(count_between(&plan, 0, 1000000), 5);
}

static void a_limit_of_requests_ends_a_rate_without_end(void **state)
{
    (void)state;
    struct schedule_piece piece = { INFINITY, 1000, 1000 };
    struct schedule_plan plan = { .pieces = &piece, .piece_count = 1, .requests_max = 1234 };
    assert_int_equal(schedule_plan_count(&plan), 1234);
    plan.is_poisson = true;
    assert_int_equal(schedule_plan_count(&plan), 1234);
}

static void poisson_arrivals_have_the_rate_and_its_spread(void **state)
{
    (void)state;
    struct schedule_piece piece = { 1000, 100, 100 };
    const struct schedule_plan plan = { .pieces = &piece, .piece_count = 1, .is_poisson = true, .seed = 5 };
    static int per_second[1000];
    struct schedule s;
    int64_t due_us, last_us = 0;
    double mean = 0, variance = 0;
    schedule_init(&s, &plan, 0, 1);
    while (schedule_next(&s, &due_us)) {
        assert_true(due_us >= last_us && due_us <= 1000000000);
        last_us = due_us;
        per_second[due_us / 1000000 > 999 ? 999 : due_us / 1000000]++;
    }
    for (int i = 0; i < 1000; i++)
        mean += per_second[i] / 1000.0;
    for (int i = 0; i < 1000; i++)
        variance += (per_second[i] - mean) * (per_second[i] - mean) / 999;
    assert_true(fabs(mean - 100) < 1.3); /* four standard deviations */
    assert_true(fabs(variance - 100) < 18);
}

static void the_same_seed_gives_the_same_arrivals(void **state)
{
    (void)state;
    struct schedule_piece piece = { 10, 100, 100 };
    struct schedule_plan plan = { .pieces = &piece, .piece_count = 1, .is_poisson = true, .seed = 5 }, other = plan;
    other.seed = 6;
    struct schedule a, b, c;
    int64_t a_us, b_us, c_us = 0;
    int different = 0;
    schedule_init(&a, &plan, 0, 1);
    schedule_init(&b, &plan, 0, 1);
    schedule_init(&c, &other, 0, 1);
    while (schedule_next(&a, &a_us)) {
        assert_true(schedule_next(&b, &b_us));
        assert_int_equal(a_us, b_us);
        different += schedule_next(&c, &c_us) && a_us != c_us;
    }
    assert_true(different > 800);
}

static void threads_share_one_plan_without_gap_or_overlap(void **state)
{
    (void)state;
    struct schedule_piece pieces[] = { { 1, 100, 900 }, { 1, 50, 50 } };
    const struct schedule_plan plan = {
        .pieces = pieces, .piece_count = 2, .is_poisson = true, .seed = 9, .requests_max = 500
    };
    struct schedule whole, parts[3];
    int64_t whole_us, part_us;
    schedule_init(&whole, &plan, 0, 1);
    for (unsigned i = 0; i < 3; i++)
        schedule_init(&parts[i], &plan, i, 3);
    int k = 0;
    for (; schedule_next(&whole, &whole_us); k++) {
        assert_true(schedule_next(&parts[k % 3], &part_us));
        assert_int_equal(whole_us, part_us);
    }
    assert_true(k > 400);
    for (unsigned i = 0; i < 3; i++)
        assert_false(schedule_next(&parts[i], &part_us));
}

static void many_short_pieces_lose_nothing(void **state)
{
    (void)state;
    static struct schedule_piece pieces[86400];
    const struct schedule_plan plan = { .pieces = pieces, .piece_count = 86400 };
    for (int i = 0; i < 86400; i++)
        pieces[i] = (struct schedule_piece){ 1 / 60.0, 60, 60 };
    assert_int_equal(schedule_plan_count(&plan), 86400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_even_rate_is_even_and_does_not_drift),
        cmocka_unit_test(the_count_is_rate_times_duration),
        cmocka_unit_test(a_ramp_has_the_rate_of_its_middle_in_each_part),
        cmocka_unit_test(a_ramp_can_start_from_nothing_and_end_in_it),
        cmocka_unit_test(a_limit_of_requests_ends_a_rate_without_end),
        cmocka_unit_test(poisson_arrivals_have_the_rate_and_its_spread),
        cmocka_unit_test(the_same_seed_gives_the_same_arrivals),
        cmocka_unit_test(threads_share_one_plan_without_gap_or_overlap),
        cmocka_unit_test(many_short_pieces_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
