#include "proxy/h1/trailer.h"

#include "proxy/h1/head.h"
#include "proxy/h1/scan.h"

enum fate { FATE_KEPT = 0, FATE_DROPPED, FATE_REFUSED };

/* Beside the names of http/field, in lower case. */
static const struct slice kept_names[] = {
    { "content-digest", 14 }, /* made for trailers (RFC 9530) */
};
static const struct slice dropped_names[] = {
    { "proxy-authenticate", 18 },
    { "proxy-authorization", 19 },
    { "authentication-info", 19 },
    { "proxy-authentication-info", 25 },
    { "set-cookie2", 11 },
    { "cookie2", 7 },
    { "age", 3 },
    { "expires", 7 },
    { "warning", 7 },
    { "retry-after", 11 },
    { "allow", 5 },
    { "alt-svc", 7 },
    { "refresh", 7 },
    { "clear-site-data", 15 },
    { "strict-transport-security", 25 },
    { "proxy-status", 12 },
    { "cdn-loop", 8 },
};
static const struct slice dropped_starts[] = {
    { "content-", 8 }, { "x-forwarded", 11 }, { "if-", 3 }, { "access-control-", 15 }, { "sec-", 4 }, { "accept", 6 },
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_BYTES_MAX 32 /* no name that is looked for is longer */

static enum fate fate_of_known(enum http_field id)
{
    switch (id) {
    case HTTP_FIELD_HOST:
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_EXPECT:
        return FATE_REFUSED;
    case HTTP_FIELD_ETAG:
        return FATE_KEPT; /* RFC 9110 8.8.3 */
    default:
        return http_field_traits_of(id) == HTTP_FIELD_HOP_BY_HOP ? FATE_REFUSED : FATE_DROPPED;
    }
}

static bool is_listed(struct slice name, const struct slice *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (name.len == list[i].len && http_is_folded(name.at, list[i].at, name.len)) {
            return true;
        }
    }
    return false;
}

static bool has_dropped_start(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(dropped_starts); i++) {
        struct slice start = dropped_starts[i];
        if (name.len >= start.len && http_is_folded(name.at, start.at, start.len)) {
            return true;
        }
    }
    return false;
}

/* name: with '-' in the place of '_'. */
static enum fate fate_of_other(struct slice name)
{
    if (is_listed(name, kept_names, COUNT_OF(kept_names))) {
        return FATE_KEPT;
    }
    bool is_dropped = has_dropped_start(name) || is_listed(name, dropped_names, COUNT_OF(dropped_names));
    return is_dropped ? FATE_DROPPED : FATE_KEPT;
}

static enum fate fate_of(struct slice name)
{
    char dashed[NAME_BYTES_MAX];
    size_t len = name.len < sizeof(dashed) ? name.len : sizeof(dashed);
    for (size_t i = 0; i < len; i++) {
        dashed[i] = name.at[i] == '_' ? '-' : name.at[i];
    }
    struct slice start = { dashed, len };
    enum http_field id = len == name.len ? http_field_of_name(start) : HTTP_FIELD_OTHER;
    return id != HTTP_FIELD_OTHER ? fate_of_known(id) : fate_of_other(start);
}

/* Steps over one line; *name is its name. */
static bool step_line(const char **at, const char *end, struct slice *name)
{
    const char *start = *at;
    const char *colon = h1_scan_class(start, end, H1_CHAR_TOKEN);
    if (colon == start || colon == end || *colon != ':') {
        return false;
    }
    const char *stop = h1_scan_value(colon + 1, end);
    if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n') {
        return false;
    }
    *name = (struct slice){ start, (size_t)(colon - start) };
    *at = stop + 2;
    return true;
}

enum h1_error h1_trailer_filter(const char *section, size_t len, char *out, size_t *out_len)
{
    const char *at = section, *end = section + len;
    char *to = out;
    *out_len = 0;
    for (size_t count = 0; at < end; count++) {
        const char *line = at;
        struct slice name;
        if (count == HTTP_FIELDS_MAX) {
            return H1_ERR_TOO_MANY_FIELDS;
        }
        if (!step_line(&at, end, &name)) {
            return H1_ERR_TRAILER;
        }
        enum fate fate = fate_of(name);
        if (fate == FATE_REFUSED) {
            return H1_ERR_TRAILER_FORBIDDEN;
        }
        if (fate == FATE_KEPT) {
            memcpy(to, line, (size_t)(at - line));
            to += at - line;
        }
    }
    *out_len = (size_t)(to - out);
    return H1_OK;
}
