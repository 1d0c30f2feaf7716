/* status: what /readyz and /metrics tell beyond services and tasks: the link to the proxy, the workers' counters,
 * Docker, the configuration. Reads only; control thread. */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/parts.h"
#include "controller/resource/resource_desk.h"
#include "controller/store/store.h"
#include "daemon/publish/publisher.h"
#include "daemon/proxy_view.h"
#include "discovery/docker/engine.h"
#include "discovery/health/checker.h"
#include "discovery/provider.h"

#define STATUS_BEAT_MS 3000 /* the proxy says twice a second that its main thread and all its workers turn */

/* Embedded in its owner; all pointers borrowed. */
struct status {
    struct publisher *publisher;
    const struct proxy_view *view;
    const struct docker_engine *engine; /* null: docker is off */
    const struct provider *docker;      /* null: docker is off */
    const struct provider *providers;   /* all, docker among them */
    size_t provider_count;
    const struct health_checker *checker;
    uint64_t reload_count, reload_failure_count;
    uint64_t control_restart_count, proxy_restart_count, upgrade_count;
    bool is_config_fallback;          /* the file was bad at the start: the last good copy is in force */
    bool is_store_missing;            /* nothing may be created or stopped */
    struct store *store;              /* null: it is missing, or Docker is off */
    const struct resource_desk *desk; /* null: the store cannot be opened or read */
};

extern const struct admin_daemon_ops status_admin_ops; /* owner: struct status */

#endif
