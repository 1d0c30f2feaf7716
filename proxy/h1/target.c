#include "proxy/h1/target.h"

#include "proxy/h1/scan.h"

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Of two hexadecimal digits; -1 if they are none. */
static int decode_percent(const char *at, const char *end)
{
    if (end - at < 3 || hex_digit(at[1]) < 0 || hex_digit(at[2]) < 0) {
        return -1;
    }
    return hex_digit(at[1]) * 16 + hex_digit(at[2]);
}

/* A path on its way into its normal form. */
struct normal_path {
    char *start, *to, *end; /* of the scratch: written so far, and all */
    bool refuses_encoded_slashes;
    bool has_encoded_slash;
    bool has_unencoded; /* a character that URIs have in encoded form only, or a '%' that encodes nothing */
};

/* NUL, and UTF-8 in more bytes than needed: some backend reads it as another path than we match. */
static bool byte_is_forbidden(int byte, int byte_before)
{
    return byte == 0 || byte == 0xc0 || byte == 0xc1 || (byte_before == 0xe0 && byte >= 0x80 && byte < 0xa0) ||
           (byte_before == 0xf0 && byte >= 0x80 && byte < 0x90);
}

static size_t put_encoded(char byte, char out[3])
{
    static const char digits[] = "0123456789ABCDEF";
    out[0] = '%';
    out[1] = digits[(unsigned char)byte >> 4];
    out[2] = digits[byte & 15];
    return 3;
}

size_t h1_path_put(char byte, char out[3])
{
    out[0] = byte;
    return h1_char_is(byte, H1_CHAR_HOST | H1_CHAR_PATH) ? 1 : put_encoded(byte, out);
}

/* `at`: as received, three bytes of an encoding or one that was not encoded. What was encoded goes on as it came, also in
 * lower case: no route has it, so that its spelling cannot lead anywhere else. */
static enum h1_error put_slash(struct normal_path *normal, const char *at)
{
    if (normal->refuses_encoded_slashes) {
        return H1_ERR_TARGET_SLASH;
    }
    normal->has_encoded_slash = true;
    if (*at == '%') {
        memcpy(normal->to, at, 3);
    } else {
        put_encoded(*at, normal->to);
    }
    normal->to += 3;
    return H1_OK;
}

/* Writes one segment in its normal form (RFC 3986 6.2.2): unreserved characters as they are, other percent-encodings
 * in upper case, and encoded what a URI has in no other way. A '%' that encodes nothing becomes "%25": left alone it
 * could encode something together with what was decoded behind it ("%%32f"). */
static enum h1_error copy_segment(const char *at, const char *end, struct normal_path *normal)
{
    int byte_before = 0;
    while (at < end) {
        int decoded = *at == '%' ? decode_percent(at, end) : -1;
        int byte = decoded >= 0 ? decoded : (unsigned char)*at;
        if (normal->end - normal->to < 3) {
            return H1_ERR_TARGET_TOO_LONG;
        }
        if (byte_is_forbidden(byte, byte_before)) {
            return H1_ERR_TARGET_PERCENT;
        }
        if (byte == '\\' || byte == '/') {
            enum h1_error error = put_slash(normal, at);
            if (error != H1_OK) {
                return error;
            }
        } else if (decoded < 0) {
            normal->to += h1_path_put((char)byte, normal->to);
        } else if (h1_char_is((char)byte, H1_CHAR_HOST)) {
            *normal->to++ = (char)byte;
        } else {
            normal->to += put_encoded((char)byte, normal->to);
        }
        normal->has_unencoded |= decoded < 0 && !h1_char_is((char)byte, H1_CHAR_HOST | H1_CHAR_PATH);
        byte_before = byte;
        at += decoded >= 0 ? 3 : 1;
    }
    return H1_OK;
}

bool h1_is_encoded_slash(const char *at, const char *end)
{
    int byte = *at == '%' ? decode_percent(at, end) : -1;
    return byte == '/' || byte == '\\';
}

/* In normal form. Who takes its encoded slashes for slashes, as some do when they decode before they look for dot segments,
 * would climb out of the path that was routed by. */
static bool hides_dot_segment(const char *at, const char *end)
{
    const char *start = at;
    bool is_dot = false, has_slash = false;
    for (;; at++) {
        if (at < end && !h1_is_encoded_slash(at, end)) {
            continue;
        }
        struct slice part = { start, (size_t)(at - start) };
        is_dot |= slice_equals(part, SLICE_LITERAL("..")) || slice_equals(part, SLICE_LITERAL("."));
        if (at == end) {
            return is_dot && has_slash;
        }
        has_slash = true;
        at += 2;
        start = at + 1;
    }
}

/* The segment behind the '/' at `slash` is complete at `to`. Drops it if it is a dot segment, and for ".." the one
 * before. Returns where to go on writing, or a null pointer: above the root. */
static char *drop_dot_segment(char *path, char *slash, char *to, bool is_last)
{
    struct slice segment = { slash + 1, (size_t)(to - slash - 1) };
    bool is_parent = slice_equals(segment, SLICE_LITERAL(".."));
    if (!is_parent && !slice_equals(segment, SLICE_LITERAL("."))) {
        return to;
    }
    if (is_parent) {
        if (slash == path) {
            return NULL;
        }
        do {
            slash--;
        } while (*slash != '/');
    }
    return is_last ? slash + 1 : slash;
}

/* path starts with '/'. */
static enum h1_error normalise_path(struct slice path, struct normal_path *normal)
{
    const char *at = path.at;
    const char *path_end = path.at + path.len;
    while (at < path_end) {
        const char *next = memchr(at + 1, '/', (size_t)(path_end - at - 1));
        const char *end = next != NULL ? next : path_end;
        char *slash = normal->to;
        if (slash == normal->end) {
            return H1_ERR_TARGET_TOO_LONG;
        }
        *normal->to++ = '/';
        enum h1_error error = copy_segment(at + 1, end, normal);
        if (error != H1_OK) {
            return error;
        }
        if (normal->has_encoded_slash && hides_dot_segment(slash + 1, normal->to)) {
            return H1_ERR_TARGET_DOT_SLASH;
        }
        normal->to = drop_dot_segment(normal->start, slash, normal->to, end == path_end);
        if (normal->to == NULL) {
            return H1_ERR_TARGET_ABOVE_ROOT;
        }
        at = end;
    }
    return H1_OK;
}

/* The end of a path that is its own normal form, or of the part of it that is sure to be. */
static const char *scan_plain_path(const char *at, const char *end)
{
    for (const char *stop = at;; stop++) {
        stop = h1_scan_class(stop, end, H1_CHAR_PATH);
        if (stop == end || *stop != '.' || stop[-1] == '/') {
            return stop;
        }
    }
}

/* forward_target is path and tail, which is empty or starts with '?'. */
static void use(struct h1_request *request, const char *at, size_t path_len, size_t tail_len)
{
    request->head.forward_target = (struct slice){ at, path_len + tail_len };
    request->head.path = (struct slice){ at, path_len };
    if (tail_len > 0) {
        request->head.query = (struct slice){ at + path_len + 1, tail_len - 1 };
    }
}

/* ASCII goes on as it came, whatever it encodes: nobody here reads it. */
static enum h1_error put_tail(struct normal_path *normal, struct slice tail)
{
    for (size_t i = 0; i < tail.len; i++) {
        if (normal->end - normal->to < 3) {
            return H1_ERR_TARGET_TOO_LONG;
        }
        if (tail.at[i] & 0x80) {
            normal->to += put_encoded(tail.at[i], normal->to);
        } else {
            *normal->to++ = tail.at[i];
        }
    }
    return H1_OK;
}

/* Into the scratch, and from there only what differs from what came: path and tail, if they came as one. */
static enum h1_error rewrite(struct h1_request *request, struct slice path, struct slice tail,
                             bool refuses_encoded_slashes)
{
    char *scratch = request->rewritten;
    struct normal_path normal = { .start = scratch,
                                  .to = scratch,
                                  .end = scratch + sizeof(request->rewritten),
                                  .refuses_encoded_slashes = refuses_encoded_slashes };
    enum h1_error error = memchr(path.at, '#', path.len) != NULL ? H1_ERR_TARGET : normalise_path(path, &normal);
    if (error != H1_OK) {
        return error;
    }
    size_t path_len = (size_t)(normal.to - scratch);
    if (!slice_equals(path, (struct slice){ scratch, path_len })) {
        request->desync_reasons |= 1u << H1_DESYNC_PATH_NORMALISED;
    }
    if (normal.has_unencoded) {
        request->desync_reasons |= 1u << H1_DESYNC_TARGET_UNENCODED;
    }
    request->head.has_encoded_slash = normal.has_encoded_slash;
    error = put_tail(&normal, tail);
    if (error != H1_OK) {
        return error;
    }
    size_t len = (size_t)(normal.to - scratch);
    bool is_one = path.at + path.len == tail.at;
    if (is_one && slice_equals((struct slice){ path.at, path.len + tail.len }, (struct slice){ scratch, len })) {
        use(request, path.at, path.len, tail.len);
    } else {
        use(request, scratch, path_len, len - path_len);
        request->target_rewritten = true;
    }
    return H1_OK;
}

/* False with an error, or with H1_OK: it has bytes that do not go on as they came. */
static bool query_is_ascii(struct h1_request *request, struct slice query, enum h1_error *error)
{
    const char *end = query.at + query.len;
    bool is_ascii = true;
    for (const char *at = query.at; (at = h1_scan_class(at, end, H1_CHAR_QUERY)) != end; at++) {
        if (*at == '#') {
            *error = H1_ERR_TARGET;
            return false;
        }
        is_ascii = is_ascii && !(*at & 0x80);
        request->desync_reasons |= 1u << H1_DESYNC_TARGET_UNENCODED;
    }
    return is_ascii;
}

/* origin starts with '/'. */
static enum h1_error read_origin_form(struct h1_request *request, struct slice origin, bool refuses_encoded_slashes)
{
    const char *end = origin.at + origin.len;
    const char *stop = scan_plain_path(origin.at, end);
    if (stop == end) {
        use(request, origin.at, origin.len, 0);
        return H1_OK;
    }
    const char *path_end = stop;
    if (*stop != '?') {
        const char *mark = memchr(stop, '?', (size_t)(end - stop));
        path_end = mark != NULL ? mark : end;
    }
    struct slice path = { origin.at, (size_t)(path_end - origin.at) }, tail = { path_end, (size_t)(end - path_end) };
    enum h1_error error = H1_OK;
    if (query_is_ascii(request, tail, &error) && stop == path_end) {
        use(request, path.at, path.len, tail.len);
        return H1_OK;
    }
    return error != H1_OK ? error : rewrite(request, path, tail, refuses_encoded_slashes);
}

static void use_asterisk(struct h1_request *request)
{
    request->head.path = request->head.forward_target = SLICE_LITERAL("*");
}

/* after_scheme: what follows "http://". */
static enum h1_error read_absolute_form(struct h1_request *request, struct slice after_scheme,
                                        bool refuses_encoded_slashes)
{
    const char *end = after_scheme.at + after_scheme.len;
    const char *authority_end = after_scheme.at;
    while (authority_end < end && *authority_end != '/' && *authority_end != '?') {
        authority_end++;
    }
    request->head.authority = (struct slice){ after_scheme.at, (size_t)(authority_end - after_scheme.at) };
    request->head.authority_from_target = true;
    request->target_rewritten = true;
    if (!h1_authority_read(request->head.authority, &request->head.host)) {
        return H1_ERR_TARGET_AUTHORITY;
    }
    struct slice rest = { authority_end, (size_t)(end - authority_end) };
    if (rest.len > 0 && rest.at[0] == '/') {
        return read_origin_form(request, rest, refuses_encoded_slashes);
    }
    if (rest.len == 0 && request->head.method == HTTP_METHOD_OPTIONS) {
        use_asterisk(request); /* RFC 9112 3.2.4 */
        return H1_OK;
    }
    enum h1_error error = H1_OK;
    query_is_ascii(request, rest, &error);
    return error != H1_OK ? error : rewrite(request, SLICE_LITERAL("/"), rest, refuses_encoded_slashes);
}

static bool starts_with_ignoring_case(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equals_ignoring_case((struct slice){ s.at, prefix.len }, prefix);
}

/* False: not a port, or above 65535. An empty one is valid (RFC 3986 3.2.3). */
static bool port_is_valid(struct slice port)
{
    unsigned number = 0;
    if (port.len > 5) {
        return false;
    }
    for (size_t i = 0; i < port.len; i++) {
        unsigned digit = (unsigned)(unsigned char)port.at[i] - '0';
        if (digit > 9) {
            return false;
        }
        number = number * 10 + digit;
    }
    return number <= UINT16_MAX;
}

/* Eight at a time: this is in front of every request. */
static const char *scan_host(const char *at, const char *end)
{
    const uint8_t *of = h1_char_classes;
    while (end - at >= 8) {
        const unsigned char *byte = (const unsigned char *)at;
        unsigned common = of[byte[0]] & of[byte[1]] & of[byte[2]] & of[byte[3]] & of[byte[4]] & of[byte[5]] &
                          of[byte[6]] & of[byte[7]];
        if (!(common & H1_CHAR_HOST)) {
            break;
        }
        at += 8;
    }
    return h1_scan_class(at, end, H1_CHAR_HOST);
}

/* Behind the ']' of "[...]", if between the brackets is at least what an IPv6 address is made of. */
static const char *scan_ip_literal(const char *at, const char *end)
{
    const char *stop = at + 1;
    bool has_colon = false;
    while (stop < end && (*stop == ':' || *stop == '.' || hex_digit(*stop) >= 0)) {
        has_colon |= *stop == ':';
        stop++;
    }
    return stop < end && *stop == ']' && has_colon ? stop + 1 : at;
}

enum h1_error h1_target_read(struct h1_request *request, bool refuses_encoded_slashes)
{
    struct slice target = request->head.target;
    request->target_rewritten = request->head.authority_from_target = request->head.has_encoded_slash = false;
    request->head.scheme = HTTP_SCHEME_HTTP;
    request->head.query = (struct slice){ target.at + target.len, 0 };
    request->head.authority = request->head.host = request->head.query;
    if (target.len == 0) {
        return H1_ERR_TARGET;
    }
    if (target.at[0] == '/') {
        return read_origin_form(request, target, refuses_encoded_slashes);
    }
    if (slice_equals(target, SLICE_LITERAL("*"))) {
        use_asterisk(request);
        return request->head.method == HTTP_METHOD_OPTIONS ? H1_OK : H1_ERR_TARGET_FORM;
    }
    static const struct slice schemes[] = { { "http://", 7 }, { "https://", 8 } };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (starts_with_ignoring_case(target, schemes[i])) {
            request->head.scheme = i == 1 ? HTTP_SCHEME_HTTPS : HTTP_SCHEME_HTTP;
            struct slice after_scheme = { target.at + schemes[i].len, target.len - schemes[i].len };
            return read_absolute_form(request, after_scheme, refuses_encoded_slashes);
        }
    }
    return H1_ERR_TARGET_FORM;
}

bool h1_authority_read(struct slice authority, struct slice *host)
{
    const char *end = authority.at + authority.len;
    const char *stop = authority.at;
    if (authority.len > 0 && *stop == '[') {
        stop = scan_ip_literal(stop, end);
    } else {
        stop = scan_host(stop, end);
    }
    *host = (struct slice){ authority.at, (size_t)(stop - authority.at) };
    if (host->len == 0 || authority.len > HTTP_AUTHORITY_MAX) {
        return false;
    }
    return stop == end || (*stop == ':' && port_is_valid((struct slice){ stop + 1, (size_t)(end - stop - 1) }));
}
