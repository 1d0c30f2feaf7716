#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/log/termination.h"

#include <string.h>

/* Columns: request, request that the endpoint does not take, connect, head, data, data that the client does not take, tunnel. */
static const struct {
    enum exchange_end end;
    const char *texts[TERMINATION_PHASE_COUNT];
} rows[] = {
    { EXCHANGE_END_COMPLETE, { "--", "--", "--", "--", "--", "--", "--" } },
    { EXCHANGE_END_NO_ROUTE, { "PR", "PR", "PC", "PH", "PD", "PD", "PT" } },
    { EXCHANGE_END_AMBIGUOUS_PATH, { "PR", "PR", "PC", "PH", "PD", "PD", "PT" } },
    { EXCHANGE_END_NO_ENDPOINT, { "SC", "SC", "SC", "SC", "SC", "SC", "SC" } },
    { EXCHANGE_END_REFUSED_METHOD, { "PR", "PR", "PC", "PH", "PD", "PD", "PT" } },
    { EXCHANGE_END_REFUSED_EXPECTATION, { "PR", "PR", "PC", "PH", "PD", "PD", "PT" } },
    { EXCHANGE_END_LOOP, { "PR", "PR", "PC", "PH", "PD", "PD", "PT" } },
    { EXCHANGE_END_FORWARDS_SPENT, { "PR", "PR", "PC", "PH", "PD", "PD", "PT" } },
    { EXCHANGE_END_RATE_LIMITED, { "PR", "PR", "PC", "PH", "PD", "PD", "PT" } },
    { EXCHANGE_END_CONNECT_FAILED, { "SC", "SC", "SC", "SC", "SC", "SC", "SC" } },
    { EXCHANGE_END_CONNECT_TIMEOUT, { "sC", "sC", "sC", "sC", "sC", "sC", "sC" } },
    { EXCHANGE_END_UPSTREAM_BROKEN, { "SR", "SR", "SC", "SH", "SD", "SD", "ST" } },
    { EXCHANGE_END_UPSTREAM_MALFORMED, { "PH", "PH", "PH", "PH", "PD", "PD", "PT" } },
    { EXCHANGE_END_RESPONSE_TIMEOUT, { "sR", "sR", "sC", "sH", "sD", "sD", "sT" } },
    { EXCHANGE_END_REQUEST_TIMEOUT, { "cR", "sR", "sC", "sH", "sD", "cD", "cT" } },
    { EXCHANGE_END_BODY_TIMEOUT, { "cR", "sR", "sC", "sH", "sD", "cD", "cT" } },
    { EXCHANGE_END_TUNNEL_TIMEOUT, { "cR", "sR", "sC", "sH", "sD", "cD", "cT" } },
    { EXCHANGE_END_BODY_MALFORMED, { "PR", "PR", "PR", "PR", "PD", "PD", "PR" } },
    { EXCHANGE_END_CLIENT_GONE, { "CR", "CR", "CC", "CH", "CD", "CD", "CT" } },
    { EXCHANGE_END_NO_BUFFER, { "RR", "RR", "RC", "RH", "RD", "RD", "RT" } },
    { EXCHANGE_END_NO_ROW, { "RR", "RR", "RC", "RH", "RD", "RD", "RT" } },
    { EXCHANGE_END_DRAIN_LIMIT, { "KR", "KR", "KC", "KH", "KD", "KD", "KT" } },
};

static void every_pair_of_end_and_phase_has_its_letters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int phase = 0; phase < TERMINATION_PHASE_COUNT; phase++) {
            struct termination got = termination_of(rows[i].end, (enum termination_phase)phase);
            if (strcmp(got.text, rows[i].texts[phase]) != 0)
                fail_msg("%s in phase %d: %s, not %s", exchange_end_to_str(rows[i].end), phase, got.text,
                         rows[i].texts[phase]);
        }
    }
}

static void every_end_is_in_the_table(void **state)
{
    (void)state;
    assert_int_equal(sizeof rows / sizeof *rows, EXCHANGE_END_COUNT);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(rows[i].end, i);
}

static void a_value_that_is_no_phase_is_a_dash(void **state)
{
    (void)state;
    assert_string_equal(termination_of(EXCHANGE_END_CLIENT_GONE, TERMINATION_PHASE_COUNT).text, "C-");
    assert_string_equal(termination_of(EXCHANGE_END_COUNT, TERMINATION_REQUEST).text, "PR");
}

static void what_broke_off_and_what_has_no_answer_are_failures(void **state)
{
    (void)state;
    static const char *const broken[] = { "CD", "SD", "PD", "cD", "sD", "RD", "PH", "CR", "cR", "SC", "CT" };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_true(termination_is_failure(broken[i], 200));
    assert_true(termination_is_failure("--", 500));
    assert_true(termination_is_failure("--", 503));
    assert_true(termination_is_failure("--", 0));
    assert_true(termination_is_failure("PR", 501));
}

static void answers_and_refusals_are_no_failures(void **state)
{
    (void)state;
    assert_false(termination_is_failure("--", 200));
    assert_false(termination_is_failure("--", 404));
    assert_false(termination_is_failure("--", 499));
    assert_false(termination_is_failure("PR", 404));
    assert_false(termination_is_failure("PR", 429));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_end_and_phase_has_its_letters),
        cmocka_unit_test(every_end_is_in_the_table),
        cmocka_unit_test(a_value_that_is_no_phase_is_a_dash),
        cmocka_unit_test(what_broke_off_and_what_has_no_answer_are_failures),
        cmocka_unit_test(answers_and_refusals_are_no_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
