#include "tests/unit/proxy/h1/describe_request.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define PLAIN "GET / @a a 1.1 keep none"
#define STAR_64 "****************************************************************"

static void check_all(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_every_split(parse_and_describe_request, &cases[i]);
    }
}

static void ordinary_requests_are_understood(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT(GET "\r\n"), PLAIN },
        { TEXT("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"), "GET / @127.0.0.1:8080 127.0.0.1 1.1 keep none" },
        { TEXT("GET / HTTP/1.1\r\nHost:a\r\n\r\n"), PLAIN },
        { TEXT("GET / HTTP/1.1\r\nHost:\t a \t\r\n\r\n"), PLAIN },
        { TEXT("GET / HTTP/1.1\r\nhOST: a\r\n\r\n"), PLAIN },
        { TEXT("GET / HTTP/1.0\r\n\r\n"), "GET / @  1.0 close none" },
        { TEXT("GET / HTTP/1.0\r\nHost: a\r\n\r\n"), "GET / @a a 1.0 close none" },
        { TEXT("GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n"), "GET /a ?b=c @a a 1.1 keep none" },
        { TEXT("PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n"), "PROPFIND / @a a 1.1 keep none" },
        { TEXT("get / HTTP/1.1\r\nHost: a\r\n\r\n"), "get / @a a 1.1 keep none" },
        { TEXT("!#$%&'*+-.^_`|~ / HTTP/1.1\r\nHost: a\r\n\r\n"), "!#$%&'*+-.^_`|~ / @a a 1.1 keep none" },
        { TEXT("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), "TRACE / @a a 1.1 keep none" },
        { TEXT(GET "Empty:\r\n\r\n"), PLAIN },
        { TEXT(GET "Empty: \t \r\n\r\n"), PLAIN },
        { TEXT(GET "Latin: caf\xe9\r\n\r\n"), PLAIN },
        { TEXT(GET "Utf-8: \xe2\x82\xac and a tab\there, long enough for wide steps\r\n\r\n"), PLAIN },
        { TEXT(GET "Long-Value: 0123456789abcdef0123456789abcdef0123456789abcdef \r\n\r\n"), PLAIN },
        { TEXT(GET "!#$%&'*+-.^_`|~0: any token is a name\r\n\r\n"), PLAIN },
        { TEXT(GET "a-name-of-more-than-thirty-two-characters: x\r\n\r\n"), PLAIN },
        { TEXT("\r\n" GET "\r\n"), PLAIN },
        { TEXT(GET "\r\nGET /pipelined"), PLAIN },
    };
    check_all(cases, COUNT_OF(cases));
}

static void line_ends_other_than_crlf_are_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("GET / HTTP/1.1\nHost: a\r\n\r\n"), "line ends in a bare LF" },
        { TEXT("GET / HTTP/1.1\r\nHost: a\n\r\n"), "line ends in a bare LF" },
        { TEXT(GET "A: a long value with its line end behind\n\r\n"), "line ends in a bare LF" },
        { TEXT(GET "\n"), "line ends in a bare LF" },
        { TEXT("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "line ends in a bare LF" },
        { TEXT("GET / HTTP/1.1\rHost: a\r\n\r\n"), "CR that no LF follows" },
        { TEXT(GET "A: b\rc\r\n\r\n"), "CR that no LF follows" },
        { TEXT(GET "A: b\r\r\n\r\n"), "CR that no LF follows" },
        { TEXT(GET "\rA: b\r\n\r\n"), "CR that no LF follows" },
        { TEXT("\r" GET "\r\n"), "CR that no LF follows" },
        { TEXT("\r\n\r\n" GET "\r\n"), "method is not a token" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void a_higher_minor_version_is_read_as_1_1(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("GET /a HTTP/1.2\r\nHost: h\r\n\r\n"), "GET /a @h h 1.1 keep none" },
        { TEXT("GET /a HTTP/1.9\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"), "GET /a @h h 1.1 keep chunked" },
        { TEXT("GET /a HTTP/1.2\r\n\r\n"), "Host is missing" },
    };
    static struct h1_request request;
    enum h1_error error;
    size_t resume_at = 0;
    check_all(cases, COUNT_OF(cases));
    assert_int_equal(h1_parse_request(cases[0].text, cases[0].len, &test_limits, &resume_at, &request, &error),
                     H1_DONE);
    assert_int_equal(request.desync_reason, H1_DESYNC_VERSION_HIGHER);
}

/* The offset, and so the line, that the access log tells. */
static void a_refusal_says_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *from; /* what stands there */
    } cases[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nHost: b\r\n\r\n", "Host: b" },
        { "GET / HTTP/1.1\r\nA: b\r\nHost: a b\r\nC: d\r\n\r\n", "Host: a b" },
        { "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "b HTTP/1.1" },
        { "GET / HTTP/1.1\r\nA\r\nHost: a\r\n\r\n", "A\r\n" },
    };
    static struct h1_request request;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum h1_error error;
        size_t resume_at = 0, len = strlen(cases[i].text);
        assert_int_equal(h1_parse_request(cases[i].text, len, &test_limits, &resume_at, &request, &error), H1_BAD);
        assert_true(request.head.head_bytes < len);
        assert_int_equal(strncmp(cases[i].text + request.head.head_bytes, cases[i].from, strlen(cases[i].from)), 0);
    }
}

static void malformed_request_lines_are_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("G\x01T / HTTP/1.1\r\n"), "method is not a token" },
        { TEXT(" GET / HTTP/1.1\r\n"), "method is not a token" },
        { TEXT("GET\t/ HTTP/1.1\r\n"), "method is not a token" },
        { TEXT("GET\r\n"), "method is not a token" },
        { TEXT("G(T / HTTP/1.1\r\n"), "method is not a token" },
        { TEXT("GET\0 / HTTP/1.1\r\n"), "method is not a token" },
        { TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "method is not a token" },
        { TEXT("SSH-2.0-OpenSSH_9.2\r\n"), "method is not a token" },
        { TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "form of the request target does not fit the method" },
        { TEXT("GET / HTTP/2.0\r\n"), "HTTP version is not supported" },
        { TEXT("GET / HTTP/0.9\r\n"), "HTTP version is not supported" },
        { TEXT("GET / HTTP/3.1\r\n"), "HTTP version is not supported" },
        { TEXT("GET / HTTP/1.10\r\n"), "HTTP version is malformed" },
        { TEXT("GET / http/1.1\r\n"), "HTTP version is malformed" },
        { TEXT("GET / HTTP/1\r\n"), "HTTP version is malformed" },
        { TEXT("GET / HTTP/1,1\r\n"), "HTTP version is malformed" },
        { TEXT("GET / HTTP/11.1\r\n"), "HTTP version is malformed" },
        { TEXT("GET / HTTPS/1.1\r\n"), "HTTP version is malformed" },
        { TEXT("GET / HTTP/1.1 \r\n"), "HTTP version is malformed" },
        { TEXT("GET / HTTP/1.1\tx\r\n"), "HTTP version is malformed" },
        { TEXT("GET /  HTTP/1.1\r\n"), "HTTP version is malformed" },
        { TEXT("GET /\r\n"), "HTTP version is malformed" },
        { TEXT("GET / \r\n"), "HTTP version is malformed" },
        { TEXT("CONNECT a:443 HTTP/1.1\r\n"), "CONNECT is not served" },
        { TEXT("CONNECT / HTTP/1.1\r\n"), "CONNECT is not served" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void malformed_fields_are_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), "whitespace between the first line and the fields" },
        { TEXT("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n"), "whitespace between the first line and the fields" },
        { TEXT("GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"), "whitespace between the first line and the fields" },
        { TEXT(GET " folded\r\n\r\n"), "folded field line" },
        { TEXT(GET "A: b\r\n\tc\r\n\r\n"), "folded field line" },
        { TEXT("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), "whitespace before the colon of a field" },
        { TEXT(GET "Transfer-Encoding : chunked\r\n\r\n"), "whitespace before the colon of a field" },
        { TEXT(GET "A\t: b\r\n\r\n"), "whitespace before the colon of a field" },
        { TEXT(GET "A \t : b\r\n\r\n"), "whitespace before the colon of a field" },
        { TEXT(GET "A b: c\r\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(GET ": empty\r\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(GET "no colon\r\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(GET "nocolon\r\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(GET "nocolon\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(GET "n(me: b\r\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(GET "\"a\": b\r\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(GET "caf\xe9: b, and more so that it is long\r\n\r\n"),
          "field name is empty or not a token, or has no colon" },
        { TEXT(GET "A\0: b\r\n\r\n"), "field name is empty or not a token, or has no colon" },
        { TEXT(GET "Content\rLength: 5, and more so that it is long\r\n\r\n"),
          "field name is empty or not a token, or has no colon" },
        { TEXT(GET "A: b\0c\r\n\r\n"), "field value has a control character" },
        { TEXT(GET "A: b\x7f\r\n\r\n"), "field value has a control character" },
        { TEXT(GET "A: \x01\r\n\r\n"), "field value has a control character" },
        { TEXT(GET "A: a long value with a bell \x07 in the middle of it\r\n\r\n"),
          "field value has a control character" },
        { TEXT(GET "A: a long value with a delete \x7f in the middle of it\r\n\r\n"),
          "field value has a control character" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void host_is_there_once_and_valid(void **state)
{
    (void)state;
#define HOST(value) TEXT("GET / HTTP/1.1\r\nHost: " value "\r\n\r\n")
    static const struct head_case cases[] = {
        { TEXT("GET / HTTP/1.1\r\n\r\n"), "Host is missing" },
        { TEXT("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n"), "Host is missing" },
        { TEXT(GET "Host: a\r\n\r\n"), "more than one Host" },
        { TEXT(GET "host: b\r\n\r\n"), "more than one Host" },
        { TEXT("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), "more than one Host" },
        { TEXT("GET / HTTP/1.0\r\nHost: a b\r\n\r\n"), "Host is invalid" },
        { HOST(""), "Host is invalid" },
        { HOST("user@a"), "Host is invalid" },
        { HOST("a/path"), "Host is invalid" },
        { HOST("a,b"), "Host is invalid" },
        { HOST("a b"), "Host is invalid" },
        { HOST("a?b"), "Host is invalid" },
        { HOST("a#b"), "Host is invalid" },
        { HOST("a\\b"), "Host is invalid" },
        { HOST("a%2eb"), "Host is invalid" },
        { HOST("caf\xe9"), "Host is invalid" },
        { HOST("http://a"), "Host is invalid" },
        { HOST(":80"), "Host is invalid" },
        { HOST("a:b"), "Host is invalid" },
        { HOST("a:80:80"), "Host is invalid" },
        { HOST("a:-1"), "Host is invalid" },
        { HOST("a:65536"), "Host is invalid" },
        { HOST("a:000080"), "Host is invalid" },
        { HOST("[::1"), "Host is invalid" },
        { HOST("[]"), "Host is invalid" },
        { HOST("[::1]x"), "Host is invalid" },
        { HOST("[::1%25eth0]"), "Host is invalid" },
        { HOST("::1"), "Host is invalid" },
        { HOST("[a.b]"), "Host is invalid" },
        { HOST("Example.COM.:80"), "GET / @Example.COM.:80 Example.COM. 1.1 keep none" },
        { HOST("a:"), "GET / @a: a 1.1 keep none" },
        { HOST("a:65535"), "GET / @a:65535 a 1.1 keep none" },
        { HOST("my_service-1.x"), "GET / @my_service-1.x my_service-1.x 1.1 keep none" },
        { HOST("[::1]"), "GET / @[::1] [::1] 1.1 keep none" },
        { HOST("[2001:DB8::1]:8443"), "GET / @[2001:DB8::1]:8443 [2001:DB8::1] 1.1 keep none" },
        { HOST("[::ffff:192.0.2.1]"), "GET / @[::ffff:192.0.2.1] [::ffff:192.0.2.1] 1.1 keep none" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void a_head_beyond_a_limit_is_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("GET /" STAR_64 " HTTP/1.1\r\n"), "request target is too long" },
        { TEXT("GET /" STAR_64), "request target is too long" },
        { TEXT("GET " STAR_64 " HTTP/1.1\r\n"), "form of the request target does not fit the method" },
        { TEXT(GET "1: \r\n2: \r\n3: \r\n4: \r\n5: \r\n\r\n"), PLAIN },
        { TEXT(GET "1: \r\n2: \r\n3: \r\n4: \r\n5: \r\n6: \r\n\r\n"), "too many field lines" },
    };
    check_every_split(parse_and_describe_request, &cases[0]);
    check_every_split(parse_and_describe_request, &cases[2]);
    check_every_split(parse_and_describe_request, &cases[3]);
    check_every_split(parse_and_describe_request, &cases[4]);

    /* That a line which has not ended is too long is seen at the latest when it ends, or the head is full. */
    struct buf outcome;
    buf_init(&outcome, 0);
    size_t resume_at = 0;
    assert_true(parse_copy(parse_and_describe_request, cases[1].text, cases[1].len, &resume_at, &outcome));
    assert_string_equal(buf_text(&outcome), cases[1].expected);
    buf_fini(&outcome);
}

static void fill_head(char *text, size_t len, const char *start)
{
    memset(text, 'x', len);
    memcpy(text, start, strlen(start));
}

static void a_full_head_is_refused_and_a_just_fitting_one_is_not(void **state)
{
    (void)state;
    static char text[4097];
    struct head_case full = { text, sizeof(text), "head is too large" };
    fill_head(text, sizeof(text), GET "A: ");
    check_every_split(parse_and_describe_request, &full);
    fill_head(text, sizeof(text), GET);
    check_every_split(parse_and_describe_request, &full);
    fill_head(text, sizeof(text), "");
    check_every_split(parse_and_describe_request, &full);

    fill_head(text, sizeof(text), GET "A: ");
    memcpy(text + 4096 - 4, "\r\n\r\n", 4);
    struct head_case fits = { text, 4096, PLAIN };
    check_every_split(parse_and_describe_request, &fits);
    memcpy(text + 4096 - 4, "x\r\n\r\n", 5);
    check_every_split(parse_and_describe_request, &full);
}

static void a_bad_byte_behind_the_limit_is_not_looked_at(void **state)
{
    (void)state;
    static char text[5000];
    fill_head(text, sizeof(text), GET "A: ");
    text[4096] = '\0';
    struct head_case beyond = { text, sizeof(text), "head is too large" };
    check_every_split(parse_and_describe_request, &beyond);
    text[4095] = '\0';
    struct head_case within = { text, sizeof(text), "field value has a control character" };
    check_every_split(parse_and_describe_request, &within);
}

static void a_limit_above_the_maximum_is_the_maximum(void **state)
{
    (void)state;
    const struct h1_limits limits = { .head_bytes = 1 << 20, .target_bytes = 1 << 20, .field_count = UINT16_MAX };
    static struct h1_request request;
    struct buf text;
    buf_init(&text, 0);
    buf_append_text(&text, GET);
    for (int i = 0; i < HTTP_FIELDS_MAX; i++) {
        buf_append_text(&text, "A: b\r\n");
    }
    size_t resume_at = 0;
    enum h1_error error;
    assert_int_equal(h1_parse_request(text.at, text.len, &limits, &resume_at, &request, &error), H1_BAD);
    assert_int_equal(error, H1_ERR_TOO_MANY_FIELDS);

    buf_clear(&text);
    buf_append_text(&text, "GET /");
    for (int i = 0; i < HTTP_TARGET_MAX; i++) {
        buf_append_text(&text, "%");
    }
    resume_at = 0;
    assert_int_equal(h1_parse_request(text.at, text.len, &limits, &resume_at, &request, &error), H1_BAD);
    assert_int_equal(error, H1_ERR_TARGET_TOO_LONG);
    buf_fini(&text);
}

static void the_head_ends_where_the_body_starts(void **state)
{
    (void)state;
    static const char text[] = "\r\n" POST "Content-Length: 3\r\n\r\nabc";
    static struct h1_request request;
    size_t resume_at = 0;
    enum h1_error error;
    assert_int_equal(h1_parse_request(text, sizeof(text) - 1, &test_limits, &resume_at, &request, &error), H1_DONE);
    assert_int_equal(error, H1_OK);
    assert_string_equal(text + request.head.head_bytes, "abc");
    assert_int_equal(request.head.field_count, 2);
    assert_int_equal(request.head.content_length, 3);
    assert_ptr_equal(request.head.fields[0].name.at + strlen("Host: a\r\n"), request.head.fields[1].name.at);
    assert_ptr_equal(request.head.fields[1].name.at + strlen("Content-Length: 3\r\n"),
                     text + request.head.head_bytes - 2);
}

static void the_fields_that_are_there_are_a_set(void **state)
{
    (void)state;
    static const char text[] = GET "Cookie: a\r\nX-Own: b\r\nCookie: c\r\n\r\n";
    static struct h1_request request;
    size_t resume_at = 0;
    enum h1_error error;
    assert_int_equal(h1_parse_request(text, sizeof(text) - 1, &test_limits, &resume_at, &request, &error), H1_DONE);
    assert_true(request.head.field_ids == (HTTP_FIELD_BIT(HOST) | HTTP_FIELD_BIT(COOKIE) | HTTP_FIELD_BIT(OTHER)));
}

static void methods_are_told_apart_by_case(void **state)
{
    (void)state;
    static struct h1_request request;
    for (int method = HTTP_METHOD_GET; method < HTTP_METHOD_CONNECT; method++) {
        char text[64];
        int len = snprintf(text, sizeof(text), "%s / HTTP/1.0\r\n\r\n", http_method_to_str((enum http_method)method));
        size_t resume_at = 0;
        enum h1_error error;
        assert_int_equal(h1_parse_request(text, (size_t)len, &test_limits, &resume_at, &request, &error), H1_DONE);
        assert_int_equal(request.head.method, method);
        text[0] |= 0x20;
        resume_at = 0;
        assert_int_equal(h1_parse_request(text, (size_t)len, &test_limits, &resume_at, &request, &error), H1_DONE);
        assert_int_equal(request.head.method, HTTP_METHOD_OTHER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_requests_are_understood),
        cmocka_unit_test(line_ends_other_than_crlf_are_refused),
        cmocka_unit_test(a_higher_minor_version_is_read_as_1_1),
        cmocka_unit_test(a_refusal_says_where),
        cmocka_unit_test(malformed_request_lines_are_refused),
        cmocka_unit_test(malformed_fields_are_refused),
        cmocka_unit_test(host_is_there_once_and_valid),
        cmocka_unit_test(a_head_beyond_a_limit_is_refused),
        cmocka_unit_test(a_full_head_is_refused_and_a_just_fitting_one_is_not),
        cmocka_unit_test(a_bad_byte_behind_the_limit_is_not_looked_at),
        cmocka_unit_test(a_limit_above_the_maximum_is_the_maximum),
        cmocka_unit_test(the_head_ends_where_the_body_starts),
        cmocka_unit_test(the_fields_that_are_there_are_a_set),
        cmocka_unit_test(methods_are_told_apart_by_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
