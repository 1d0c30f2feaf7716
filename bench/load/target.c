#include "bench/load/target.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bench/load/amount.h"
#include "proxy/h1/scan.h"

#define HOST_BYTES_MAX 253

/* Host and port of "host", "host:port", "[v6]", "[v6]:port". */
static bool split_authority(struct target_url *url)
{
    struct slice rest = url->authority;
    int64_t port = 80;
    if (rest.len > 0 && rest.at[0] == '[') {
        const char *end = memchr(rest.at, ']', rest.len);
        if (!end)
            return false;
        url->host = (struct slice){ rest.at + 1, (size_t)(end - rest.at) - 1 };
        rest = (struct slice){ end + 1, rest.len - url->host.len - 2 };
    } else {
        const char *colon = rest.len > 0 ? memchr(rest.at, ':', rest.len) : NULL;
        url->host = (struct slice){ rest.at, colon ? (size_t)(colon - rest.at) : rest.len };
        rest = (struct slice){ rest.at + url->host.len, rest.len - url->host.len };
    }
    if (rest.len > 0 &&
        (rest.at[0] != ':' || !amount_parse_count((struct slice){ rest.at + 1, rest.len - 1 }, 1, 65535, &port)))
        return false;
    url->port = (uint16_t)port;
    return url->host.len > 0 && url->host.len <= HOST_BYTES_MAX && !memchr(url->authority.at, '@', url->authority.len);
}

static bool is_token(struct slice s)
{
    return s.len > 0 && h1_scan_class(s.at, s.at + s.len, H1_CHAR_TOKEN) == s.at + s.len;
}

static bool name_is(struct slice name, const char *other)
{
    return slice_equals_ignoring_case(name, slice_of(other));
}

/* Appends one field of the user. */
static bool write_field(const char *text, bool *has_host, struct buf *out, struct error *error)
{
    size_t name_len = strcspn(text, ":");
    struct slice name = { text, name_len };
    if (text[name_len] != ':' || !is_token(name))
        return error_set(error, "not 'Name: value': '%s'", text);
    const char *value = text + name_len + 1, *end = text + strlen(text);
    value += strspn(value, " \t");
    if (h1_scan_value(value, end) != end)
        return error_set(error, "control character in the field '%.*s'", SLICE_FMT(name));
    if (name_is(name, "Content-Length") || name_is(name, "Transfer-Encoding"))
        return error_set(error, "%.*s is made from --body-bytes", SLICE_FMT(name));
    *has_host |= name_is(name, "Host");
    return buf_printf(out, "%.*s: %s\r\n", SLICE_FMT(name), value);
}

static bool write_fields(const struct target_request *request, bool *has_host, struct buf *out, struct error *error)
{
    for (size_t i = 0; i < request->field_count; i++)
        if (!write_field(request->fields[i], has_host, out, error))
            return false;
    return true;
}

static void write_body(size_t len, struct buf *out)
{
    char letters[26 * 100];
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = (char)('a' + i % 26);
    for (; len > sizeof letters; len -= sizeof letters)
        buf_append(out, letters, sizeof letters);
    buf_append(out, letters, len);
}

static void write_address_text(struct target_address *a, uint16_t port)
{
    char host[INET6_ADDRSTRLEN] = "";
    bool is_v6 = a->address.ss_family == AF_INET6;
    const void *bytes = is_v6 ? (const void *)&((struct sockaddr_in6 *)&a->address)->sin6_addr
                              : (const void *)&((struct sockaddr_in *)&a->address)->sin_addr;
    inet_ntop(a->address.ss_family, bytes, host, sizeof host);
    snprintf(a->text, sizeof a->text, is_v6 ? "[%s]:%u" : "%s:%u", host, port);
}

bool target_parse_url(const char *text, struct target_url *url, struct error *error)
{
    struct slice rest = slice_of(text), scheme = SLICE_LITERAL("http://");
    if (!slice_starts_with(rest, scheme))
        return error_set(error, "not a URL that starts with http://: '%s'", text);
    if (h1_scan_target(rest.at, rest.at + rest.len) != rest.at + rest.len || memchr(rest.at, '#', rest.len))
        return error_set(error, "blank, '#' or special character in the URL '%s'", text);
    rest = (struct slice){ rest.at + scheme.len, rest.len - scheme.len };
    size_t len = strcspn(rest.at, "/?");
    url->authority = (struct slice){ rest.at, len };
    url->origin_form = (struct slice){ rest.at + len, rest.len - len };
    return split_authority(url) || error_set(error, "no host and port in the URL '%s'", text);
}

bool target_resolve(const struct target_url *url, struct target_address *address, struct error *error)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found = NULL;
    char host[HOST_BYTES_MAX + 1], port[8];
    snprintf(host, sizeof host, "%.*s", SLICE_FMT(url->host));
    snprintf(port, sizeof port, "%u", url->port);
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0)
        return error_set(error, "%s: %s", host, gai_strerror(code));
    memcpy(&address->address, found->ai_addr, found->ai_addrlen);
    address->address_len = found->ai_addrlen;
    write_address_text(address, url->port);
    freeaddrinfo(found);
    return true;
}

bool target_write_request(const struct target_url *url, const struct target_request *request, struct buf *out,
                          struct error *error)
{
    struct buf fields;
    bool has_host = false;
    if (!is_token(slice_of(request->method)) || strcmp(request->method, "CONNECT") == 0)
        return error_set(error, "not a method that can be sent: '%s'", request->method);
    buf_init(&fields, 0);
    bool is_good = write_fields(request, &has_host, &fields, error);
    if (is_good) {
        bool has_slash = url->origin_form.len > 0 && url->origin_form.at[0] == '/';
        buf_printf(out, "%s %s%.*s HTTP/1.1\r\n", request->method, has_slash ? "" : "/", SLICE_FMT(url->origin_form));
        if (!has_host)
            buf_printf(out, "Host: %.*s\r\n", SLICE_FMT(url->authority));
        buf_append(out, fields.at, fields.len);
        if (request->body_bytes > 0)
            buf_printf(out, "Content-Length: %zu\r\n", request->body_bytes);
        buf_printf(out, "%s\r\n", request->closes ? "Connection: close\r\n" : "");
        write_body(request->body_bytes, out);
    }
    buf_fini(&fields);
    return is_good;
}
