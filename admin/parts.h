/* parts: what the admin API reads and orders, given by daemon/. All pointers are borrowed and outlive the server,
 * except `config`, which is only read by admin_server_new(). Control thread only. */
#ifndef ADMIN_PARTS_H
#define ADMIN_PARTS_H

#include <stdbool.h>

#include "base/loop.h"
#include "config/config.h"
#include "controller/controller.h"
#include "controller/traffic.h"
#include "controller/resource/resource_desk.h"
#include "discovery/task_registry.h"

struct admin_readiness {
    bool ready;
    char reason[256];  /* why not; empty when ready */
    char docker[128];  /* "disabled", "connected", "unreachable: ..." */
    char warning[512]; /* what works less well than it should although traffic is served; empty when nothing does */
};

enum admin_metric_type { ADMIN_METRIC_GAUGE = 0, ADMIN_METRIC_COUNTER, ADMIN_METRIC_TYPE_COUNT };

/* One sample without labels: process, supervisor, Docker. */
struct admin_metric {
    const char *name; /* [a-z_][a-z0-9_]*; anything else is left out */
    enum admin_metric_type type;
    const char *help;
    double value;
};
typedef void (*admin_metric_cb)(void *owner, const struct admin_metric *metric);

/* One row of the proxy's route table. */
struct admin_route_row {
    const char *host, *path, *service;
};
typedef void (*admin_route_row_cb)(void *owner, const struct admin_route_row *row);

/* Implemented by daemon/, faked in tests. None blocks. A null function means "nothing to tell". */
struct admin_daemon_ops {
    void (*readiness)(void *owner, struct admin_readiness *out);
    void (*each_metric)(void *owner, admin_metric_cb each, void *each_owner);
    void (*each_route)(void *owner, admin_route_row_cb each, void *each_owner);
};

struct admin_parts {
    struct loop *loop;
    const struct config_admin *config;
    struct controller *controller;
    struct task_registry *registry;
    struct resource_desk *resources; /* null: the durable state could not be opened */
    struct data_plane data_plane;
    const struct admin_daemon_ops *daemon; /* null: as if every function were */
    void *daemon_owner;
    const char *version;
    int listen_fd; /* already bound and listening, owned by the server from success on; -1: bind config->address */
};

#endif
