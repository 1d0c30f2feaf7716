/* The parser built without its wide steps, beside the one of the library: they must say the same of every head. */
#define H1_PORTABLE 1
#define h1_step_section portable_step_section
#define h1_refuse_section portable_refuse_section
#define h1_parse_request portable_parse_request
#define h1_parse_response portable_parse_response
#include "proxy/h1/section.c"
#include "proxy/h1/request.c"
#include "proxy/h1/response.c"
#undef h1_step_section
#undef h1_refuse_section
#undef h1_parse_request
#undef h1_parse_response

#include "tests/unit/proxy/h1/every_split.h"

extern enum h1_result h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                       struct h1_request *request, enum h1_error *error);
extern enum h1_result h1_parse_response(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                        enum http_method request_method, struct h1_response *response,
                                        enum h1_error *error);

static const struct h1_limits limits = { .head_bytes = 4096, .target_bytes = 200, .field_count = 20 };

static const struct slice request_head = { TEXT(
    "GET /products/list.html?page=2&sort[]=price HTTP/1.1\r\nHost: www.example.com:8080\r\n"
    "Connection: keep-alive, x-own\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
    "Accept: */*\r\nX-Own: caf\xe9\tau lait and something more\r\nUpgrade-Insecure-Requests: 1\r\n"
    "X_Forwarded_For: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nEmpty:\r\nSec-CH-UA-Platform:  \"Linux\" \r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n") };
static const struct slice response_head = { TEXT(
    "HTTP/1.1 200 All is well, as far as can be told\r\nServer: something\r\n"
    "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 0000000000000013\r\nConnection: keep-alive, x-own\r\nX-Own: a\r\n\r\n") };

static bool describe_end(struct buf *out, enum h1_result result, enum h1_error error, size_t resume_at)
{
    if (result != H1_DONE) {
        buf_printf(out, "%s %s %zu", h1_result_to_str(result), h1_error_to_str(error),
                   result == H1_MORE ? resume_at : 0);
    }
    return result == H1_DONE;
}

static void describe(struct buf *out, const char *text, size_t len, bool is_portable)
{
    static struct h1_request request;
    static struct h1_response response;
    enum h1_error error;
    size_t resume_at = 0;
    enum h1_result result =
        (is_portable ? portable_parse_request : h1_parse_request)(text, len, &limits, &resume_at, &request, &error);
    if (describe_end(out, result, error, resume_at)) {
        buf_printf(out, "%d %zu %.*s", request.head.method, request.head.head_bytes, SLICE_FMT(request.head.host));
        describe_fields(out, text, request.head.fields, request.head.field_count);
    }
    resume_at = 0;
    result = (is_portable ? portable_parse_response : h1_parse_response)(text, len, &limits, &resume_at,
                                                                         HTTP_METHOD_GET, &response, &error);
    if (describe_end(out, result, error, resume_at)) {
        buf_printf(out, "%d %zu %.*s", response.head.status, response.head.head_bytes, SLICE_FMT(response.reason));
        describe_fields(out, text, response.head.fields, response.head.field_count);
    }
}

static bool lines_are_same(const struct http_field_line *a, const struct http_field_line *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_same = a[i].name.at == b[i].name.at && a[i].name.len == b[i].name.len &&
                       a[i].value.at == b[i].value.at && a[i].value.len == b[i].value.len && a[i].id == b[i].id &&
                       a[i].hop_by_hop == b[i].hop_by_hop && a[i].has_underscore == b[i].has_underscore;
        if (!is_same) {
            return false;
        }
    }
    return true;
}

static bool requests_are_same(const char *text, size_t len)
{
    static struct h1_request wide, portable;
    enum h1_error wide_error, portable_error;
    size_t wide_at = 0, portable_at = 0;
    enum h1_result result = h1_parse_request(text, len, &limits, &wide_at, &wide, &wide_error);
    if (portable_parse_request(text, len, &limits, &portable_at, &portable, &portable_error) != result) {
        return false;
    }
    if (result != H1_DONE) {
        return wide_error == portable_error && wide_at == portable_at;
    }
    return wide.head.head_bytes == portable.head.head_bytes && wide.fields_end == portable.fields_end &&
           wide.desync_reasons == portable.desync_reasons && wide.head.field_ids == portable.head.field_ids &&
           wide.head.body == portable.head.body && wide.head.content_length == portable.head.content_length &&
           slice_equals(wide.head.authority, portable.head.authority) &&
           slice_equals(wide.head.path, portable.head.path) && wide.head.field_count == portable.head.field_count &&
           lines_are_same(wide.head.fields, portable.head.fields, wide.head.field_count);
}

static bool responses_are_same(const char *text, size_t len)
{
    static struct h1_response wide, portable;
    enum h1_error wide_error, portable_error;
    size_t wide_at = 0, portable_at = 0;
    enum h1_result result = h1_parse_response(text, len, &limits, &wide_at, HTTP_METHOD_GET, &wide, &wide_error);
    if (portable_parse_response(text, len, &limits, &portable_at, HTTP_METHOD_GET, &portable, &portable_error) !=
        result) {
        return false;
    }
    if (result != H1_DONE) {
        return wide_error == portable_error && wide_at == portable_at;
    }
    return wide.head.head_bytes == portable.head.head_bytes && wide.head.body == portable.head.body &&
           wide.head.field_ids == portable.head.field_ids && wide.head.content_length == portable.head.content_length &&
           wide.head.field_count == portable.head.field_count &&
           lines_are_same(wide.head.fields, portable.head.fields, wide.head.field_count);
}

static void check_same(const char *text, size_t len)
{
    if (requests_are_same(text, len) && responses_are_same(text, len)) {
        return;
    }
    struct buf wide, portable;
    buf_init(&wide, 0);
    buf_init(&portable, 0);
    describe(&wide, text, len, false);
    describe(&portable, text, len, true);
    fail_msg("\"%.*s\":\n  wide     %s\n  portable %s", (int)len, text, buf_text(&wide), buf_text(&portable));
}

/* Every byte value at every place, and heads that end, or lack a byte, at every place; all alignments. */
static void check_every_wrong_byte(struct slice head)
{
    static char room[1024 + 16] __attribute__((aligned(16)));
    assert_true(head.len <= 1024);
    for (size_t place = 0; place < head.len; place++) {
        for (size_t byte = 0; byte < 256; byte++) {
            char *text = room + (place + byte / 16) % 16;
            memcpy(text, head.at, head.len);
            text[place] = (char)byte;
            check_same(text, head.len);
        }
        for (size_t alignment = 0; alignment < 16; alignment++) {
            char *text = room + alignment;
            memcpy(text, head.at, head.len);
            check_same(text, place);
            memmove(text + place, text + place + 1, head.len - place - 1);
            check_same(text, head.len - 1);
        }
    }
}

static void wide_and_portable_parsers_agree_on_requests(void **state)
{
    (void)state;
    check_same(request_head.at, request_head.len);
    check_every_wrong_byte(request_head);
}

static void wide_and_portable_parsers_agree_on_responses(void **state)
{
    (void)state;
    check_same(response_head.at, response_head.len);
    check_every_wrong_byte(response_head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_and_portable_parsers_agree_on_requests),
        cmocka_unit_test(wide_and_portable_parsers_agree_on_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
