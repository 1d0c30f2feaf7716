/* snapshot: everything the data plane serves by, immutable and structurally shared. Made on the main thread; each worker
 * gets a pointer, and gives it back as soon as it has taken the next one: no request holds a snapshot, only the rows that it
 * counts in (proxy/worker/row_use.h). What a change does not touch is reused by pointer.
 *
 *   snapshot --> services[slot] --> endpoint views --> endpoint (long-lived, proxy/snapshot/endpoint.h)
 *      |------> route_table (shared)          service slots are the rows of proxy/stats.h: stable per name
 *
 * Reference counts are the main thread's alone. A worker may follow any pointer from the snapshot that it holds, within a
 * callback. */
#ifndef PROXY_SNAPSHOT_SNAPSHOT_H
#define PROXY_SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mailbox.h"
#include "proxy/balance/balancer.h"
#include "proxy/snapshot/endpoint.h"
#include "proxy/route/route_table.h"
#include "proxy/snapshot/settings.h"
#include "proxy/stats.h"

struct snapshot_service {
    uint32_t slot;
    uint32_t refs; /* snapshots; main thread */
    char name[STATS_NAME_SIZE];
    enum proxy_protocol_version proxy_protocol; /* sent at the start of each connection to an endpoint */
    struct shares *shares;                      /* owned; null: all weights are equal */
    struct service_settings settings;           /* of its own */
    size_t endpoint_count;
    struct endpoint_view endpoints[];
};

struct snapshot_routes {
    struct route_table *table; /* owned */
    uint32_t refs;             /* snapshots; main thread */
};

struct slot_list {
    uint32_t *slots; /* owned */
    size_t count;
};

/* A row of the statistics that snapshots name: an endpoint's, and the endpoint itself with it, or a service's. */
struct snapshot_row {
    const struct endpoint *endpoint; /* null: it is the service's of this slot */
    uint32_t service_slot;
};

/* What a worker's mailbox carries. */
enum worker_mail_kind {
    WORKER_MAIL_SNAPSHOT = 0,
    WORKER_MAIL_PHASE,
    WORKER_MAIL_PING,
    WORKER_MAIL_LOG,
    WORKER_MAIL_ROWS
};
struct worker_mail {
    struct mail mail;
    enum worker_mail_kind kind;
};

/* One worker's hold on a snapshot. */
struct snapshot_hold {
    struct worker_mail mail;
    struct snapshot *snapshot;
};

struct snapshot {
    uint64_t serial;
    struct proxy_settings settings;
    struct snapshot_routes *routes;
    struct snapshot_service **services; /* by slot, null where none; STATS_SERVICES_MAX cells */
    /* What has left with the step from its predecessor, and what has come (back). */
    struct slot_list endpoints_gone, endpoints_back, services_gone, services_back;
    uint32_t holds_out;    /* workers that have not given theirs back; main thread */
    uint32_t acks_missing; /* workers that have not taken it over yet; main thread */
    uint32_t hold_count;
    struct snapshot_hold holds[];
};

#endif
