/* proxy_view: the data plane as the controller and the admin API see it (controller/traffic.h): numbers from the shared
 * memory, rotation from the publisher. Control thread only. What the shared memory says is untrusted: numbers, nothing
 * more. */
#ifndef DAEMON_PROXY_VIEW_H
#define DAEMON_PROXY_VIEW_H

#include <stdbool.h>

#include "controller/traffic.h"
#include "daemon/publish/publisher.h"
#include "proxy/stats.h"

#define PROXY_VIEW_EARLIER_MAX 16
#define PROXY_FRESH_MS 2000 /* heartbeat and acknowledgement younger than this */
#define PROXY_DEAD_MS 1500  /* no link and no heartbeat for so long: no process */

/* Embedded in its owner; both borrowed. */
struct proxy_view {
    const struct stats_region *stats;                           /* of the proxy that we are linked with */
    const struct stats_region *earlier[PROXY_VIEW_EARLIER_MAX]; /* of those before it: some may still be at work */
    size_t earlier_count;
    uint32_t unreadable_count; /* proxies at work whose counters are of another version */
    const struct publisher *publisher;
};

struct data_plane proxy_view_data_plane(struct proxy_view *view);

void proxy_view_worker_totals(const struct proxy_view *view, struct worker_stats *sum);

/* One proxy of those before ours has ended: as far as nobody can read its counters, that was the last of its requests. */
void proxy_view_forget_unreadable(struct proxy_view *view);

/* Nobody is sending anything: the process has ended and no other has said hello yet. */
bool proxy_view_is_dead(const struct proxy_view *view);

#endif
