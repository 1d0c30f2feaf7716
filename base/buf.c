#include "base/buf.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t limit_bytes)
{
    *b = (struct buf){ .limit_bytes = limit_bytes };
}

void buf_fini(struct buf *b)
{
    free(b->at);
    *b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
    b->len = 0;
}

/* Room for `more` bytes and a NUL behind them. */
static bool make_room(struct buf *b, size_t more)
{
    if (b->limit_bytes && (more > b->limit_bytes || b->len > b->limit_bytes - more)) {
        b->overflowed = true;
        return false;
    }
    size_t wanted = b->len + more + 1;
    if (wanted <= b->size)
        return true;
    size_t size = b->size ? b->size : 256;
    while (size < wanted)
        size *= 2;
    b->at = mem_grow_array(b->at, size, 1);
    b->size = size;
    return true;
}

bool buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (!make_room(b, len))
        return false;
    if (len)
        memcpy(b->at + b->len, bytes, len);
    b->len += len;
    return true;
}

bool buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.at, s.len);
}

bool buf_append_text(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || !make_room(b, (size_t)len))
        return false;
    va_start(args, format);
    vsnprintf(b->at + b->len, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
    return true;
}

void buf_consume(struct buf *b, size_t len)
{
    check(len <= b->len);
    memmove(b->at, b->at + len, b->len - len);
    b->len -= len;
}

const char *buf_text(struct buf *b)
{
    if (!b->at)
        return "";
    b->at[b->len] = '\0';
    return b->at;
}
