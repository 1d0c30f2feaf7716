#include "proxy/message/forward_head.h"

#include "base/check.h"
#include "proxy/message/head_writer.h"

#include <stdio.h>

#define HOPS_MAX 1000000 /* a larger Max-Forwards goes on as this (RFC 9110 7.6.2: the recipient's maximum) */

#define HOP_BY_HOP_BIT(id, name, slot, traits) \
    ((traits) == HTTP_FIELD_HOP_BY_HOP ? UINT64_C(1) << HTTP_FIELD_##id : UINT64_C(0)) |
#define HOP_BY_HOP_FIELDS (HTTP_FIELD_LIST(HOP_BY_HOP_BIT) UINT64_C(0))

/* CGI makes HTTP_PROXY of it (RFC 3875 4.1.18), which tells many programs where to send their own requests. */
#define FORWARDED_BY_NOBODY HTTP_FIELD_BIT(PROXY)

/* ---- what does not go on ---- */

/* x_forwarded_for, X_Real-IP, ...: a backend that reads '_' as '-' would take it for ours. */
static bool is_alias_of_ours(struct slice name)
{
    return http_field_traits_of(http_field_of_alias(name)) != HTTP_FIELD_PLAIN;
}

static bool counts_forwards(const struct http_head *head)
{
    return head->field_ids & HTTP_FIELD_BIT(MAX_FORWARDS) &&
           (head->method == HTTP_METHOD_OPTIONS || head->method == HTTP_METHOD_TRACE);
}

/* Bit n for enum http_field n. That of HTTP_FIELD_OTHER: the line has to be looked at. Where none of a request's fields is
 * in this set, none is marked hop_by_hop either: it takes a Connection field to nominate one, and a second field about
 * the length to doubt Content-Length. */
static uint64_t dropped_fields(const struct h1_request *request, const struct forward_request *with)
{
    uint64_t dropped = HOP_BY_HOP_FIELDS | FORWARDED_BY_NOBODY | forwarded_dropped_fields(&with->client);
    if (!with->keeps_request_id)
        dropped |= HTTP_FIELD_BIT(X_REQUEST_ID);
    if (request->head.authority_from_target)
        dropped |= HTTP_FIELD_BIT(HOST);
    if (request->head.rewrites_content_length)
        dropped |= HTTP_FIELD_BIT(CONTENT_LENGTH);
    if (counts_forwards(&request->head))
        dropped |= HTTP_FIELD_BIT(MAX_FORWARDS);
    if (request->desync_reasons & 1u << H1_DESYNC_UNDERSCORE_ALIAS)
        dropped |= HTTP_FIELD_BIT(OTHER);
    return dropped;
}

/* Of a line that is hop_by_hop or of a name in the set. */
static bool is_dropped(const struct http_field_line *field, bool sends_trailers)
{
    if (field->id == HTTP_FIELD_OTHER)
        return field->hop_by_hop || (field->has_underscore && is_alias_of_ours(field->name));
    return field->id != HTTP_FIELD_TRAILER || !sends_trailers;
}

/* Content-Length is withheld with some statuses (h1/response.c). */
static bool has_lines_to_drop(const struct h1_response *response)
{
    return response->head.field_ids & HOP_BY_HOP_FIELDS || response->head.status < 200 ||
           response->head.status == 204 || response->head.rewrites_content_length;
}

static inline bool is_suspect(const struct http_field_line *field, uint64_t dropped)
{
    return (dropped >> field->id & 1) | field->hop_by_hop;
}

/* ---- lines as they came ---- */

struct kept_lines {
    const struct http_field_line *fields;
    size_t field_count;
    uint64_t dropped;
    bool sends_trailers;
    const char *run; /* goes on, and what is behind it; a line's start, or before the first line */
    const char *end; /* of the last line */
};

static inline struct head_writer put_kept_lines(struct head_writer w, const struct kept_lines *kept)
{
    const char *run = kept->run;
    const struct http_field_line *end = kept->fields + kept->field_count;
    for (const struct http_field_line *field = kept->fields; field < end; field++) {
        if (!is_suspect(field, kept->dropped) || !is_dropped(field, kept->sends_trailers))
            continue;
        head_put(&w, run, (size_t)(field->name.at - run));
        run = field + 1 < end ? field[1].name.at : kept->end;
    }
    head_put(&w, run, (size_t)(kept->end - run));
    return w;
}

/* Each fold becomes one space (RFC 9112 5.2). */
static struct head_writer put_unfolded(struct head_writer w, struct slice value)
{
    const char *end = value.at + value.len;
    for (const char *at = value.at; at < end;) {
        const char *run = at;
        while (at < end && *at != '\r' && *at != '\n')
            at++;
        head_put(&w, run, (size_t)(at - run));
        if (at == end)
            break;
        while (at < end && (*at == '\r' || *at == '\n' || *at == ' ' || *at == '\t'))
            at++;
        HEAD_PUT_LITERAL(&w, " ");
    }
    return w;
}

/* The same where lines may end in LF alone, or be irregular otherwise: what goes on is as the RFC has it. */
static struct head_writer put_kept_lines_anew(struct head_writer w, const struct kept_lines *kept)
{
    for (size_t i = 0; i < kept->field_count; i++) {
        const struct http_field_line *field = &kept->fields[i];
        if (is_suspect(field, kept->dropped) && is_dropped(field, kept->sends_trailers))
            continue;
        head_put_slice(&w, field->name);
        HEAD_PUT_LITERAL(&w, ": ");
        w = put_unfolded(w, field->value);
        HEAD_PUT_LITERAL(&w, "\r\n");
    }
    return w;
}

/* The request line goes on as it came when it is 1.1 and in origin-form: the first run then starts with it. */
static bool keeps_request_line(const struct h1_request *request)
{
    bool is_1_1 = request->head.version == HTTP_1_1 && !(request->desync_reasons & 1u << H1_DESYNC_VERSION_HIGHER);
    return is_1_1 && !request->target_rewritten && !request->has_bare_lf &&
           request->head.forward_target.at == request->head.target.at;
}

static struct head_writer put_request_line(struct head_writer w, const struct h1_request *request)
{
    head_put_slice(&w, request->head.method_text);
    HEAD_PUT_LITERAL(&w, " ");
    head_put_slice(&w, request->head.forward_target);
    HEAD_PUT_LITERAL(&w, " HTTP/1.1\r\n");
    return w;
}

/* ---- lines of ours ---- */

static struct head_writer put_number(struct head_writer w, uint64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu\r\n", (unsigned long long)number);
    head_put(&w, digits, (size_t)len);
    return w;
}

/* More than one line or no number: BAD. */
static enum forward_hops read_hops(const struct http_head *head, uint64_t *hops)
{
    const struct http_field_line *end = head->fields + head->field_count;
    const struct http_field_line *field = http_find_field(head->fields, head->field_count, HTTP_FIELD_MAX_FORWARDS);
    *hops = 0;
    if (!field || field->value.len == 0 ||
        http_find_field(field + 1, (size_t)(end - field - 1), HTTP_FIELD_MAX_FORWARDS))
        return FORWARD_HOPS_BAD;
    for (size_t i = 0; i < field->value.len; i++) {
        if (field->value.at[i] < '0' || field->value.at[i] > '9')
            return FORWARD_HOPS_BAD;
        *hops = *hops * 10 + (unsigned)(field->value.at[i] - '0');
        if (*hops > HOPS_MAX)
            *hops = HOPS_MAX;
    }
    return *hops > 0 ? FORWARD_HOPS_GOES_ON : FORWARD_HOPS_ENDS_HERE;
}

static struct head_writer put_max_forwards(struct head_writer w, const struct http_head *head)
{
    uint64_t hops;
    if (read_hops(head, &hops) != FORWARD_HOPS_GOES_ON)
        return w;
    HEAD_PUT_LITERAL(&w, "Max-Forwards: ");
    w = put_number(w, hops - 1);
    return w;
}

static struct head_writer put_framing(struct head_writer w, const struct http_head *head)
{
    if (head->body == HTTP_BODY_CHUNKED)
        HEAD_PUT_LITERAL(&w, "Transfer-Encoding: chunked\r\n");
    if (head->rewrites_content_length) {
        HEAD_PUT_LITERAL(&w, "Content-Length: ");
        w = put_number(w, head->content_length);
    }
    return w;
}

/* RFC 9110 7.6.1: what is for the next hop alone is named in Connection. */
static struct head_writer put_connection(struct head_writer w, const struct http_head *head, bool upgrade)
{
    if (upgrade && head->accepts_trailers)
        HEAD_PUT_LITERAL(&w, "Connection: upgrade, TE\r\n");
    else if (upgrade)
        HEAD_PUT_LITERAL(&w, "Connection: upgrade\r\n");
    else
        HEAD_PUT_LITERAL(&w, "Connection: TE\r\n");
    if (head->accepts_trailers)
        HEAD_PUT_LITERAL(&w, "TE: trailers\r\n");
    if (upgrade)
        HEAD_PUT_LINE(&w, "Upgrade: ", head->upgrade_protocol);
    return w;
}

/* Names the version that the request came in (RFC 9110 7.6.3). */
static struct head_writer put_via(struct head_writer w, const struct http_head *head, struct slice via)
{
    check(via.len <= FORWARD_VIA_MAX);
    if (head->version == HTTP_1_1)
        HEAD_PUT_LINE(&w, "Via: 1.1 ", via);
    else
        HEAD_PUT_LINE(&w, "Via: 1.0 ", via);
    return w;
}

static struct head_writer put_status_line(struct head_writer w, const struct h1_response *response)
{
    char code[3] = { (char)('0' + response->head.status / 100), (char)('0' + response->head.status / 10 % 10),
                     (char)('0' + response->head.status % 10) };
    HEAD_PUT_LITERAL(&w, "HTTP/1.1 ");
    head_put(&w, code, sizeof code);
    HEAD_PUT_LITERAL(&w, " ");
    head_put_slice(&w, response->reason);
    HEAD_PUT_LITERAL(&w, "\r\n");
    return w;
}

static struct head_writer put_response_connection(struct head_writer w, const struct h1_response *response,
                                                  enum forward_connection connection)
{
    switch (connection) {
    case FORWARD_CONNECTION_NONE:
        break;
    case FORWARD_CONNECTION_CLOSE:
        HEAD_PUT_LITERAL(&w, "Connection: close\r\n");
        break;
    case FORWARD_CONNECTION_KEEP_ALIVE:
        HEAD_PUT_LITERAL(&w, "Connection: keep-alive\r\n");
        break;
    case FORWARD_CONNECTION_UPGRADE:
        HEAD_PUT_LITERAL(&w, "Connection: upgrade\r\n");
        HEAD_PUT_LINE(&w, "Upgrade: ", response->head.upgrade_protocol);
        break;
    }
    return w;
}

/* The second of a Via's members' two words, in any of them (RFC 9110 7.6.3). A comma in a comment counts too: what it
 * parts could only be mistaken for us by who wrote our name into it. */
static bool via_names(struct slice value, struct slice via)
{
    const char *at = value.at, *end = value.at + value.len;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *member_end = comma ? comma : end;
        while (at < member_end && (*at == ' ' || *at == '\t'))
            at++;
        while (at < member_end && *at != ' ' && *at != '\t')
            at++;
        while (at < member_end && (*at == ' ' || *at == '\t'))
            at++;
        const char *name = at;
        while (at < member_end && *at != ' ' && *at != '\t' && *at != '(')
            at++;
        if (slice_equals_ignoring_case((struct slice){ name, (size_t)(at - name) }, via))
            return true;
        at = member_end + 1;
    }
    return false;
}

/* ---- public ---- */

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

bool forward_keeps_request_id(const struct http_head *head)
{
    if (!(head->field_ids & HTTP_FIELD_BIT(X_REQUEST_ID)))
        return false;
    const struct http_field_line *end = head->fields + head->field_count;
    const struct http_field_line *first = http_find_field(head->fields, head->field_count, HTTP_FIELD_X_REQUEST_ID);
    return request_id_is_sound(first->value) &&
           !http_find_field(first + 1, (size_t)(end - first - 1), HTTP_FIELD_X_REQUEST_ID);
}

/* Eight digits at a time, one in each byte's lower half: '0' or 'a' - 10 is added to all at once. */
static uint64_t hex_of(uint64_t halves)
{
    halves &= 0x0f0f0f0f0f0f0f0fu;
    uint64_t letters = (halves + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    return halves + 0x3030303030303030u + letters * ('a' - '0' - 10);
}

void request_id_write(const uint64_t random[2], char out[REQUEST_ID_MADE])
{
    uint64_t digits[4] = { hex_of(random[0]), hex_of(random[0] >> 4), hex_of(random[1]), hex_of(random[1] >> 4) };
    memcpy(out, digits, sizeof digits);
}

bool forward_via_has(const struct http_head *head, struct slice via)
{
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id == HTTP_FIELD_VIA && via_names(head->fields[i].value, via))
            return true;
    }
    return false;
}

enum forward_hops forward_read_max_forwards(const struct http_head *head)
{
    uint64_t hops;
    return counts_forwards(head) ? read_hops(head, &hops) : FORWARD_HOPS_GOES_ON;
}

/* HTTP/1.0 may come without one; what goes on is HTTP/1.1 and may not (RFC 9112 3.2). */
static struct head_writer put_host(struct head_writer w, const struct h1_request *request, const char *out,
                                   struct forward_request *with)
{
    HEAD_PUT_LITERAL(&w, "Host: ");
    if (request->head.authority.len == 0) {
        with->host_at = (size_t)(w.at - out);
        check((size_t)(w.end - w.at) >= FORWARD_HOST_ROOM);
        memset(w.at, ' ', FORWARD_HOST_ROOM);
        w.at += FORWARD_HOST_ROOM;
    }
    head_put_slice(&w, request->head.authority);
    HEAD_PUT_LITERAL(&w, "\r\n");
    return w;
}

size_t forward_request_head(const struct h1_request *request, const char *head, struct forward_request *with, char *out,
                            size_t size)
{
    struct head_writer w = { out, out + size };
    struct kept_lines kept = { .fields = request->head.fields,
                               .dropped = dropped_fields(request, with),
                               .sends_trailers = with->sends_trailers,
                               .end = head + request->fields_end };
    kept.field_count = request->head.field_ids & kept.dropped || request->has_bare_lf ? request->head.field_count : 0;
    kept.run = request->head.field_count ? request->head.fields[0].name.at : kept.end;
    if (keeps_request_line(request))
        kept.run = request->head.method_text.at;
    else
        w = put_request_line(w, request);
    if (request->has_bare_lf)
        w = put_kept_lines_anew(w, &kept);
    else
        w = put_kept_lines(w, &kept);
    with->host_at = 0;
    if (request->head.authority_from_target || !(request->head.field_ids & HTTP_FIELD_BIT(HOST)))
        w = put_host(w, request, out, with);
    if (request->head.body == HTTP_BODY_CHUNKED || request->head.rewrites_content_length)
        w = put_framing(w, &request->head);
    if (with->upgrade || request->head.accepts_trailers)
        w = put_connection(w, &request->head, with->upgrade);
    if (counts_forwards(&request->head))
        w = put_max_forwards(w, &request->head);
    w = forwarded_write(w, &request->head, &with->client);
    if (!with->keeps_request_id)
        HEAD_PUT_LINE(&w, "X-Request-Id: ", with->request_id);
    if (with->via.len)
        w = put_via(w, &request->head, with->via);
    HEAD_PUT_LITERAL(&w, "\r\n");
    return (size_t)(w.at - out);
}

size_t forward_response_head(const struct h1_response *response, const char *head, const struct forward_response *with,
                             char *out, size_t size)
{
    struct head_writer w = { out, out + size };
    struct kept_lines kept = { .fields = response->head.fields,
                               .field_count = has_lines_to_drop(response) || response->rewrites_lines
                                                  ? response->head.field_count
                                                  : 0,
                               .dropped = HOP_BY_HOP_FIELDS,
                               .sends_trailers = with->framing == FORWARD_CHUNKED_WITH_TRAILERS,
                               .run = head,
                               .end = head + response->fields_end };
    if (response->rewrites_status_line || response->rewrites_lines) {
        w = put_status_line(w, response);
        kept.run = response->head.field_count ? response->head.fields[0].name.at : kept.end;
    }
    if (response->rewrites_lines)
        w = put_kept_lines_anew(w, &kept);
    else
        w = put_kept_lines(w, &kept);
    if (response->head.rewrites_content_length) {
        HEAD_PUT_LITERAL(&w, "Content-Length: ");
        w = put_number(w, response->head.content_length);
    }
    if (with->framing != FORWARD_AS_IT_IS)
        HEAD_PUT_LITERAL(&w, "Transfer-Encoding: chunked\r\n");
    w = put_response_connection(w, response, with->connection);
    if (!(response->head.field_ids & HTTP_FIELD_BIT(DATE)) && response->head.status >= 200)
        head_put_slice(&w, with->date);
    HEAD_PUT_LITERAL(&w, "\r\n");
    return (size_t)(w.at - out);
}
