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

/* Would some backend read it as another path than we match? Separators, NUL, and UTF-8 in more bytes than needed. */
static bool percent_is_forbidden(int byte, int byte_before)
{
    bool is_overlong = byte == 0xc0 || byte == 0xc1 || (byte_before == 0xe0 && byte >= 0x80 && byte < 0xa0) ||
                       (byte_before == 0xf0 && byte >= 0x80 && byte < 0x90);
    return byte < 0 || byte == 0 || byte == '/' || byte == '\\' || is_overlong;
}

/* Writes one segment in its normal form (RFC 3986 6.2.2): unreserved characters as they are, other percent-encodings
 * in upper case. It never grows. */
static enum h1_error copy_segment(const char *at, const char *end, char **out)
{
    static const char digits[] = "0123456789ABCDEF";
    char *to = *out;
    int byte_before = 0;
    while (at < end) {
        if (*at != '%') {
            byte_before = 0;
            *to++ = *at++;
            continue;
        }
        int byte = decode_percent(at, end);
        if (percent_is_forbidden(byte, byte_before)) {
            return H1_ERR_TARGET_PERCENT;
        }
        if (h1_char_is((char)byte, H1_CHAR_HOST)) {
            *to++ = (char)byte;
        } else {
            *to++ = '%';
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
        byte_before = byte;
        at += 3;
    }
    *out = to;
    return H1_OK;
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

/* path starts with '/'; out has room for it. */
static enum h1_error normalise_path(struct slice path, char *out, size_t *out_len)
{
    const char *at = path.at;
    const char *path_end = path.at + path.len;
    char *to = out;
    while (at < path_end) {
        const char *next = memchr(at + 1, '/', (size_t)(path_end - at - 1));
        const char *end = next != NULL ? next : path_end;
        char *slash = to;
        *to++ = '/';
        enum h1_error error = copy_segment(at + 1, end, &to);
        if (error != H1_OK) {
            return error;
        }
        to = drop_dot_segment(out, slash, to, end == path_end);
        if (to == NULL) {
            return H1_ERR_TARGET_ABOVE_ROOT;
        }
        at = end;
    }
    *out_len = (size_t)(to - out);
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

static void use_as_received(struct h1_request *request, struct slice origin, size_t path_len)
{
    request->forward_target = origin;
    request->path = (struct slice){ origin.at, path_len };
}

/* origin is not in its normal form, or has a byte that does not belong; path_len: up to its '?' or its end. */
static enum h1_error rewrite(struct h1_request *request, struct slice origin, size_t path_len)
{
    struct slice path = { origin.at, path_len };
    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] != '%' && path.at[i] != '.' && !h1_char_is(path.at[i], H1_CHAR_PATH)) {
            return H1_ERR_TARGET;
        }
    }
    size_t normal_len = 0;
    enum h1_error error = normalise_path(path, request->rewritten, &normal_len);
    if (error != H1_OK) {
        return error;
    }
    if (slice_equals(path, (struct slice){ request->rewritten, normal_len })) {
        use_as_received(request, origin, path_len);
        return H1_OK;
    }
    size_t tail_len = origin.len - path_len;
    memcpy(request->rewritten + normal_len, origin.at + path_len, tail_len);
    use_as_received(request, (struct slice){ request->rewritten, normal_len + tail_len }, normal_len);
    request->target_rewritten = true;
    request->desync_reasons |= 1u << H1_DESYNC_PATH_NORMALISED;
    return H1_OK;
}

/* origin starts with '/'. */
static enum h1_error read_origin_form(struct h1_request *request, struct slice origin)
{
    const char *end = origin.at + origin.len;
    const char *stop = scan_plain_path(origin.at, end);
    const char *path_end = stop;
    if (stop != end && *stop != '?') {
        const char *mark = memchr(stop, '?', (size_t)(end - stop));
        path_end = mark != NULL ? mark : end;
    }
    size_t path_len = (size_t)(path_end - origin.at);
    if (path_end != end) {
        request->query = (struct slice){ path_end + 1, (size_t)(end - path_end - 1) };
        if (h1_scan_class(request->query.at, end, H1_CHAR_QUERY) != end) {
            return H1_ERR_TARGET;
        }
    }
    if (stop == path_end) {
        use_as_received(request, origin, path_len);
        return H1_OK;
    }
    return rewrite(request, origin, path_len);
}

static void use_asterisk(struct h1_request *request)
{
    request->path = request->forward_target = SLICE_LITERAL("*");
}

/* after_scheme: what follows "http://". */
static enum h1_error read_absolute_form(struct h1_request *request, struct slice after_scheme)
{
    const char *end = after_scheme.at + after_scheme.len;
    const char *authority_end = after_scheme.at;
    while (authority_end < end && *authority_end != '/' && *authority_end != '?') {
        authority_end++;
    }
    request->authority = (struct slice){ after_scheme.at, (size_t)(authority_end - after_scheme.at) };
    request->authority_from_target = true;
    request->target_rewritten = true;
    if (!h1_authority_read(request->authority, &request->host)) {
        return H1_ERR_TARGET_AUTHORITY;
    }
    struct slice rest = { authority_end, (size_t)(end - authority_end) };
    if (rest.len > 0 && rest.at[0] == '/') {
        return read_origin_form(request, rest);
    }
    if (rest.len == 0 && request->method == H1_METHOD_OPTIONS) {
        use_asterisk(request); /* RFC 9112 3.2.4 */
        return H1_OK;
    }
    request->rewritten[0] = '/';
    memcpy(request->rewritten + 1, rest.at, rest.len);
    return read_origin_form(request, (struct slice){ request->rewritten, rest.len + 1 });
}

static bool starts_with_ignoring_case(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equals_ignoring_case((struct slice){ s.at, prefix.len }, prefix);
}

/* False: not a port, or above 65535. An empty one is valid (RFC 3986 3.2.3). */
static bool port_is_valid(struct slice port)
{
    unsigned number = 0;
    for (size_t i = 0; i < port.len; i++) {
        unsigned digit = (unsigned)(unsigned char)port.at[i] - '0';
        if (digit > 9 || i == 5) {
            return false;
        }
        number = number * 10 + digit;
    }
    return number <= UINT16_MAX;
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

enum h1_error h1_target_read(struct h1_request *request)
{
    struct slice target = request->target;
    request->target_rewritten = request->authority_from_target = false;
    request->query = (struct slice){ target.at + target.len, 0 };
    request->authority = request->host = request->query;
    if (target.len == 0) {
        return H1_ERR_TARGET;
    }
    if (target.at[0] == '/') {
        return read_origin_form(request, target);
    }
    if (slice_equals(target, SLICE_LITERAL("*"))) {
        use_asterisk(request);
        return request->method == H1_METHOD_OPTIONS ? H1_OK : H1_ERR_TARGET_FORM;
    }
    static const struct slice schemes[] = { { "http://", 7 }, { "https://", 8 } };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (starts_with_ignoring_case(target, schemes[i])) {
            return read_absolute_form(request,
                                      (struct slice){ target.at + schemes[i].len, target.len - schemes[i].len });
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
        stop = h1_scan_class(stop, end, H1_CHAR_HOST);
    }
    *host = (struct slice){ authority.at, (size_t)(stop - authority.at) };
    if (host->len == 0 || authority.len > H1_AUTHORITY_MAX) {
        return false;
    }
    return stop == end || (*stop == ':' && port_is_valid((struct slice){ stop + 1, (size_t)(end - stop - 1) }));
}
