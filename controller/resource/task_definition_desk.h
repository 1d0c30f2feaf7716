/* task_definition_desk: where task definitions are registered, deregistered and deleted, by ECS's rules: a revision is
 * immutable, its number is given once for ever; INACTIVE ones can be described until they are deleted. Control thread only. */
#ifndef CONTROLLER_RESOURCE_TASK_DEFINITION_DESK_H
#define CONTROLLER_RESOURCE_TASK_DEFINITION_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/resource/resource_desk.h"
#include "controller/resource/task_definition_kind.h"

/* Who orders, and who is to hear of it. */
struct definition_order {
    const char *who;
    int64_t at_wall_us;
    const char *request_key;  /* null: none; of a registration */
    int64_t expected_version; /* RESOURCE_ANY_VERSION: whichever; of the others */
    bool is_trial;            /* all is looked at and nothing is done: `done` is not called */
    resource_done_cb done;
    void *owner;
};

/* The name that it gets, also in a trial. already: that it has by an earlier order with the same key and document; nothing
 * is ordered then, and `done` is not called. */
bool task_definition_desk_register(struct resource_desk *desk, const json_t *document,
                                   const struct definition_order *order, char name[RESOURCE_NAME_SIZE], bool *already,
                                   struct resource_refusal *refusal);
/* name: "family:revision". */
bool task_definition_desk_deregister(struct resource_desk *desk, const char *name, const struct definition_order *order,
                                     struct resource_refusal *refusal);
/* An INACTIVE one, or one that this version cannot read, which it cannot make INACTIVE either. */
bool task_definition_desk_delete(struct resource_desk *desk, const char *name, const struct definition_order *order,
                                 struct resource_refusal *refusal);

/* "family:revision", or "family" for its newest ACTIVE one. Null: there is none. */
const struct resource *task_definition_desk_find(const struct resource_desk *desk, const char *name);

#endif
