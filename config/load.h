/* load: text -> struct config, through the schema table, with every problem found in one pass.
 * Control thread (and the command line). The caller owns what is returned. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "config/diff.h" /* whoever loads also compares and shows */
#include "config/print.h"

/* One line each, in the document's order: "file:line:column: field.path: what, what is allowed[; did you mean 'x'?]".
 * Control characters of the input are escaped. A secret's value is never in it, and a value with environment variables
 * that is not accepted is quoted as it was written, `${NAME}`. */
struct config_problems {
    char **lines; /* owned */
    size_t count;
};

/* A problem where `strict` is set, else a warning (is_token_exposed, is_password_exposed). */
#define CONFIG_SECRET_EXPOSED                                                                                          \
    "is written in a file that everybody may read, take that right away (chmod o-r) or write \"${NAME}\" and set the " \
    "variable"

#define CONFIG_FILE_BYTES_MAX (4u << 20)
#define CONFIG_PRINTED_BYTES_MAX (16u << 20) /* by config_print(), which adds all defaults */
#define CONFIG_PROBLEMS_MAX 100              /* then "... and more" */

/* Null when there is any problem. A file that cannot be read is a problem too. YAML 1.1 or JSON, UTF-8, <= 4 MiB,
 * nesting <= 32, no anchors or aliases, no duplicate keys, no unknown keys. `${NAME}` in a string value is replaced by
 * the environment variable NAME (a problem when unset); `$$` is a dollar sign. `problems` is overwritten, never null,
 * and the caller's for config_problems_fini() in any case. */
struct config *config_load_file(const char *path, struct config_problems *problems);
/* The same of what config_print() has written, at most CONFIG_PRINTED_BYTES_MAX. */
struct config *config_load_printed_file(const char *path, struct config_problems *problems);
struct config *config_load_text(const char *name, const char *text, size_t len, struct config_problems *problems);
void config_free(struct config *config);
void config_problems_fini(struct config_problems *problems);

/* The balancers that proxy.balancer may name; borrowed from then on. Call once at start, before anything is loaded or
 * printed; until then "p2c" is the only one. */
void config_set_balancer_names(const char *const *names, size_t count);

#endif
