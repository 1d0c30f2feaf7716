/* service_name: which service a container of somebody else is a task of. Pure; any thread. Two compose projects may use
 * one name for different things, so the project is part of the name (docs/decisions/0012-names-of-label-services.md):
 *
 *   portico.service=api, no compose project                  api
 *   portico.service=api in compose's project shop            shop/api
 *   none, compose's service worker in its project shop       shop/worker
 *   portico.service=web, and the configuration has a web     web: it joins that one, where it may */
#ifndef DISCOVERY_DOCKER_SERVICE_NAME_H
#define DISCOVERY_DOCKER_SERVICE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "discovery/task_registry.h"

#define DOCKER_LABEL_COMPOSE_PROJECT "com.docker.compose.project"
#define DOCKER_LABEL_COMPOSE_SERVICE "com.docker.compose.service"

/* Values of a container's labels; null: not set. All borrowed. */
struct service_labels {
    const char *service; /* portico.service */
    const char *compose_project, *compose_service;
};

/* Names of the configuration's services; label_policy.h says which may be joined. Borrowed, sorted by strcmp. */
struct joinable_services {
    const char *const *names;
    size_t count;
};

/* False, with which label is wrong and what is allowed, when there is no valid name. */
bool service_name_read(const struct service_labels *labels, const struct joinable_services *joinable,
                       char out[TASK_NAME_SIZE], struct error *error);

#endif
