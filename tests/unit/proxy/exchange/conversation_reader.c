#include "tests/unit/proxy/exchange/conversation_reader.h"

#include <stdio.h>
#include <stdlib.h>

#define FIELDS_MAX 192

struct strict_field {
    struct slice name, value;
};

enum strict_body { STRICT_NONE = 0, STRICT_LENGTH, STRICT_CHUNKED, STRICT_UNTIL_CLOSE };

struct strict_head {
    struct slice first_line;
    struct strict_field fields[FIELDS_MAX];
    size_t field_count;
    enum strict_body body;
    uint64_t length;
};

void reading_init(struct reading *r, struct slice stream)
{
    *r = (struct reading){ .stream = stream, .client = -1 };
}

void reading_fini(struct reading *r)
{
    buf_fini(&r->text);
    buf_fini(&r->content);
}

static bool violate(struct reading *r, const char *what)
{
    if (!r->violation)
        r->violation = what;
    return false;
}

static bool is_token_byte(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_token_byte((unsigned char)s.at[i]))
            return false;
    }
    return s.len > 0;
}

/* One line without its CRLF. False: it is cut short, or wrong. */
static bool take_line(struct reading *r, struct slice *line)
{
    size_t at = r->at;
    for (; at < r->stream.len; at++) {
        char c = r->stream.at[at];
        if (c == '\n')
            return violate(r, "a line feed alone");
        if (c == '\0')
            return violate(r, "a NUL in a line");
        if (c != '\r')
            continue;
        if (at + 1 == r->stream.len)
            return false;
        if (r->stream.at[at + 1] != '\n')
            return violate(r, "a carriage return alone");
        *line = (struct slice){ r->stream.at + r->at, at - r->at };
        r->at = at + 2;
        return true;
    }
    return false;
}

static bool split_field(struct reading *r, struct slice line, struct strict_field *field)
{
    const char *colon = memchr(line.at, ':', line.len);
    if (!colon)
        return violate(r, "a field without a colon");
    field->name = (struct slice){ line.at, (size_t)(colon - line.at) };
    field->value = (struct slice){ colon + 1, line.len - field->name.len - 1 };
    if (!is_token(field->name))
        return violate(r, "a field's name");
    while (field->value.len > 0 && strchr(" \t", field->value.at[0])) {
        field->value.at++;
        field->value.len--;
    }
    while (field->value.len > 0 && strchr(" \t", field->value.at[field->value.len - 1]))
        field->value.len--;
    for (size_t i = 0; i < field->value.len; i++) {
        unsigned char c = (unsigned char)field->value.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return violate(r, "a control character in a field's value");
    }
    return true;
}

static bool take_fields(struct reading *r, struct strict_head *head)
{
    struct slice line;
    head->field_count = 0;
    while (take_line(r, &line)) {
        if (line.len == 0)
            return true;
        if (head->field_count == FIELDS_MAX)
            return violate(r, "too many fields");
        if (!split_field(r, line, &head->fields[head->field_count++]))
            return false;
    }
    return false;
}

static const struct strict_field *find(const struct strict_head *head, const char *name, size_t *count)
{
    const struct strict_field *last = NULL;
    *count = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        if (slice_equals_ignoring_case(head->fields[i].name, slice_of(name))) {
            last = &head->fields[i];
            ++*count;
        }
    }
    return last;
}

static bool parse_length(struct slice text, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9' || *length > UINT64_MAX / 100)
            return false;
        *length = *length * 10 + (uint64_t)(text.at[i] - '0');
    }
    return text.len > 0;
}

static bool decide_framing(struct reading *r, struct strict_head *head, enum strict_body otherwise)
{
    size_t lengths, codings;
    const struct strict_field *length = find(head, "content-length", &lengths);
    const struct strict_field *coding = find(head, "transfer-encoding", &codings);
    head->body = otherwise;
    if (lengths + codings > 1)
        return violate(r, "more than one framing");
    if (coding && !slice_equals_ignoring_case(coding->value, SLICE_LITERAL("chunked")))
        return violate(r, "a transfer coding other than chunked");
    if (length && !parse_length(length->value, &head->length))
        return violate(r, "Content-Length is no number");
    if (lengths)
        head->body = head->length ? STRICT_LENGTH : STRICT_NONE;
    else if (codings)
        head->body = STRICT_CHUNKED;
    return true;
}

/* ---- bodies ---- */

static void put_content(struct reading *r, struct slice piece)
{
    buf_append_slice(&r->content, piece);
    buf_append_slice(&r->text, piece);
}

static struct slice take_at_most(struct reading *r, uint64_t len)
{
    struct slice piece = { r->stream.at + r->at, r->stream.len - r->at };
    if (piece.len > len)
        piece.len = (size_t)len;
    r->at += piece.len;
    return piece;
}

static bool parse_chunk_size(struct reading *r, struct slice line, uint64_t *size)
{
    *size = 0;
    if (line.len == 0 || line.len > 8)
        return violate(r, "a chunk's size");
    for (size_t i = 0; i < line.len; i++) {
        const char *digit = strchr("0123456789abcdef", line.at[i]);
        if (!digit)
            return violate(r, "a digit of a chunk's size");
        *size = *size * 16 + (uint64_t)(digit - "0123456789abcdef");
    }
    return true;
}

static bool take_trailers(struct reading *r, struct strict_head *head)
{
    static const char *const forbidden[] = { "content-length", "transfer-encoding", "host", "via", "authorization" };
    size_t count;
    if (!take_fields(r, head))
        return false;
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        find(head, forbidden[i], &count);
        if (count > 0)
            return violate(r, "a trailer that must not be one");
    }
    for (size_t i = 0; i < head->field_count; i++)
        buf_printf(&r->text, " (%.*s: %.*s)", SLICE_FMT(head->fields[i].name), SLICE_FMT(head->fields[i].value));
    return true;
}

static bool take_chunks(struct reading *r, struct strict_head *head)
{
    struct slice line, piece, end;
    uint64_t size;
    while (take_line(r, &line)) {
        if (!parse_chunk_size(r, line, &size))
            return false;
        if (size == 0)
            return take_trailers(r, head);
        piece = take_at_most(r, size);
        put_content(r, piece);
        if (piece.len < size || r->stream.len - r->at < 2)
            return false;
        end = take_at_most(r, 2);
        if (!slice_equals(end, SLICE_LITERAL("\r\n")))
            return violate(r, "no CRLF behind a chunk");
    }
    return false;
}

/* False: cut short, or wrong. */
static bool take_body(struct reading *r, struct strict_head *head)
{
    struct slice piece;
    switch (head->body) {
    case STRICT_NONE:
        return true;
    case STRICT_LENGTH:
        piece = take_at_most(r, head->length);
        put_content(r, piece);
        return piece.len == head->length;
    case STRICT_CHUNKED:
        return take_chunks(r, head);
    default:
        put_content(r, take_at_most(r, UINT64_MAX));
        return true;
    }
}

/* ---- requests ---- */

static bool split_request_line(struct reading *r, struct slice line, struct slice *method, struct slice *target)
{
    const char *end = line.at + line.len, *first = memchr(line.at, ' ', line.len);
    const char *second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
    if (!second)
        return violate(r, "a request line without three parts");
    *method = (struct slice){ line.at, (size_t)(first - line.at) };
    *target = (struct slice){ first + 1, (size_t)(second - first - 1) };
    struct slice version = { second + 1, (size_t)(end - second - 1) };
    if (!is_token(*method) || target->len == 0 || !slice_equals(version, SLICE_LITERAL("HTTP/1.1")))
        return violate(r, "a request line");
    for (size_t i = 0; i < target->len; i++) {
        if ((unsigned char)target->at[i] <= 0x20 || target->at[i] == 0x7f)
            return violate(r, "a target");
    }
    return true;
}

static void note_client(struct reading *r, const struct strict_head *head)
{
    static const char network[] = "192.0.2.";
    size_t count;
    const struct strict_field *from = find(head, "x-forwarded-for", &count);
    r->client = -1;
    if (!from || count != 1 || from->value.len != sizeof network ||
        memcmp(from->value.at, network, sizeof network - 1) != 0)
        return;
    unsigned number = (unsigned)(from->value.at[sizeof network - 1] - '1');
    if (number >= READING_CLIENTS)
        return;
    r->client = (int8_t)number;
    r->clients |= 1u << number;
}

static bool check_request(struct reading *r, const struct strict_head *head)
{
    size_t count;
    const struct strict_field *via = find(head, "via", &count);
    size_t len = r->via ? strlen(r->via) : 0;
    if (!r->via)
        return true;
    if (!via || via->value.len < len || memcmp(via->value.at + via->value.len - len, r->via, len) != 0)
        return violate(r, "a request that was not made by the proxy");
    find(head, "x-request-id", &count);
    if (count != 1)
        return violate(r, "not one X-Request-Id");
    find(head, "host", &count);
    return count == 1 ? true : violate(r, "not one Host");
}

static void look_for_strange_marks(struct reading *r, size_t from)
{
    for (size_t i = from; r->client >= 0 && i < r->at; i++) {
        unsigned char c = (unsigned char)r->stream.at[i];
        if (c >= READING_CLIENT_MARK && c < READING_CLIENT_MARK + READING_CLIENTS &&
            c != READING_CLIENT_MARK + (unsigned)r->client)
            r->has_strange_mark = true;
    }
}

static bool take_request(struct reading *r, struct strict_head *head)
{
    struct slice method = { 0 }, target = { 0 };
    size_t count;
    if (!take_line(r, &head->first_line) || !split_request_line(r, head->first_line, &method, &target) ||
        !take_fields(r, head))
        return false;
    r->message_count++;
    note_client(r, head);
    if (!check_request(r, head) || !decide_framing(r, head, STRICT_NONE))
        return false;
    buf_printf(&r->text, "%.*s %.*s ", SLICE_FMT(method), SLICE_FMT(target));
    bool is_whole = take_body(r, head);
    buf_append_text(&r->text, is_whole ? "\n" : "...\n");
    r->is_tunnel = is_whole && r->may_switch && find(head, "upgrade", &count);
    return is_whole;
}

static bool take_proxy_header(struct reading *r)
{
    struct slice line;
    if (r->stream.len < 6 || memcmp(r->stream.at, "PROXY ", 6) != 0)
        return r->stream.len == 0 ? true : violate(r, "no PROXY header");
    return take_line(r, &line);
}

void reading_take_requests(struct reading *r)
{
    struct strict_head *head = malloc(sizeof *head);
    bool goes_on = head && (!r->has_proxy_header || take_proxy_header(r));
    while (goes_on && r->at < r->stream.len) {
        size_t from = r->at;
        unsigned before = r->message_count;
        if (r->is_tunnel) {
            buf_append_text(&r->text, "tunnel ");
            put_content(r, take_at_most(r, UINT64_MAX));
        } else {
            goes_on = take_request(r, head);
        }
        look_for_strange_marks(r, from);
        r->ends_in_body = r->message_count > before;
    }
    free(head);
}

/* ---- responses ---- */

static bool parse_status_line(struct reading *r, struct slice line, int *status)
{
    if (line.len < 13 || memcmp(line.at, "HTTP/1.1 ", 9) != 0 || line.at[12] != ' ')
        return violate(r, "a status line");
    *status = 0;
    for (int i = 9; i < 12; i++) {
        if (line.at[i] < '0' || line.at[i] > '9')
            return violate(r, "a status");
        *status = *status * 10 + line.at[i] - '0';
    }
    /* Those beyond 599 are taken from endpoints and go on as they came. */
    return *status >= 100 ? true : violate(r, "a status out of range");
}

static bool decide_response(struct reading *r, struct strict_head *head, int status)
{
    size_t count;
    const struct strict_field *connection = find(head, "connection", &count);
    bool says_close = connection && slice_equals_ignoring_case(connection->value, SLICE_LITERAL("close"));
    if (!decide_framing(r, head, STRICT_UNTIL_CLOSE))
        return false;
    if (status < 200 || status == 204) {
        find(head, "content-length", &count);
        if (count > 0 || head->body == STRICT_CHUNKED)
            return violate(r, "framing of a response that has no body");
    }
    if (status < 200 || status == 204 || status == 304) {
        head->body = STRICT_NONE;
    } else if (head->body == STRICT_UNTIL_CLOSE && !says_close && r->head_requests == 0) {
        return violate(r, "a body without an end, on a connection that goes on");
    }
    return true;
}

/* "404 Not Found\n" to a 404 and the like, or the beginning of it. */
static void leave_out_own_answer(struct reading *r, int status, size_t content_len)
{
    char begin[16];
    size_t len = (size_t)snprintf(begin, sizeof begin, "%d ", status), piece_len = r->content.len - content_len;
    if (piece_len > 0 && memcmp(r->content.at + content_len, begin, piece_len < len ? piece_len : len) == 0)
        r->content.len = content_len;
}

static void take_response(struct reading *r);

/* As the answer to HEAD, if the rest makes sense then; else `r` is as it was. */
static bool take_without_body(struct reading *r, const char *separator)
{
    struct reading before = *r;
    size_t text_len = r->text.len, content_len = r->content.len;
    r->head_requests--;
    buf_append_text(&r->text, separator);
    take_response(r);
    if (!r->violation)
        return true;
    before.text = r->text;
    before.content = r->content;
    *r = before;
    r->text.len = text_len;
    r->content.len = content_len;
    return false;
}

static void take_response(struct reading *r)
{
    while (r->at < r->stream.len && !r->violation) {
        struct strict_head head = { 0 };
        int status = 0;
        if (!take_line(r, &head.first_line) || !parse_status_line(r, head.first_line, &status) ||
            !take_fields(r, &head) || !decide_response(r, &head, status))
            return;
        r->message_count += status >= 200 || status == 101;
        buf_printf(&r->text, "%d ", status);
        if (status == 101) {
            r->is_tunnel = true;
            put_content(r, take_at_most(r, UINT64_MAX));
            buf_append_text(&r->text, "\n");
            return;
        }
        if (head.body != STRICT_NONE && r->head_requests > 0 && take_without_body(r, "\n"))
            return;
        size_t content_len = r->content.len;
        bool is_whole = take_body(r, &head);
        leave_out_own_answer(r, status, content_len);
        buf_append_text(&r->text, is_whole ? "\n" : "...\n");
        if (!is_whole)
            return;
    }
}

void reading_take_responses(struct reading *r)
{
    take_response(r);
}
