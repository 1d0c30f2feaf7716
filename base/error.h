/* error: one clear message (what, where, what is allowed) carried from where a thing failed to where it is
 * reported. The caller owns the struct, usually on its stack; a null pointer is accepted and means "not wanted". */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

struct error {
    char text[512];
};

/* Always returns false, so that a function can end with `return error_set(error, ...)`. */
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends ": strerror(errno)". Always returns false. */
bool error_set_errno(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
