#include "tests/unit/proxy/h1/every_split.h"

static const struct h1_limits limits = { .head_bytes = 4096, .target_bytes = 64, .field_count = 6 };
static enum http_method request_method;

static bool parse_and_describe(const char *buf, size_t len, size_t *resume_at, struct buf *outcome)
{
    static struct h1_response r;
    memset(&r, 0x5a, sizeof(r)); /* the parser must set all that it promises */
    enum h1_error error;
    enum h1_result result = h1_parse_response(buf, len, &limits, resume_at, request_method, &r, &error);
    if (result != H1_DONE) {
        buf_append_text(outcome, result == H1_MORE ? "more" : h1_error_to_str(error));
        return result == H1_BAD;
    }
    buf_printf(outcome, "%d '%.*s' 1.%d %s %s", r.head.status, SLICE_FMT(r.reason), r.head.version,
               r.head.keep_alive ? "keep" : "close", http_body_to_str(r.head.body));
    if (r.head.content_length > 0) {
        buf_printf(outcome, " %llu", (unsigned long long)r.head.content_length);
    }
    if (r.head.upgrade || r.head.upgrade_protocol.len > 0) {
        buf_printf(outcome, "%s=%.*s", r.head.upgrade ? " upgrade" : " no", SLICE_FMT(r.head.upgrade_protocol));
    }
    for (size_t i = 0; i < r.head.field_count; i++) {
        if (r.head.fields[i].hop_by_hop) {
            buf_printf(outcome, " -%.*s", SLICE_FMT(r.head.fields[i].name));
        }
    }
    return true;
}

static void check_all(enum http_method method, const struct head_case *cases, size_t count)
{
    request_method = method;
    for (size_t i = 0; i < count; i++) {
        check_every_split(parse_and_describe, &cases[i]);
    }
}

#define OK "HTTP/1.1 200 OK\r\n"

static void ordinary_responses_are_understood(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT(OK "Content-Length: 5\r\n\r\nhello"), "200 'OK' 1.1 keep length 5" },
        { TEXT(OK "Content-Length: 0\r\n\r\n"), "200 'OK' 1.1 keep none" },
        { TEXT(OK "Content-Length: 05\r\n\r\n"), "200 'OK' 1.1 keep length 5" },
        { TEXT(OK "Transfer-Encoding: chunked\r\n\r\n"), "200 'OK' 1.1 keep chunked -Transfer-Encoding" },
        { TEXT(OK "\r\n"), "200 'OK' 1.1 close until-close" },
        { TEXT(OK "Connection: keep-alive\r\n\r\n"), "200 'OK' 1.1 close until-close -Connection" },
        { TEXT(OK "Connection: close\r\nContent-Length: 5\r\n\r\n"), "200 'OK' 1.1 close length 5 -Connection" },
        { TEXT("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), "200 'OK' 1.0 close length 5" },
        { TEXT("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"),
          "200 'OK' 1.0 keep length 5 -Connection" },
        { TEXT("HTTP/1.0 200 OK\r\n\r\n"), "200 'OK' 1.0 close until-close" },
        { TEXT("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), "200 '' 1.1 keep none" },
        { TEXT("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), "200 '' 1.1 keep none" },
        { TEXT("HTTP/1.1 404 Not \xe9 Found\t!\r\nContent-Length: 0\r\n\r\n"),
          "404 'Not \xe9 Found\t!' 1.1 keep none" },
        { TEXT("HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\n"), "200 'OK' 1.1 keep length 5" },
        { TEXT("HTTP/1.1 599 x\r\nContent-Length: 0\r\n\r\n"), "599 'x' 1.1 keep none" },
        { TEXT(OK "Connection: x-secret, set-cookie\r\nX-Secret: a\r\nSet-Cookie: b\r\nContent-Length: 1\r\n\r\n"),
          "200 'OK' 1.1 keep length 1 -Connection -X-Secret" },
        { TEXT(OK "Host: a\r\nHost: b c\r\nContent-Length: 1\r\n\r\n"), "200 'OK' 1.1 keep length 1" },
    };
    check_all(HTTP_METHOD_GET, cases, COUNT_OF(cases));
}

static void some_responses_never_have_a_body(void **state)
{
    (void)state;
    static const struct head_case get_cases[] = {
        { TEXT("HTTP/1.1 100 Continue\r\n\r\n"), "100 'Continue' 1.1 keep none" },
        { TEXT("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"), "103 'Early Hints' 1.1 keep none" },
        { TEXT("HTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\n"), "103 'x' 1.1 keep none 5 -Content-Length" },
        { TEXT("HTTP/1.1 204 x\r\n\r\n"), "204 'x' 1.1 keep none" },
        { TEXT("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n"), "204 'x' 1.1 keep none 5 -Content-Length" },
        { TEXT("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n"), "204 'x' 1.1 keep none -Transfer-Encoding" },
        { TEXT("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"), "304 'x' 1.1 keep none 5" },
        { TEXT("HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n"), "304 'x' 1.1 keep none -Transfer-Encoding" },
    };
    static const struct head_case head_cases[] = {
        { TEXT(OK "Content-Length: 5\r\n\r\n"), "200 'OK' 1.1 keep none 5" },
        { TEXT(OK "Transfer-Encoding: chunked\r\n\r\n"), "200 'OK' 1.1 keep none -Transfer-Encoding" },
        { TEXT(OK "\r\n"), "200 'OK' 1.1 keep none" },
        { TEXT(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
          "both Content-Length and Transfer-Encoding" },
    };
    check_all(HTTP_METHOD_GET, get_cases, COUNT_OF(get_cases));
    check_all(HTTP_METHOD_HEAD, head_cases, COUNT_OF(head_cases));
}

static void only_a_101_with_both_fields_switches(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
          "101 'x' 1.1 keep none upgrade=websocket -Connection -Upgrade" },
        { TEXT("HTTP/1.1 101 x\r\nConnection: Upgrade\r\n\r\n"), "101 'x' 1.1 keep none -Connection" },
        { TEXT("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n"), "101 'x' 1.1 keep none -Upgrade" },
        { TEXT("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n"),
          "101 'x' 1.1 keep none -Connection -Upgrade -Upgrade" },
        { TEXT(OK "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n"),
          "200 'OK' 1.1 keep length 1 -Connection -Upgrade" },
    };
    check_all(HTTP_METHOD_GET, cases, COUNT_OF(cases));
}

static void malformed_status_lines_are_refused(void **state)
{
    (void)state;
#define STATUS "status is not three digits from 100 to 599"
#define VERSION "HTTP version is malformed"
    static const struct head_case cases[] = {
        { TEXT("HTTP/1.1 099 x\r\n\r\n"), STATUS },
        { TEXT("HTTP/1.1 600 x\r\n\r\n"), STATUS },
        { TEXT("HTTP/1.1 20 x\r\n\r\n"), STATUS },
        { TEXT("HTTP/1.1 2000 x\r\n\r\n"), STATUS },
        { TEXT("HTTP/1.1 +20 x\r\n\r\n"), STATUS },
        { TEXT("HTTP/1.1  200 x\r\n\r\n"), STATUS },
        { TEXT("HTTP/1.1 200\tx\r\n\r\n"), STATUS },
        { TEXT("HTTP/1.1 OK\r\n\r\n"), STATUS },
        { TEXT("HTTP/1.1\r\n\r\n"), VERSION },
        { TEXT("HTTP/1.1\t200 x\r\n\r\n"), VERSION },
        { TEXT("HTTP/1.11 200 x\r\n\r\n"), VERSION },
        { TEXT("http/1.1 200 x\r\n\r\n"), VERSION },
        { TEXT("ICY 200 OK\r\n\r\n"), VERSION },
        { TEXT("\r\nHTTP/1.1 200 x\r\n\r\n"), VERSION },
        { TEXT(" HTTP/1.1 200 x\r\n\r\n"), VERSION },
        { TEXT("<html>"), VERSION },
        { TEXT("\0\0\0\0"), VERSION },
        { TEXT("HTTP/2.0 200 x\r\n\r\n"), "HTTP version is not supported" },
        { TEXT("HTTP/0.9 200 x\r\n\r\n"), "HTTP version is not supported" },
        { TEXT("HTTP/1.1 200 x\x01\r\n\r\n"), "reason phrase has a forbidden byte" },
        { TEXT("HTTP/1.1 200 x\0\r\n\r\n"), "reason phrase has a forbidden byte" },
        { TEXT("HTTP/1.1 200 x\n\r\n"), "line ends in a bare LF" },
        { TEXT("HTTP/1.1 200\n\r\n"), "line ends in a bare LF" },
        { TEXT("HTTP/1.1 200 x\rSet-Cookie: a\r\n\r\n"), "CR that no LF follows" },
    };
    check_all(HTTP_METHOD_GET, cases, COUNT_OF(cases));
}

static void malformed_response_fields_are_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), "more than one Content-Length" },
        { TEXT(OK "Content-Length: 5, 5\r\n\r\n"), "Content-Length is not one number below 2^63" },
        { TEXT(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), "more than one Content-Length" },
        { TEXT(OK "Content-Length: -1\r\n\r\n"), "Content-Length is not one number below 2^63" },
        { TEXT(OK "Content-Length:\r\n\r\n"), "Content-Length is not one number below 2^63" },
        { TEXT(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
          "both Content-Length and Transfer-Encoding" },
        { TEXT(OK "Transfer-Encoding: gzip\r\n\r\n"), "transfer coding other than chunked" },
        { TEXT(OK "Transfer-Encoding: chunked, gzip\r\n\r\n"), "more than one transfer coding" },
        { TEXT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "Transfer-Encoding in an HTTP/1.0 message" },
        { TEXT(OK "A : b\r\n\r\n"), "whitespace before the colon of a field" },
        { TEXT(OK "A: b\r\n c\r\n\r\n"), "folded field line" },
        { TEXT(OK " A: b\r\n\r\n"), "whitespace between the first line and the fields" },
        { TEXT(OK "A: b\x02\r\n\r\n"), "field value has a control character" },
        { TEXT(OK ": b\r\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(OK "A: b\nC: d\r\n\r\n"), "line ends in a bare LF" },
        { TEXT(OK "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n\r\n"), "too many field lines" },
    };
    check_all(HTTP_METHOD_GET, cases, COUNT_OF(cases));
}

static void a_full_response_head_is_refused(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, 'x', sizeof(text));
    memcpy(text, "HTTP/1.1 200 ", 13);
    const struct head_case c = { text, sizeof(text), "head is too large" };
    check_all(HTTP_METHOD_GET, &c, 1);
}

static bool parse_leniently(const char *buf, size_t len, size_t *resume_at, struct buf *outcome)
{
    static struct h1_response r;
    struct h1_limits lenient = { .head_bytes = 4096, .field_count = 4, .is_lenient = true };
    enum h1_error error;
    enum h1_result result = h1_parse_response(buf, len, &lenient, resume_at, HTTP_METHOD_GET, &r, &error);
    if (result != H1_DONE) {
        buf_append_text(outcome, result == H1_MORE ? "more" : h1_error_to_str(error));
        return result == H1_BAD;
    }
    buf_printf(outcome, "%d %s %llu%s%s", r.head.status, http_body_to_str(r.head.body),
               (unsigned long long)r.head.content_length, r.rewrites_lines ? " lines" : "",
               r.head.rewrites_content_length ? " length" : "");
    for (size_t i = 0; i < r.head.field_count; i++) {
        buf_printf(outcome, " %s%.*s=%.*s", r.head.fields[i].hop_by_hop ? "-" : "", SLICE_FMT(r.head.fields[i].name),
                   SLICE_FMT(r.head.fields[i].value));
    }
    return true;
}

static void a_lenient_reading_takes_what_peers_take(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT(OK "A: b\r\nContent-Length: 2\r\n\r\n"), "200 length 2 A=b Content-Length=2" },
        { TEXT("HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\n"), "200 length 2 lines A=b Content-Length=2" },
        { TEXT(OK "A : b\r\nContent-Length \t: 2\r\n\r\n"), "200 length 2 lines A=b Content-Length=2" },
        { TEXT(OK "A: b\r\n  c\r\n\td \r\nContent-Length: 2\r\n\r\n"),
          "200 length 2 lines A=b\r\n  c\r\n\td Content-Length=2" },
        { TEXT(OK "A:\r\n b\r\n \r\n\r\n"), "200 until-close 0 lines A=\r\n b" },
        { TEXT(OK "A: b\n c\r\n\r\n"), "200 until-close 0 lines A=b\n c" },
        { TEXT(OK "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n 5\r\n\r\n"), "200 until-close 0 lines A=1 B=2 C=3 D=4\r\n 5" },
        { TEXT("HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n"), "999 length 2 Content-Length=2" },
        { TEXT("HTTP/1.1 600\r\n\r\n"), "600 until-close 0" },
        { TEXT(OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\n"),
          "200 length 2 length -Content-Length=2 -Content-Length=2" },
        { TEXT(OK "Content-Length: 2, 2\r\n\r\n"), "200 length 2 length -Content-Length=2, 2" },
        { TEXT("HTTP/1.1 204 x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
          "204 none 0 -Content-Length=0 -Content-Length=0" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_every_split(parse_leniently, &cases[i]);
    }
}

static void a_lenient_reading_leaves_no_framing_open(void **state)
{
    (void)state;
#define LENGTH_TWICE "more than one Content-Length"
#define FOLDED "folded field line"
    static const struct head_case cases[] = {
        { TEXT(OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\n"), LENGTH_TWICE },
        { TEXT(OK "Content-Length: 2\r\nContent-Length: 02\r\n\r\n"), LENGTH_TWICE },
        { TEXT(OK "Content-Length: 2, 3\r\n\r\n"), LENGTH_TWICE },
        { TEXT(OK "Content-Length: 2\r\n 3\r\n\r\n"), FOLDED },
        { TEXT(OK "Content-Length:\r\n 3\r\n\r\n"), "Content-Length is not one number below 2^63" },
        { TEXT(OK "Transfer-Encoding: chunked\r\n , gzip\r\n\r\n"), FOLDED },
        { TEXT(OK "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n"),
          "both Content-Length and Transfer-Encoding" },
        { TEXT(OK "Transfer-Encoding : chunked\nContent-Length : 2\n\n"), "both Content-Length and Transfer-Encoding" },
        { TEXT(OK "Connection: close\r\n , x\r\n\r\n"), FOLDED },
        { TEXT(OK " A: b\r\n\r\n"), "whitespace between the first line and the fields" },
        { TEXT(OK "A b: c\r\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(OK " : c\r\n\r\n"), "whitespace between the first line and the fields" },
        { TEXT(OK "A: b\r\n : c\x01\r\n\r\n"), "field value has a control character" },
        { TEXT(OK "A: b\rc\r\n\r\n"), "CR that no LF follows" },
        { TEXT("HTTP/1.1 099 x\r\n\r\n"), "status is not three digits from 100 to 599" },
        { TEXT(OK "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n"), "too many field lines" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_every_split(parse_leniently, &cases[i]);
    }
}

/* The offset, and so the line, that the access log tells. */
static void a_refusal_says_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *from; /* what stands there */
    } cases[] = {
        { OK "A: b\r\nContent-Length: x\r\n\r\n", "Content-Length: x" },
        { OK "A: b\r\nC : d\r\n\r\n", "C : d" },
        { OK "A: b\x01\r\n\r\n", "\x01\r\n" },
        { OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n", "Transfer-Encoding" },
        { "HTTP/1.1 999 x\r\n\r\n", "999" },
        { "HTTP/1.1 200 OK\nA: b\r\n\r\n", "\nA" },
    };
    static struct h1_response r;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum h1_error error;
        size_t resume_at = 0, len = strlen(cases[i].text);
        assert_int_equal(h1_parse_response(cases[i].text, len, &limits, &resume_at, HTTP_METHOD_GET, &r, &error),
                         H1_BAD);
        assert_true(r.head.head_bytes < len);
        assert_int_equal(strncmp(cases[i].text + r.head.head_bytes, cases[i].from, strlen(cases[i].from)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_responses_are_understood),
        cmocka_unit_test(a_lenient_reading_takes_what_peers_take),
        cmocka_unit_test(a_lenient_reading_leaves_no_framing_open),
        cmocka_unit_test(a_refusal_says_where),
        cmocka_unit_test(some_responses_never_have_a_body),
        cmocka_unit_test(only_a_101_with_both_fields_switches),
        cmocka_unit_test(malformed_status_lines_are_refused),
        cmocka_unit_test(malformed_response_fields_are_refused),
        cmocka_unit_test(a_full_response_head_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
