#include "tests/corpus/conversation.h"

#include "proxy/h1/trailer.h"

#include <stdlib.h>

/* As a proxy with default settings has them. */
static const struct h1_limits limits = { .head_bytes = 32768, .target_bytes = HTTP_TARGET_MAX, .field_count = 100 };

static void put_hex(struct buf *out, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned byte = (unsigned char)bytes.at[i];
        char pair[2] = { digits[byte >> 4], digits[byte & 15] };
        buf_append(out, pair, 2);
    }
}

static void tell_fields(struct buf *out, const struct http_field_line *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_append_text(out, i > 0 ? "," : "");
        put_hex(out, fields[i].name);
        buf_append_text(out, "=");
        put_hex(out, fields[i].value);
    }
    buf_append_text(out, "\n");
}

static const char *framing_to_str(enum http_body body)
{
    static const char *const names[] = { "none", "length", "chunked", "until-close" };
    return names[body];
}

static void tell_request(struct conversation *c)
{
    const struct h1_request *r = &c->request;
    buf_printf(&c->text, "head\t%.*s\t", SLICE_FMT(r->head.method_text));
    put_hex(&c->text, r->head.target);
    buf_printf(&c->text, "\t%d\t%s\t%s\t", r->head.version, h1_desync_to_str((enum h1_desync)r->desync),
               framing_to_str(r->head.body));
    put_hex(&c->text, r->head.forward_target);
    buf_append_text(&c->text, "\t");
    tell_fields(&c->text, r->head.fields, r->head.field_count);
}

static void tell_response(struct conversation *c)
{
    const struct h1_response *r = &c->response;
    buf_printf(&c->text, "head\t%d\t", r->head.status);
    put_hex(&c->text, r->reason);
    buf_printf(&c->text, "\t%d\t-\t%s\t-\t", r->head.version, framing_to_str(r->head.body));
    tell_fields(&c->text, r->head.fields, r->head.field_count);
}

static void fail(struct conversation *c, enum h1_error error)
{
    c->error = error;
    c->state = CONVERSATION_BAD;
}

static bool is_last(const struct conversation *c)
{
    if (c->reads_responses) {
        return c->response.head.status >= 200 || c->response.head.status == 101;
    }
    return !c->request.head.keep_alive || c->request.head.upgrade;
}

/* The trailers that may go on, into c->trailers itself. */
static enum h1_error filter_trailers(struct conversation *c)
{
    size_t kept_len = 0;
    if (c->trailers.len == 0) {
        return H1_OK;
    }
    char *kept = malloc(c->trailers.len);
    if (kept == NULL) {
        abort();
    }
    enum h1_error error = h1_trailer_filter(c->trailers.at, c->trailers.len, kept, &kept_len);
    buf_clear(&c->trailers);
    buf_append(&c->trailers, kept, kept_len);
    free(kept);
    return error;
}

static void end_message(struct conversation *c)
{
    enum h1_error error = filter_trailers(c);
    if (error != H1_OK) {
        fail(c, error);
        return;
    }
    buf_append_text(&c->text, "body\t");
    put_hex(&c->text, (struct slice){ c->body.at, c->body.len });
    buf_append_text(&c->text, "\t");
    put_hex(&c->text, (struct slice){ c->trailers.at, c->trailers.len });
    buf_append_text(&c->text, "\n");
    c->message_count += !c->reads_responses || c->response.head.status >= 200;
    c->state = is_last(c) ? CONVERSATION_ENDED : CONVERSATION_HEAD;
    buf_clear(&c->body);
    buf_clear(&c->trailers);
}

static void begin_body(struct conversation *c, enum http_body body, uint64_t content_length)
{
    switch (body) {
    case HTTP_BODY_NONE:
        end_message(c);
        break;
    case HTTP_BODY_LENGTH:
        c->left_bytes = content_length;
        c->state = CONVERSATION_LENGTH;
        break;
    case HTTP_BODY_CHUNKED:
        h1_chunk_init(&c->chunks);
        c->state = CONVERSATION_CHUNKED;
        break;
    case HTTP_BODY_UNTIL_CLOSE:
        c->state = CONVERSATION_UNTIL_CLOSE;
        break;
    }
}

/* Parses a copy of exactly the size, so that the sanitizers see a byte read too many. */
static enum h1_result parse_head(struct conversation *c, const char *at, size_t len)
{
    enum h1_error error = H1_OK;
    enum h1_result result = c->reads_responses
                                ? h1_parse_response(at, len, &limits, &c->resume_at, c->asked, &c->response, &error)
                                : h1_parse_request(at, len, &limits, &c->resume_at, &c->request, &error);
    if (result == H1_BAD) {
        fail(c, error);
    } else if (result == H1_DONE && c->reads_responses) {
        tell_response(c);
    } else if (result == H1_DONE) {
        tell_request(c);
        c->gravest = c->request.desync > c->gravest ? (enum h1_desync)c->request.desync : c->gravest;
    }
    return result;
}

/* All of these: true when something was consumed or the state has changed. */
static bool take_head(struct conversation *c)
{
    char *copy = malloc(c->in.len);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, c->in.at, c->in.len);
    enum h1_result result = parse_head(c, copy, c->in.len);
    if (result == H1_DONE) {
        c->resume_at = 0;
        buf_consume(&c->in, c->reads_responses ? c->response.head.head_bytes : c->request.head.head_bytes);
        begin_body(c, c->reads_responses ? c->response.head.body : c->request.head.body,
                   c->reads_responses ? c->response.head.content_length : c->request.head.content_length);
    }
    free(copy);
    return result != H1_MORE;
}

static bool take_length(struct conversation *c)
{
    size_t len = c->left_bytes < c->in.len ? (size_t)c->left_bytes : c->in.len;
    buf_append(&c->body, c->in.at, len);
    buf_consume(&c->in, len);
    c->left_bytes -= len;
    if (c->left_bytes == 0) {
        end_message(c);
    }
    return true;
}

static bool take_chunked(struct conversation *c)
{
    enum h1_error error = H1_OK;
    struct slice data, trailer;
    size_t consumed = 0;
    enum h1_result result = h1_chunk_decode(&c->chunks, c->in.at, c->in.len, &consumed, &data, &trailer, &error);
    buf_append_slice(&c->body, data);
    buf_append_slice(&c->trailers, trailer);
    buf_consume(&c->in, consumed);
    if (result == H1_BAD) {
        fail(c, error);
    } else if (result == H1_DONE) {
        end_message(c);
    }
    return true;
}

static bool take_more(struct conversation *c)
{
    switch (c->state) {
    case CONVERSATION_HEAD:
        return take_head(c);
    case CONVERSATION_LENGTH:
        return take_length(c);
    case CONVERSATION_CHUNKED:
        return take_chunked(c);
    case CONVERSATION_UNTIL_CLOSE:
        buf_append(&c->body, c->in.at, c->in.len);
        buf_clear(&c->in);
        return true;
    default:
        return false;
    }
}

void conversation_init_requests(struct conversation *c)
{
    memset(c, 0, sizeof *c);
    buf_init(&c->in, 0);
    buf_init(&c->text, 0);
    buf_init(&c->body, 0);
    buf_init(&c->trailers, 0);
}

void conversation_init_responses(struct conversation *c, enum http_method asked)
{
    conversation_init_requests(c);
    c->reads_responses = true;
    c->asked = asked;
}

void conversation_fini(struct conversation *c)
{
    buf_fini(&c->in);
    buf_fini(&c->text);
    buf_fini(&c->body);
    buf_fini(&c->trailers);
}

void conversation_feed(struct conversation *c, const char *bytes, size_t len)
{
    buf_append(&c->in, bytes, len);
    while (c->in.len > 0 && take_more(c)) {
    }
}

const char *conversation_end(struct conversation *c)
{
    if (c->state == CONVERSATION_UNTIL_CLOSE) {
        end_message(c);
    }
    if (c->state == CONVERSATION_BAD) {
        buf_printf(&c->text, "bad\t%s\n", h1_error_to_str(c->error));
    } else if (c->state == CONVERSATION_ENDED && c->in.len > 0) {
        buf_printf(&c->text, "extra\t%zu\n", c->in.len);
    } else if (c->state == CONVERSATION_ENDED || (c->state == CONVERSATION_HEAD && c->in.len == 0)) {
        buf_append_text(&c->text, "end\n");
    } else {
        buf_append_text(&c->text, "more\n");
    }
    return buf_text(&c->text);
}
