/* head_writer: puts the pieces of a head one behind the other. Bounded; the bound is the caller's promise, so passing it
 * is a bug. Only for proxy/forward*.c. Any thread; borrows the memory. What puts several pieces takes a writer and returns
 * it: a value of its own, which no byte that is written can change, so that it stays in registers. */
#ifndef PROXY_MESSAGE_HEAD_WRITER_H
#define PROXY_MESSAGE_HEAD_WRITER_H

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
    if (len > 0) /* an empty slice may be null, which memcpy() may not be given */
        memcpy(w->at, bytes, len);
    w->at += len;
}

static inline void head_put_slice(struct head_writer *w, struct slice s)
{
    head_put(w, s.at, s.len);
}

#define HEAD_PUT_LITERAL(w, text) head_put(w, text, sizeof(text) - 1)

/* start: of a line, up to its value, which is not null. */
static inline void head_put_line(struct head_writer *w, const char *start, size_t start_len, struct slice value)
{
    check((size_t)(w->end - w->at) >= start_len + value.len + 2);
    char *to = w->at;
    memcpy(to, start, start_len);
    memcpy(to + start_len, value.at, value.len);
    memcpy(to + start_len + value.len, "\r\n", 2);
    w->at = to + start_len + value.len + 2;
}

#define HEAD_PUT_LINE(w, start, value) head_put_line(w, start, sizeof(start) - 1, value)

#endif
