/* Any bytes as a request head: in one piece and byte by byte; what is accepted must keep the parser's promises. */
#include <stdio.h>

#include "base/check.h"
#include "proxy/h1/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct h1_limits limits = { .head_bytes = 2048, .target_bytes = 256, .field_count = 16 };
static struct h1_request whole, trickled, again;

static bool is_within(struct slice inner, const char *at, size_t len)
{
    return inner.at >= at && inner.at + inner.len <= at + len;
}

static void check_fields(const char *text)
{
    check(whole.field_count <= limits.field_count);
    for (size_t i = 0; i < whole.field_count; i++) {
        const struct h1_field_line *line = &whole.fields[i];
        const char *next = i + 1 < whole.field_count ? line[1].name.at : text + whole.head_bytes - 2;
        check(is_within(line->name, text, whole.head_bytes) && is_within(line->value, text, whole.head_bytes));
        check(line->name.len > 0 && line->name.at[line->name.len] == ':');
        check(next[-1] == '\n' && next[-2] == '\r');
        check(line->value.at + line->value.len <= next - 2);
        check(memchr(line->name.at, '\n', (size_t)(next - line->name.at)) == next - 1);
        check(memchr(line->value.at, '\0', line->value.len) == NULL);
        check(line->id == h1_field_of_name(line->name));
        check(line->has_underscore == (memchr(line->name.at, '_', line->name.len) != NULL));
        check(line->id != H1_FIELD_HOST || !line->hop_by_hop);
    }
}

static void check_framing(void)
{
    const struct h1_field_line *length = h1_find_field(whole.fields, whole.field_count, H1_FIELD_CONTENT_LENGTH);
    const struct h1_field_line *coding = h1_find_field(whole.fields, whole.field_count, H1_FIELD_TRANSFER_ENCODING);
    check(length == NULL || coding == NULL);
    check((whole.body == H1_BODY_CHUNKED) == (coding != NULL));
    check((whole.body == H1_BODY_LENGTH) == (whole.content_length > 0));
    check(whole.content_length == 0 || length != NULL);
    check(whole.content_length <= INT64_MAX);
    check(!whole.upgrade || whole.body == H1_BODY_NONE);
}

/* What is sent on is read by the next parser as what was matched here. */
static void check_target(void)
{
    check(whole.method != H1_METHOD_CONNECT);
    check(whole.minor_version == 0 || whole.host.len > 0);
    check(whole.path.at == whole.forward_target.at && whole.path.len <= whole.forward_target.len);
    check(whole.target_rewritten == !slice_equals(whole.target, whole.forward_target));
    char head[512];
    int head_len = snprintf(head, sizeof(head), "%.*s %.*s HTTP/1.0\r\n\r\n", whole.method == H1_METHOD_OPTIONS ? 7 : 3,
                            whole.method == H1_METHOD_OPTIONS ? "OPTIONS" : "GET", SLICE_FMT(whole.forward_target));
    enum h1_error error;
    size_t resume_at = 0;
    const struct h1_limits wider = { .head_bytes = 2048, .target_bytes = 257, .field_count = 16 };
    check(h1_parse_request(head, (size_t)head_len, &wider, &resume_at, &again, &error) == H1_DONE);
    check(!again.target_rewritten && slice_equals(again.path, whole.path) && slice_equals(again.query, whole.query));
    check(slice_equals(whole.path, SLICE_LITERAL("*")) || whole.path.at[0] == '/');
}

/* An error may be seen late, but not later than the end of its line. */
static enum h1_result trickle(const char *text, size_t len, enum h1_error *error)
{
    enum h1_result result = H1_MORE;
    size_t resume_at = 0;
    for (size_t so_far = 1; so_far <= len && result == H1_MORE; so_far++) {
        result = h1_parse_request(text, so_far, &limits, &resume_at, &trickled, error);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char text[4096 + 2];
    if (len > 4096) {
        return 0;
    }
    memcpy(text, bytes, len);
    memcpy(text + len, "\r\n", 2);
    enum h1_error error = H1_OK, late_error = H1_OK;
    size_t resume_at = 0;
    enum h1_result result = h1_parse_request((const char *)bytes, len, &limits, &resume_at, &whole, &error);
    check((result == H1_BAD) == (error != H1_OK));
    if (result == H1_MORE) {
        check(len < limits.head_bytes && trickle(text, len, &late_error) == H1_MORE);
        return 0;
    }
    check(trickle(text, result == H1_BAD ? len + 2 : len, &late_error) == result && late_error == error);
    if (result == H1_DONE) {
        check(whole.head_bytes <= len && whole.head_bytes == trickled.head_bytes);
        check(whole.field_count == trickled.field_count && whole.body == trickled.body);
        check(slice_equals(whole.path, trickled.path) && slice_equals(whole.host, trickled.host));
        check_fields((const char *)bytes);
        check_framing();
        check_target();
    }
    return 0;
}
