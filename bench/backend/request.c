#include "bench/backend/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int field_next(const char **at, const char *end, struct field *f)
{
    const char *eol = memmem(*at, (size_t)(end - *at), "\r\n", 2);
    if (!eol || eol == *at)
        return eol ? 0 : -1;
    const char *colon = memchr(*at, ':', (size_t)(eol - *at));
    if (!colon || colon == *at || memchr(*at, '\n', (size_t)(eol - *at)) || memchr(*at, '\0', (size_t)(eol - *at)))
        return -1;
    f->name = *at;
    f->name_len = (size_t)(colon - *at);
    if (memchr(f->name, ' ', f->name_len) || memchr(f->name, '\t', f->name_len))
        return -1;
    f->value = colon + 1;
    const char *value_end = eol;
    while (f->value < value_end && (*f->value == ' ' || *f->value == '\t'))
        f->value++;
    while (value_end > f->value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
        value_end--;
    f->value_len = (size_t)(value_end - f->value);
    *at = eol + 2;
    return 1;
}

static bool field_is(const struct field *f, const char *name)
{
    return f->name_len == strlen(name) && strncasecmp(f->name, name, f->name_len) == 0;
}

static bool field_has(const struct field *f, const char *word)
{
    for (size_t i = 0, n = strlen(word); i + n <= f->value_len; i++)
        if (strncasecmp(f->value + i, word, n) == 0)
            return true;
    return false;
}

static bool parse_length(const struct field *f, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < f->value_len; i++) {
        if (f->value[i] < '0' || f->value[i] > '9' || *out > INT64_MAX / 20)
            return false;
        *out = *out * 10 + (uint64_t)(f->value[i] - '0');
    }
    return f->value_len > 0;
}

static int request_parse_fields(struct request *r, const char *head)
{
    const char *at = head + r->fields_at, *end = head + r->head_len;
    struct field f;
    bool has_length = false;
    int result;
    while ((result = field_next(&at, end, &f)) > 0) {
        uint64_t length;
        if (field_is(&f, "content-length")) {
            if (!parse_length(&f, &length) || (has_length && length != r->body.left))
                return 400;
            r->body.left = length;
            has_length = true;
        } else if (field_is(&f, "transfer-encoding")) {
            if (r->is_http10 || r->body.is_chunked || f.value_len != 7 || !field_has(&f, "chunked"))
                return 501;
            r->body.is_chunked = true;
        } else if (field_is(&f, "connection")) {
            r->wants_close = field_has(&f, "close") || (r->wants_close && !field_has(&f, "keep-alive"));
        } else if (field_is(&f, "expect")) {
            r->wants_continue = field_has(&f, "100-continue");
        }
    }
    return result < 0 || (has_length && r->body.is_chunked) ? 400 : 0;
}

int request_parse(struct request *r, const char *head, size_t head_len)
{
    *r = (struct request){ .head_len = head_len, .body.adler_a = 1 };
    const char *eol = memmem(head, head_len, "\r\n", 2), *space = memchr(head, ' ', (size_t)(eol - head));
    if (!space || space == head || eol - space < 11 || memcmp(eol - 9, " HTTP/1.", 8) != 0 || (eol[-1] & ~1) != '0' ||
        memchr(space + 1, ' ', (size_t)(eol - 9 - space - 1)))
        return 400;
    r->method_len = (size_t)(space - head);
    r->target_at = r->method_len + 1;
    r->target_len = (size_t)(eol - 9 - head) - r->target_at;
    r->fields_at = (size_t)(eol + 2 - head);
    r->is_head = r->method_len == 4 && memcmp(head, "HEAD", 4) == 0;
    r->is_http10 = r->wants_close = eol[-1] == '0';
    const char *path = head + r->target_at, *target_end = path + r->target_len;
    const char *authority = *path == '/' ? NULL : memmem(path, r->target_len, "://", 3);
    if (authority) { /* absolute form */
        path = memchr(authority + 3, '/', (size_t)(target_end - authority - 3));
        path = path ? path : target_end;
    }
    const char *query = memchr(path, '?', (size_t)(target_end - path));
    r->path_at = (size_t)(path - head);
    r->path_len = (size_t)((query ? query : target_end) - path);
    return request_parse_fields(r, head);
}

bool request_path_is(const struct request *r, const char *head, const char *path)
{
    return r->path_len == strlen(path) && memcmp(head + r->path_at, path, r->path_len) == 0;
}

const char *request_query_text(const struct request *r, const char *head, const char *name, size_t *len)
{
    const char *at = head + r->path_at + r->path_len, *end = head + r->target_at + r->target_len;
    for (size_t n = strlen(name); at < end; at = memchr(at, '&', (size_t)(end - at)) ?: end) {
        at++; /* the '?' or '&' */
        if ((size_t)(end - at) <= n || memcmp(at, name, n) != 0 || at[n] != '=')
            continue;
        const char *value = at + n + 1, *value_end = memchr(value, '&', (size_t)(end - value));
        *len = (size_t)((value_end ? value_end : end) - value);
        return value;
    }
    return NULL;
}

double request_query(const struct request *r, const char *head, const char *name, double fallback, double max)
{
    size_t len;
    const char *text = request_query_text(r, head, name, &len);
    if (!text || len == 0 || text[0] < '.' || text[0] > '9')
        return fallback;
    double value = strtod(text, NULL); /* ends at the blank after the target at the latest */
    return value > max ? max : value;
}
