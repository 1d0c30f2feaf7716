#include "base/mem.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *p)
{
    if (!p) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_alloc(size_t size)
{
    check(size > 0);
    return or_die(calloc(1, size));
}

void *mem_alloc_aligned(size_t alignment, size_t size)
{
    size_t rounded = (size + alignment - 1) & ~(alignment - 1);
    return memset(or_die(aligned_alloc(alignment, rounded)), 0, rounded);
}

void *mem_alloc_array(size_t count, size_t size)
{
    return or_die(calloc(count ? count : 1, size));
}

void *mem_grow_array(void *old, size_t count, size_t size)
{
    return or_die(reallocarray(old, count ? count : 1, size));
}

char *mem_strdup(const char *text)
{
    return or_die(strdup(text));
}

char *mem_strndup(const char *text, size_t len)
{
    return or_die(strndup(text, len));
}

char *mem_printf(const char *format, ...)
{
    char *out = NULL;
    va_list args;
    va_start(args, format);
    int written = vasprintf(&out, format, args);
    va_end(args);
    return or_die(written < 0 ? NULL : out);
}
