/* Any bytes as a request head, strictly and with bare LF allowed: in one piece, byte by byte, and in pieces whose sizes
 * follow from the bytes. What is accepted must keep the parser's promises, and be one plain head when written anew. */
#include "tests/fuzz/h1_rewrite.h"

#include <ctype.h>

#include "proxy/h1/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define REWRITTEN_FIELDS_MAX 20

static struct h1_limits limits = { .head_bytes = 2048, .target_bytes = 256, .field_count = 16 };
static struct h1_request whole, pieces, again;

static bool is_within(struct slice inner, const char *at, size_t len)
{
    return inner.at >= at && inner.at + inner.len <= at + len;
}

static bool has_reason(const struct h1_request *r, enum h1_desync_reason reason)
{
    return r->desync_reasons >> reason & 1;
}

/* [line, next) is the line as received. */
static void check_line(const struct http_field_line *line, const char *next, const char *text)
{
    check(is_within(line->name, text, whole.head.head_bytes) && is_within(line->value, text, whole.head.head_bytes));
    check(line->name.len > 0 && line->name.at[line->name.len] == ':');
    check(next[-1] == '\n' && (whole.has_bare_lf || next[-2] == '\r'));
    check(line->value.at + line->value.len <= next - 1 - (next[-2] == '\r'));
    check(memchr(line->name.at, '\n', (size_t)(next - line->name.at)) == next - 1);
    check(memchr(line->value.at, '\0', line->value.len) == NULL &&
          memchr(line->value.at, '\r', line->value.len) == NULL);
    check(line->id == http_field_of_name(line->name));
    check(line->has_underscore == (memchr(line->name.at, '_', line->name.len) != NULL));
    check(line->id != HTTP_FIELD_HOST || !line->hop_by_hop);
    check(line->id != HTTP_FIELD_CONTENT_LENGTH ||
          line->hop_by_hop == (whole.head.rewrites_content_length || whole.head.body == HTTP_BODY_CHUNKED));
}

static void check_fields(const char *text)
{
    uint64_t ids = 0;
    check(whole.head.field_count <= limits.field_count);
    check(whole.fields_end < whole.head.head_bytes && whole.head.head_bytes - whole.fields_end <= 2);
    check(text[whole.head.head_bytes - 1] == '\n' && text[whole.fields_end - 1] == '\n');
    for (size_t i = 0; i < whole.head.field_count; i++) {
        const char *next = i + 1 < whole.head.field_count ? whole.head.fields[i + 1].name.at : text + whole.fields_end;
        check_line(&whole.head.fields[i], next, text);
        ids |= UINT64_C(1) << whole.head.fields[i].id;
    }
    check(whole.head.field_ids == ids);
}

static void check_framing(void)
{
    const struct http_field_line *length =
        http_find_field(whole.head.fields, whole.head.field_count, HTTP_FIELD_CONTENT_LENGTH);
    const struct http_field_line *coding =
        http_find_field(whole.head.fields, whole.head.field_count, HTTP_FIELD_TRANSFER_ENCODING);
    check((length != NULL && coding != NULL) == (whole.desync == H1_SEVERE));
    check((whole.head.body == HTTP_BODY_CHUNKED) == (coding != NULL));
    check((whole.head.body == HTTP_BODY_LENGTH) == (whole.head.content_length > 0));
    check(whole.head.content_length == 0 || length != NULL);
    check(whole.head.content_length <= INT64_MAX);
    check(!whole.head.rewrites_content_length || (length != NULL && coding == NULL));
    check(!whole.head.upgrade || (whole.head.body == HTTP_BODY_NONE && whole.head.version == 1));
    check(whole.head.upgrade == (whole.head.upgrade_protocol.len > 0));
}

static void check_class(void)
{
    check(whole.desync == h1_desync_class_of((enum h1_desync_reason)whole.desync_reason));
    check((whole.desync == H1_COMPLIANT) == (whole.desync_reasons == 0));
    check(whole.desync_reasons == 0 || has_reason(&whole, (enum h1_desync_reason)whole.desync_reason));
    for (int reason = 0; reason < H1_DESYNC_REASON_COUNT; reason++) {
        enum h1_desync desync = h1_desync_class_of((enum h1_desync_reason)reason);
        check(!has_reason(&whole, (enum h1_desync_reason)reason) || desync <= whole.desync);
    }
    check(whole.desync_reasons >> H1_DESYNC_REASON_COUNT == 0 && !has_reason(&whole, H1_DESYNC_MALFORMED));
    check(whole.has_bare_lf == has_reason(&whole, H1_DESYNC_BARE_LF) && (!whole.has_bare_lf || limits.accepts_bare_lf));
}

static size_t slash_len(struct slice path, size_t at)
{
    if (at == path.len || path.at[at] == '/') {
        return 1;
    }
    return h1_is_encoded_slash(path.at + at, path.at + path.len) ? 3 : 0;
}

/* At a slash, encoded or not, a dot segment begins. */
static bool names_dot_segment(struct slice path, size_t at)
{
    size_t end = at + slash_len(path, at);
    if (end == at) {
        return false;
    }
    size_t start = end;
    while (slash_len(path, end) == 0) {
        end++;
    }
    struct slice part = { path.at + start, end - start };
    return slice_equals(part, SLICE_LITERAL(".")) || slice_equals(part, SLICE_LITERAL(".."));
}

static void check_target(void)
{
    check(whole.head.method != HTTP_METHOD_CONNECT);
    check(whole.head.version == 0 || whole.head.host.len > 0);
    check(whole.head.path.at == whole.head.forward_target.at && whole.head.path.len <= whole.head.forward_target.len);
    check(whole.target_rewritten == !slice_equals(whole.head.target, whole.head.forward_target));
    check(slice_equals(whole.head.path, SLICE_LITERAL("*")) || whole.head.path.at[0] == '/');
    bool has_slash = false, has_dots = false;
    for (size_t i = 0; i < whole.head.path.len; i++) {
        char c = whole.head.path.at[i];
        check(c > ' ' && c < 0x7f && strchr("\"#<>?[\\]^`{|}", c) == NULL);
        check(c != '%' || (i + 2 < whole.head.path.len && isxdigit(whole.head.path.at[i + 1]) &&
                           isxdigit(whole.head.path.at[i + 2])));
        has_slash |= h1_is_encoded_slash(whole.head.path.at + i, whole.head.path.at + whole.head.path.len);
        has_dots |= names_dot_segment(whole.head.path, i);
    }
    check(has_slash == whole.head.has_encoded_slash || slice_equals(whole.head.path, SLICE_LITERAL("/")) ||
          whole.head.has_encoded_slash);
    check(!has_dots && (!has_slash || !limits.refuses_encoded_slashes));
}

/* Written anew it is read the same, and nothing about its framing is left to doubt. */
static void check_rewritten(void)
{
    static struct text text;
    const struct h1_limits wider = { .head_bytes = sizeof(text.at),
                                     .target_bytes = HTTP_TARGET_MAX,
                                     .field_count = REWRITTEN_FIELDS_MAX };
    enum h1_error error;
    size_t resume_at = 0;
    rewrite_request(&text, &whole);
    check(h1_parse_request(text.at, text.len, &wider, &resume_at, &again, &error) == H1_DONE);
    check(again.head.head_bytes == text.len && again.desync <= H1_ACCEPTABLE);
    check(!has_reason(&again, H1_DESYNC_PATH_NORMALISED) && !has_reason(&again, H1_DESYNC_AUTHORITY_DIFFERS));
    check(!again.target_rewritten && slice_equals(again.head.target, whole.head.forward_target));
    check(slice_equals(again.head.path, whole.head.path) && slice_equals(again.head.query, whole.head.query));
    check(whole.head.authority.len == 0 || slice_equals(again.head.authority, whole.head.authority));
    check(whole.head.host.len == 0 || slice_equals(again.head.host, whole.head.host));
    check(again.head.method == whole.head.method && again.head.body == whole.head.body &&
          again.head.content_length == whole.head.content_length);
    check(!again.head.rewrites_content_length && !again.head.upgrade && again.head.keep_alive);
    check(again.head.has_unknown_expectation == whole.head.has_unknown_expectation);
}

/* 0: byte by byte; otherwise pieces of 1 to `step` bytes. An error may be seen late, but not later than the end of its
 * line. */
static enum h1_result parse_pieces(const char *text, size_t len, unsigned step, enum h1_error *error)
{
    enum h1_result result = H1_MORE;
    size_t resume_at = 0, so_far = 0;
    unsigned random = step;
    while (so_far < len && result == H1_MORE) {
        random = random * 1664525u + 1013904223u;
        size_t piece = step > 0 ? 1 + (random >> 16) % step : 1;
        so_far += piece < len - so_far ? piece : len - so_far;
        result = h1_parse_request(text, so_far, &limits, &resume_at, &pieces, error);
    }
    return result;
}

static void check_same(void)
{
    check(whole.head.head_bytes == pieces.head.head_bytes && whole.fields_end == pieces.fields_end);
    check(whole.head.field_count == pieces.head.field_count && whole.head.body == pieces.head.body);
    check(whole.head.content_length == pieces.head.content_length && whole.head.keep_alive == pieces.head.keep_alive);
    check(whole.desync_reasons == pieces.desync_reasons && whole.head.upgrade == pieces.head.upgrade);
    check(slice_equals(whole.head.path, pieces.head.path) && slice_equals(whole.head.host, pieces.head.host));
}

static enum h1_result parse(const uint8_t *bytes, size_t len, const char *text, unsigned step)
{
    enum h1_error error = H1_OK, late_error = H1_OK;
    size_t resume_at = 0;
    enum h1_result result = h1_parse_request((const char *)bytes, len, &limits, &resume_at, &whole, &error);
    check((result == H1_BAD) == (error != H1_OK));
    if (result == H1_MORE) {
        check(len < limits.head_bytes && parse_pieces(text, len, 0, &late_error) == H1_MORE);
        check(parse_pieces(text, len, step, &late_error) == H1_MORE);
        return result;
    }
    const unsigned steps[] = { 0, step };
    for (int i = 0; i < 2; i++) {
        check(parse_pieces(text, result == H1_BAD ? len + 2 : len, steps[i], &late_error) == result);
        check(late_error == error);
        if (result == H1_DONE) {
            check_same();
        }
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
    enum h1_result results[2] = { H1_MORE, H1_MORE };
    for (int lenient = 0; lenient < 2; lenient++) {
        limits.accepts_bare_lf = lenient;
        results[lenient] = parse(bytes, len, text, 2 + (unsigned)len % 40);
        if (results[lenient] == H1_DONE) {
            check(whole.head.head_bytes <= len);
            check_fields((const char *)bytes);
            check_framing();
            check_class();
            check_target();
            check_rewritten();
        }
    }
    /* The leniency changes only heads that make use of it. */
    check(results[0] != H1_DONE || (results[1] == H1_DONE && !whole.has_bare_lf));
    check(results[1] != H1_DONE || results[0] == H1_DONE || whole.has_bare_lf);
    return 0;
}
