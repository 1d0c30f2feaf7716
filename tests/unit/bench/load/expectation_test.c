#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/expectation.h"

#include <stdlib.h>

#include "base/mem.h"

static char *make_pattern(size_t len)
{
    char *text = mem_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i % 26);
    return text;
}

static const char *check_in_pieces(const struct expectation *e, const char *text, size_t len, size_t piece)
{
    struct body_check check;
    body_check_init(&check);
    for (size_t at = 0; at < len; at += piece)
        body_check_take(&check, e, text + at, len - at < piece ? len - at : piece);
    return body_check_finish(&check, e);
}

static void a_list_sets_only_what_it_names(void **state)
{
    (void)state;
    struct expectation e = { 0 };
    assert_true(expectation_set_statuses(&e, "5xx"));
    assert_true(expectation_set_statuses(&e, "200,304,4xx"));
    assert_true(e.statuses[200] && e.statuses[304] && e.statuses[400] && e.statuses[499]);
    assert_false(e.statuses[201] || e.statuses[500] || e.statuses[399]);
    static const char *const bad[] = { "", ",", "200,", "6xx", "0xx", "20", "2000", "2XX", "200 ", "600", "x" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(expectation_set_statuses(&e, bad[i]));
}

static void the_pattern_is_known_at_any_length_and_cut(void **state)
{
    (void)state;
    const struct expectation e = { .has_pattern = true };
    const size_t len = 50000;
    char *text = make_pattern(len);
    for (size_t piece = 1; piece < 60; piece++)
        assert_null(check_in_pieces(&e, text, len, piece));
    assert_null(check_in_pieces(&e, text, len, len));
    free(text);
}

static void one_wrong_byte_anywhere_is_found(void **state)
{
    (void)state;
    const struct expectation e = { .has_pattern = true };
    const size_t len = 40000;
    char *text = make_pattern(len);
    for (size_t at = 0; at < len; at += 397) {
        text[at] ^= 1;
        assert_non_null(check_in_pieces(&e, text, len, 7001));
        text[at] ^= 1;
    }
    text[len - 1] ^= 1;
    assert_non_null(check_in_pieces(&e, text, len, len));
    free(text);
}

static void the_checksum_is_adler32(void **state)
{
    (void)state;
    const size_t len = 100000;
    char *text = make_pattern(len);
    const struct expectation e = { .has_adler32 = true, .adler32 = 0xcf3c1f0e }; /* as zlib has it */
    assert_null(check_in_pieces(&e, text, len, 13));
    assert_null(check_in_pieces(&e, text, len, len));
    text[len / 2] ^= 2;
    assert_non_null(check_in_pieces(&e, text, len, len));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_sets_only_what_it_names),
        cmocka_unit_test(the_pattern_is_known_at_any_length_and_cut),
        cmocka_unit_test(one_wrong_byte_anywhere_is_found),
        cmocka_unit_test(the_checksum_is_adler32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
