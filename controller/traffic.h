/* traffic: what the data plane saw, as the controller and the admin API read it. daemon/ fills it from the shared
 * memory; tests and the simulator fill it by hand. Counters only grow (over restarts of either process too, unless the
 * whole program restarts): readers take differences and treat a smaller value as a restart from zero. Control thread
 * only. */
#ifndef CONTROLLER_TRAFFIC_H
#define CONTROLLER_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"

#define TRAFFIC_STATUS_CLASSES 6 /* [1]..[5]: 1xx..5xx; [0]: client went away before an answer */

struct service_traffic {
    uint64_t requests;  /* finished or failed */
    uint64_t in_flight; /* gauge, all workers */
    uint64_t statuses[TRAFFIC_STATUS_CLASSES];
    uint64_t retries;
    uint64_t no_endpoint; /* 503 because nothing was routable */
    uint64_t request_bytes, response_bytes;
    struct histogram
        latency; /* request whole -> response head: how fast the service is, however long it then streams */
    struct histogram duration; /* request head complete -> last response byte sent */
};

struct endpoint_traffic {
    uint64_t requests; /* begun */
    uint64_t in_flight;
    uint64_t tunnels;  /* of those in flight */
    uint64_t failures; /* connect or read failures */
};

/* What all of the traffic moves: while these are the same and nothing is in flight, so is the rest. */
struct service_load {
    uint64_t requests, in_flight, no_endpoint;
};

/* How the controller asks the data plane; implemented by daemon/, faked in tests. All cheap, none blocks. */
struct data_plane_ops {
    /* False when the data plane knows no such service (yet): missing data, not zero. */
    bool (*service_traffic)(void *owner, const char *service, struct service_traffic *out);
    bool (*endpoint_traffic)(void *owner, const char *task_id, struct endpoint_traffic *out);
    /* True once every worker has acknowledged a snapshot without this task. */
    bool (*is_out_of_rotation)(void *owner, const char *task_id);
    /* False while the proxy process is down or has not acknowledged for 2 s: then there is no fresh data. */
    bool (*is_fresh)(void *owner);
    /* True while changes are held back from the data plane after a start: it may still use what has been drained, however
     * long ago, so that nothing is stopped. Null: never. */
    bool (*is_holding)(void *owner);
    /* The same as service_traffic() without what is long. Null: there is no such short cut. */
    bool (*service_load)(void *owner, const char *service, struct service_load *out);
};

struct data_plane {
    const struct data_plane_ops *ops;
    void *owner;
};

#endif
