#include "proxy/forward_head.h"

#include "base/check.h"

#include <string.h>

/* Writes bounded; the bound is the caller's promise, so passing it is a bug. */
struct writer {
    char *at, *end;
};

static inline void put(struct writer *w, const char *bytes, size_t len)
{
    check((size_t)(w->end - w->at) >= len);
    memcpy(w->at, bytes, len);
    w->at += len;
}

static inline void put_slice(struct writer *w, struct slice s)
{
    put(w, s.at, s.len);
}

#define PUT_LITERAL(w, text) put(w, text, sizeof(text) - 1)

static void put_field(struct writer *w, struct slice name_and_colon, struct slice value)
{
    put_slice(w, name_and_colon);
    put_slice(w, value);
    PUT_LITERAL(w, "\r\n");
}

bool request_id_is_sound(struct slice id)
{
    if (id.len == 0 || id.len > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.at[i];
        bool letter_or_digit = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!letter_or_digit && !memchr("-_.:=+/", c, 7))
            return false;
    }
    return true;
}

/* x_forwarded_for, X_Real-IP, ...: a backend that reads '_' as '-' would take it for ours. */
static bool is_alias_of_ours(struct slice name)
{
    char dashed[20];
    if (name.len >= sizeof dashed)
        return false;
    for (size_t i = 0; i < name.len; i++)
        dashed[i] = name.at[i] == '_' ? '-' : name.at[i];
    enum h1_field id = h1_field_of_name((struct slice){ dashed, name.len });
    return id != H1_FIELD_OTHER && h1_field_traits_of(id) != H1_FIELD_PLAIN;
}

static bool is_dropped(const struct h1_field_line *field, const struct h1_request *request, bool keeps_request_id)
{
    if (field->hop_by_hop)
        return true;
    switch ((enum h1_field)field->id) {
    case H1_FIELD_OTHER:
        return field->has_underscore && is_alias_of_ours(field->name);
    case H1_FIELD_X_FORWARDED_FOR:
    case H1_FIELD_X_FORWARDED_PROTO:
    case H1_FIELD_X_FORWARDED_HOST:
    case H1_FIELD_X_FORWARDED_PORT:
    case H1_FIELD_X_REAL_IP:
    case H1_FIELD_FORWARDED:
        return true;
    case H1_FIELD_X_REQUEST_ID:
        return !keeps_request_id;
    case H1_FIELD_HOST:
        return request->authority_from_target;
    default:
        return false;
    }
}

/* Copies the field lines from `run` on but for the dropped ones. `run` is at a line's start or before the first line.
 */
static void put_kept_request_fields(struct writer *w, const struct h1_request *request, bool keeps_request_id,
                                    const char *run, const char *head_end)
{
    for (size_t i = 0; i < request->field_count; i++) {
        const struct h1_field_line *field = &request->fields[i];
        if (!is_dropped(field, request, keeps_request_id))
            continue;
        put(w, run, (size_t)(field->name.at - run));
        run = i + 1 < request->field_count ? field[1].name.at : head_end;
    }
    put(w, run, (size_t)(head_end - run));
}

/* The request line goes on as it came when it is 1.1 and in origin-form: the first run then starts with it. */
static const char *put_request_line(struct writer *w, const struct h1_request *request, const char *head_end)
{
    if (request->minor_version == 1 && !request->target_rewritten && request->forward_target.at == request->target.at)
        return request->method_text.at;
    put_slice(w, request->method_text);
    PUT_LITERAL(w, " ");
    put_slice(w, request->forward_target);
    PUT_LITERAL(w, " HTTP/1.1\r\n");
    return request->field_count ? request->fields[0].name.at : head_end;
}

size_t forward_request_head(const struct h1_request *request, const char *head, const struct forward_request *with,
                            char *out, size_t size)
{
    struct writer w = { out, out + size };
    const char *head_end = head + request->head_bytes - 2;
    const char *run = put_request_line(&w, request, head_end);
    put_kept_request_fields(&w, request, with->keeps_request_id, run, head_end);
    /* HTTP/1.0 may come without one; what goes on is HTTP/1.1 and may not: then it is empty (RFC 9112 3.2). */
    if (request->authority_from_target || !h1_find_field(request->fields, request->field_count, H1_FIELD_HOST))
        put_field(&w, SLICE_LITERAL("Host: "), request->authority);
    if (request->body == H1_BODY_CHUNKED)
        PUT_LITERAL(&w, "Transfer-Encoding: chunked\r\n");
    put_field(&w, SLICE_LITERAL("X-Forwarded-For: "), with->peer);
    put_field(&w, SLICE_LITERAL("X-Forwarded-Proto: "), with->proto);
    if (request->authority.len)
        put_field(&w, SLICE_LITERAL("X-Forwarded-Host: "), request->authority);
    if (!with->keeps_request_id)
        put_field(&w, SLICE_LITERAL("X-Request-Id: "), with->request_id);
    PUT_LITERAL(&w, "Via: 1.1 portico\r\n\r\n");
    return (size_t)(w.at - out);
}

static void put_status(struct writer *w, const struct h1_response *response)
{
    char code[3] = { (char)('0' + response->status / 100), (char)('0' + response->status / 10 % 10),
                     (char)('0' + response->status % 10) };
    PUT_LITERAL(w, "HTTP/1.1 ");
    put(w, code, sizeof code);
    PUT_LITERAL(w, " ");
    put_slice(w, response->reason);
    PUT_LITERAL(w, "\r\n");
}

size_t forward_response_head(const struct h1_response *response, const char *head, bool chunked,
                             enum forward_connection connection, char *out, size_t size)
{
    struct writer w = { out, out + size };
    const char *head_end = head + response->head_bytes - 2;
    const char *run = head;
    if (response->minor_version != 1) {
        put_status(&w, response);
        run = response->field_count ? response->fields[0].name.at : head_end;
    }
    for (size_t i = 0; i < response->field_count; i++) {
        const struct h1_field_line *field = &response->fields[i];
        if (!field->hop_by_hop)
            continue;
        put(&w, run, (size_t)(field->name.at - run));
        run = i + 1 < response->field_count ? field[1].name.at : head_end;
    }
    put(&w, run, (size_t)(head_end - run));
    if (chunked)
        PUT_LITERAL(&w, "Transfer-Encoding: chunked\r\n");
    if (connection == FORWARD_CONNECTION_CLOSE)
        PUT_LITERAL(&w, "Connection: close\r\n");
    if (connection == FORWARD_CONNECTION_KEEP_ALIVE)
        PUT_LITERAL(&w, "Connection: keep-alive\r\n");
    PUT_LITERAL(&w, "\r\n");
    return (size_t)(w.at - out);
}
