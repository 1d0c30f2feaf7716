/* file provider: endpoints written in a file (config discovery.endpoints_file) -> task registry. Read at the start,
 * again when it has changed (looked at each second), and when the operator asks (SIGHUP). A bad file changes nothing
 * and is reported; beside a bad one at the start, the copy of the last good one in the state folder stands in. Control
 * thread only. Started through provider_file_ops (discovery/provider.h).
 *
 *   endpoints:
 *     - { service: web, address: "10.0.0.7:8080", host: example.org, path: /api, weight: 10 }
 *
 * service and address (IP address and port) are required; at most TASK_REGISTRY_MAX of them. Parsing is pure. */
#ifndef DISCOVERY_FILE_PROVIDER_H
#define DISCOVERY_FILE_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"
#include "discovery/task_registry.h"

struct provider;

#define FILE_PROVIDER_BYTES_MAX (4u << 20)
#define FILE_PROVIDER_COPY_NAME "endpoints.last-good" /* in the state folder */

/* The same as provider_file_ops.reload with an unchanged path. */
bool file_provider_reload(struct provider *provider, struct error *error);

/* The endpoints of a document, owned by the caller, to free(); null with error (which names the entry and the field)
 * when any is wrong. An empty list gives *count 0 and a pointer. name: the file's, for messages. */
struct task_spec *file_provider_parse(const char *name, struct slice text, size_t *count, struct error *error);

#endif
