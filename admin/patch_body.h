/* patch_body: the JSON bodies that the admin API accepts. Pure, strict: depth, duplicate keys, unknown keys, reals,
 * booleans and null are refused, with the field named. Any thread. */
#ifndef ADMIN_PATCH_BODY_H
#define ADMIN_PATCH_BODY_H

#include <stdbool.h>

#include "base/slice.h"
#include "config/limits.h"
#include "controller/controller.h"

#define PATCH_BODY_BYTES_MAX (1u << 20)
#define PATCH_BODY_DEPTH_MAX 32
#define PATCH_COUNT_MAX LIMIT_TASKS_OWN /* as many tasks as the registry holds */

struct patch_problem {
    char field[64]; /* empty: the document as a whole */
    char message[256];
};

/* {"desiredCount": 3, "min": 1, "max": 10}: each is optional, at least one is there. False with the problem set. */
bool patch_body_parse_service(struct slice body, struct service_patch *out, struct patch_problem *problem);

/* Nothing, or an object without members. */
bool patch_body_parse_empty(struct slice body, struct patch_problem *problem);

/* No more than `max` arrays and objects inside one another; looks at no other syntax. */
bool patch_body_is_shallow(struct slice body, int max);

#endif
