#include "proxy/h1/head.h"

#include "proxy/h1/scan.h"
#include "proxy/h1/section.h"
#include "proxy/h1/target.h"

static enum h1_method method_of(struct slice text)
{
#define METHOD_CASE(name)                           \
    if (slice_equals(text, SLICE_LITERAL(#name))) { \
        return H1_METHOD_##name;                    \
    }
    H1_METHOD_LIST(METHOD_CASE)
#undef METHOD_CASE
    return H1_METHOD_OTHER;
}

/* Robustness against old clients that send one CRLF too many behind a body (RFC 9112 2.2). */
static enum h1_result step_leading_line(struct h1_cursor *c)
{
    if (c->at == c->end) {
        return H1_MORE;
    }
    return *c->at == '\r' || *c->at == '\n' ? h1_step_line_end(c, H1_ERR_METHOD) : H1_DONE;
}

static enum h1_result step_method(struct h1_cursor *c, struct h1_request *request)
{
    const char *stop = h1_scan_class(c->at, c->end, H1_CHAR_TOKEN);
    if (stop == c->end) {
        return H1_MORE;
    }
    request->method_text = (struct slice){ c->at, (size_t)(stop - c->at) };
    if (*stop != ' ' || stop == c->at) {
        return h1_refuse(c, H1_ERR_METHOD);
    }
    request->method = method_of(request->method_text);
    if (request->method == H1_METHOD_CONNECT) {
        return h1_refuse(c, H1_ERR_METHOD_CONNECT);
    }
    c->at = stop + 1;
    return H1_DONE;
}

static enum h1_result step_target(struct h1_cursor *c, struct h1_request *request, size_t limit_bytes)
{
    size_t target_max = limit_bytes < H1_TARGET_MAX ? limit_bytes : H1_TARGET_MAX;
    bool can_end_here = (size_t)(c->end - c->at) > target_max;
    const char *end = can_end_here ? c->at + target_max + 1 : c->end;
    const char *stop = h1_scan_target(c->at, end);
    if (stop == end) {
        return can_end_here ? h1_refuse(c, H1_ERR_TARGET_TOO_LONG) : H1_MORE;
    }
    if (*stop != ' ') {
        return h1_refuse(c, *stop == '\r' || *stop == '\n' ? H1_ERR_VERSION : H1_ERR_TARGET);
    }
    request->target = (struct slice){ c->at, (size_t)(stop - c->at) };
    enum h1_error error = h1_target_read(request);
    if (error != H1_OK) {
        return h1_refuse(c, error);
    }
    c->at = stop + 1;
    return H1_DONE;
}

static enum h1_result step_request_line(struct h1_cursor *c, struct h1_request *request, const struct h1_limits *limits)
{
    enum h1_result result = step_leading_line(c);
    if (result == H1_DONE) {
        result = step_method(c, request);
    }
    if (result == H1_DONE) {
        result = step_target(c, request, limits->target_bytes);
    }
    if (result == H1_DONE) {
        result = h1_step_version(c, &request->minor_version);
    }
    return result == H1_DONE ? h1_step_line_end(c, H1_ERR_VERSION) : result;
}

/* Host is checked even where the target's authority is used in its place (RFC 9112 3.2). */
static enum h1_error read_host(struct h1_request *request, const struct h1_framing *framing)
{
    if (framing->host_count == 0) {
        return request->minor_version == 0 ? H1_OK : H1_ERR_HOST_MISSING;
    }
    if (framing->host_count > 1) {
        return H1_ERR_HOST_DUPLICATE;
    }
    struct slice host;
    if (!h1_authority_read(framing->host, &host)) {
        return H1_ERR_HOST_INVALID;
    }
    if (!request->authority_from_target) {
        request->authority = framing->host;
        request->host = host;
    }
    return H1_OK;
}

static void decide_request(struct h1_request *request, const struct h1_framing *framing)
{
    request->content_length = framing->content_length;
    request->body = framing->has_transfer_encoding ? H1_BODY_CHUNKED
                    : framing->content_length > 0  ? H1_BODY_LENGTH
                                                   : H1_BODY_NONE;
    request->keep_alive = h1_framing_keeps_alive(framing, request->minor_version);
    request->expects_continue = framing->expects_continue && request->minor_version == 1;
    request->upgrade = request->body == H1_BODY_NONE && h1_framing_asks_for_upgrade(framing, request->minor_version);
}

static enum h1_result step_request(struct h1_cursor *c, struct h1_request *request, const struct h1_limits *limits)
{
    enum h1_result result = step_request_line(c, request, limits);
    if (result != H1_DONE) {
        return result;
    }
    struct h1_framing framing = { 0 };
    result = h1_step_section(c, limits->field_count, request->fields, &request->field_count, &framing);
    if (result != H1_DONE) {
        return result;
    }
    enum h1_error error = read_host(request, &framing);
    if (error == H1_OK) {
        error = h1_framing_check(&framing, request->minor_version, request->fields, request->field_count);
    }
    if (error != H1_OK) {
        return h1_refuse(c, error);
    }
    decide_request(request, &framing);
    return H1_DONE;
}

enum h1_result h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                struct h1_request *request, enum h1_error *error)
{
    *error = H1_OK;
    if (!h1_resume_is_due(buf, len, limits, resume_at)) {
        return H1_MORE;
    }
    struct h1_cursor c = { buf, buf + (len < limits->head_bytes ? len : limits->head_bytes), H1_OK };
    enum h1_result result = h1_conclude(&c, step_request(&c, request, limits), buf, len, limits, resume_at);
    *error = c.error;
    request->head_bytes = (size_t)(c.at - buf);
    return result;
}
