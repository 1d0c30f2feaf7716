#include "proxy/h1/head.h"

#include "proxy/h1/scan.h"
#include "proxy/h1/section.h"
#include "proxy/h1/target.h"

static enum http_method method_of(struct slice text)
{
#define METHOD_CASE(name)                           \
    if (slice_equals(text, SLICE_LITERAL(#name))) { \
        return HTTP_METHOD_##name;                  \
    }
    HTTP_METHOD_LIST(METHOD_CASE)
#undef METHOD_CASE
    return HTTP_METHOD_OTHER;
}

/* Robustness against old clients that send one CRLF too many behind a body (RFC 9112 2.2). */
static enum h1_result step_leading_line(struct h1_cursor *c, struct h1_request *request)
{
    if (c->at == c->end) {
        return H1_MORE;
    }
    if (*c->at != '\r' && *c->at != '\n') {
        return H1_DONE;
    }
    request->desync_reasons |= 1u << H1_DESYNC_LEADING_EMPTY_LINE;
    return h1_step_line_end(c, H1_ERR_METHOD);
}

static enum h1_result step_method(struct h1_cursor *c, struct h1_request *request)
{
    if (c->end - c->at >= 4 && memcmp(c->at, "GET ", 4) == 0) {
        request->head.method = HTTP_METHOD_GET;
        request->head.method_text = (struct slice){ c->at, 3 };
        c->at += 4;
        return H1_DONE;
    }
    const char *stop = h1_scan_class(c->at, c->end, H1_CHAR_TOKEN);
    if (stop == c->end) {
        return H1_MORE;
    }
    request->head.method_text = (struct slice){ c->at, (size_t)(stop - c->at) };
    if (*stop != ' ' || stop == c->at) {
        return h1_refuse(c, H1_ERR_METHOD);
    }
    request->head.method = method_of(request->head.method_text);
    if (request->head.method == HTTP_METHOD_CONNECT) {
        return h1_refuse(c, H1_ERR_METHOD_CONNECT);
    }
    c->at = stop + 1;
    return H1_DONE;
}

static enum h1_result step_target(struct h1_cursor *c, struct h1_request *request, const struct h1_limits *limits)
{
    size_t target_max = limits->target_bytes < HTTP_TARGET_MAX ? limits->target_bytes : HTTP_TARGET_MAX;
    bool can_end_here = (size_t)(c->end - c->at) > target_max;
    const char *end = can_end_here ? c->at + target_max + 1 : c->end;
    const char *stop = h1_scan_target(c->at, end);
    if (stop == end) {
        return can_end_here ? h1_refuse(c, H1_ERR_TARGET_TOO_LONG) : H1_MORE;
    }
    if (*stop != ' ') {
        return h1_refuse(c, *stop == '\r' || *stop == '\n' ? H1_ERR_VERSION : H1_ERR_TARGET);
    }
    request->head.target = (struct slice){ c->at, (size_t)(stop - c->at) };
    enum h1_error error = h1_target_read(request, limits->refuses_encoded_slashes);
    if (error != H1_OK) {
        return h1_refuse(c, error);
    }
    c->at = stop + 1;
    return H1_DONE;
}

static enum h1_result step_request_line(struct h1_cursor *c, struct h1_request *request, const struct h1_limits *limits)
{
    enum h1_result result = step_leading_line(c, request);
    if (result == H1_DONE) {
        result = step_method(c, request);
    }
    if (result == H1_DONE) {
        result = step_target(c, request, limits);
    }
    if (result == H1_DONE) {
        result = h1_step_version(c, &request->head.version);
    }
    return result == H1_DONE ? h1_step_line_end(c, H1_ERR_VERSION) : result;
}

/* Host is checked even where the target's authority is used in its place (RFC 9112 3.2). */
static enum h1_error read_host(struct h1_request *request, const struct h1_framing *framing)
{
    if (framing->host_count == 0) {
        return request->head.version == HTTP_1_0 ? H1_OK : H1_ERR_HOST_MISSING;
    }
    if (framing->host_count > 1) {
        return H1_ERR_HOST_DUPLICATE;
    }
    struct slice host;
    if (!h1_authority_read(framing->host, &host)) {
        return H1_ERR_HOST_INVALID;
    }
    if (!request->head.authority_from_target) {
        request->head.authority = framing->host;
        request->head.host = host;
    } else if (!slice_equals_ignoring_case(request->head.authority, framing->host)) {
        request->desync_reasons |= 1u << H1_DESYNC_AUTHORITY_DIFFERS;
    }
    return H1_OK;
}

/* Of a body that is there: has it a meaning with that method? */
static bool body_is_expected(enum http_method method)
{
    switch (method) {
    case HTTP_METHOD_GET:
    case HTTP_METHOD_HEAD:
    case HTTP_METHOD_DELETE:
    case HTTP_METHOD_OPTIONS:
    case HTTP_METHOD_TRACE:
        return false;
    default:
        return true;
    }
}

static bool method_brings_a_body(enum http_method method)
{
    return method == HTTP_METHOD_POST || method == HTTP_METHOD_PUT || method == HTTP_METHOD_PATCH;
}

static uint32_t reasons_of_body(const struct h1_request *request, const struct h1_framing *framing)
{
    uint32_t reasons = 0;
    if (!body_is_expected(request->head.method)) {
        reasons |= 1u << H1_DESYNC_BODY_UNEXPECTED;
    }
    if (framing->connection_upgrade && framing->upgrade_count > 0) {
        reasons |= 1u << H1_DESYNC_UPGRADE_WITH_BODY;
    }
    return reasons;
}

static uint32_t reasons_of_1_0(const struct h1_request *request, const struct h1_framing *framing)
{
    uint32_t reasons = 0;
    if (request->head.authority.len == 0) {
        reasons |= 1u << H1_DESYNC_HOST_MISSING_1_0;
    }
    if (request->head.keep_alive && !framing->has_content_length && method_brings_a_body(request->head.method)) {
        reasons |= 1u << H1_DESYNC_LENGTH_MISSING_1_0;
    }
    return reasons;
}

static void classify(struct h1_request *request, const struct h1_framing *framing)
{
    uint32_t reasons = request->desync_reasons | framing->reasons;
    if (request->head.body != HTTP_BODY_NONE) {
        reasons |= reasons_of_body(request, framing);
    }
    if (request->head.version == HTTP_1_0) {
        reasons |= reasons_of_1_0(request, framing);
    }
    if (request->has_bare_lf) {
        reasons |= 1u << H1_DESYNC_BARE_LF;
    }
    request->head.has_alias = reasons & 1u << H1_DESYNC_UNDERSCORE_ALIAS;
    request->desync_reasons = reasons;
    request->desync_reason = H1_DESYNC_NONE;
    request->desync = H1_COMPLIANT;
    if (reasons != 0) {
        enum h1_desync_reason first = (enum h1_desync_reason)__builtin_ctz(reasons);
        request->desync_reason = (uint8_t)first;
        request->desync = (uint8_t)h1_desync_class_of(first);
    }
}

static void decide_request(struct h1_request *request, const struct h1_framing *framing)
{
    request->head.field_ids = framing->field_ids;
    request->head.content_length = framing->has_transfer_encoding ? 0 : framing->content_length;
    request->head.rewrites_content_length = !framing->has_transfer_encoding && h1_framing_has_doubtful_length(framing);
    request->head.body = framing->has_transfer_encoding ? HTTP_BODY_CHUNKED
                         : framing->content_length > 0  ? HTTP_BODY_LENGTH
                                                        : HTTP_BODY_NONE;
    request->head.keep_alive = h1_framing_keeps_alive(framing, request->head.version);
    request->head.expects_continue = framing->expects_continue && request->head.version == HTTP_1_1;
    request->head.has_unknown_expectation = framing->has_unknown_expectation;
    request->head.accepts_trailers = framing->accepts_trailers && request->head.version == HTTP_1_1;
    request->head.declares_trailer = framing->declares_trailer;
    request->head.upgrade =
        request->head.body == HTTP_BODY_NONE && h1_framing_asks_for_upgrade(framing, request->head.version);
    request->head.upgrade_protocol =
        request->head.upgrade ? framing->upgrade : (struct slice){ request->head.target.at, 0 };
}

static enum h1_result step_request(struct h1_cursor *c, struct h1_request *request, const struct h1_limits *limits)
{
    request->desync_reasons = 0;
    enum h1_result result = step_request_line(c, request, limits);
    if (result != H1_DONE) {
        return result;
    }
    struct h1_framing framing = { .is_request = true };
    result = h1_step_section(c, limits->field_count, request->head.fields, &request->head.field_count, &framing);
    if (result != H1_DONE) {
        return result;
    }
    enum h1_error error = read_host(request, &framing);
    if (error == H1_OK) {
        error = h1_framing_check(&framing, request->head.version, request->head.fields, request->head.field_count);
    }
    if (error != H1_OK) {
        return h1_refuse_section(c, error, request->head.fields, request->head.field_count);
    }
    request->has_bare_lf = c->has_bare_lf;
    if (c->has_higher_minor) {
        request->desync_reasons |= 1u << H1_DESYNC_VERSION_HIGHER;
    }
    decide_request(request, &framing);
    classify(request, &framing);
    return H1_DONE;
}

/* May its lines go on as they came? */
static void note_request_text(struct h1_request *request, const char *buf)
{
    bool is_plain = !request->has_bare_lf;
    bool is_1_1 = request->head.version == HTTP_1_1 && !(request->desync_reasons & 1u << H1_DESYNC_VERSION_HIGHER);
    request->head.text = (struct http_text){ .first_line = is_1_1 && is_plain ? request->head.method_text.at : NULL,
                                             .fields_end = is_plain ? buf + request->fields_end : NULL };
    request->head.text_bytes = request->head.head_bytes;
    if (!is_plain) {
        request->head.text_bytes += 2 * (size_t)request->head.field_count;
    }
    if (request->target_rewritten) {
        request->head.text_bytes += request->head.forward_target.len;
    }
}

enum h1_result h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                struct h1_request *request, enum h1_error *error)
{
    *error = H1_OK;
    if (!h1_resume_is_due(buf, len, limits, resume_at)) {
        return H1_MORE;
    }
    struct h1_cursor c = { .at = buf,
                           .end = buf + (len < limits->head_bytes ? len : limits->head_bytes),
                           .accepts_bare_lf = limits->accepts_bare_lf };
    enum h1_result result = h1_conclude(&c, step_request(&c, request, limits), buf, len, limits, resume_at);
    *error = c.error;
    request->head.head_bytes = (size_t)(c.at - buf);
    request->fields_end = result == H1_DONE ? request->head.head_bytes - h1_line_end_bytes(c.at) : 0;
    if (result == H1_DONE) {
        note_request_text(request, buf);
    }
    return result;
}
