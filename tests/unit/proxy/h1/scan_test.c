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
        assert_int_equal(h1_char_is(c, H1_CHAR_TARGET), byte > 0x20 && byte < 0x7f);
        assert_int_equal(h1_char_is(c, H1_CHAR_PATH), word || is_in(byte, "-_~!$&'()*+,;=:@/"));
        assert_int_equal(h1_char_is(c, H1_CHAR_QUERY), word || is_in(byte, "-._~!$&'()*+,;=:@/?%[]{}|^`"));
        assert_int_equal(h1_char_is(c, H1_CHAR_HOST), word || is_in(byte, "-._~"));
        assert_int_equal(h1_char_is(c, H1_CHAR_UNDERSCORE), byte == '_');
    }
}

/* A run of 48 good bytes with any byte at any place, for every place to start from and every end. */
static void wide_steps_find_what_single_steps_find(void **state)
{
    (void)state;
    char text[48];
    for (size_t place = 0; place < sizeof(text); place++) {
        for (int byte = 0; byte < 256; byte++) {
            memset(text, 'x', sizeof(text));
            text[place] = (char)byte;
            for (size_t start = 0; start < 4; start++) {
                for (size_t end = start; end <= sizeof(text); end += 3) {
                    assert_ptr_equal(h1_scan_value(text + start, text + end),
                                     h1_scan_class(text + start, text + end, H1_CHAR_VALUE));
                    assert_ptr_equal(h1_scan_target(text + start, text + end),
                                     h1_scan_class(text + start, text + end, H1_CHAR_TARGET));
                }
            }
        }
    }
}

static void a_trickling_head_is_parsed_again_only_at_a_line_end(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nA: \tb\r\n\r\n";
    const struct h1_limits limits = { 1000, 100, 10 };
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

static void a_bare_cr_is_seen_with_the_byte_behind_it(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\rx";
    const struct h1_limits limits = { 1000, 100, 10 };
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
        cmocka_unit_test(a_trickling_head_is_parsed_again_only_at_a_line_end),
        cmocka_unit_test(a_bare_cr_is_seen_with_the_byte_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
