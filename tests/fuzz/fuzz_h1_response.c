/* The first byte chooses the request's method, and with its highest bit the lenient reading; the others are a response head:
 * in one piece, byte by byte, and in pieces whose sizes follow from the first byte. What is accepted keeps the parser's
 * promises and, written anew, is read the same by the strict one. */
#include "tests/fuzz/h1_rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define LENIENT_BIT 0x80

/* accepts_bare_lf is for requests alone: nothing here may notice it. */
static struct h1_limits limits = {
    .head_bytes = 2048, .target_bytes = 256, .field_count = 16, .accepts_bare_lf = true
};
static struct h1_response whole, pieces, again;

static void check_fields(const char *text)
{
    for (size_t i = 0; i < whole.head.field_count; i++) {
        const struct http_field_line *line = &whole.head.fields[i];
        const char *next = i + 1 < whole.head.field_count ? line[1].name.at : text + whole.fields_end;
        check(line->name.len > 0 && line->value.at + line->value.len < next && next[-1] == '\n');
        check(limits.is_lenient || (line->name.at[line->name.len] == ':' && next[-2] == '\r' &&
                                    memchr(line->name.at, '\n', (size_t)(next - line->name.at)) == next - 1));
        check(!memchr(line->name.at, '\n', line->name.len) && !memchr(line->name.at, ' ', line->name.len));
        check(line->id == http_field_of_name(line->name));
        check(line->id != HTTP_FIELD_SET_COOKIE || !line->hop_by_hop);
    }
}

static void check_framing(enum http_method method)
{
    const struct http_field_line *length =
        http_find_field(whole.head.fields, whole.head.field_count, HTTP_FIELD_CONTENT_LENGTH);
    const struct http_field_line *coding =
        http_find_field(whole.head.fields, whole.head.field_count, HTTP_FIELD_TRANSFER_ENCODING);
    bool has_no_body =
        method == HTTP_METHOD_HEAD || whole.head.status < 200 || whole.head.status == 204 || whole.head.status == 304;
    check(length == NULL || coding == NULL);
    check(whole.head.status >= 100 && whole.head.status <= (limits.is_lenient ? 999 : 599));
    check(!has_no_body || whole.head.body == HTTP_BODY_NONE);
    check(whole.head.body != HTTP_BODY_UNTIL_CLOSE || (length == NULL && coding == NULL && !whole.head.keep_alive));
    check(whole.head.body != HTTP_BODY_CHUNKED || coding != NULL);
    check(whole.head.body != HTTP_BODY_LENGTH || whole.head.content_length > 0);
    check(!whole.head.upgrade || whole.head.status == 101);
    check(whole.head.upgrade || whole.head.upgrade_protocol.len == 0);
}

static void check_rewritten(enum http_method method)
{
    static struct text text;
    /* No strict reading has statuses beyond 599, which go on as they came. */
    const struct h1_limits wider = { .head_bytes = sizeof(text.at),
                                     .field_count = 20,
                                     .is_lenient = whole.head.status > 599 };
    enum h1_error error;
    size_t resume_at = 0;
    rewrite_response(&text, &whole);
    check(h1_parse_response(text.at, text.len, &wider, &resume_at, method, &again, &error) == H1_DONE);
    check(again.head.head_bytes == text.len && again.head.status == whole.head.status &&
          again.head.body == whole.head.body);
    check(whole.head.body != HTTP_BODY_LENGTH || again.head.content_length == whole.head.content_length);
    check(again.head.keep_alive == (again.head.body != HTTP_BODY_UNTIL_CLOSE) && !again.head.upgrade);
}

static enum h1_result parse_pieces(const char *text, size_t len, unsigned step, enum http_method method,
                                   enum h1_error *error)
{
    enum h1_result result = H1_MORE;
    size_t resume_at = 0, so_far = 0;
    unsigned random = step;
    while (so_far < len && result == H1_MORE) {
        random = random * 1664525u + 1013904223u;
        size_t piece = step > 0 ? 1 + (random >> 16) % step : 1;
        so_far += piece < len - so_far ? piece : len - so_far;
        result = h1_parse_response(text, so_far, &limits, &resume_at, method, &pieces, error);
    }
    return result;
}

static void check_same(void)
{
    check(whole.head.head_bytes == pieces.head.head_bytes && whole.head.field_count == pieces.head.field_count);
    check(whole.head.body == pieces.head.body && whole.head.content_length == pieces.head.content_length);
    check(whole.head.keep_alive == pieces.head.keep_alive && whole.head.upgrade == pieces.head.upgrade);
    check(whole.head.status == pieces.head.status && slice_equals(whole.reason, pieces.reason));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char text[4096 + 2];
    if (len == 0 || len > 4096) {
        return 0;
    }
    enum http_method method = (enum http_method)(bytes[0] % HTTP_METHOD_COUNT);
    limits.is_lenient = bytes[0] & LENIENT_BIT;
    const unsigned steps[] = { 0, 2 + bytes[0] % 40 };
    const char *head = (const char *)bytes + 1;
    len--;
    memcpy(text, head, len);
    memcpy(text + len, "\r\n", 2);
    enum h1_error error = H1_OK, late_error = H1_OK;
    size_t resume_at = 0;
    enum h1_result result = h1_parse_response(head, len, &limits, &resume_at, method, &whole, &error);
    check((result == H1_BAD) == (error != H1_OK));
    check(result != H1_MORE || len < limits.head_bytes);
    for (int i = 0; i < 2; i++) {
        check(parse_pieces(text, result == H1_BAD ? len + 2 : len, steps[i], method, &late_error) == result);
        check(late_error == error);
        if (result == H1_DONE) {
            check_same();
        }
    }
    if (result == H1_DONE) {
        check(whole.head.head_bytes <= len);
        check_fields(head);
        check_framing(method);
        check_rewritten(method);
    }
    return 0;
}
