/* The parser built without its wide steps, beside the one of the library: they must say the same of every head. */
#define H1_PORTABLE 1
#define h1_step_section portable_step_section
#define h1_parse_request portable_parse_request
#define h1_parse_response portable_parse_response
#include "proxy/h1/section.c"
#include "proxy/h1/request.c"
#include "proxy/h1/response.c"
#undef h1_step_section
#undef h1_parse_request
#undef h1_parse_response

#include "tests/unit/proxy/h1/every_split.h"

extern enum h1_result h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                       struct h1_request *request, enum h1_error *error);
extern enum h1_result h1_parse_response(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                        enum h1_method request_method, struct h1_response *response,
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
        buf_printf(out, "%d %zu %.*s", request.method, request.head_bytes, SLICE_FMT(request.host));
        describe_fields(out, text, request.fields, request.field_count);
    }
    resume_at = 0;
    result = (is_portable ? portable_parse_response : h1_parse_response)(text, len, &limits, &resume_at, H1_METHOD_GET,
                                                                         &response, &error);
    if (describe_end(out, result, error, resume_at)) {
        buf_printf(out, "%d %zu %.*s", response.status, response.head_bytes, SLICE_FMT(response.reason));
        describe_fields(out, text, response.fields, response.field_count);
    }
}

static void check_same(const char *text, size_t len)
{
    struct buf wide, portable;
    buf_init(&wide, 0);
    buf_init(&portable, 0);
    describe(&wide, text, len, false);
    describe(&portable, text, len, true);
    if (strcmp(buf_text(&wide), buf_text(&portable)) != 0) {
        fail_msg("\"%.*s\":\n  wide     %s\n  portable %s", (int)len, text, buf_text(&wide), buf_text(&portable));
    }
    buf_fini(&wide);
    buf_fini(&portable);
}

static void check_every_wrong_byte(struct slice head)
{
    static const char wrong[] = "\0\x01\t\n\r \"%.:;A_a-\x7f\x80\xff";
    char text[1024];
    assert_true(head.len < sizeof(text));
    for (size_t place = 0; place < head.len; place++) {
        for (size_t i = 0; i < sizeof(wrong); i++) {
            memcpy(text, head.at, head.len);
            text[place] = wrong[i];
            check_same(text, head.len);
        }
        check_same(head.at, place);
        /* one byte missing, so that the lines start at other places of a wide step */
        memcpy(text, head.at, place);
        memcpy(text + place, head.at + place + 1, head.len - place - 1);
        check_same(text, head.len - 1);
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
