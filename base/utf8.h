/* utf8: text as RFC 3629 has it. Pure; any thread. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the sequence at the start of at[0..left), left > 0, and the character that it is; 0 when there is none: no overlong form,
 * no surrogate (RFC 3629 4), and not one that the end cuts off. Reads nothing behind a NUL, so that a text which ends with one may be
 * given as longer than it is. */
size_t utf8_sequence(const char *at, size_t left, uint32_t *value);

#endif
