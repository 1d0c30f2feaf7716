/* http/head_writer: puts the pieces of a head one behind the other. Bounded; the bound is the caller's promise, so passing it
 * is a bug. Any thread; borrows the memory. What puts several pieces takes a writer and returns it: a value of its own, which no
 * byte that is written can change, so that it stays in registers. */
#ifndef PROXY_HTTP_HEAD_WRITER_H
#define PROXY_HTTP_HEAD_WRITER_H

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/slice.h"

struct head_writer {
    char *at, *end;
};

static inline void head_put(struct head_writer *w, const char *bytes, size_t len)
{
    check((size_t)(w->end - w->at) >= len);
    if (len > 0) { /* an empty slice may be null, which memcpy() may not be given */
        memcpy(w->at, bytes, len);
    }
    w->at += len;
}

static inline void head_put_slice(struct head_writer *w, struct slice s)
{
    head_put(w, s.at, s.len);
}

#define HEAD_PUT_LITERAL(w, text) head_put(w, text, sizeof(text) - 1)

/* memcpy() for the lengths that most values have: two moves that may overlap, and no call. Returns where it ends. */
__attribute__((always_inline)) static inline char *head_copy_value(char *to, struct slice value)
{
    const char *from = value.at;
    size_t len = value.len;
    if (len >= 8 && len <= 16) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else if (len >= 16 && len <= 32) {
        memcpy(to, from, 16);
        memcpy(to + len - 16, from + len - 16, 16);
    } else if (len >= 4 && len <= 8) {
        memcpy(to, from, 4);
        memcpy(to + len - 4, from + len - 4, 4);
    } else {
        memcpy(to, from, len);
    }
    return to + len;
}

/* Without a look at the bound, which the caller has had: for all lines together. */
__attribute__((always_inline)) static inline char *head_copy_line(char *to, const char *start, size_t start_len,
                                                                  struct slice value)
{
    memcpy(to, start, start_len);
    to = head_copy_value(to + start_len, value);
    memcpy(to, "\r\n", 2);
    return to + 2;
}

#endif
