#include "proxy/h1/head.h"

#include "proxy/h1/scan.h"
#include "proxy/h1/section.h"

static enum h1_result step_byte(struct h1_cursor *c, char byte, enum h1_error otherwise)
{
    if (c->at == c->end) {
        return H1_MORE;
    }
    if (*c->at != byte) {
        return h1_refuse(c, otherwise);
    }
    c->at++;
    return H1_DONE;
}

static bool is_between(char byte, char low, char high)
{
    return byte >= low && byte <= high;
}

/* Not three digits that are a status: stops at the first byte that is wrong, or asks for more. */
static enum h1_result step_rare_status(struct h1_cursor *c, char high)
{
    if (c->at < c->end && is_between(*c->at, '1', high)) {
        do {
            c->at++;
        } while (c->at < c->end && is_between(*c->at, '0', '9'));
    }
    return c->at == c->end ? H1_MORE : h1_refuse(c, H1_ERR_STATUS);
}

static enum h1_result step_status(struct h1_cursor *c, int *status)
{
    const char *at = c->at;
    char high = c->is_lenient ? '9' : '5';
    if (c->end - at < 3 || !is_between(at[0], '1', high) || !is_between(at[1], '0', '9') ||
        !is_between(at[2], '0', '9')) {
        return step_rare_status(c, high);
    }
    *status = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
    c->at += 3;
    return H1_DONE;
}

/* Many servers leave out the space before an empty reason; that is not ambiguous, and clients cannot change them. */
static enum h1_result step_reason(struct h1_cursor *c, struct h1_response *response)
{
    if (c->at == c->end) {
        return H1_MORE;
    }
    if (*c->at == ' ') {
        c->at++;
    } else if (*c->at != '\r' && *c->at != '\n') {
        return h1_refuse(c, H1_ERR_STATUS);
    }
    const char *stop = h1_scan_value(c->at, c->end);
    response->reason = (struct slice){ c->at, (size_t)(stop - c->at) };
    response->rewrites_status_line |= stop == c->at; /* the space may be missing */
    c->at = stop;
    return h1_step_line_end(c, H1_ERR_REASON);
}

static enum h1_result step_status_line(struct h1_cursor *c, struct h1_response *response)
{
    enum h1_result result = h1_step_version(c, &response->head.version);
    response->rewrites_status_line = response->head.version == HTTP_1_0 || c->has_higher_minor;
    if (result == H1_DONE) {
        result = step_byte(c, ' ', H1_ERR_VERSION);
    }
    if (result == H1_DONE) {
        result = step_status(c, &response->head.status);
    }
    return result == H1_DONE ? step_reason(c, response) : result;
}

/* RFC 9112 6.3. */
static enum http_body body_of(const struct h1_response *response, const struct h1_framing *framing,
                              enum http_method request_method)
{
    int status = response->head.status;
    if (request_method == HTTP_METHOD_HEAD || status < 200 || status == 204 || status == 304) {
        return HTTP_BODY_NONE;
    }
    if (framing->has_transfer_encoding) {
        return HTTP_BODY_CHUNKED;
    }
    if (framing->has_content_length) {
        return framing->content_length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    }
    return HTTP_BODY_UNTIL_CLOSE;
}

/* A client that believed it would wait for a body that never comes (RFC 9110 8.6: must not be sent with these). */
static void withhold_content_length(struct h1_response *response)
{
    for (uint16_t i = 0; i < response->head.field_count; i++) {
        if (response->head.fields[i].id == HTTP_FIELD_CONTENT_LENGTH) {
            response->head.fields[i].hop_by_hop = true;
        }
    }
}

static void decide_response(struct h1_response *response, const struct h1_framing *framing,
                            enum http_method request_method)
{
    response->head.field_ids = framing->field_ids;
    response->head.content_length = framing->content_length;
    response->head.body = body_of(response, framing, request_method);
    response->head.keep_alive =
        response->head.body != HTTP_BODY_UNTIL_CLOSE && h1_framing_keeps_alive(framing, response->head.version);
    response->head.rewrites_content_length =
        h1_framing_has_doubtful_length(framing) && response->head.status >= 200 && response->head.status != 204;
    response->head.upgrade = response->head.status == 101 && framing->connection_upgrade && framing->upgrade_count == 1;
    response->head.upgrade_protocol =
        response->head.upgrade ? framing->upgrade : (struct slice){ response->reason.at, 0 };
    if (framing->has_content_length && (response->head.status < 200 || response->head.status == 204)) {
        withhold_content_length(response);
    }
}

static enum h1_result step_response(struct h1_cursor *c, struct h1_response *response, const struct h1_limits *limits,
                                    enum http_method request_method)
{
    enum h1_result result = step_status_line(c, response);
    if (result != H1_DONE) {
        return result;
    }
    struct h1_framing framing = { .is_request = false, .is_lenient = limits->is_lenient };
    result = h1_step_section(c, limits->field_count, response->head.fields, &response->head.field_count, &framing);
    if (result != H1_DONE) {
        return result;
    }
    enum h1_error error =
        h1_framing_check(&framing, response->head.version, response->head.fields, response->head.field_count);
    if (error != H1_OK) {
        return h1_refuse_section(c, error, response->head.fields, response->head.field_count);
    }
    response->rewrites_lines = c->is_irregular || c->has_bare_lf;
    decide_response(response, &framing, request_method);
    return H1_DONE;
}

static void note_response_text(struct h1_response *response, const char *buf)
{
    bool is_1_1 = !response->rewrites_status_line && !response->rewrites_lines;
    response->head.text =
        (struct http_text){ .first_line = is_1_1 ? buf : NULL,
                            .fields_end = response->rewrites_lines ? NULL : buf + response->fields_end,
                            .reason = &response->reason };
    response->head.text_bytes = response->head.head_bytes;
    if (response->rewrites_lines) {
        response->head.text_bytes += 2 * (size_t)response->head.field_count;
    }
}

enum h1_result h1_parse_response(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                 enum http_method request_method, struct h1_response *response, enum h1_error *error)
{
    *error = H1_OK;
    if (!h1_resume_is_due(buf, len, limits, resume_at)) {
        return H1_MORE;
    }
    struct h1_cursor c = { .at = buf,
                           .end = buf + (len < limits->head_bytes ? len : limits->head_bytes),
                           .accepts_bare_lf = limits->is_lenient,
                           .is_lenient = limits->is_lenient };
    enum h1_result result =
        h1_conclude(&c, step_response(&c, response, limits, request_method), buf, len, limits, resume_at);
    *error = c.error;
    response->head.head_bytes = (size_t)(c.at - buf);
    response->fields_end = result == H1_DONE ? response->head.head_bytes - h1_line_end_bytes(c.at) : 0;
    if (result == H1_DONE) {
        note_response_text(response, buf);
    }
    return result;
}
