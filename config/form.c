#include "config/form.h"

#include "base/mem.h"
#include "base/network.h"
#include "config/listen_address.h"
#include "config/status_ranges.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define LABEL_BYTES_MAX 63

static bool consists_of(const char *text, const char *allowed, size_t len_max)
{
    size_t len = strnlen(text, len_max + 1);
    return len >= 1 && len <= len_max && strspn(text, allowed) == len;
}

static bool has_control(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f)
            return true;
    }
    return false;
}

static bool is_visible_ascii(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c <= 0x20 || *c >= 0x7f)
            return false;
    }
    return true;
}

static char *copy_if(bool accepted, const char *text)
{
    return accepted ? mem_strdup(text) : NULL;
}

/* Labels of letters, digits, '-' and '_' (Docker allows it in names), 1 to 63 each, with dots between them. */
static bool is_host_name(const char *text)
{
    size_t len = strnlen(text, FORM_HOST_BYTES_MAX + 1), label = 0;
    if (len > FORM_HOST_BYTES_MAX || strspn(text, LOWER UPPER DIGITS "-_.") != len)
        return false;
    for (const char *c = text;; c++) {
        if (*c != '.' && *c != '\0') {
            label++;
            continue;
        }
        if (label == 0 || label > LABEL_BYTES_MAX)
            return false;
        if (*c == '\0')
            return true;
        label = 0;
    }
}

/* The Host of a request is compared in lower case (RFC 9110 4.2.3). */
static char *copy_lower_if(bool accepted, const char *text)
{
    char *copy = copy_if(accepted, text);
    for (char *c = copy; c && *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return copy;
}

/* No segment is ".", ".." or empty (but for a slash at the end): the prefix means what it says, with nothing to
 * normalise. */
static bool has_plain_segments(const char *path)
{
    size_t segments = 0;
    for (const char *segment = path; *segment; segments++) {
        segment++; /* the slash */
        size_t len = strcspn(segment, "/");
        bool is_last = segment[len] == '\0';
        if ((len == 0 && !is_last) || (len == 1 && segment[0] == '.') || (len == 2 && strncmp(segment, "..", 2) == 0))
            return false;
        segment += len;
    }
    return segments <= FORM_PATH_SEGMENTS_MAX;
}

char *form_accept_text(const char *text)
{
    return copy_if(strlen(text) <= FORM_TEXT_BYTES_MAX, text);
}

char *form_accept_secret(const char *text)
{
    size_t len = strlen(text);
    return copy_if(len >= FORM_SECRET_BYTES_MIN && len <= FORM_SECRET_BYTES_MAX && is_visible_ascii(text), text);
}

char *form_accept_password(const char *text)
{
    size_t len = strlen(text);
    return copy_if(len >= 1 && len <= FORM_PASSWORD_BYTES_MAX && !has_control(text), text);
}

char *form_accept_registry_name(const char *text)
{
    char host[FORM_HOST_BYTES_MAX + 1];
    struct listen_address address;
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : strlen(text);
    if (text[0] == '[' || len >= sizeof host || (colon && listen_address_parse_port(colon + 1) == 0))
        return copy_lower_if(text[0] == '[' && listen_address_parse(text, &address), text);
    memcpy(host, text, len);
    host[len] = '\0';
    return copy_lower_if(is_host_name(host), text);
}

char *form_accept_name(const char *text)
{
    bool accepted =
        consists_of(text, LOWER DIGITS "-", LABEL_BYTES_MAX) && text[0] != '-' && text[strlen(text) - 1] != '-';
    return copy_if(accepted, text);
}

char *form_accept_cluster(const char *text)
{
    return copy_if(consists_of(text, LOWER DIGITS "-", 32), text);
}

char *form_accept_account(const char *text)
{
    return copy_if(consists_of(text, LOWER UPPER DIGITS "_.-", 64) && text[0] != '-' && text[0] != '.', text);
}

char *form_accept_image(const char *text)
{
    return copy_if(consists_of(text, LOWER UPPER DIGITS "._/:@-", 255) && strchr("._/:@-", text[0]) == NULL, text);
}

char *form_accept_file(const char *text)
{
    size_t len = strlen(text);
    return copy_if(len >= 1 && len <= FORM_FILE_BYTES_MAX && !has_control(text), text);
}

char *form_accept_access_log(const char *text)
{
    if (text[0] == '/')
        return form_accept_file(text);
    return copy_if(strcmp(text, "off") == 0 || strcmp(text, "stdout") == 0, text);
}

char *form_accept_listen_address(const char *text)
{
    struct listen_address address;
    char canonical[LISTEN_ADDRESS_SIZE];
    if (!listen_address_parse(text, &address))
        return NULL;
    listen_address_print(&address, canonical);
    return mem_strdup(canonical);
}

char *form_accept_network(const char *text)
{
    struct network network;
    return copy_if(network_parse(text, &network), text);
}

char *form_accept_moment(const char *text)
{
    struct tm at = { 0 };
    const char *rest =
        strlen(text) == sizeof "2026-11-28T06:00:00Z" - 1 ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &at) : NULL;
    return copy_if(rest && !*rest && at.tm_year >= 70, text);
}

char *form_accept_docker_endpoint(const char *text)
{
    static const char unix_scheme[] = "unix://", tcp_scheme[] = "tcp://";
    char host[FORM_HOST_BYTES_MAX + 1];
    if (strncmp(text, unix_scheme, sizeof unix_scheme - 1) == 0) {
        const char *path = text + sizeof unix_scheme - 1;
        return copy_if(path[0] == '/' && strlen(path) < 108 && !has_control(path), text); /* sockaddr_un has 108 */
    }
    if (strncmp(text, tcp_scheme, sizeof tcp_scheme - 1) != 0)
        return NULL;
    const char *authority = text + sizeof tcp_scheme - 1, *colon = strrchr(authority, ':');
    if (!colon || listen_address_parse_port(colon + 1) == 0 || (size_t)(colon - authority) >= sizeof host)
        return NULL;
    memcpy(host, authority, (size_t)(colon - authority));
    host[colon - authority] = '\0';
    struct listen_address address;
    return copy_if(is_host_name(host) || (authority[0] == '[' && listen_address_parse(authority, &address)), text);
}

char *form_accept_host_name(const char *text)
{
    return copy_lower_if(is_host_name(text), text);
}

char *form_accept_host_pattern(const char *text)
{
    if (strcmp(text, "*") == 0)
        return mem_strdup(text);
    return copy_lower_if(
        strlen(text) <= FORM_HOST_BYTES_MAX && is_host_name(strncmp(text, "*.", 2) == 0 ? text + 2 : text), text);
}

/* Appends the pattern of `len` bytes to the list of `used` bytes; 0 when it is none or does not fit. */
static size_t append_host(char out[FORM_HOSTS_BYTES_MAX + 1], size_t used, const char *at, size_t len)
{
    char item[FORM_HOST_BYTES_MAX + 1];
    while (len > 0 && *at == ' ') {
        at++;
        len--;
    }
    while (len > 0 && at[len - 1] == ' ')
        len--;
    if (len >= sizeof item)
        return 0;
    memcpy(item, at, len);
    item[len] = '\0';
    char *host = form_accept_host_pattern(item);
    size_t needed = len + (used ? 1 : 0);
    bool fits = host && used + needed <= FORM_HOSTS_BYTES_MAX;
    if (fits) {
        out[used] = ',';
        memcpy(out + used + (used ? 1 : 0), host, len + 1);
    }
    free(host);
    return fits ? used + needed : 0;
}

char *form_accept_hosts(const char *text)
{
    char out[FORM_HOSTS_BYTES_MAX + 1];
    size_t used = 0;
    do {
        size_t len = strcspn(text, ",");
        used = append_host(out, used, text, len);
        text += len;
    } while (used > 0 && *text++ == ',');
    return used > 0 ? mem_strdup(out) : NULL;
}

bool form_next_host(const char **at, char out[FORM_HOST_BYTES_MAX + 1])
{
    size_t len = strcspn(*at, ",");
    if (len == 0 || len > FORM_HOST_BYTES_MAX)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len + ((*at)[len] == ',');
    return true;
}

bool form_suggest_path_prefix(const char *text, char out[FORM_PATH_BYTES_MAX + 1])
{
    size_t len = strlen(text);
    if (len > FORM_PATH_BYTES_MAX || !strchr(text, '*'))
        return false;
    while (len > 1 && (text[len - 1] == '*' || text[len - 1] == '/'))
        len--;
    memcpy(out, text, len);
    out[len] = '\0';
    char *accepted = form_accept_path_prefix(out);
    free(accepted);
    return accepted != NULL;
}

char *form_accept_path_prefix(const char *text)
{
    size_t len = strlen(text);
    if (text[0] != '/' || len > FORM_PATH_BYTES_MAX || !is_visible_ascii(text) || strpbrk(text, "%?#\\;*") ||
        !has_plain_segments(text))
        return NULL;
    return mem_strndup(text, len > 1 && text[len - 1] == '/' ? len - 1 : len);
}

char *form_accept_probe_path(const char *text)
{
    return copy_if(
        text[0] == '/' && strlen(text) <= FORM_PATH_BYTES_MAX && is_visible_ascii(text) && !strchr(text, '#'), text);
}

char *form_accept_status_ranges(const char *text)
{
    return copy_if(status_ranges_is_valid(text), text);
}

char *form_accept_field_value(const char *text)
{
    size_t len = strnlen(text, FORM_FIELD_VALUE_BYTES_MAX + 1);
    if (len > FORM_FIELD_VALUE_BYTES_MAX || (len > 0 && (text[0] == ' ' || text[len - 1] == ' ')))
        return NULL;
    for (const char *c = text; *c; c++)
        if (*c < 0x20 || *c >= 0x7f)
            return NULL;
    return mem_strdup(text);
}

bool form_is_variable_name(const char *text)
{
    return consists_of(text, LOWER UPPER DIGITS "_.-", 128) && strchr(DIGITS ".-", text[0]) == NULL;
}

bool form_is_probe_field_name(const char *text)
{
    static const char *const taken[] = { "Host",   "Connection", "Content-Length", "Transfer-Encoding", "Upgrade",
                                         "Expect", "TE",         "Trailer" };
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcasecmp(text, taken[i]) == 0)
            return false;
    return consists_of(text, LOWER UPPER DIGITS "!#$%&'*+-.^_`|~", 64);
}
