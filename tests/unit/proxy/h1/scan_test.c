#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/h1/scan.h"

static bool is_in(int byte, const char *set)
{
    return byte > 0 && byte < 0x80 && strchr(set, byte) != NULL;
}

static bool is_alphanumeric(int byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* Each class again, as the RFCs write it. */
static void classes_are_those_of_the_rfcs(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool word = is_alphanumeric(byte);
        assert_int_equal(h1_char_is(c, H1_CHAR_TOKEN), word || is_in(byte, "!#$%&'*+-.^_`|~"));
        assert_int_equal(h1_char_is(c, H1_CHAR_VALUE), byte == '\t' || (byte >= 0x20 && byte != 0x7f));
        assert_int_equal(h1_char_is(c, H1_CHAR_TARGET), byte > 0x20 && byte != 0x7f);
        assert_int_equal(h1_char_is(c, H1_CHAR_PATH), word || is_in(byte, "-_~!$&'()*+,;=:@/"));
        assert_int_equal(h1_char_is(c, H1_CHAR_QUERY), word || is_in(byte, "-._~!$&'()*+,;=:@/?%"));
        assert_int_equal(h1_char_is(c, H1_CHAR_HOST), word || is_in(byte, "-._~"));
        assert_int_equal(h1_char_is(c, H1_CHAR_UNDERSCORE), byte == '_');
    }
}

/* What the portable steps find is what single steps find: they are these. */
static void assert_steps_agree(const char *at, const char *end)
{
    const char *value_end = h1_scan_class(at, end, H1_CHAR_VALUE), *target_end = h1_scan_class(at, end, H1_CHAR_TARGET);
    if (h1_scan_value(at, end) != value_end || h1_scan_target(at, end) != target_end) {
        fail_msg("wide and single steps part in \"%.*s\" of %zu bytes", (int)(end - at), at, (size_t)(end - at));
    }
}

/* A run of good bytes with any byte at any place, for every alignment to start from and every length. */
static void wide_steps_find_what_single_steps_find(void **state)
{
    (void)state;
    static char text[16 + 48] __attribute__((aligned(16)));
    for (size_t start = 0; start < 16; start++) {
        for (size_t place = 0; place < 36; place++) {
            memset(text, 'x', sizeof(text));
            for (int byte = 0; byte < 256; byte++) {
                text[start + place] = (char)byte;
                for (size_t len = place; len <= 36; len++) {
                    assert_steps_agree(text + start, text + start + len);
                }
            }
        }
    }
}

/* Two bytes of interest in one wide step: the first that does not belong is found, whatever is before and behind it. */
static void the_first_of_several_bytes_is_found(void **state)
{
    (void)state;
    static char text[40] __attribute__((aligned(16)));
    static const char interesting[] = "\t \r\x7f\x80\xff";
    for (size_t first = 0; first < sizeof(interesting); first++) {
        for (int byte = 0; byte < 256; byte++) {
            for (size_t place = 0; place < 35; place++) {
                memset(text, 'x', sizeof(text));
                text[place] = interesting[first];
                text[place + 1] = (char)byte;
                assert_steps_agree(text, text + sizeof(text));
                assert_steps_agree(text + place % 16, text + sizeof(text));
            }
        }
    }
}

static void a_trickling_head_is_parsed_again_only_at_a_line_end(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nA: \tb\r\n\r\n";
    const struct h1_limits limits = { .head_bytes = 1000, .target_bytes = 100, .field_count = 10 };
    struct h1_request request;
    enum h1_error error;
    size_t resume_at = 0, due_count = 0;
    for (size_t len = 1; len < sizeof(text); len++) {
        size_t asked_at = resume_at;
        due_count += h1_resume_is_due(text, len, &limits, &asked_at);
        enum h1_result result = h1_parse_request(text, len, &limits, &resume_at, &request, &error);
        assert_int_equal(result, len == sizeof(text) - 1 ? H1_DONE : H1_MORE);
        assert_true(resume_at <= len);
    }
    assert_int_equal(due_count, 1 + 4);
}

static void a_resume_point_behind_the_end_is_ignored(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const struct h1_limits limits = { .head_bytes = 1000, .target_bytes = 100, .field_count = 10 };
    static struct h1_request request;
    enum h1_error error;
    size_t resume_at = sizeof(text);
    assert_int_equal(h1_parse_request(text, sizeof(text) - 1, &limits, &resume_at, &request, &error), H1_DONE);
}

static void a_bare_cr_is_seen_with_the_byte_behind_it(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\rx";
    const struct h1_limits limits = { .head_bytes = 1000, .target_bytes = 100, .field_count = 10 };
    struct h1_request request;
    enum h1_error error;
    size_t resume_at = 0, len = 1;
    while (h1_parse_request(text, len, &limits, &resume_at, &request, &error) == H1_MORE) {
        len++;
    }
    assert_int_equal(error, H1_ERR_BARE_CR);
    assert_int_equal(len, sizeof(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_the_rfcs),
        cmocka_unit_test(wide_steps_find_what_single_steps_find),
        cmocka_unit_test(the_first_of_several_bytes_is_found),
        cmocka_unit_test(a_trickling_head_is_parsed_again_only_at_a_line_end),
        cmocka_unit_test(a_resume_point_behind_the_end_is_ignored),
        cmocka_unit_test(a_bare_cr_is_seen_with_the_byte_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
