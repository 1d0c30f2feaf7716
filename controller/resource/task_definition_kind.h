/* task_definition_kind: what the book keeps of a revision of a task definition, called "family:revision", and of its family:
 * the last revision that was given. A revision's definition never changes; whether it is ACTIVE does. */
#ifndef CONTROLLER_RESOURCE_TASK_DEFINITION_KIND_H
#define CONTROLLER_RESOURCE_TASK_DEFINITION_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "config/task_definition/task_definition.h"
#include "controller/resource/resource_kind.h"

#define TASK_FAMILY_SIZE 256

/* The spec of the kind task_definition. */
struct task_definition_revision {
    char family[TASK_FAMILY_SIZE];
    int64_t revision;
    bool is_active;
    struct task_definition *definition;               /* owned */
    const json_t *document;                           /* as it was handed in; in the resource's body */
    const char *registered_by;                        /* in the body */
    int64_t registered_wall_us, deregistered_wall_us; /* the second 0: it is active */
};

/* "family:7". False: it is not of that form. */
bool task_definition_split_name(const char *name, char family[TASK_FAMILY_SIZE], int64_t *revision);

/* Bodies; the caller's references. */
json_t *task_definition_body(const json_t *document, const char *registered_by, int64_t registered_wall_us);
json_t *task_definition_body_inactive(const json_t *active_body, int64_t deregistered_wall_us);
json_t *task_family_body(int64_t last_revision);
int64_t task_family_last_revision(const json_t *body); /* null: 0 */

#endif
