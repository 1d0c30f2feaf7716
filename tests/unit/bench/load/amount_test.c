#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/amount.h"

#include <math.h>
#include <stdlib.h>

static void times_have_a_unit_and_may_have_a_fraction(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = { { "1us", 1 }, { "250ms", 250000 }, { "1.5s", 1500000 }, { "2m", 120000000 }, { "0.5h", 1800000000 } };
    static const char *const bad[] = { "",
                                       "s",
                                       "10",
                                       "0s",
                                       "-1s",
                                       "1 s",
                                       "1S",
                                       "1.s",
                                       ".5s",
                                       "1.5.5s",
                                       "1e3s",
                                       "0x1s",
                                       "99999999h",
                                       "0.1us",
                                       "nans",
                                       "1ms2",
                                       "111111111111111111111111111111s" };
    int64_t us;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(amount_parse_time(slice_of(good[i].text), &us));
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (amount_parse_time(slice_of(bad[i]), &us))
            fail_msg("accepted: '%s'", bad[i]);
}

static void counts_are_digits_within_their_limits(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1.0", "101", "0x5", "99999999999999999999999" };
    int64_t value;
    assert_true(amount_parse_count(SLICE_LITERAL("100"), 1, 100, &value));
    assert_int_equal(value, 100);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(amount_parse_count(slice_of(bad[i]), 1, 100, &value));
    assert_false(amount_parse_count(SLICE_LITERAL("0"), 1, 100, &value));
}

static void check_steps(const char *text, bool is_good, size_t wanted_count)
{
    struct schedule_piece *pieces = NULL;
    size_t count;
    assert_int_equal(amount_parse_steps(text, &pieces, &count), is_good);
    if (is_good)
        assert_int_equal(count, wanted_count);
    free(pieces);
}

static void steps_are_rates_and_times(void **state)
{
    (void)state;
    struct schedule_piece *pieces = NULL;
    size_t count;
    assert_true(amount_parse_steps("100x10s,0x500ms,2.5x1m", &pieces, &count));
    assert_int_equal(count, 3);
    assert_true(pieces[1].from_per_s == 0 && pieces[1].to_per_s == 0 && pieces[1].duration_s == 0.5);
    assert_true(pieces[2].from_per_s == 2.5 && pieces[2].to_per_s == 2.5 && pieces[2].duration_s == 60);
    free(pieces);
    check_steps("7x1s", true, 1);
    static const char *const bad[] = { "",         ",",      "100",   "100x",       "x10s",           "100x10s,",
                                       ",100x10s", "100x10", "0x10s", "2000000x1s", "100x10s;200x10s" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_steps(bad[i], false, 0);
}

static void a_ramp_is_two_rates_and_a_time(void **state)
{
    (void)state;
    struct schedule_piece *pieces = NULL;
    size_t count;
    assert_true(amount_parse_ramp("100:1000:30s", &pieces, &count));
    assert_int_equal(count, 1);
    assert_true(pieces->from_per_s == 100 && pieces->to_per_s == 1000 && pieces->duration_s == 30);
    free(pieces);
    static const char *const bad[] = { "", "100", "100:1000", "100:1000:30", "0:0:30s", "a:b:c", "100:1000:30s:1" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pieces = NULL;
        assert_false(amount_parse_ramp(bad[i], &pieces, &count));
        free(pieces);
    }
}

static void a_trace_keeps_its_rates_when_it_is_sped_up(void **state)
{
    (void)state;
    struct schedule_piece *pieces = NULL;
    struct error error;
    size_t count;
    assert_true(amount_parse_trace(SLICE_LITERAL("10\n0\n30\n"), 60, 2, INFINITY, &pieces, &count, &error));
    assert_int_equal(count, 3);
    assert_true(pieces[0].from_per_s == 20 && fabs(pieces[0].duration_s - 1 / 60.0) < 1e-12);
    assert_true(pieces[1].from_per_s == 0 && pieces[2].to_per_s == 60);
    free(pieces);
}

static void a_trace_is_cut_in_the_middle_of_a_second(void **state)
{
    (void)state;
    struct schedule_piece *pieces = NULL;
    struct error error;
    size_t count;
    assert_true(amount_parse_trace(SLICE_LITERAL("10\n20\n30"), 1, 1, 1.5, &pieces, &count, &error));
    assert_int_equal(count, 2);
    assert_true(pieces[1].duration_s == 0.5);
    free(pieces);
}

static void a_bad_trace_names_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } bad[] = { { "1\nx\n", "line 2" }, { "1\n\n2\n", "line 2" },    { "-1\n", "line 1" },     { "1\r\n", "line 1" },
                { "", "no requests" },  { "0\n0\n", "no requests" }, { "1000001\n", "line 1" } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct schedule_piece *pieces = NULL;
        struct error error = { "" };
        size_t count;
        assert_false(amount_parse_trace(slice_of(bad[i].text), 1, 1, INFINITY, &pieces, &count, &error));
        assert_non_null(strstr(error.text, bad[i].why));
        free(pieces);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_a_unit_and_may_have_a_fraction),
        cmocka_unit_test(counts_are_digits_within_their_limits),
        cmocka_unit_test(steps_are_rates_and_times),
        cmocka_unit_test(a_ramp_is_two_rates_and_a_time),
        cmocka_unit_test(a_trace_keeps_its_rates_when_it_is_sped_up),
        cmocka_unit_test(a_trace_is_cut_in_the_middle_of_a_second),
        cmocka_unit_test(a_bad_trace_names_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
