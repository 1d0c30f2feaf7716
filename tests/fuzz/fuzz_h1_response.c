/* The first byte chooses the request's method; the others are a response head, in one piece and byte by byte. */
#include "base/check.h"
#include "proxy/h1/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct h1_limits limits = { .head_bytes = 2048, .target_bytes = 256, .field_count = 16 };
static struct h1_response whole, trickled;

static void check_fields(const char *text)
{
    for (size_t i = 0; i < whole.field_count; i++) {
        const struct h1_field_line *line = &whole.fields[i];
        const char *next = i + 1 < whole.field_count ? line[1].name.at : text + whole.head_bytes - 2;
        check(line->name.len > 0 && line->name.at[line->name.len] == ':');
        check(memchr(line->name.at, '\n', (size_t)(next - line->name.at)) == next - 1 && next[-2] == '\r');
        check(line->value.at + line->value.len <= next - 2);
        check(line->id == h1_field_of_name(line->name));
        check(line->id != H1_FIELD_SET_COOKIE || !line->hop_by_hop);
    }
}

static void check_framing(enum h1_method method)
{
    const struct h1_field_line *length = h1_find_field(whole.fields, whole.field_count, H1_FIELD_CONTENT_LENGTH);
    const struct h1_field_line *coding = h1_find_field(whole.fields, whole.field_count, H1_FIELD_TRANSFER_ENCODING);
    bool has_no_body = method == H1_METHOD_HEAD || whole.status < 200 || whole.status == 204 || whole.status == 304;
    check(length == NULL || coding == NULL);
    check(whole.status >= 100 && whole.status <= 599);
    check(!has_no_body || whole.body == H1_BODY_NONE);
    check(whole.body != H1_BODY_UNTIL_CLOSE || (length == NULL && coding == NULL && !whole.keep_alive));
    check(whole.body != H1_BODY_CHUNKED || coding != NULL);
    check(whole.body != H1_BODY_LENGTH || whole.content_length > 0);
    check(!whole.upgrade || whole.status == 101);
}

static enum h1_result trickle(const char *text, size_t len, enum h1_method method, enum h1_error *error)
{
    enum h1_result result = H1_MORE;
    size_t resume_at = 0;
    for (size_t so_far = 1; so_far <= len && result == H1_MORE; so_far++) {
        result = h1_parse_response(text, so_far, &limits, &resume_at, method, &trickled, error);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char text[4096 + 2];
    if (len == 0 || len > 4096) {
        return 0;
    }
    enum h1_method method = (enum h1_method)(bytes[0] % H1_METHOD_COUNT);
    const char *head = (const char *)bytes + 1;
    len--;
    memcpy(text, head, len);
    memcpy(text + len, "\r\n", 2);
    enum h1_error error = H1_OK, late_error = H1_OK;
    size_t resume_at = 0;
    enum h1_result result = h1_parse_response(head, len, &limits, &resume_at, method, &whole, &error);
    check((result == H1_BAD) == (error != H1_OK));
    if (result == H1_MORE) {
        check(len < limits.head_bytes && trickle(text, len, method, &late_error) == H1_MORE);
        return 0;
    }
    check(trickle(text, result == H1_BAD ? len + 2 : len, method, &late_error) == result && late_error == error);
    if (result == H1_DONE) {
        check(whole.head_bytes <= len && whole.head_bytes == trickled.head_bytes);
        check(whole.field_count == trickled.field_count && whole.body == trickled.body);
        check(whole.status == trickled.status && slice_equals(whole.reason, trickled.reason));
        check_fields(head);
        check_framing(method);
    }
    return 0;
}
