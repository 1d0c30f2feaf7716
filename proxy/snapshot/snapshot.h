/* snapshot: everything the data plane serves by, immutable and structurally shared. Made on the main thread; each
 * worker gets a pointer, pins it per request with a plain counter, and gives it back when the last pin is gone and a
 * newer one has come. When the next but one comes, requests that still pin it keep their rows of it instead: a worker
 * never has more than two. What a change does not touch is reused by pointer.
 *
 *   snapshot --> services[slot] --> endpoint views --> endpoint (long-lived, proxy/snapshot/endpoint.h)
 *      |------> route_table (shared)          service slots are the rows of proxy/stats.h: stable per name
 *
 * Reference counts are the main thread's alone. A worker may follow any pointer from a snapshot that it holds. */
#ifndef PROXY_SNAPSHOT_SNAPSHOT_H
#define PROXY_SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
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

/* What a request that outlives its snapshot keeps of it: the rows that it counts in, and the endpoint that it talks to. The
 * main thread holds a reference for it meanwhile. */
struct snapshot_rows {
    const struct endpoint *endpoint;
    uint32_t service_slot;
};

/* What a worker's mailbox carries. */
enum worker_mail_kind { WORKER_MAIL_SNAPSHOT = 0, WORKER_MAIL_PHASE, WORKER_MAIL_PING, WORKER_MAIL_LOG };
struct worker_mail {
    struct mail mail;
    enum worker_mail_kind kind;
};

/* One worker's hold on a snapshot. */
struct snapshot_hold {
    struct worker_mail mail;
    struct snapshot *snapshot;
    uint32_t pins;   /* requests; worker */
    bool superseded; /* a newer one has come; worker */
    bool returned;   /* set before it is posted back; worker */
} __attribute__((aligned(64)));

struct snapshot {
    uint64_t serial;
    struct proxy_settings settings;
    struct snapshot_routes *routes;
    struct snapshot_service **services; /* by slot, null where none; STATS_SERVICES_MAX cells */
    /* What a worker does to its pools when it takes this one over from its predecessor. */
    struct slot_list endpoints_gone, endpoints_back;
    uint32_t holds_out;    /* workers that have not given theirs back; main thread */
    uint32_t acks_missing; /* workers that have not taken it over yet; main thread */
    uint32_t hold_count;
    struct snapshot_hold holds[];
};

static inline void snapshot_pin(struct snapshot_hold *hold)
{
    hold->pins++;
}

/* True when that was the last pin of a superseded one: the caller posts the hold back to the main thread. */
static inline bool snapshot_unpin(struct snapshot_hold *hold)
{
    check(hold->pins > 0);
    return --hold->pins == 0 && hold->superseded;
}

#endif
