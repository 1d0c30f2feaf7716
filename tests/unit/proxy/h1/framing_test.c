#include "tests/unit/proxy/h1/describe_request.h"

#include "proxy/h1/framing.h"

#define POST(fields) TEXT("POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n")
#define POST_1_0(fields) TEXT("POST / HTTP/1.0\r\nHost: a\r\n" fields "\r\n")
#define START "POST / @a a 1.1 keep "
#define CLOSE "POST / @a a 1.1 close none"

#define LENGTH "Content-Length is not one number below 2^63"
#define LENGTH_TWICE "more than one Content-Length"
#define LENGTH_AND_CODING "both Content-Length and Transfer-Encoding"
#define CODING "Transfer-Encoding is malformed"
#define CODING_TWICE "more than one transfer coding"
#define CODING_UNKNOWN "transfer coding other than chunked"
#define CODING_1_0 "Transfer-Encoding in an HTTP/1.0 message"
#define OPTIONS "Connection is not a short list of tokens"

static void check_all(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_every_split(parse_and_describe_request, &cases[i]);
    }
}

static void content_length_is_one_plain_number(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { POST("Content-Length: 5\r\n"), START "length 5" },
        { POST("content-length:5 \r\n"), START "length 5" },
        { POST("Content-Length: 0005\r\n"), START "length 5 rewrites" },
        { POST("Content-Length: 00\r\n"), START "none rewrites" },
        { POST("Content-Length: 0\r\n"), START "none" },
        { POST("Content-Length: 9223372036854775807\r\n"), START "length 9223372036854775807" },
        { TEXT("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"), "GET / @a a 1.1 keep length 3" },
        { TEXT("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"), "HEAD / @a a 1.1 keep length 3" },
        { TEXT("DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"), "DELETE / @a a 1.1 keep length 3" },
        { POST_1_0("Content-Length: 5\r\n"), "POST / @a a 1.0 close length 5" },
        { POST("Content-Length: 9223372036854775808\r\n"), LENGTH },
        { POST("Content-Length: 18446744073709551616\r\n"), LENGTH },
        { POST("Content-Length: 18446744073709551621\r\n"), LENGTH },
        { POST("Content-Length: 99999999999999999999999999\r\n"), LENGTH },
        { POST("Content-Length:\r\n"), LENGTH },
        { POST("Content-Length: +5\r\n"), LENGTH },
        { POST("Content-Length: -5\r\n"), LENGTH },
        { POST("Content-Length: 0x5\r\n"), LENGTH },
        { POST("Content-Length: a\r\n"), LENGTH },
        { POST("Content-Length: 1_0\r\n"), LENGTH },
        { POST("Content-Length: 5.0\r\n"), LENGTH },
        { POST("Content-Length: 5 5\r\n"), LENGTH },
        { POST("Content-Length: 5, 5\r\n"), START "length 5 rewrites" },
        { POST("Content-Length: 5 ,\t5,5\r\n"), START "length 5 rewrites" },
        { POST("Content-Length: 5, 6\r\n"), LENGTH_TWICE },
        { POST("Content-Length: 5, 05\r\n"), LENGTH_TWICE },
        { POST("Content-Length: 5, x\r\n"), LENGTH },
        { POST("Content-Length: ,5\r\n"), LENGTH },
        { POST("Content-Length: 5,,5\r\n"), LENGTH },
        { POST("Content-Length: 5,5,\r\n"), LENGTH },
        { POST("Content-Length: ,\r\n"), LENGTH },
        { POST("Content-Length: 5,\r\n"), LENGTH },
        { POST("Content-Length: \"5\"\r\n"), LENGTH },
        { POST("Content-Length: 5;\r\n"), LENGTH },
        { POST("Content-Length: \xb2\r\n"), LENGTH },
        { POST("Content-Length: 5\r\nContent-Length: 5\r\n"), START "length 5 rewrites" },
        { POST("Content-Length: 5, 5\r\nContent-Length: 5\r\n"), START "length 5 rewrites" },
        { POST("Content-Length: 5\r\nContent-Length: 5, 6\r\n"), LENGTH_TWICE },
        { POST("Content-Length: 5\r\nContent-Length: 5, 18446744073709551621\r\n"), LENGTH },
        { POST_1_0("Content-Length: 5\r\nContent-Length: 5\r\n"), "POST / @a a 1.0 close length 5 rewrites" },
        { POST("Content-Length: 5\r\ncontent-length: 6\r\n"), LENGTH_TWICE },
        { POST("Content-Length: 0\r\nContent-Length: 0\r\n"), START "none rewrites" },
        { POST("Content_Length: 5\r\n"), START "none" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void transfer_encoding_is_chunked_once_on_1_1(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { POST("Transfer-Encoding: chunked\r\n"), START "chunked" },
        { POST("transfer-encoding:\tCHUNKED\r\n"), START "chunked" },
        { POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), START "chunked" },
        { POST("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), START "chunked" },
        { POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n"), START "chunked" },
        { POST("Content-Length: 05\r\nTransfer-Encoding: chunked\r\n"), START "chunked" },
        { POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n"), LENGTH_TWICE },
        { POST("Content-Length: -5\r\nTransfer-Encoding: chunked\r\n"), LENGTH },
        { POST("Content-Length: 5\r\nTransfer-Encoding: gzip\r\n"), CODING_UNKNOWN },
        { POST_1_0("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), LENGTH_AND_CODING },
        { POST_1_0("Transfer-Encoding: chunked\r\n"), CODING_1_0 },
        { POST("Transfer-Encoding: gzip\r\n"), CODING_UNKNOWN },
        { POST("Transfer-Encoding: identity\r\n"), CODING_UNKNOWN },
        { POST("Transfer-Encoding: xchunked\r\n"), CODING_UNKNOWN },
        { POST("Transfer-Encoding: gzip, chunked\r\n"), CODING_UNKNOWN },
        { POST("Transfer-Encoding: chunked, chunked\r\n"), CODING_TWICE },
        { POST("Transfer-Encoding: chunked, identity\r\n"), CODING_TWICE },
        { POST("Transfer-Encoding: chunked,\r\n"), CODING_TWICE },
        { POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), CODING_TWICE },
        { POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), CODING_TWICE },
        { POST("Transfer-Encoding:\r\n"), CODING },
        { POST("Transfer-Encoding: ,chunked\r\n"), CODING },
        { POST("Transfer-Encoding: \"chunked\"\r\n"), CODING },
        { POST("Transfer-Encoding: chunked;q=1\r\n"), CODING },
        { POST("Transfer-Encoding: chunked chunked\r\n"), CODING },
        { POST("Transfer-Encoding: \x0b"
               "chunked\r\n"),
          "field value has a control character" },
        { POST("Transfer_Encoding: chunked\r\n"), START "none" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void connection_decides_on_keeping_alive(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { POST("Connection: close\r\n"), CLOSE },
        { POST("Connection: CLOSE\r\n"), CLOSE },
        { POST("Connection: keep-alive, close\r\n"), CLOSE },
        { POST("Connection: close\r\nConnection: keep-alive\r\n"), CLOSE },
        { POST("Connection: foo,, ,\tclose ,\r\n"), CLOSE },
        { POST("Connection:\r\n"), START "none" },
        { POST("Connection: closed\r\n"), START "none" },
        { POST("Proxy-Connection: close\r\n"), START "none" },
        { POST_1_0("Connection: keep-alive\r\n"), "POST / @a a 1.0 keep none" },
        { POST_1_0("Connection: Keep-Alive, close\r\n"), "POST / @a a 1.0 close none" },
        { POST_1_0("Proxy-Connection: keep-alive\r\n"), "POST / @a a 1.0 close none" },
        { POST("Connection: close;\r\n"), OPTIONS },
        { POST("Connection: \"close\"\r\n"), OPTIONS },
        { POST("Connection: a b\r\n"), OPTIONS },
        { POST("Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"), START "none" },
        { POST("Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"), OPTIONS },
        { POST("Connection: ,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\r\n"), OPTIONS },
    };
    check_all(cases, COUNT_OF(cases));
}

static void upgrade_needs_both_fields_and_one_safe_protocol(void **state)
{
    (void)state;
#define UPGRADE(value) POST("Connection: upgrade\r\nUpgrade: " value "\r\n")
    static const struct head_case cases[] = {
        { UPGRADE("websocket"), START "none upgrade=websocket" },
        { UPGRADE(" WebSocket/13 "), START "none upgrade=WebSocket/13" },
        { POST("Connection: keep-alive, Upgrade\r\nupgrade: websocket\r\n"), START "none upgrade=websocket" },
        { POST("Upgrade: websocket\r\n"), START "none" },
        { POST("Connection: upgrade\r\n"), START "none" },
        { UPGRADE("websocket, h2c"), START "none" },
        { UPGRADE("h2c"), START "none" },
        { UPGRADE("H2C"), START "none" },
        { UPGRADE("h2"), START "none" },
        { UPGRADE("HTTP/2.0"), START "none" },
        { UPGRADE("TLS/1.0"), START "none" },
        { UPGRADE(""), START "none" },
        { UPGRADE("websocket/"), START "none" },
        { UPGRADE("/13"), START "none" },
        { UPGRADE("web socket"), START "none" },
        { POST("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n"), START "none" },
        { POST("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n"), START "length 5" },
        { POST("Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n"), START "chunked" },
        { POST_1_0("Connection: upgrade\r\nUpgrade: websocket\r\n"), "POST / @a a 1.0 close none" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void an_expectation_is_seen_on_1_1(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { POST("Expect: 100-Continue\r\nContent-Length: 5\r\n"), START "length 5 continue" },
        { POST("Expect: 100-continue,, 100-continue\r\n"), START "none continue" },
        { POST("Expect:\r\n"), START "none" },
        { POST("Expect: something\r\n"), START "none unknown-expectation" },
        { POST("Expect: 100-continue=a\r\n"), START "none unknown-expectation" },
        { POST("Expect: a, 100-continue\r\n"), START "none continue unknown-expectation" },
        { POST("Expect: 100-continue\r\nExpect: a\r\n"), START "none continue unknown-expectation" },
        { POST_1_0("Expect: 100-continue\r\n"), "POST / @a a 1.0 close none" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void the_wish_for_trailers_is_seen_on_1_1(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { POST("TE: trailers\r\n"), START "none te" },
        { POST("TE: gzip;q=0.5,, Trailers\r\n"), START "none te" },
        { POST("TE: gzip\r\nTE: trailers\r\n"), START "none te" },
        { POST("TE: trailer\r\n"), START "none" },
        { POST("TE: trailers;q=0\r\n"), START "none" },
        { POST("TE:\r\n"), START "none" },
        { POST("Trailer: a, b\r\nTransfer-Encoding: chunked\r\n"), START "chunked trailer" },
        { POST_1_0("TE: trailers\r\n"), "POST / @a a 1.0 close none" },
    };
    check_all(cases, COUNT_OF(cases));
}

/* The names of the fields that are not to be forwarded. */
static bool parse_and_describe_hops(const char *buf, size_t len, size_t *resume_at, struct buf *outcome)
{
    static struct h1_request request;
    memset(&request, 0x5a, sizeof(request));
    const struct h1_limits limits = { .head_bytes = 4096, .target_bytes = 64, .field_count = 32 };
    enum h1_error error;
    enum h1_result result = h1_parse_request(buf, len, &limits, resume_at, &request, &error);
    if (result != H1_DONE) {
        buf_append_text(outcome, result == H1_MORE ? "more" : h1_error_to_str(error));
        return result == H1_BAD;
    }
    for (size_t i = 0; i < request.head.field_count; i++) {
        if (request.head.fields[i].hop_by_hop || request.head.fields[i].has_underscore) {
            buf_printf(outcome, "%.*s%s%s ", SLICE_FMT(request.head.fields[i].name),
                       request.head.fields[i].hop_by_hop ? "" : "?", request.head.fields[i].has_underscore ? "_" : "");
        }
    }
    return true;
}

static void hop_by_hop_and_nominated_fields_are_marked(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { POST("Keep-Alive: a\r\nProxy-Connection: b\r\nTE: trailers\r\nTrailer: c\r\nUpgrade: d\r\n"
               "HTTP2-Settings: e\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nAccept: f\r\n"),
          "Keep-Alive Proxy-Connection TE Trailer Upgrade HTTP2-Settings Transfer-Encoding Connection " },
        { POST("X-One: a\r\nConnection: x-one, x-two, accept\r\nx-TWO: b\r\nX-Three: c\r\nx-one: d\r\nAccept: e\r\n"),
          "X-One Connection x-TWO x-one Accept " },
        { POST("Connection: x-one\r\nConnection: close, x-two\r\nX-One: a\r\nX-Two: b\r\n"),
          "Connection Connection X-One X-Two " },
        { POST("Connection: host, content-length, authorization, cookie, x-forwarded-for, x-forwarded-anything\r\n"
               "Content-Length: 5\r\nAuthorization: a\r\nCookie: b\r\nX-Forwarded-For: c\r\n"
               "X-Forwarded-Anything: d\r\n"),
          "Connection " },
        { POST("Connection: x-forwarded-proto, x-forwarded-host, x-real-ip, forwarded, x-request-id, via, expect\r\n"
               "X-Forwarded-Proto: a\r\nX-Forwarded-Host: b\r\nX-Real-IP: c\r\nForwarded: d\r\nX-Request-ID: e\r\n"
               "Via: f\r\nExpect: g\r\n"),
          "Connection " },
        { POST("X_Forwarded_For: a\r\nX_Real-IP: b\r\nA: c\r\na-very-long-name-with-an-underscore_: d\r\n"),
          "X_Forwarded_For?_ X_Real-IP?_ a-very-long-name-with-an-underscore_?_ " },
        { POST("Content-Length: 5\r\nA: b\r\ncontent-length: 5\r\n"), "Content-Length content-length " },
        { POST("Content-Length: 5, 5\r\n"), "Content-Length " },
        { POST("Content-Length: 05\r\n"), "Content-Length " },
        { POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
          "Content-Length Transfer-Encoding Content-Length " },
        { POST("Connection: a_b\r\nA_B: a long value that is more than wide\r\n"), "Connection A_B_ " },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_every_split(parse_and_describe_hops, &cases[i]);
    }
}

static void a_field_without_meaning_changes_nothing(void **state)
{
    (void)state;
    struct h1_framing framing = { .is_request = true }, before = framing;
    const struct http_field_line line = { .value = SLICE_LITERAL("5"), .id = HTTP_FIELD_COOKIE };
    assert_int_equal(h1_framing_take(&framing, &line), H1_OK);
    assert_memory_equal(&framing, &before, sizeof(framing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_length_is_one_plain_number),
        cmocka_unit_test(transfer_encoding_is_chunked_once_on_1_1),
        cmocka_unit_test(connection_decides_on_keeping_alive),
        cmocka_unit_test(upgrade_needs_both_fields_and_one_safe_protocol),
        cmocka_unit_test(an_expectation_is_seen_on_1_1),
        cmocka_unit_test(the_wish_for_trailers_is_seen_on_1_1),
        cmocka_unit_test(hop_by_hop_and_nominated_fields_are_marked),
        cmocka_unit_test(a_field_without_meaning_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
