#include "tests/unit/proxy/h1/every_split.h"

#include "proxy/h1/chunk.h"
#include "proxy/h1/trailer.h"

#define FORBIDDEN "trailer names a framing, routing or connection field"
#define MALFORMED "trailer field is malformed"

/* What may go on of the section, or why it is refused. Each buffer has exactly the bytes that it may have. */
static void check_filter(const struct head_case *c)
{
    char *section = malloc(c->len + 1), *out = malloc(c->len + 1);
    size_t out_len = 1;
    assert_non_null(section);
    assert_non_null(out);
    memcpy(section + 1, c->text, c->len);
    enum h1_error error = h1_trailer_filter(section + 1, c->len, out + 1, &out_len);
    struct buf got;
    buf_init(&got, 0);
    if (error == H1_OK) {
        buf_append_slice(&got, (struct slice){ out + 1, out_len });
    } else {
        assert_int_equal(out_len, 0);
        buf_append_text(&got, h1_error_to_str(error));
    }
    if (strcmp(buf_text(&got), c->expected) != 0) {
        fail_msg("\"%.*s\":\n  got  %s\n  want %s", (int)c->len, c->text, buf_text(&got), c->expected);
    }
    buf_fini(&got);
    free(section);
    free(out);
}

static void check_all(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_filter(&cases[i]);
    }
}

static void harmless_trailers_go_on_as_they_came(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT(""), "" },
        { TEXT("grpc-status: 0\r\ngrpc-message:\r\n"), "grpc-status: 0\r\ngrpc-message:\r\n" },
        { TEXT("Server-Timing: a;dur=1 \t\r\n"), "Server-Timing: a;dur=1 \t\r\n" },
        { TEXT("ETag: \"a\"\r\nX-Checksum:\tcaf\xe9\r\n"), "ETag: \"a\"\r\nX-Checksum:\tcaf\xe9\r\n" },
        { TEXT("Content-Digest: sha-256=:a:\r\nRepr-Digest: b\r\n"),
          "Content-Digest: sha-256=:a:\r\nRepr-Digest: b\r\n" },
        { TEXT("X_Own: a\r\na-name-that-is-longer-than-any-name-of-a-list: b\r\n"),
          "X_Own: a\r\na-name-that-is-longer-than-any-name-of-a-list: b\r\n" },
        { TEXT("A: b\r\nCookie: c\r\nD: e\r\nVia: f\r\nG: h\r\n"), "A: b\r\nD: e\r\nG: h\r\n" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void framing_and_routing_fields_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Content-Length", "content-length", "Content_Length",   "Transfer-Encoding", "TRANSFER_ENCODING", "Host",
        "Connection",     "Keep-Alive",     "Proxy-Connection", "Proxy_Connection",  "Upgrade",           "TE",
        "Trailer",        "Expect",         "HTTP2-Settings",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char section[128];
        int len = snprintf(section, sizeof(section), "A: b\r\n%s: 5\r\nC: d\r\n", names[i]);
        check_filter(&(struct head_case){ section, (size_t)len, FORBIDDEN });
    }
}

static void fields_that_belong_to_the_head_are_left_out(void **state)
{
    (void)state;
    static const char *const names[] = { "Authorization",
                                         "Proxy-Authorization",
                                         "WWW-Authenticate",
                                         "Proxy-Authenticate",
                                         "Authentication-Info",
                                         "Cookie",
                                         "Set-Cookie",
                                         "Set_Cookie",
                                         "Set-Cookie2",
                                         "Content-Type",
                                         "Content-Range",
                                         "Content-Encoding",
                                         "Content-Anything",
                                         "content_anything",
                                         "Cache-Control",
                                         "Age",
                                         "Expires",
                                         "Vary",
                                         "Pragma",
                                         "If-Match",
                                         "If-None-Match",
                                         "Range",
                                         "Accept-Ranges",
                                         "Accept",
                                         "Max-Forwards",
                                         "X-Forwarded-For",
                                         "X_Forwarded_For",
                                         "X-Forwarded-Own",
                                         "X-Forwarded",
                                         "Forwarded",
                                         "Via",
                                         "X-Real-IP",
                                         "X_Real-IP",
                                         "X-Request-ID",
                                         "x_request_id",
                                         "Date",
                                         "Location",
                                         "Retry-After",
                                         "Origin",
                                         "Referer",
                                         "User-Agent",
                                         "Server",
                                         "Warning",
                                         "Content-Digest-None",
                                         "Sec-WebSocket-Accept",
                                         "Last-Modified",
                                         "Alt-Svc",
                                         "Clear-Site-Data",
                                         "Proxy-Status",
                                         "CDN-Loop",
                                         "Priority",
                                         "Access-Control-Allow-Origin" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char section[128];
        int len = snprintf(section, sizeof(section), "A: b\r\n%s: 5\r\nC: d\r\n", names[i]);
        check_filter(&(struct head_case){ section, (size_t)len, "A: b\r\nC: d\r\n" });
    }
}

static void what_is_not_whole_lines_is_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("A"), MALFORMED },         { TEXT("A: b"), MALFORMED },           { TEXT("A: b\r"), MALFORMED },
        { TEXT("A: b\n"), MALFORMED },    { TEXT("A: b\rC"), MALFORMED },        { TEXT("A: b\r\n\r\n"), MALFORMED },
        { TEXT("A: b\r\nC"), MALFORMED }, { TEXT("A: b\r\n c\r\n"), MALFORMED }, { TEXT("A : b\r\n"), MALFORMED },
        { TEXT(": b\r\n"), MALFORMED },   { TEXT("A: \0\r\n"), MALFORMED },      { TEXT("\r\n"), MALFORMED },
        { TEXT("A b\r\n"), MALFORMED },
    };
    check_all(cases, COUNT_OF(cases));
}

static void lines_are_bounded(void **state)
{
    (void)state;
    struct buf section;
    buf_init(&section, 0);
    for (int i = 0; i < HTTP_FIELDS_MAX; i++) {
        buf_append_text(&section, i % 2 == 0 ? "A:\r\n" : "Via:\r\n");
    }
    char out[1024];
    size_t out_len = 0;
    assert_true(section.len <= sizeof(out));
    assert_int_equal(h1_trailer_filter(section.at, section.len, out, &out_len), H1_OK);
    assert_int_equal(out_len, HTTP_FIELDS_MAX / 2 * strlen("A:\r\n"));
    buf_append_text(&section, "A:\r\n");
    assert_int_equal(h1_trailer_filter(section.at, section.len, out, &out_len), H1_ERR_TOO_MANY_FIELDS);
    assert_int_equal(out_len, 0);
    buf_fini(&section);
}

/* Whatever the decoder accepts as a trailer section is whole lines for the filter. */
static void a_decoded_section_is_what_the_filter_takes(void **state)
{
    (void)state;
    static const char body[] = "1\r\nx\r\n0\r\nA: b\r\nCookie: c\r\nD:\r\n\r\nGET";
    char section[64], out[64];
    size_t section_len = 0, out_len = 0, at = 0;
    struct h1_chunk_decoder decoder;
    enum h1_result result = H1_MORE;
    h1_chunk_init(&decoder);
    while (result == H1_MORE) {
        size_t consumed;
        struct slice data, trailer;
        enum h1_error error;
        result = h1_chunk_decode(&decoder, body + at, sizeof(body) - 1 - at, &consumed, &data, &trailer, &error);
        memcpy(section + section_len, trailer.at, trailer.len);
        section_len += trailer.len;
        at += consumed;
    }
    assert_int_equal(result, H1_DONE);
    assert_int_equal(h1_trailer_filter(section, section_len, out, &out_len), H1_OK);
    assert_int_equal(out_len, strlen("A: b\r\nD:\r\n"));
    assert_memory_equal(out, "A: b\r\nD:\r\n", out_len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harmless_trailers_go_on_as_they_came),
        cmocka_unit_test(framing_and_routing_fields_are_refused),
        cmocka_unit_test(fields_that_belong_to_the_head_are_left_out),
        cmocka_unit_test(what_is_not_whole_lines_is_refused),
        cmocka_unit_test(lines_are_bounded),
        cmocka_unit_test(a_decoded_section_is_what_the_filter_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
