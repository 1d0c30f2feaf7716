#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/exchange/reply.h"

#include "proxy/h1/head.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct slice date = { "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 37 };
static const int statuses[] = { 400, 404, 405, 408, 413, 414, 417, 421, 431, 500, 501, 502, 503, 504, 505, 599 };
#define STATUSES (sizeof statuses / sizeof *statuses)

/* The length of the head, and what is in it. */
static size_t parse(const char *answer, size_t len, enum http_method method, struct h1_response *response)
{
    static const struct h1_limits limits = { .head_bytes = REPLY_BYTES_MAX, .field_count = 16 };
    size_t resume_at = 0;
    enum h1_error error = H1_OK;
    assert_int_equal(h1_parse_response(answer, len, &limits, &resume_at, method, response, &error), H1_DONE);
    return response->head.head_bytes;
}

static bool has_field(const struct h1_response *response, const char *name, const char *value)
{
    for (size_t i = 0; i < response->head.field_count; i++) {
        if (slice_equals_ignoring_case(response->head.fields[i].name, slice_of(name)))
            return !value || slice_equals(response->head.fields[i].value, slice_of(value));
    }
    return false;
}

static void every_answer_is_a_whole_response(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATUSES; i++) {
        char answer[REPLY_BYTES_MAX];
        struct h1_response response;
        size_t len = reply_write(statuses[i], true, false, date, answer);
        assert_in_range(len, 50, REPLY_BYTES_MAX - 1);
        size_t head_len = parse(answer, len, HTTP_METHOD_GET, &response);
        assert_int_equal(response.head.status, statuses[i]);
        assert_true(response.head.keep_alive);
        assert_true(has_field(&response, "date", "Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_int_equal(response.head.body, HTTP_BODY_LENGTH);
        assert_int_equal(response.head.content_length, len - head_len);
        assert_true(slice_equals(response.reason, slice_of(reply_reason(statuses[i]))));
    }
}

static void the_answer_to_head_has_the_length_but_no_body(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATUSES; i++) {
        char with_body[REPLY_BYTES_MAX], without[REPLY_BYTES_MAX];
        struct h1_response response;
        size_t with_len = reply_write(statuses[i], true, false, date, with_body);
        size_t len = reply_write(statuses[i], true, true, date, without);
        assert_int_equal(parse(without, len, HTTP_METHOD_HEAD, &response), len);
        assert_int_equal(response.head.content_length, with_len - len);
        assert_memory_equal(with_body, without, len);
    }
}

static void one_that_closes_says_so(void **state)
{
    (void)state;
    char answer[REPLY_BYTES_MAX];
    struct h1_response response;
    parse(answer, reply_write(400, false, false, date, answer), HTTP_METHOD_GET, &response);
    assert_false(response.head.keep_alive);
    assert_true(has_field(&response, "connection", "close"));
    parse(answer, reply_write(400, true, false, date, answer), HTTP_METHOD_GET, &response);
    assert_false(has_field(&response, "connection", NULL));
}

static void only_503_says_when_to_come_back_and_405_what_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATUSES; i++) {
        char answer[REPLY_BYTES_MAX];
        struct h1_response response;
        parse(answer, reply_write(statuses[i], true, false, date, answer), HTTP_METHOD_GET, &response);
        assert_int_equal(has_field(&response, "retry-after", "1"), statuses[i] == 503);
        assert_int_equal(has_field(&response, "allow", NULL), statuses[i] == 405);
    }
}

static void every_status_that_the_parser_asks_for_has_its_own_reason(void **state)
{
    (void)state;
    for (int error = H1_OK + 1; error < H1_ERROR_COUNT; error++) {
        int status = h1_error_to_status((enum h1_error)error);
        if (status != 500)
            assert_string_not_equal(reply_reason(status), reply_reason(500));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_a_whole_response),
        cmocka_unit_test(the_answer_to_head_has_the_length_but_no_body),
        cmocka_unit_test(one_that_closes_says_so),
        cmocka_unit_test(only_503_says_when_to_come_back_and_405_what_is_allowed),
        cmocka_unit_test(every_status_that_the_parser_asks_for_has_its_own_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
