/* http/edit: what becomes of a head on its way: what is asked for and of whom, which lines do not go on, and what is added. It is
 * data: who decides it (proxy/message/, rules) writes no text, and each codec writes head and edit in the form of its version:
 *
 *   - a request asks for `target` of `authority`;
 *   - of the head go on, in order, the lines that http_edit_drops() does not name;
 *   - behind them come the fields of our own that are set, in the order of HTTP_OWN_LIST, and then those of `added`.
 *
 * What a codec tells the next hop alone is its own to add (Connection, Transfer-Encoding, Host or :authority, TE), and so is one
 * Content-Length when the head rewrites it. Any thread; pure. Slices are borrowed, or stand in `scratch`: do not copy the struct. */
#ifndef PROXY_HTTP_EDIT_H
#define PROXY_HTTP_EDIT_H

#include "proxy/http/head.h"
#include "proxy/http/head_writer.h"

/* X(field, name as a version that keeps the case of names spells it): what this proxy says by itself. Each has a place of its own,
 * so that the path of every request goes through no list: writers are made of these rows. */
#define HTTP_OWN_REQUEST_LIST(X)              \
    X(MAX_FORWARDS, "Max-Forwards")           \
    X(X_FORWARDED_FOR, "X-Forwarded-For")     \
    X(X_REAL_IP, "X-Real-IP")                 \
    X(X_FORWARDED_PROTO, "X-Forwarded-Proto") \
    X(X_FORWARDED_HOST, "X-Forwarded-Host")   \
    X(X_FORWARDED_PORT, "X-Forwarded-Port")   \
    X(FORWARDED, "Forwarded")                 \
    X(X_REQUEST_ID, "X-Request-Id")           \
    X(VIA, "Via")
#define HTTP_OWN_RESPONSE_LIST(X) X(DATE, "Date")
#define HTTP_OWN_LIST(X) HTTP_OWN_REQUEST_LIST(X) HTTP_OWN_RESPONSE_LIST(X)

enum http_own {
#define HTTP_OWN_VALUE(field, name) HTTP_OWN_##field,
    HTTP_OWN_LIST(HTTP_OWN_VALUE)
#undef HTTP_OWN_VALUE
        HTTP_OWN_COUNT
};
#define HTTP_OWN_BIT(field) (1u << HTTP_OWN_##field)

/* What the next hop is told of the connection, where a version has a word for it. UPGRADE only if head->upgrade. */
enum http_connection {
    HTTP_CONNECTION_NONE = 0,
    HTTP_CONNECTION_UPGRADE,
    HTTP_CONNECTION_CLOSE,
    HTTP_CONNECTION_KEEP_ALIVE
};

#define HTTP_ADDED_MAX 16
#define HTTP_EDIT_SCRATCH (HTTP_AUTHORITY_MAX + 256) /* bytes, of values that are put together */

struct http_added {
    struct slice name;
    struct slice value;
};

struct http_edit {
    struct slice target;    /* of requests */
    struct slice authority; /* of requests: instead of the Host lines when these do not go on, or there are none */
    /* Bit n for enum http_field n. HTTP_FIELD_OTHER: those that are hop_by_hop, and aliases. A line of the head may be marked
     * hop_by_hop only if the head has lines of one of these, so that one look tells whether any line has to be looked at. */
    uint64_t dropped;
    uint32_t set;       /* bit n for enum http_own n */
    uint32_t joined;    /* likewise: behind the values of the lines that http_edit_joins() names, as one list */
    bool keeps_trailer; /* Trailer goes on all the same: trailers will follow */
    uint8_t added_count;
    uint16_t scratch_len;
    uint32_t own_bytes;               /* of all values that are set */
    struct slice own[HTTP_OWN_COUNT]; /* those */
    struct http_added added[HTTP_ADDED_MAX];
    char scratch[HTTP_EDIT_SCRATCH];
};

/* For all but the target and authority of a request. Drops what is never forwarded (RFC 9110 7.6.1), and any Content-Length that
 * the head rewrites. */
static inline void http_edit_init(struct http_edit *edit, const struct http_head *head)
{
    edit->dropped = HTTP_HOP_BY_HOP_FIELDS | (head->rewrites_content_length ? HTTP_FIELD_BIT(CONTENT_LENGTH) : 0);
    edit->set = edit->joined = edit->own_bytes = 0;
    edit->keeps_trailer = false;
    edit->added_count = 0;
    edit->scratch_len = 0;
}

static inline void http_edit_set(struct http_edit *edit, enum http_own own, struct slice value)
{
    edit->own[own] = value;
    edit->set |= 1u << own;
    edit->own_bytes += (uint32_t)value.len;
}

/* False: there are HTTP_ADDED_MAX. */
bool http_edit_add(struct http_edit *edit, struct slice name, struct slice value);

/* A value that is put together: what is written between the two is the value. */
static inline struct head_writer http_edit_begin_value(struct http_edit *edit)
{
    return (struct head_writer){ edit->scratch + edit->scratch_len, edit->scratch + sizeof edit->scratch };
}

static inline struct slice http_edit_end_value(struct http_edit *edit, struct head_writer w)
{
    const char *at = edit->scratch + edit->scratch_len;
    edit->scratch_len = (uint16_t)(w.at - edit->scratch);
    return (struct slice){ at, (size_t)(w.at - at) };
}

/* False: all lines go on. */
static inline bool http_edit_drops_any(const struct http_edit *edit, const struct http_head *head)
{
    return head->field_ids & edit->dropped;
}

/* Of a line that is hop_by_hop or of a name in the set. */
bool http_edit_drops_suspect(const struct http_edit *edit, const struct http_field_line *line);

static inline bool http_edit_suspects(uint64_t dropped, const struct http_field_line *line)
{
    return (dropped >> line->id & 1) | line->hop_by_hop;
}

static inline bool http_edit_drops(const struct http_edit *edit, const struct http_field_line *line)
{
    return http_edit_suspects(edit->dropped, line) && http_edit_drops_suspect(edit, line);
}

/* The value of this line of the head, which has been dropped, stands before ours. */
bool http_edit_joins(const struct http_edit *edit, enum http_own own, const struct http_field_line *line);

enum http_field http_own_field(enum http_own own);
struct slice http_own_name(enum http_own own);

#endif
