#include "proxy/message/forward_head.h"

#include "base/check.h"

#include <stdio.h>

#define VIA_VERSION_BYTES 4
#define HOPS_MAX 1000000 /* a larger Max-Forwards goes on as this (RFC 9110 7.6.2: the recipient's maximum) */

/* CGI makes HTTP_PROXY of it (RFC 3875 4.1.18), which tells many programs where to send their own requests. */
#define FORWARDED_BY_NOBODY HTTP_FIELD_BIT(PROXY)

static bool counts_forwards(const struct http_head *head)
{
    return head->field_ids & HTTP_FIELD_BIT(MAX_FORWARDS) &&
           (head->method == HTTP_METHOD_OPTIONS || head->method == HTTP_METHOD_TRACE);
}

/* Of a request, beside what is never forwarded. Where none of its fields is in the set, none is marked hop_by_hop either: it takes
 * a Connection field to nominate one, and a second field about the length to doubt Content-Length. */
__attribute__((always_inline)) static inline uint64_t dropped_fields(const struct http_head *head,
                                                                     const struct forward_request *with)
{
    uint64_t dropped = FORWARDED_BY_NOBODY;
    if (!with->keeps_request_id)
        dropped |= HTTP_FIELD_BIT(X_REQUEST_ID);
    if (head->authority_from_target)
        dropped |= HTTP_FIELD_BIT(HOST);
    if (counts_forwards(head))
        dropped |= HTTP_FIELD_BIT(MAX_FORWARDS);
    if (head->has_alias)
        dropped |= HTTP_FIELD_BIT(OTHER);
    return dropped;
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

/* Counted down by one. */
__attribute__((noinline)) static void set_max_forwards(struct http_edit *edit, const struct http_head *head)
{
    uint64_t hops;
    char digits[24];
    if (read_hops(head, &hops) != FORWARD_HOPS_GOES_ON)
        return;
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)hops - 1);
    struct head_writer w = http_edit_begin_value(edit);
    head_put(&w, digits, (size_t)len);
    http_edit_set(edit, HTTP_OWN_MAX_FORWARDS, http_edit_end_value(edit, w));
}

static struct slice via_member(const struct forward_via *via, enum http_version version)
{
    return (struct slice){ via->members[version], VIA_VERSION_BYTES + via->name.len };
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

typedef uint64_t uint64x2 __attribute__((vector_size(16)));
typedef uint8_t uint8x16 __attribute__((vector_size(16)));

/* Of a number's 16 digits first those in the lower halves of its bytes: '0', or 'a' - 10, is added to all at once. */
static void write_hex(uint64_t number, char out[16])
{
    uint64x2 halves = (uint64x2){ number, number >> 4 } & 0x0f0f0f0f0f0f0f0fu;
    uint8x16 digits = (uint8x16)halves;
    digits += '0' + ((uint8x16)((int8_t __attribute__((vector_size(16))))digits > 9) & ('a' - '0' - 10));
    memcpy(out, &digits, sizeof digits);
}

void request_id_write(const uint64_t random[2], char out[REQUEST_ID_MADE])
{
    write_hex(random[0], out);
    write_hex(random[1], out + 16);
}

void forward_via_init(struct forward_via *via, struct slice name)
{
    static const char versions[][VIA_VERSION_BYTES + 1] = { [HTTP_1_0] = "1.0 ", [HTTP_1_1] = "1.1 " };
    check(name.len <= FORWARD_VIA_MAX);
    via->name = name;
    for (int version = HTTP_1_0; version <= HTTP_1_1; version++)
        snprintf(via->members[version], sizeof via->members[version], "%s%.*s", versions[version], SLICE_FMT(name));
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

/* Both in one piece with what writes: a tenth of what forwarding a small head costs. */
__attribute__((always_inline)) static inline void decide_request(const struct http_head *head,
                                                                 const struct forward_request *with,
                                                                 struct http_edit *edit)
{
    http_edit_init(edit, head);
    edit->target = head->forward_target;
    edit->authority = head->authority;
    edit->dropped |= dropped_fields(head, with);
    edit->keeps_trailer = with->sends_trailers;
    if (counts_forwards(head))
        set_max_forwards(edit, head);
    forwarded_edit(edit, head, &with->client);
    if (!with->keeps_request_id)
        http_edit_set(edit, HTTP_OWN_X_REQUEST_ID, with->request_id);
    if (with->via->name.len)
        http_edit_set(edit, HTTP_OWN_VIA, via_member(with->via, head->version));
}

__attribute__((always_inline)) static inline void decide_response(const struct http_head *head,
                                                                  const struct forward_response *with,
                                                                  struct http_edit *edit)
{
    http_edit_init(edit, head);
    if (head->status < 200 || head->status == 204) /* then Content-Length is withheld (h1/response.c) */
        edit->dropped |= HTTP_FIELD_BIT(CONTENT_LENGTH);
    edit->keeps_trailer = with->framing == FORWARD_CHUNKED_WITH_TRAILERS;
    if (!(head->field_ids & HTTP_FIELD_BIT(DATE)) && head->status >= 200 && with->date.len)
        http_edit_set(edit, HTTP_OWN_DATE, with->date);
}

void forward_edit_request(const struct http_head *head, const struct forward_request *with, struct http_edit *edit)
{
    decide_request(head, with, edit);
}

void forward_edit_response(const struct http_head *head, const struct forward_response *with, struct http_edit *edit)
{
    decide_response(head, with, edit);
}

size_t forward_request_head(const struct http_head *head, struct forward_request *with, char *out, size_t size)
{
    struct http_edit edit;
    struct h1_hop hop = { .connection = with->upgrade ? HTTP_CONNECTION_UPGRADE : HTTP_CONNECTION_NONE,
                          .is_chunked = head->body == HTTP_BODY_CHUNKED };
    decide_request(head, with, &edit);
    struct h1_written written = h1_write_request(head, &head->text, &edit, hop, out, size);
    with->host_at = written.host_at;
    return written.len;
}

size_t forward_response_head(const struct http_head *head, const struct forward_response *with, char *out, size_t size)
{
    struct http_edit edit;
    struct h1_hop hop = { .connection = with->connection, .is_chunked = with->framing != FORWARD_AS_IT_IS };
    decide_response(head, with, &edit);
    return h1_write_response(head, &head->text, &edit, hop, out, size);
}
