/* snapshot_writer: configuration, registry and routes -> the parts of the snapshot document
 * (proxy/snapshot/snapshot_document.md). Pure; control thread. The caller owns what is returned. Whatever the data plane would
 * refuse is left out with a warning: one odd container must not keep everybody's changes from being taken. */
#ifndef DAEMON_PUBLISH_SNAPSHOT_WRITER_H
#define DAEMON_PUBLISH_SNAPSHOT_WRITER_H

#include <jansson.h>

#include "config/config.h"
#include "config/limits.h"
#include "daemon/publish/route_book.h"
#include "discovery/task_registry.h"

/* The data plane counts by service; some rows stay free for services that are being replaced. */
#define SNAPSHOT_SERVICES_MAX LIMIT_SERVICES_SERVED

/* bound_listeners: what the sockets are, in their order, which no reload changes: names, with a comma between them and
 * "+proxy" behind those that expect a PROXY header. */
json_t *snapshot_write_settings(const struct config *config, const char *bound_listeners);
/* What the configuration says of this service alone; an object of members of the service's own. */
json_t *snapshot_write_service_settings(const struct config_service *service);
struct snapshot_service_rules {
    const char *proxy_protocol; /* of the configuration; null: what the tasks say of themselves */
    bool may_fail_open;         /* without a routable task, those of last resort take their place */
};

/* With its routable tasks, sorted by id. Where they differ in what PROXY header they want, the most of them count (of as
 * many, the older version), and the others are left out: what the proxy would send them could not be understood. */
json_t *snapshot_write_service(const struct task_registry *registry, const char *name,
                               const struct snapshot_service_rules *rules, bool *is_failing_open);
/* Without the routes of services that `is_published` denies. */
typedef bool (*snapshot_filter_cb)(void *owner, const char *service);
json_t *snapshot_write_routes(const struct route_book *routes, snapshot_filter_cb is_published, void *owner);

/* Can the name stand in a document? */
bool snapshot_is_service_name(const char *name);

#endif
