/* slice: a borrowed run of bytes. Never owns, never NUL-terminated.
 * Threads: any; a slice is a value. The owner of the bytes is named where a slice is returned. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *at;
    size_t len;
};

#define SLICE_LITERAL(s) ((struct slice){ (s), sizeof(s) - 1 })
#define SLICE_FMT(s) (int)(s).len, (s).at /* for "%.*s" */

static inline struct slice slice_of(const char *text)
{
    return (struct slice){ text, strlen(text) };
}

static inline bool slice_equals(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* ASCII case is ignored, as field names and hosts want it (RFC 9110 5.1, 4.2.3). */
static inline bool slice_equals_ignoring_case(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.at, b.at, a.len) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

#endif
