/* problems: what is wrong with a document, collected while it is read and handed over as lines in the document's order.
 * Control thread. Text of the input may be put into a problem as it is: control characters are escaped here. */
#ifndef CONFIG_PROBLEMS_H
#define CONFIG_PROBLEMS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/load.h"

struct problem;

struct problems {
    const char *name; /* borrowed; the document's, at the start of each line; null: lines start with the path */
    struct problem *entries;
    size_t count;
    bool more_found; /* than CONFIG_PROBLEMS_MAX */
};

void problems_init(struct problems *p, const char *name);
void problems_fini(struct problems *p);

/* line and column count from 1, or are 0 where they are not known, as of JSON that has been parsed: the path is all there is then.
 * path names the field; empty is the whole document. */
void problems_add(struct problems *p, unsigned line, unsigned column, const char *path, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

void problems_add_args(struct problems *p, unsigned line, unsigned column, const char *path, const char *format,
                       va_list args) __attribute__((format(printf, 5, 0)));

/* "line:column" order, one line each, into `out` (the caller's, for config_problems_fini); `p` is empty after it. */
void problems_hand_over(struct problems *p, struct config_problems *out);

/* The start of a text as it may be quoted in a problem; returns `out`. */
#define PROBLEM_EXCERPT_SIZE 72
const char *problem_excerpt(char out[PROBLEM_EXCERPT_SIZE], const char *text);

#endif
