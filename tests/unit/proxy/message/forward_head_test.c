#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/message/forward_head.h"
#include "tests/unit/proxy/h1/parse_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OURS "X-Forwarded-For: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
#define BLANKS "                " /* a quarter of what an endpoint's address has room in */
#define NO_HOST "Host: " BLANKS BLANKS BLANKS BLANKS "\r\n"
#define FOR_A OURS "X-Forwarded-Host: a\r\n"
#define ID "X-Request-Id: fresh-id\r\n"
#define VIA "Via: 1.1 portico-0a1b2c3d\r\n\r\n"
#define VIA_1_0 "Via: 1.0 portico-0a1b2c3d\r\n\r\n"

static struct h1_limits limits = {
    .head_bytes = 65536, .target_bytes = HTTP_TARGET_MAX, .field_count = 128, .accepts_bare_lf = true
};

struct forward_case {
    const char *in, *out;
};

/* As the exchange does it. */
static struct forward_request describe(const struct h1_request *request)
{
    static struct forward_via via;
    forward_via_init(&via, SLICE_LITERAL("portico-0a1b2c3d"));
    return (struct forward_request){ .client = { .peer = SLICE_LITERAL("192.0.2.7") },
                                     .request_id = SLICE_LITERAL("fresh-id"),
                                     .via = &via,
                                     .keeps_request_id = forward_keeps_request_id(&request->head),
                                     .upgrade = request->head.upgrade,
                                     .sends_trailers = request->head.body == HTTP_BODY_CHUNKED };
}

/* Memory of exactly the promised size for what goes out: the sanitizer sees a byte too many. Ends with a NUL. */
static char *forward_request(const char *text)
{
    static struct h1_request request;
    enum h1_error error = H1_OK;
    size_t resume_at = 0, len = strlen(text);
    char *head = malloc(len);
    assert_non_null(head);
    memcpy(head, text, len);
    if (h1_parse_request(head, len, &limits, &resume_at, &request, &error) != H1_DONE)
        fail_msg("%s: %s", text, h1_error_to_str(error));
    struct forward_request with = describe(&request);
    size_t size = forward_request_room(&request.head);
    char *out = malloc(size);
    assert_non_null(out);
    size_t out_len = forward_request_head(&request.head, &with, out, size);
    assert_true(out_len <= size);
    free(head);
    out = realloc(out, out_len + 1);
    assert_non_null(out);
    out[out_len] = '\0';
    return out;
}

static void check_requests(const struct forward_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *out = forward_request(cases[i].in);
        if (strcmp(out, cases[i].out) != 0)
            fail_msg("of\n%s\ncame\n%s\nand not\n%s", cases[i].in, out, cases[i].out);
        free(out);
    }
}

#define CHECK_REQUESTS(cases) check_requests(cases, sizeof(cases) / sizeof *(cases))

static void an_ordinary_request_goes_on_unchanged_but_for_what_is_added(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
        { "PURGE /x?y=%20z&& HTTP/1.1\r\nhOsT:a\r\nX-Odd:   spaces \t\r\nX-Empty:\r\nAccept:\t*/*\r\n\r\n",
          "PURGE /x?y=%20z&& HTTP/1.1\r\nhOsT:a\r\nX-Odd:   spaces \t\r\nX-Empty:\r\nAccept:\t*/*\r\n" FOR_A ID VIA },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nCookie: a=b\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nCookie: a=b\r\n" FOR_A ID VIA },
        { "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
        { "OPTIONS * HTTP/1.1\r\nHost: a:8080\r\n\r\n",
          "OPTIONS * HTTP/1.1\r\nHost: a:8080\r\n" OURS "X-Forwarded-Host: a:8080\r\n" ID VIA },
    };
    CHECK_REQUESTS(cases);
}

static void hop_by_hop_fields_do_not_go_on(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET / HTTP/1.1\r\nConnection: keep-alive\r\nHost: a\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\nX: 1\r\n"
          "Trailer: X\r\nUpgrade: websocket\r\nProxy-Connection: close\r\nHTTP2-Settings: AA\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nTE: x\r\nTE: y\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
    };
    CHECK_REQUESTS(cases);
}

static void fields_that_connection_nominates_do_not_go_on(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET / HTTP/1.1\r\nX-Mine: 1\r\nHost: a\r\nConnection: x-mine, close\r\nx-MINE: 2\r\nX-Yours: 3\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nX-Yours: 3\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: user-agent\r\nUser-Agent: x\r\nAccept: y\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nAccept: y\r\n" FOR_A ID VIA },
        /* but not what a backend relies on */
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: host, cookie, authorization, via\r\nCookie: c\r\n"
          "Authorization: z\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nCookie: c\r\nAuthorization: z\r\n" FOR_A ID VIA },
        { "POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" FOR_A ID VIA },
    };
    CHECK_REQUESTS(cases);
}

static void what_a_client_says_of_itself_is_replaced(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET / HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1\r\nHost: a\r\nX-FORWARDED-PROTO: https\r\n"
          "X-Forwarded-Host: evil\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n"
          "X-Forwarded-For: 10.0.0.2\r\nX-Last: 1\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nX-Last: 1\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-forwarded-for, x-forwarded-host\r\nVia: 1.0 other\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 other\r\n" FOR_A ID VIA },
    };
    CHECK_REQUESTS(cases);
}

/* Only one is nobody's to say: it would become a variable of CGI-like programs (HTTP_PROXY), whoever is trusted. */
static void what_a_trusted_proxy_says_goes_on_but_for_proxy(void **state)
{
    static const char head[] =
        "GET / HTTP/1.1\r\npRoxy: evil:1\r\nHost: a\r\nX-Original-URL: /x\r\nProxy: evil:2\r\n\r\n";
    struct h1_request request;
    enum h1_error error = H1_OK;
    size_t resume_at = 0;
    (void)state;
    assert_int_equal(h1_parse_request(head, sizeof head - 1, &limits, &resume_at, &request, &error), H1_DONE);
    for (enum forwarded_for mode = 0; mode < FORWARDED_FOR_COUNT; mode++) {
        char out[4096] = "";
        struct forward_request with = describe(&request);
        with.client.is_trusted = true;
        with.client.mode = mode;
        assert_true(forward_request_room(&request.head) < sizeof out);
        size_t len = forward_request_head(&request.head, &with, out, sizeof out - 1);
        out[len] = '\0';
        assert_null(strstr(out, "evil"));
        assert_int_equal(strstr(out, "X-Original-URL") != NULL, mode != FORWARDED_FOR_REPLACE);
    }
}

static void aliases_with_underscores_are_dropped_and_other_names_with_them_kept(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\nx_forwarded-proto: 2\r\nX-Real_IP: 3\r\n"
          "Content_Length: 4\r\nTransfer_Encoding: chunked\r\nX_Request_Id: 5\r\nX_Mine: 6\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nX_Mine: 6\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nuser_agent: 1\r\n_: 2\r\na_very_long_name_that_is_nothing_of_ours: 3\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nuser_agent: 1\r\n_: 2\r\na_very_long_name_that_is_nothing_of_ours: 3\r\n" FOR_A
              ID VIA },
    };
    CHECK_REQUESTS(cases);
}

static void an_absolute_target_becomes_a_path_and_replaces_host(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET http://a/x?y HTTP/1.1\r\nHost: other\r\nA: b\r\n\r\n",
          "GET /x?y HTTP/1.1\r\nA: b\r\nHost: a\r\n" FOR_A ID VIA },
        { "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
    };
    CHECK_REQUESTS(cases);
}

static void a_path_with_dot_segments_goes_on_as_it_was_matched(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET /a/../b/./c HTTP/1.1\r\nHost: a\r\n\r\n", "GET /b/c HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
    };
    CHECK_REQUESTS(cases);
}

static void http_1_0_becomes_1_1(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
          "GET /x HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA_1_0 },
        /* which has to have a Host, be it empty (RFC 9112 3.2) */
        { "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\n" NO_HOST OURS ID VIA_1_0 },
        { "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: 3\r\n" NO_HOST OURS ID VIA_1_0 },
    };
    CHECK_REQUESTS(cases);
}

static void a_chunked_request_is_framed_anew(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "POST / HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\nHost: a\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" FOR_A ID VIA },
        /* whatever length it claims besides */
        { "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" FOR_A ID VIA },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n" FOR_A ID VIA },
    };
    CHECK_REQUESTS(cases);
}

static void a_doubtful_length_is_written_anew(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "POST / HTTP/1.1\r\nContent-Length: 5\r\nHost: a\r\nContent-Length: 5\r\nX: 1\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\nContent-Length: 5\r\n" FOR_A ID VIA },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n" FOR_A ID VIA },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 00\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" FOR_A ID VIA },
    };
    CHECK_REQUESTS(cases);
}

static void lines_that_end_in_lf_alone_go_on_with_crlf(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET /x HTTP/1.1\nHost:a\nA:  b \nEmpty:\n\n",
          "GET /x HTTP/1.1\r\nHost: a\r\nA: b\r\nEmpty: \r\n" FOR_A ID VIA },
        { "GET /x HTTP/1.1\r\nHost: a\r\nConnection: X-Mine\nX-Mine: 1\r\nTE: x\r\nx_real_ip: 1\r\nB: c\r\n\n",
          "GET /x HTTP/1.1\r\nHost: a\r\nB: c\r\n" FOR_A ID VIA },
        { "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\n",
          "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.0\n\n", "GET / HTTP/1.1\r\n" NO_HOST OURS ID VIA_1_0 },
    };
    CHECK_REQUESTS(cases);
}

static void an_upgrade_and_te_trailers_are_asked_for_anew(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nX: 1\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nTE: gzip;q=0.5, trailers\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nConnection: upgrade, TE\r\nUpgrade: x/1\r\nTE: trailers\r\nHost: a\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, TE\r\nTE: trailers\r\nUpgrade: x/1\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.0\r\nHost: a\r\nTE: trailers\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA_1_0 },
    };
    CHECK_REQUESTS(cases);
}

static void max_forwards_is_counted_down_for_options_and_trace(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "OPTIONS / HTTP/1.1\r\nMax-Forwards: 10\r\nHost: a\r\n\r\n",
          "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 9\r\n" FOR_A ID VIA },
        { "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n",
          "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n" FOR_A ID VIA },
        { "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 99999999999999999999999999999\r\n\r\n",
          "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 999999\r\n" FOR_A ID VIA },
        { "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n",
          "OPTIONS / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n" FOR_A ID VIA },
    };
    CHECK_REQUESTS(cases);
}

#define WITH(method, field) (&parse_request(method " / HTTP/1.1\r\nHost: a\r\n" field "\r\n\r\n", &limits)->head)

static void max_forwards_says_who_answers(void **state)
{
    (void)state;
    assert_int_equal(forward_max_forwards(WITH("OPTIONS", "X: 0")), FORWARD_HOPS_GOES_ON);
    assert_int_equal(forward_max_forwards(WITH("OPTIONS", "Max-Forwards: 1")), FORWARD_HOPS_GOES_ON);
    assert_int_equal(forward_max_forwards(WITH("OPTIONS", "Max-Forwards: 0")), FORWARD_HOPS_ENDS_HERE);
    assert_int_equal(forward_max_forwards(WITH("TRACE", "max-forwards: 000")), FORWARD_HOPS_ENDS_HERE);
    assert_int_equal(forward_max_forwards(WITH("GET", "Max-Forwards: 0")), FORWARD_HOPS_GOES_ON);
    assert_int_equal(forward_max_forwards(WITH("GET", "Max-Forwards: x")), FORWARD_HOPS_GOES_ON);
    assert_int_equal(forward_max_forwards(WITH("OPTIONS", "Max-Forwards: x")), FORWARD_HOPS_BAD);
    assert_int_equal(forward_max_forwards(WITH("OPTIONS", "Max-Forwards:")), FORWARD_HOPS_BAD);
    assert_int_equal(forward_max_forwards(WITH("OPTIONS", "Max-Forwards: -1")), FORWARD_HOPS_BAD);
    assert_int_equal(forward_max_forwards(WITH("OPTIONS", "Max-Forwards: 1, 2")), FORWARD_HOPS_BAD);
    assert_int_equal(forward_max_forwards(WITH("OPTIONS", "Max-Forwards: 1 ")), FORWARD_HOPS_GOES_ON);
    assert_int_equal(forward_max_forwards(WITH("TRACE", "Max-Forwards: 1\r\nMax-Forwards: 1")), FORWARD_HOPS_BAD);
}

static void the_own_name_in_via_is_a_loop(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_loop;
    } cases[] = {
        { "Via: 1.1 p-1", true },
        { "Via: 1.1 other\r\nVia: HTTP/1.1 \t p-1 (comment)", true },
        { "Via: 1.0 a, 1.1 b (c), 1.1 P-1(x),1.1 d", true },
        { "Via: ,, 1.1 p-1", true },
        { "Via: 1.1 p-1:80", false },
        { "Via: 1.1 p-12", false },
        { "Via: 1.1 xp-1", false },
        { "Via: p-1", false },
        { "Via: p-1 other", false },
        { "Via: 1.1 other (p-1)", false },
        { "Via:", false },
        { "Via: ,", false },
        { "X-Via: 1.1 p-1", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", cases[i].text);
        if (forward_request_is_loop(&parse_request(text, &limits)->head, SLICE_LITERAL("p-1")) != cases[i].is_loop)
            fail_msg("%s", cases[i].text);
    }
    assert_false(forward_request_is_loop(WITH("GET", "Via: 1.1 "), SLICE_LITERAL("")));
}

static void made_request_ids_are_the_hex_digits_of_their_number(void **state)
{
    (void)state;
    unsigned seen[16] = { 0 };
    for (uint64_t i = 0; i < 64; i++) {
        uint64_t random[2] = { UINT64_C(1) << i, 0x0123456789abcdefu };
        char id[REQUEST_ID_MADE];
        unsigned ones = 0;
        request_id_write(random, id);
        assert_true(request_id_is_sound((struct slice){ id, sizeof id }));
        for (size_t at = 0; at < sizeof id; at++) {
            const char *digit = memchr("0123456789abcdef", id[at], 16);
            assert_non_null(digit);
            if (at < 16)
                ones += (unsigned)__builtin_popcount((unsigned)strtoul((char[2]){ *digit, '\0' }, NULL, 16));
            else
                seen[strtoul((char[2]){ *digit, '\0' }, NULL, 16)]++;
        }
        assert_int_equal(ones, 1);
    }
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(seen[i], 64);
}

static void a_sound_request_id_is_kept_and_another_replaced(void **state)
{
    (void)state;
    static const struct forward_case cases[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: abc-123\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: abc-123\r\n" FOR_A VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id:\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
        { "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: b\r\nX-Request-Id: b\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\n" FOR_A ID VIA },
    };
    CHECK_REQUESTS(cases);
}

static void only_short_plain_request_ids_are_sound(void **state)
{
    (void)state;
    char id[REQUEST_ID_MAX + 1];
    memset(id, 'a', sizeof id);
    assert_true(request_id_is_sound((struct slice){ id, REQUEST_ID_MAX }));
    assert_false(request_id_is_sound((struct slice){ id, REQUEST_ID_MAX + 1 }));
    assert_false(request_id_is_sound((struct slice){ id, 0 }));
    for (int c = 0; c < 256; c++) {
        char text[3] = { 'a', (char)c, 'b' };
        bool wanted = c && strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:=+/", c);
        assert_int_equal(request_id_is_sound((struct slice){ text, 3 }), wanted);
    }
}

/* As much as can be added, to the longest lines that are allowed. */
static void the_promised_room_is_enough(void **state)
{
    (void)state;
    static char text[32768];
    char host[2000], target[6000];
    memset(host, 'h', sizeof host);
    memset(target, 't', sizeof target);
    snprintf(text, sizeof text, "GET http://%.*s/%.*s HTTP/1.0\r\n\r\n", 1999, host, 5999, target);
    free(forward_request(text));
    snprintf(text, sizeof text, "GET http://%.*s/%.*s HTTP/1.1\r\nHost: x\r\n\r\n", 1999, host, 5999, target);
    free(forward_request(text));
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost:%.*s\r\n\r\n", 1999, host);
    free(forward_request(text));
    free(forward_request("G / HTTP/1.0\r\n\r\n"));
    size_t len = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\nHost:%.*s\n", 1999, host);
    for (int i = 0; i < 120; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "a:\n");
    snprintf(text + len, sizeof text - len, "\n");
    free(forward_request(text));
}

/* Everything that can be added at once. */
static void the_promised_room_is_enough_for_a_client_in_all_words(void **state)
{
    (void)state;
    static const char text[] = "OPTIONS http://h/ HTTP/1.1\nHost:h\nMax-Forwards:9\nTE:trailers\nUpgrade:x\n"
                               "Connection:upgrade\n\n";
    static char name[FORWARD_VIA_MAX], id[REQUEST_ID_MAX];
    const struct h1_request *request = parse_request(text, &limits);
    memset(name, 'n', sizeof name);
    memset(id, 'i', sizeof id);
    struct forward_request with = describe(request);
    struct forward_via via;
    forward_via_init(&via, (struct slice){ name, sizeof name });
    with.via = &via;
    with.request_id = (struct slice){ id, sizeof id };
    with.client = (struct forwarded_client){ .peer = SLICE_LITERAL("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"),
                                             .is_https = true,
                                             .port = SLICE_LITERAL("65535"),
                                             .sends_forwarded = true };
    size_t size = forward_request_room(&request->head);
    char *out = malloc(size);
    assert_non_null(out);
    assert_true(forward_request_head(&request->head, &with, out, size) <= size);
    free(out);
}

static struct slice date; /* empty but where a test says so */

static char *forward_response(const char *text, enum http_method method, enum forward_framing framing,
                              enum http_connection connection)
{
    static struct h1_response response;
    enum h1_error error = H1_OK;
    size_t resume_at = 0, len = strlen(text);
    char *head = malloc(len);
    assert_non_null(head);
    memcpy(head, text, len);
    if (h1_parse_response(head, len, &limits, &resume_at, method, &response, &error) != H1_DONE)
        fail_msg("%s: %s", text, h1_error_to_str(error));
    size_t size = response.head.head_bytes + FORWARD_HEAD_EXTRA_BYTES;
    char *out = malloc(size);
    assert_non_null(out);
    struct forward_response with = { framing, connection, date };
    size_t out_len = forward_response_head(&response.head, &with, out, size);
    free(head);
    out = realloc(out, out_len + 1);
    assert_non_null(out);
    out[out_len] = '\0';
    return out;
}

static void check_response(const char *in, enum forward_framing framing, enum http_connection connection,
                           const char *wanted)
{
    char *out = forward_response(in, HTTP_METHOD_GET, framing, connection);
    assert_string_equal(out, wanted);
    free(out);
}

static void a_response_goes_on_without_its_hop_by_hop_fields(void **state)
{
    (void)state;
    check_response("HTTP/1.1 200 Fine, thanks\r\nContent-Length: 3\r\nX-Odd:  y \r\n\r\n", FORWARD_AS_IT_IS,
                   HTTP_CONNECTION_NONE, "HTTP/1.1 200 Fine, thanks\r\nContent-Length: 3\r\nX-Odd:  y \r\n\r\n");
    check_response("HTTP/1.1 200 OK\r\nConnection: x-inner, keep-alive\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\n"
                   "Server: s\r\nTrailer: z\r\nProxy-Connection: close\r\nContent-Length: 0\r\n\r\n",
                   FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE, "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 0\r\n\r\n");
    check_response("HTTP/1.1 404 \r\n\r\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE, "HTTP/1.1 404 \r\n\r\n");
}

static void a_response_is_framed_for_the_client(void **state)
{
    (void)state;
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n";
    static const char until_close[] = "HTTP/1.0 200 OK\r\nA: b\r\n\r\n";
    check_response(chunked, FORWARD_CHUNKED, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_response(chunked, FORWARD_AS_IT_IS, HTTP_CONNECTION_CLOSE,
                   "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n");
    check_response(until_close, FORWARD_CHUNKED, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_response("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n", FORWARD_AS_IT_IS,
                   HTTP_CONNECTION_KEEP_ALIVE,
                   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n");
}

static void trailer_goes_on_with_trailers_only(void **state)
{
    (void)state;
    static const char in[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nA: b\r\n\r\n";
    check_response(in, FORWARD_CHUNKED_WITH_TRAILERS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_response(in, FORWARD_CHUNKED, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_response(in, FORWARD_AS_IT_IS, HTTP_CONNECTION_CLOSE, "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n");
}

static void a_101_names_the_protocol_that_was_switched_to(void **state)
{
    (void)state;
    check_response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade, X-Inner\r\n"
                   "X-Inner: 1\r\nContent-Length: 0\r\nSec-WebSocket-Accept: x\r\n\r\n",
                   FORWARD_AS_IT_IS, HTTP_CONNECTION_UPGRADE,
                   "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: upgrade\r\n"
                   "Upgrade: websocket\r\n\r\n");
}

static void a_length_that_a_status_may_not_have_does_not_go_on(void **state)
{
    (void)state;
    check_response("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nA: b\r\n\r\n", FORWARD_AS_IT_IS,
                   HTTP_CONNECTION_NONE, "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n");
    check_response("HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 1\r\n\r\n", FORWARD_AS_IT_IS,
                   HTTP_CONNECTION_NONE, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    check_response("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
}

static void a_final_response_without_a_date_gets_one(void **state)
{
    (void)state;
    date = SLICE_LITERAL("now");
    check_response("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", FORWARD_CHUNKED, HTTP_CONNECTION_CLOSE,
                   "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nDate: now\r\n\r\n");
    check_response("HTTP/1.1 500 \r\n\r\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 500 \r\nDate: now\r\n\r\n");
    check_response("HTTP/1.1 200 OK\r\ndate: then\r\n\r\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 200 OK\r\ndate: then\r\n\r\n");
    check_response("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    date = SLICE_LITERAL("");
}

static void a_lenient_reading_goes_on_well_formed(void **state)
{
    (void)state;
    limits.is_lenient = true;
    check_response("HTTP/1.1 200 OK\nA: b\nKeep-Alive: 1\nC:d\n\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n");
    check_response("HTTP/1.1 200 OK\r\nA : b\r\n c \r\n\t \r\n d\r\nE:\r\n f\r\n\r\n", FORWARD_AS_IT_IS,
                   HTTP_CONNECTION_NONE, "HTTP/1.1 200 OK\r\nA: b c  d\r\nE:  f\r\n\r\n");
    check_response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\nContent-Length: 2\r\n\r\n", FORWARD_AS_IT_IS,
                   HTTP_CONNECTION_NONE, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\n");
    check_response("HTTP/1.1 204 x\nContent-Length: 0, 0\n\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 204 x\r\n\r\n");
    check_response("HTTP/1.1 799 Odd\r\nA: b\r\n\r\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 799 Odd\r\nA: b\r\n\r\n");
    limits.is_lenient = false;
}

static void a_higher_minor_version_becomes_1_1(void **state)
{
    (void)state;
    check_response("HTTP/1.2 200 OK\r\nA: b\r\n\r\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
}

static void a_1_0_response_becomes_1_1(void **state)
{
    (void)state;
    check_response("HTTP/1.0 302 Found over there\r\nLocation: /x\r\nConnection: close\r\n\r\n", FORWARD_AS_IT_IS,
                   HTTP_CONNECTION_NONE, "HTTP/1.1 302 Found over there\r\nLocation: /x\r\n\r\n");
    check_response("HTTP/1.0 599 \r\nConnection: close\r\n\r\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE,
                   "HTTP/1.1 599 \r\n\r\n");
    check_response("HTTP/1.0 200 OK\r\n\r\n", FORWARD_AS_IT_IS, HTTP_CONNECTION_NONE, "HTTP/1.1 200 OK\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_request_goes_on_unchanged_but_for_what_is_added),
        cmocka_unit_test(hop_by_hop_fields_do_not_go_on),
        cmocka_unit_test(fields_that_connection_nominates_do_not_go_on),
        cmocka_unit_test(what_a_client_says_of_itself_is_replaced),
        cmocka_unit_test(what_a_trusted_proxy_says_goes_on_but_for_proxy),
        cmocka_unit_test(aliases_with_underscores_are_dropped_and_other_names_with_them_kept),
        cmocka_unit_test(an_absolute_target_becomes_a_path_and_replaces_host),
        cmocka_unit_test(a_path_with_dot_segments_goes_on_as_it_was_matched),
        cmocka_unit_test(http_1_0_becomes_1_1),
        cmocka_unit_test(a_chunked_request_is_framed_anew),
        cmocka_unit_test(a_doubtful_length_is_written_anew),
        cmocka_unit_test(lines_that_end_in_lf_alone_go_on_with_crlf),
        cmocka_unit_test(an_upgrade_and_te_trailers_are_asked_for_anew),
        cmocka_unit_test(max_forwards_is_counted_down_for_options_and_trace),
        cmocka_unit_test(max_forwards_says_who_answers),
        cmocka_unit_test(the_own_name_in_via_is_a_loop),
        cmocka_unit_test(made_request_ids_are_the_hex_digits_of_their_number),
        cmocka_unit_test(a_sound_request_id_is_kept_and_another_replaced),
        cmocka_unit_test(only_short_plain_request_ids_are_sound),
        cmocka_unit_test(the_promised_room_is_enough),
        cmocka_unit_test(the_promised_room_is_enough_for_a_client_in_all_words),
        cmocka_unit_test(a_response_goes_on_without_its_hop_by_hop_fields),
        cmocka_unit_test(a_response_is_framed_for_the_client),
        cmocka_unit_test(trailer_goes_on_with_trailers_only),
        cmocka_unit_test(a_101_names_the_protocol_that_was_switched_to),
        cmocka_unit_test(a_length_that_a_status_may_not_have_does_not_go_on),
        cmocka_unit_test(a_final_response_without_a_date_gets_one),
        cmocka_unit_test(a_lenient_reading_goes_on_well_formed),
        cmocka_unit_test(a_higher_minor_version_becomes_1_1),
        cmocka_unit_test(a_1_0_response_becomes_1_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
