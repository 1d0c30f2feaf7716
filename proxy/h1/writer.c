#include "proxy/h1/writer.h"

#include <stdio.h>

/* What puts something takes the place and the end of the room, and returns the place behind it. What few heads need is kept out of
 * the path of all, which then does with fewer registers. */
#define RARE __attribute__((noinline))

static inline char *put(char *at, const char *end, const char *bytes, size_t len)
{
    check((size_t)(end - at) >= len);
    if (len > 0) { /* an empty slice may be null, which memcpy() may not be given */
        memcpy(at, bytes, len);
    }
    return at + len;
}

static inline char *put_slice(char *at, const char *end, struct slice s)
{
    return put(at, end, s.at, s.len);
}

#define PUT_LITERAL(at, end, text) put(at, end, text, sizeof(text) - 1)

/* ---- lines of the head ---- */

static inline char *put_run(char *at, const char *end, const char *run, const char *run_end)
{
    return put(at, end, run, (size_t)(run_end - run));
}

/* run: goes on, and what is behind it; a line's start, or before the first line. */
RARE static char *put_lines_but_dropped(char *at, const char *end, const struct http_head *head,
                                        const struct http_edit *edit, const char *run, const char *fields_end)
{
    const struct http_field_line *lines_end = head->fields + head->field_count;
    uint64_t dropped = edit->dropped;
    for (const struct http_field_line *line = head->fields; line < lines_end; line++) {
        if (!http_edit_suspects(dropped, line) || !http_edit_drops_suspect(edit, line)) {
            continue;
        }
        at = put_run(at, end, run, line->name.at);
        run = line + 1 < lines_end ? line[1].name.at : fields_end;
    }
    return put_run(at, end, run, fields_end);
}

/* Each fold becomes one space (RFC 9112 5.2). */
static char *put_unfolded(char *at, const char *end, struct slice value)
{
    const char *from = value.at, *value_end = value.at + value.len;
    while (from < value_end) {
        const char *run = from;
        while (from < value_end && *from != '\r' && *from != '\n') {
            from++;
        }
        at = put_run(at, end, run, from);
        if (from == value_end) {
            break;
        }
        while (from < value_end && (*from == '\r' || *from == '\n' || *from == ' ' || *from == '\t')) {
            from++;
        }
        at = PUT_LITERAL(at, end, " ");
    }
    return at;
}

RARE static char *put_lines_anew(char *at, const char *end, const struct http_head *head, const struct http_edit *edit)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field_line *line = &head->fields[i];
        if (http_edit_drops(edit, line)) {
            continue;
        }
        at = put_slice(at, end, line->name);
        at = PUT_LITERAL(at, end, ": ");
        at = put_unfolded(at, end, line->value);
        at = PUT_LITERAL(at, end, "\r\n");
    }
    return at;
}

/* first_line: goes on in front of them; or null. */
static inline char *put_lines(char *at, const char *end, const struct http_head *head, const struct http_text *text,
                              const struct http_edit *edit, const char *first_line)
{
    if (text->fields_end == NULL) {
        return put_lines_anew(at, end, head, edit);
    }
    const char *run = first_line != NULL      ? first_line
                      : head->field_count > 0 ? head->fields[0].name.at
                                              : text->fields_end;
    return http_edit_drops_any(edit, head) ? put_lines_but_dropped(at, end, head, edit, run, text->fields_end)
                                           : put_run(at, end, run, text->fields_end);
}

/* ---- lines that are added ---- */

#define END_BYTES 2 /* the empty line, which has room behind what puts the lines before it */
#define OWN_LINE_BYTES(field, name) sizeof(name ": ") - 1 + 2 +
#define COPY_OWN(field, name)                                                                   \
    if (edit->set & HTTP_OWN_BIT(field)) {                                                      \
        at = head_copy_line(at, name ": ", sizeof(name ": ") - 1, edit->own[HTTP_OWN_##field]); \
    }

/* One look at the room for all of them, as if all were set, and for the empty line. */
static inline char *put_own_of_request(char *at, const char *end, const struct http_edit *edit)
{
    check((size_t)(end - at) >= edit->own_bytes + (HTTP_OWN_REQUEST_LIST(OWN_LINE_BYTES) END_BYTES));
    HTTP_OWN_REQUEST_LIST(COPY_OWN)
    return at;
}

static inline char *put_own_of_response(char *at, const char *end, const struct http_edit *edit)
{
    check((size_t)(end - at) >= edit->own_bytes + (HTTP_OWN_RESPONSE_LIST(OWN_LINE_BYTES) END_BYTES));
    HTTP_OWN_RESPONSE_LIST(COPY_OWN)
    return at;
}

static inline char *leave_room_for_end(char *at, const char *end)
{
    return PUT_LITERAL(at, end, "\r\n") - END_BYTES;
}

/* Some of them behind values of the head. */
RARE static char *put_own_joined(char *at, const char *end, const struct http_head *head, const struct http_edit *edit)
{
    for (unsigned own = 0; own < HTTP_OWN_COUNT; own++) {
        if (!(edit->set >> own & 1)) {
            continue;
        }
        at = put_slice(at, end, http_own_name((enum http_own)own));
        at = PUT_LITERAL(at, end, ": ");
        for (size_t i = 0; i < head->field_count; i++) {
            if (http_edit_joins(edit, (enum http_own)own, &head->fields[i])) {
                at = put_unfolded(at, end, head->fields[i].value);
                at = PUT_LITERAL(at, end, ", ");
            }
        }
        at = put_slice(at, end, edit->own[own]);
        at = PUT_LITERAL(at, end, "\r\n");
    }
    return leave_room_for_end(at, end);
}

RARE static char *put_added(char *at, const char *end, const struct http_edit *edit)
{
    for (size_t i = 0; i < edit->added_count; i++) {
        at = put_slice(at, end, edit->added[i].name);
        at = PUT_LITERAL(at, end, ": ");
        at = put_slice(at, end, edit->added[i].value);
        at = PUT_LITERAL(at, end, "\r\n");
    }
    return leave_room_for_end(at, end);
}

static inline char *put_end(char *at, const char *end, const struct http_edit *edit)
{
    if (edit->added_count > 0) {
        at = put_added(at, end, edit);
    }
    memcpy(at, "\r\n", 2);
    return at + 2;
}

/* ---- lines for the next hop ---- */

RARE static char *put_content_length(char *at, const char *end, uint64_t content_length)
{
    char line[48];
    int len = snprintf(line, sizeof line, "Content-Length: %llu\r\n", (unsigned long long)content_length);
    return put(at, end, line, (size_t)len);
}

static inline char *put_framing(char *at, const char *end, const struct http_head *head, struct h1_hop hop)
{
    if (head->rewrites_content_length) {
        at = put_content_length(at, end, head->content_length);
    }
    if (hop.is_chunked) {
        at = PUT_LITERAL(at, end, "Transfer-Encoding: chunked\r\n");
    }
    return at;
}

static char *put_upgrade(char *at, const char *end, struct slice protocol)
{
    at = PUT_LITERAL(at, end, "Upgrade: ");
    at = put_slice(at, end, protocol);
    return PUT_LITERAL(at, end, "\r\n");
}

/* RFC 9110 7.6.1: what is for the next hop alone is named in Connection. */
RARE static char *put_request_connection(char *at, const char *end, const struct http_head *head, bool upgrades)
{
    if (upgrades && head->accepts_trailers) {
        at = PUT_LITERAL(at, end, "Connection: upgrade, TE\r\n");
    } else if (upgrades) {
        at = PUT_LITERAL(at, end, "Connection: upgrade\r\n");
    } else {
        at = PUT_LITERAL(at, end, "Connection: TE\r\n");
    }
    if (head->accepts_trailers) {
        at = PUT_LITERAL(at, end, "TE: trailers\r\n");
    }
    return upgrades ? put_upgrade(at, end, head->upgrade_protocol) : at;
}

RARE static char *put_response_connection(char *at, const char *end, const struct http_head *head,
                                          enum http_connection connection)
{
    if (connection == HTTP_CONNECTION_UPGRADE) {
        at = PUT_LITERAL(at, end, "Connection: upgrade\r\n");
        return put_upgrade(at, end, head->upgrade_protocol);
    }
    return connection == HTTP_CONNECTION_CLOSE ? PUT_LITERAL(at, end, "Connection: close\r\n")
                                               : PUT_LITERAL(at, end, "Connection: keep-alive\r\n");
}

/* ---- first lines, and Host ---- */

RARE static char *put_request_line(char *at, const char *end, struct slice method, struct slice target)
{
    at = put_slice(at, end, method);
    at = PUT_LITERAL(at, end, " ");
    at = put_slice(at, end, target);
    return PUT_LITERAL(at, end, " HTTP/1.1\r\n");
}

RARE static char *put_status_line(char *at, const char *end, int status, struct slice reason)
{
    char code[3] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10) };
    at = PUT_LITERAL(at, end, "HTTP/1.1 ");
    at = put(at, end, code, sizeof code);
    at = PUT_LITERAL(at, end, " ");
    at = put_slice(at, end, reason);
    return PUT_LITERAL(at, end, "\r\n");
}

#define HOST_START "Host: "
#define BLANKS_16 "                "
_Static_assert(H1_HOST_ROOM == 4 * (sizeof(BLANKS_16) - 1), "as many are put");

RARE static char *put_host(char *at, const char *end, struct slice authority)
{
    at = PUT_LITERAL(at, end, HOST_START);
    if (authority.len == 0) {
        at = PUT_LITERAL(at, end, BLANKS_16 BLANKS_16 BLANKS_16 BLANKS_16);
    }
    at = put_slice(at, end, authority);
    return PUT_LITERAL(at, end, "\r\n");
}

/* ---- public ---- */

struct h1_written h1_write_request(const struct http_head *head, const struct http_text *text,
                                   const struct http_edit *edit, struct h1_hop hop, char *out, size_t size)
{
    const char *end = out + size;
    bool is_same_target = edit->target.at == head->target.at && edit->target.len == head->target.len;
    const char *first_line = is_same_target ? text->first_line : NULL;
    size_t host_at = 0;
    char *at = out;
    if (first_line == NULL) {
        at = put_request_line(at, end, head->method_text, edit->target);
    }
    at = put_lines(at, end, head, text, edit, first_line);
    if (!(head->field_ids & ~edit->dropped & HTTP_FIELD_BIT(HOST))) {
        host_at = edit->authority.len == 0 ? (size_t)(at - out) + sizeof(HOST_START) - 1 : 0;
        at = put_host(at, end, edit->authority);
    }
    at = put_framing(at, end, head, hop);
    if (hop.connection == HTTP_CONNECTION_UPGRADE || head->accepts_trailers) {
        at = put_request_connection(at, end, head, hop.connection == HTTP_CONNECTION_UPGRADE);
    }
    at = edit->joined ? put_own_joined(at, end, head, edit) : put_own_of_request(at, end, edit);
    at = put_end(at, end, edit);
    return (struct h1_written){ (size_t)(at - out), host_at };
}

size_t h1_write_response(const struct http_head *head, const struct http_text *text, const struct http_edit *edit,
                         struct h1_hop hop, char *out, size_t size)
{
    const char *end = out + size;
    char *at = out;
    if (text->first_line == NULL) {
        at = put_status_line(at, end, head->status, text->reason != NULL ? *text->reason : SLICE_LITERAL(""));
    }
    at = put_lines(at, end, head, text, edit, text->first_line);
    at = put_framing(at, end, head, hop);
    if (hop.connection != HTTP_CONNECTION_NONE) {
        at = put_response_connection(at, end, head, hop.connection);
    }
    at = put_own_of_response(at, end, edit);
    at = put_end(at, end, edit);
    return (size_t)(at - out);
}
