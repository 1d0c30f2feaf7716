/* resource_kind: what kinds of resources there are, and how a body of each becomes what the program goes by. To add one: write
 * its file with `const struct resource_kind resource_kind_<name>`, add one X() below. Pure. Any thread. */
#ifndef CONTROLLER_RESOURCE_RESOURCE_KIND_H
#define CONTROLLER_RESOURCE_RESOURCE_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "config/problems.h"

#define RESOURCE_KIND_LIST(X) X(task_definition) X(task_family)

#define RESOURCE_NAME_SIZE 272 /* a family of 255 and its revision */

struct resource_kind {
    const char *name, *summary; /* the name is what the store keeps: never changed */
    /* The owner of what is returned frees it by free(); it may go on referring to `body`, which then outlives it. Null with
     * problems, each with the path of its field. */
    void *(*parse)(const char *name, json_t *body, struct problems *problems);
    void (*free)(void *spec);
};

#define RESOURCE_KIND_DECLARE(name) extern const struct resource_kind resource_kind_##name;
RESOURCE_KIND_LIST(RESOURCE_KIND_DECLARE)
#undef RESOURCE_KIND_DECLARE

extern const struct resource_kind *const resource_kinds[];
extern const size_t resource_kind_count;

#endif
