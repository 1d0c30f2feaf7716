/* substitute: `${NAME}` becomes the environment variable NAME, `$$` a dollar sign; any other dollar sign is a mistake.
 * Control thread; reads the environment and nothing else. */
#ifndef CONFIG_SUBSTITUTE_H
#define CONFIG_SUBSTITUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends the result to `out`; false (with what is wrong and what is allowed, never a variable's value) leaves it half
 * written. The limit of `out` bounds the result. */
bool substitute_variables(const char *text, struct buf *out, struct error *error);

#endif
