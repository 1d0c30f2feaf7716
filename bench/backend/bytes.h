/* bytes: a growing byte string. Header only; one thread at a time. Owned by whoever embeds it; zeroed is empty; out of
 * memory ends the program. */
#ifndef BENCH_BACKEND_BYTES_H
#define BENCH_BACKEND_BYTES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_PRINT_MAX 512 /* of one bytes_print */

struct bytes {
    char *data;
    size_t len, size;
};

static inline void bytes_reserve(struct bytes *b, size_t more)
{
    if (b->size - b->len >= more)
        return;
    size_t size = b->size ? b->size : 2048;
    while (size - b->len < more)
        size *= 2;
    b->data = realloc(b->data, size);
    if (!b->data)
        abort();
    b->size = size;
}

static inline void bytes_add(struct bytes *b, const char *data, size_t len)
{
    bytes_reserve(b, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

__attribute__((format(printf, 2, 3))) static inline void bytes_print(struct bytes *b, const char *format, ...)
{
    va_list list;
    bytes_reserve(b, BYTES_PRINT_MAX);
    va_start(list, format);
    int n = vsnprintf(b->data + b->len, BYTES_PRINT_MAX, format, list);
    va_end(list);
    b->len += n < BYTES_PRINT_MAX ? (size_t)n : BYTES_PRINT_MAX - 1;
}

static inline void bytes_add_json(struct bytes *b, const char *data, size_t len)
{
    bytes_add(b, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)data[i];
        if (ch < 0x20 || ch > 0x7e || ch == '"' || ch == '\\')
            bytes_print(b, "\\u%04x", ch); /* bytes above 7f as ISO 8859-1 */
        else
            bytes_add(b, &data[i], 1);
    }
    bytes_add(b, "\"", 1);
}

#endif
