/* proxy_view: the data plane as the controller and the admin API see it (controller/traffic.h): numbers from the shared
 * memory, rotation from the publisher. Control thread only. What the shared memory says is untrusted: numbers, nothing
 * more. */
#ifndef DAEMON_PROXY_VIEW_H
#define DAEMON_PROXY_VIEW_H

#include <stdbool.h>

#include "controller/traffic.h"
#include "daemon/publisher.h"
#include "proxy/stats.h"

#define PROXY_FRESH_MS 2000 /* heartbeat and acknowledgement younger than this */
#define PROXY_DEAD_MS 1500  /* no link and no heartbeat for so long: no process */

/* Embedded in its owner; both borrowed. */
struct proxy_view {
    const struct stats_region *stats;
    const struct publisher *publisher;
};

struct data_plane proxy_view_data_plane(struct proxy_view *view);

/* Nobody is sending anything: the process has ended and no other has said hello yet. */
bool proxy_view_is_dead(const struct proxy_view *view);

#endif
