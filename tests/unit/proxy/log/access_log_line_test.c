#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/log/access_log_line.h"

#include "base/clock.h"
#include "proxy/h1/error.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_US INT64_C(1795382189825123) /* 2026-11-22T21:16:29.825 */
#define GUARD 0x5a

static struct access_record record_of(struct slice method, struct slice target)
{
    return (struct access_record){ .client = "192.0.2.7",
                                   .client_port = 43210,
                                   .service = "web",
                                   .endpoint = "172.17.0.2:8080",
                                   .protocol = "1.1",
                                   .end = "complete",
                                   .termination = "--",
                                   .method = method,
                                   .target = target,
                                   .host = SLICE_LITERAL("example.com"),
                                   .request_id = SLICE_LITERAL("0123456789abcdef0123456789abcdef"),
                                   .referer = SLICE_LITERAL("http://example.com/"),
                                   .user_agent = SLICE_LITERAL("curl/7.88.1"),
                                   .status = 200,
                                   .try_count = 2,
                                   .is_reused = true,
                                   .request_bytes = 10,
                                   .response_bytes = 1234567890123,
                                   .request_us = 70,
                                   .connect_us = 300,
                                   .response_us = 900,
                                   .duration_us = 1500 };
}

/* In a block of exactly the promised size, so that a sanitizer sees the first byte too many. Ends with a NUL in place of
 * the newline. */
static char *make_line(bool is_combined, int64_t wall_us, const struct access_record *record)
{
    struct access_log_clock clock = { 0 };
    char *out = malloc(ACCESS_LOG_LINE_BYTES);
    assert_non_null(out);
    memset(out, GUARD, ACCESS_LOG_LINE_BYTES);
    size_t len = (is_combined ? access_log_line_combined : access_log_line_json)(&clock, wall_us, record, out);
    assert_in_range(len, 1, ACCESS_LOG_LINE_BYTES);
    assert_int_equal(out[len - 1], '\n');
    for (size_t i = 0; i + 1 < len; i++)
        assert_in_range((unsigned char)out[i], 0x20, 0x7e);
    for (size_t i = len; i < ACCESS_LOG_LINE_BYTES; i++)
        assert_int_equal(out[i], GUARD);
    out[len - 1] = '\0';
    return out;
}

static json_t *make_object(const struct access_record *record)
{
    json_error_t error;
    char *line = make_line(false, WALL_US, record);
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!object)
        fail_msg("%s: %s", error.text, line);
    free(line);
    return object;
}

static void check_text(json_t *object, const char *key, const char *wanted)
{
    const char *got = json_string_value(json_object_get(object, key));
    assert_non_null(got);
    assert_string_equal(got, wanted);
}

static void check_number(json_t *object, const char *key, json_int_t wanted)
{
    json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    assert_int_equal(json_integer_value(value), wanted);
}

static void a_json_line_says_all_about_a_request(void **state)
{
    (void)state;
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/a?b=c"));
    json_t *object = make_object(&record);
    check_text(object, "time", "2026-11-22T21:16:29.825Z");
    check_text(object, "client", "192.0.2.7");
    check_number(object, "clientPort", 43210);
    check_text(object, "method", "GET");
    check_text(object, "target", "/a?b=c");
    check_text(object, "protocol", "1.1");
    check_text(object, "host", "example.com");
    check_number(object, "status", 200);
    check_text(object, "end", "complete");
    check_text(object, "termination", "--");
    check_text(object, "service", "web");
    check_text(object, "endpoint", "172.17.0.2:8080");
    check_number(object, "tries", 2);
    check_number(object, "requestBytes", 10);
    check_number(object, "responseBytes", 1234567890123);
    check_number(object, "requestUs", 70);
    check_number(object, "connectUs", 300);
    check_number(object, "responseUs", 900);
    check_number(object, "durationUs", 1500);
    assert_true(json_is_true(json_object_get(object, "isReused")));
    check_text(object, "requestId", "0123456789abcdef0123456789abcdef");
    assert_int_equal(json_object_size(object), 21);
    json_decref(object);
}

static void the_desync_class_is_there_when_there_is_one(void **state)
{
    (void)state;
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/"));
    record.desync = "ambiguous";
    record.desync_reason = "content-length-repeated";
    json_t *object = make_object(&record);
    check_text(object, "desync", "ambiguous");
    check_text(object, "desyncReason", "content-length-repeated");
    assert_int_equal(json_object_size(object), 23);
    json_decref(object);
}

static void a_request_of_which_nothing_is_known_makes_a_valid_line(void **state)
{
    (void)state;
    struct access_record record = { 0 };
    json_t *object = make_object(&record);
    check_text(object, "client", "");
    check_text(object, "method", "");
    check_text(object, "endpoint", "");
    check_number(object, "status", 0);
    assert_int_equal(json_object_size(object), 20);
    json_decref(object);
    char *line = make_line(true, WALL_US, &record);
    assert_string_equal(line, "- - - [22/Nov/2026:21:16:29 +0000] \"-\" 000 0 \"-\" \"-\"");
    free(line);
}

static void a_combined_line_is_as_web_servers_write_it(void **state)
{
    (void)state;
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/a?b=c"));
    char *line = make_line(true, WALL_US, &record);
    assert_string_equal(line, "192.0.2.7 - - [22/Nov/2026:21:16:29 +0000] \"GET /a?b=c HTTP/1.1\" 200 1234567890123 "
                              "\"http://example.com/\" \"curl/7.88.1\"");
    free(line);
}

static void a_combined_line_escapes_what_could_end_a_field(void **state)
{
    (void)state;
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/\"\\"));
    record.referer = SLICE_LITERAL("\" 200 1 \"");
    record.user_agent = SLICE_LITERAL("\x1b[2J\xc3\xa4\n\t\x7f~");
    record.protocol = "1.0";
    char *line = make_line(true, WALL_US, &record);
    assert_string_equal(line,
                        "192.0.2.7 - - [22/Nov/2026:21:16:29 +0000] \"GET /\\x22\\x5C HTTP/1.0\" 200 1234567890123 "
                        "\"\\x22 200 1 \\x22\" \"\\x1B[2J\\xC3\\xA4\\x0A\\x09\\x7F~\"");
    free(line);
}

/* Each byte in runs of one to 41: in the parts that are looked at sixteen and eight at a time, and behind them. */
static void every_byte_at_every_place_comes_out_as_it_was(void **state)
{
    (void)state;
    struct access_log_clock clock = { 0 };
    char out[ACCESS_LOG_LINE_BYTES], run[41];
    for (int byte = 0; byte < 256; byte++) {
        for (size_t len = 1; len <= sizeof run; len++) {
            size_t at = ((size_t)byte * 7 + len * 3) % len;
            memset(run, 'x', sizeof run);
            run[at] = (char)byte;
            struct access_record record = { .target = { run, len } };
            size_t line_len = access_log_line_json(&clock, WALL_US, &record, out);
            json_t *object = json_loadb(out, line_len, JSON_ALLOW_NUL, NULL);
            assert_non_null(object);
            json_t *target = json_object_get(object, "target");
            char expected[48];
            size_t expected_len = 0;
            for (size_t i = 0; i < len;
                 i++) { /* bytes beyond ASCII are shown as U+0080 to U+00FF: two bytes of UTF-8 */
                unsigned char c = (unsigned char)run[i];
                if (c >= 0x80)
                    expected[expected_len++] = (char)(0xc0 | c >> 6);
                expected[expected_len++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
            }
            assert_int_equal(json_string_length(target), expected_len);
            assert_memory_equal(json_string_value(target), expected, expected_len);
            json_decref(object);
        }
    }
}

static void texts_that_are_too_long_are_cut_and_the_line_still_fits(void **state)
{
    (void)state;
    static char text[9000], name[200];
    static const char fills[] = { 'x', '"', '\\', '\x01', '\xff', ' ' };
    for (size_t i = 0; i < sizeof fills; i++) {
        memset(text, fills[i], sizeof text);
        memset(name, fills[i], sizeof name - 1);
        struct slice all = { text, sizeof text };
        struct access_record record = record_of(all, all);
        record.host = record.request_id = record.referer = record.user_agent = all;
        record.client = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255";
        record.endpoint = "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535";
        record.end = "upstream-malformed";
        record.desync = "acceptable";
        record.desync_reason = "content-length-and-transfer-encoding";
        record.service = name;
        record.status = record.try_count = INT32_MAX;
        record.request_bytes = record.response_bytes = UINT64_MAX;
        record.request_us = record.connect_us = record.duration_us = record.response_us = INT64_MAX;
        free(make_line(false, WALL_US, &record));
        free(make_line(true, WALL_US, &record));
        record.request_bytes = record.response_bytes = 0; /* more than jansson's integers */
        json_t *object = make_object(&record);
        assert_in_range(json_string_length(json_object_get(object, "target")), 100, 1024);
        assert_in_range(json_string_length(json_object_get(object, "service")), 20, 128);
        assert_in_range(json_string_length(json_object_get(object, "method")), 7, 48);
        json_decref(object);
    }
}

static void numbers_are_written_exactly(void **state)
{
    (void)state;
    struct access_record record = { 0 };
    char expected[40];
    uint64_t value = 1;
    for (int digits = 1; digits <= 20; digits++, value *= 10) {
        const uint64_t near[] = { value - 1, value, value + 1, value * 9, value * 12 + 7, UINT64_MAX - value };
        for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
            record.response_bytes = near[i];
            char *line = make_line(false, WALL_US, &record);
            snprintf(expected, sizeof expected, "\"responseBytes\":%llu,", (unsigned long long)near[i]);
            assert_non_null(strstr(line, expected));
            free(line);
        }
    }
}

static void a_span_is_never_negative(void **state)
{
    (void)state;
    struct access_record record = { .duration_us = -5 };
    json_t *object = make_object(&record);
    check_number(object, "durationUs", 0);
    json_decref(object);
}

/* The cache serves a few seconds; going back and forth between many must not mix them up. */
static void times_are_right_in_whatever_order_they_come(void **state)
{
    (void)state;
    struct access_log_clock clock = { 0 };
    struct access_record record = { 0 };
    char out[ACCESS_LOG_LINE_BYTES], expected[32], prefix[48];
    uint64_t seed = 1;
    for (int i = 0; i < 5000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t wall_us = i % 3 ? WALL_US + (int64_t)(seed >> 40) * 997 : (int64_t)(seed >> 13);
        if (wall_us > INT64_C(253402300799999999)) /* 9999-12-31 */
            continue;
        access_log_line_json(&clock, wall_us, &record, out);
        clock_format_wall(wall_us, expected);
        snprintf(prefix, sizeof prefix, "{\"time\":\"%s\",", expected);
        assert_memory_equal(out, prefix, strlen(prefix));
    }
}

static void the_first_second_of_1970_is_a_time_like_any_other(void **state)
{
    (void)state;
    struct access_record record = { 0 };
    char *line = make_line(true, 0, &record);
    assert_memory_equal(line, "- - - [01/Jan/1970:00:00:00 +0000]", 34);
    free(line);
}

static void check_field(const char *head, const char *name, const char *wanted)
{
    /* A copy without a NUL behind it. */
    size_t len = strlen(head);
    char *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, head, len);
    struct slice got = access_log_find_field((struct slice){ copy, len }, slice_of(name));
    if (!slice_equals(got, slice_of(wanted)))
        fail_msg("'%s' in '%s': '%.*s'", name, head, SLICE_FMT(got));
    free(copy);
}

static void a_field_is_found_in_any_case_and_only_in_the_head(void **state)
{
    (void)state;
    check_field("GET / HTTP/1.1\r\nHost: a\r\nUSER-agent: \t b c \r\n\r\n", "user-agent", "b c");
    check_field("GET / HTTP/1.1\r\nHost: a\r\nUSER-agent: \t b c \r\n\r\n", "host", "a");
    check_field("GET / HTTP/1.1\r\nHost:a\r\n\r\nreferer: forged\r\n", "referer", "");
    check_field("GET / HTTP/1.1\r\nX-Host: a\r\nHosts: b\r\nHost: c\r\n\r\n", "host", "c");
    check_field("GET /host: HTTP/1.1\r\nHost:\r\n\r\n", "host", "");
    check_field("GET / HTTP/1.1\r\nHost: a", "host", "a");
    check_field("GET / HTTP/1.1\r\nHos", "host", "");
    check_field("GET / HTTP/1.1\r\nhost", "host", "");
    check_field("GET / HTTP/1.1\r\n", "host", "");
    check_field("x", "host", "");
}

static void a_json_line_says_what_was_wrong_with_a_message_and_where(void **state)
{
    struct fault fault;
    static const char head[] = "HTTP/1.1 200 OK\r\nX-\"odd\xff\": 1\r\n\r\n";
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/"));
    (void)state;
    fault_in_head(&fault, "response-head", h1_error_to_str(H1_ERR_FIELD_NAME), (struct slice){ head, sizeof head - 1 },
                  19);
    access_record_set_fault(&record, &fault);
    json_t *object = make_object(&record);
    check_text(object, "fault", h1_error_to_str(H1_ERR_FIELD_NAME));
    check_text(object, "faultPlace", "response-head");
    check_number(object, "faultOffset", 19);
    check_text(object, "faultLine", "X-\"odd\xc3\xbf\": 1");
    json_decref(object);
    fault_in_body(&fault, "request-body", h1_error_to_str(H1_ERR_CHUNK_SIZE), UINT64_C(5000000000));
    access_record_set_fault(&record, &fault);
    object = make_object(&record);
    check_text(object, "faultPlace", "request-body");
    check_number(object, "faultOffset", INT64_C(5000000000));
    check_text(object, "faultLine", "");
    json_decref(object);
}

static void a_line_of_a_message_without_fault_has_no_word_of_it(void **state)
{
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/"));
    (void)state;
    char *line = make_line(false, WALL_US, &record);
    assert_null(strstr(line, "fault"));
    free(line);
}

/* What is longest of all that can be in it, all of it escaped. */
static void the_longest_line_of_a_fault_has_room(void **state)
{
    struct fault fault;
    static char head[4096];
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/"));
    (void)state;
    memset(head, '\x01', sizeof head);
    record.target = record.host = record.request_id = (struct slice){ head, sizeof head };
    fault_in_head(&fault, "response-head", h1_error_to_str(H1_ERR_FIELD_NAME), (struct slice){ head, sizeof head },
                  4000);
    fault.at = UINT64_MAX;
    access_record_set_fault(&record, &fault);
    record.desync = "ambiguous";
    record.desync_reason = "malformed";
    free(make_line(false, WALL_US, &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_says_what_was_wrong_with_a_message_and_where),
        cmocka_unit_test(a_line_of_a_message_without_fault_has_no_word_of_it),
        cmocka_unit_test(the_longest_line_of_a_fault_has_room),
        cmocka_unit_test(a_json_line_says_all_about_a_request),
        cmocka_unit_test(the_desync_class_is_there_when_there_is_one),
        cmocka_unit_test(a_request_of_which_nothing_is_known_makes_a_valid_line),
        cmocka_unit_test(a_combined_line_is_as_web_servers_write_it),
        cmocka_unit_test(a_combined_line_escapes_what_could_end_a_field),
        cmocka_unit_test(every_byte_at_every_place_comes_out_as_it_was),
        cmocka_unit_test(texts_that_are_too_long_are_cut_and_the_line_still_fits),
        cmocka_unit_test(numbers_are_written_exactly),
        cmocka_unit_test(a_span_is_never_negative),
        cmocka_unit_test(times_are_right_in_whatever_order_they_come),
        cmocka_unit_test(the_first_second_of_1970_is_a_time_like_any_other),
        cmocka_unit_test(a_field_is_found_in_any_case_and_only_in_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
