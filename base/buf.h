/* buf: a growable run of bytes with an upper limit. One thread at a time. Owned in place by whoever embeds it. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct buf {
    char *at; /* owned; null while empty and never grown */
    size_t len;
    size_t size;
    size_t limit_bytes; /* 0: none */
    bool overflowed;    /* something was dropped because of the limit; sticky until buf_fini */
};

void buf_init(struct buf *b, size_t limit_bytes);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */

/* All false when the limit would be passed; the buffer is then unchanged and `overflowed` is set. */
bool buf_append(struct buf *b, const void *bytes, size_t len);
bool buf_append_slice(struct buf *b, struct slice s);
bool buf_append_text(struct buf *b, const char *text);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

void buf_consume(struct buf *b, size_t len); /* drops from the front */
const char *buf_text(struct buf *b);         /* NUL-terminated; valid until the next change */

#endif
