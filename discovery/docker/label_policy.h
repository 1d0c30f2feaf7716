/* label_policy: what the configuration lets containers of somebody else do by their labels. Control thread. */
#ifndef DISCOVERY_DOCKER_LABEL_POLICY_H
#define DISCOVERY_DOCKER_LABEL_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "discovery/task_registry.h"

/* Embedded in its owner; zeroed before the first set. */
struct label_policy {
    char (*closed)[TASK_NAME_SIZE]; /* owned, sorted: services that nobody joins */
    size_t closed_count;
};

void label_policy_set(struct label_policy *policy, const struct config *config); /* borrowed for the call */
void label_policy_fini(struct label_policy *policy);

/* A service that the configuration describes is joined only where it says so (allowLabels). Null policy: all are open. */
bool label_policy_may_join(const struct label_policy *policy, const char *service);

#endif
