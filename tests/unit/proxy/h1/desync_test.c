#include "tests/unit/proxy/h1/every_split.h"

#define POST(fields) TEXT("POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n")
#define GET(fields) TEXT("GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n")
#define UPGRADE "Connection: upgrade\r\nUpgrade: websocket\r\n"

static struct h1_limits limits = { .head_bytes = 4096, .target_bytes = 64, .field_count = 12 };

/* "ambiguous bare-lf", and behind '+' what else was seen. */
static void describe_class(struct buf *out, const struct h1_request *r)
{
    buf_printf(out, "%s %s", h1_desync_to_str((enum h1_desync)r->desync),
               h1_desync_reason_to_str((enum h1_desync_reason)r->desync_reason));
    for (unsigned reason = 0; reason < 32; reason++) {
        if ((r->desync_reasons >> reason & 1) && reason != r->desync_reason) {
            buf_printf(out, " +%s", h1_desync_reason_to_str((enum h1_desync_reason)reason));
        }
    }
}

static bool parse_and_classify(const char *buf, size_t len, size_t *resume_at, struct buf *outcome)
{
    static struct h1_request request;
    memset(&request, 0x5a, sizeof(request));
    enum h1_error error;
    enum h1_result result = h1_parse_request(buf, len, &limits, resume_at, &request, &error);
    if (result != H1_DONE) {
        buf_append_text(outcome, result == H1_MORE ? "more" : h1_error_to_str(error));
        return result == H1_BAD;
    }
    describe_class(outcome, &request);
    if (request.has_bare_lf) {
        buf_printf(outcome, " fields_end %zu of %zu", request.fields_end, request.head.head_bytes);
        describe_fields(outcome, buf, request.head.fields, request.head.field_count);
    }
    return true;
}

static void check_all(bool accepts_bare_lf, const struct head_case *cases, size_t count)
{
    limits.accepts_bare_lf = accepts_bare_lf;
    for (size_t i = 0; i < count; i++) {
        check_every_split(parse_and_classify, &cases[i]);
    }
}

static void what_the_rfcs_allow_is_compliant(void **state)
{
    (void)state;
#define COMPLIANT "compliant compliant"
    static const struct head_case cases[] = {
        { GET(""), COMPLIANT },
        { GET("Content-Length: 0\r\n"), COMPLIANT },
        { GET("Connection: keep-alive, te, x-own\r\nTE: trailers\r\nX-Own: a\r\nx_own: b\r\n"), COMPLIANT },
        { GET(UPGRADE), COMPLIANT },
        { GET("a-long-name-with-one_underscore-in-it: b\r\n"), COMPLIANT },
        { GET("X_Own: b\r\nuser_agent: c\r\n"), COMPLIANT },
        { POST("Content-Length: 5\r\n"), COMPLIANT },
        { POST("Content-Length:\t0 \r\n"), COMPLIANT },
        { POST("Transfer-Encoding: chunked\r\n"), COMPLIANT },
        { POST("Upgrade: websocket\r\nContent-Length: 5\r\n"), COMPLIANT },
        { TEXT("PROPFIND / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), COMPLIANT },
        { TEXT("GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n"), COMPLIANT },
        { TEXT("GET http://A:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"), COMPLIANT },
        { TEXT("GET /a/%20/b?c=/../%zz HTTP/1.1\r\nHost: a\r\n\r\n"), COMPLIANT },
        { TEXT("GET / HTTP/1.0\r\nHost: a\r\n\r\n"), COMPLIANT },
        { TEXT("GET http://a/ HTTP/1.0\r\n\r\n"), COMPLIANT },
        { TEXT("POST / HTTP/1.0\r\nHost: a\r\n\r\n"), COMPLIANT },
        { TEXT("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"), COMPLIANT },
        { TEXT("PUT / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"), COMPLIANT },
    };
    check_all(false, cases, COUNT_OF(cases));
}

static void odd_requests_with_one_framing_are_acceptable(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "acceptable leading-empty-line" },
        { TEXT("GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n"), "acceptable path-normalised" },
        { TEXT("GET /%7ea HTTP/1.1\r\nHost: a\r\n\r\n"), "acceptable path-normalised" },
        { TEXT("GET http://a/%e9 HTTP/1.1\r\nHost: a\r\n\r\n"), "acceptable path-normalised" },
        { TEXT("GET http://a/b HTTP/1.1\r\nHost: b\r\n\r\n"), "acceptable authority-differs" },
        { TEXT("GET http://a/b HTTP/1.0\r\nHost: a:81\r\n\r\n"), "acceptable authority-differs" },
        { TEXT("GET / HTTP/1.0\r\n\r\n"), "acceptable host-missing-1-0" },
        { GET("Content-Length: 5\r\n"), "acceptable body-unexpected" },
        { GET("Transfer-Encoding: chunked\r\n"), "acceptable body-unexpected" },
        { TEXT("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"), "acceptable body-unexpected" },
        { TEXT("DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"), "acceptable body-unexpected" },
        { TEXT("OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"), "acceptable body-unexpected" },
        { TEXT("TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"), "acceptable body-unexpected" },
        { POST(UPGRADE "Content-Length: 5\r\n"), "acceptable upgrade-with-body" },
        { POST("Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n"),
          "acceptable upgrade-with-body" },
        { GET("Connection: host\r\n"), "acceptable protected-field-nominated" },
        { GET("Connection: close, X-Forwarded-Anything\r\n"), "acceptable protected-field-nominated" },
        { GET("Connection: close,\r\n"), "acceptable connection-empty-element" },
        { GET("Connection:\r\n"), COMPLIANT },
        { GET("Connection: ,close\r\n"), "acceptable connection-empty-element" },
        { GET("Connection: close,, te\r\n"), "acceptable connection-empty-element" },
        { GET("X_Forwarded_For: 127.0.0.1\r\n"), "acceptable underscore-alias" },
        { GET("content_LENGTH: 5\r\n"), "acceptable underscore-alias" },
        { GET("Transfer_Encoding: chunked, a value that is more than wide\r\n"), "acceptable underscore-alias" },
        { TEXT("\r\nGET /./ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"),
          "acceptable body-unexpected +path-normalised +leading-empty-line" },
    };
    check_all(false, cases, COUNT_OF(cases));
}

static void what_recipients_read_differently_is_ambiguous(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { POST("Content-Length: 5\r\nContent-Length: 5\r\n"), "ambiguous content-length-repeated" },
        { POST("Content-Length: 5, 5\r\n"), "ambiguous content-length-repeated" },
        { POST("Content-Length: 05, 05\r\n"), "ambiguous content-length-repeated +content-length-zeros" },
        { GET("Content-Length: 0\r\nContent-Length: 0\r\n"), "ambiguous content-length-repeated" },
        { GET("Content-Length: 5, 5\r\n"), "ambiguous content-length-repeated +body-unexpected" },
        { POST("Content-Length: 010\r\n"), "ambiguous content-length-zeros" },
        { TEXT("POST / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "ambiguous length-missing-1-0 +host-missing-1-0" },
        { TEXT("PUT / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"), "ambiguous length-missing-1-0" },
        { TEXT("PATCH / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"), "ambiguous length-missing-1-0" },
    };
    check_all(false, cases, COUNT_OF(cases));
}

static void content_length_beside_chunked_is_severe(void **state)
{
    (void)state;
#define SEVERE "severe content-length-and-transfer-encoding"
    static const struct head_case cases[] = {
        { POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), SEVERE },
        { POST("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), SEVERE },
        { GET("Transfer-Encoding: chunked\r\nContent-Length: 5, 5\r\nConnection: content-length\r\n"),
          SEVERE " +content-length-repeated +body-unexpected +protected-field-nominated" },
    };
    check_all(false, cases, COUNT_OF(cases));
}

static void bare_lf_is_accepted_where_it_is_allowed(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("GET / HTTP/1.1\nHost: a\n\n"), "ambiguous bare-lf fields_end 23 of 24 [Host=a @15 host]" },
        { TEXT("GET / HTTP/1.1\r\nHost: a\n\r\n"), "ambiguous bare-lf fields_end 24 of 26 [Host=a @16 host]" },
        { TEXT("GET / HTTP/1.1\r\nHost: a\r\n\nPOST"), "ambiguous bare-lf fields_end 25 of 26 [Host=a @16 host]" },
        { TEXT("GET / HTTP/1.0\n\n"), "ambiguous bare-lf +host-missing-1-0 fields_end 15 of 16" },
        { TEXT("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
          "ambiguous bare-lf +leading-empty-line fields_end 26 of 28 [Host=a @17 host]" },
        { TEXT("GET / HTTP/1.1\r\nHost: a\r\nA: b \nContent-Length: 5\n\n"),
          "ambiguous bare-lf +body-unexpected fields_end 49 of 50 [Host=a @16 host] [A=b @25 other]"
          " [Content-Length=5 @31 content-length]" },
        { TEXT("GET / HTTP/1.1\r\nHost: a\r\nA:\n\r\n"),
          "ambiguous bare-lf fields_end 28 of 30 [Host=a @16 host] [A= @25 other]" },
        { TEXT("GET / HTTP/1.1\nHost: a\n b\n\n"), "folded field line" },
        { TEXT("GET / HTTP/1.1\n\tHost: a\n\n"), "whitespace between the first line and the fields" },
        { TEXT("GET / HTTP/1.1\nHost: a\nA: b\rc\n\n"), "CR that no LF follows" },
        { TEXT("GET / HTTP/1.1\nHost: a\nA: b\r\r\n\n"), "CR that no LF follows" },
        { TEXT("GET\n/ HTTP/1.1\nHost: a\n\n"), "method is not a token" },
        { TEXT("GET /\n"), "HTTP version is malformed" },
        { TEXT("GET / HTTP/1.1\nnocolon\n\n"), "field name is empty or not a token, or has no colon" },
        { GET("A: b\r\n"), COMPLIANT },
    };
    check_all(true, cases, COUNT_OF(cases));
}

static void bare_lf_never_ends_a_line_of_a_response(void **state)
{
    (void)state;
    static const char *const heads[] = { "HTTP/1.1 204 x\n\r\n", "HTTP/1.1 204 x\r\nA: b\n\r\n",
                                         "HTTP/1.1 204 x\r\n\n" };
    static struct h1_response response;
    limits.accepts_bare_lf = true;
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        size_t resume_at = 0;
        enum h1_error error;
        assert_int_equal(
            h1_parse_response(heads[i], strlen(heads[i]), &limits, &resume_at, HTTP_METHOD_GET, &response, &error),
            H1_BAD);
        assert_int_equal(error, H1_ERR_BARE_LF);
    }
}

static void reasons_are_sorted_the_gravest_first(void **state)
{
    (void)state;
    assert_int_equal(h1_desync_class_of(H1_DESYNC_NONE), H1_COMPLIANT);
    enum h1_desync before = H1_SEVERE;
    for (int reason = H1_DESYNC_NONE + 1; reason < H1_DESYNC_REASON_COUNT; reason++) {
        enum h1_desync desync = h1_desync_class_of((enum h1_desync_reason)reason);
        assert_true(desync <= before && desync != H1_COMPLIANT);
        before = desync;
        const char *text = h1_desync_reason_to_str((enum h1_desync_reason)reason);
        assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(text));
    }
    assert_string_equal(h1_desync_to_str(H1_COMPLIANT), "compliant");
    assert_string_equal(h1_desync_to_str((enum h1_desync)(H1_SEVERE + 1)), "unknown");
    assert_string_equal(h1_desync_reason_to_str(H1_DESYNC_REASON_COUNT), "unknown");
    assert_int_equal(h1_desync_class_of(H1_DESYNC_REASON_COUNT), H1_SEVERE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_rfcs_allow_is_compliant),
        cmocka_unit_test(odd_requests_with_one_framing_are_acceptable),
        cmocka_unit_test(what_recipients_read_differently_is_ambiguous),
        cmocka_unit_test(content_length_beside_chunked_is_severe),
        cmocka_unit_test(bare_lf_is_accepted_where_it_is_allowed),
        cmocka_unit_test(bare_lf_never_ends_a_line_of_a_response),
        cmocka_unit_test(reasons_are_sorted_the_gravest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
