/* fleet: the workers as the main thread sees them: starts their threads, gives them snapshots, learns who has taken and
 * who has given back which, and frees what nobody holds. Main thread only. Publishing cannot fail. */
#ifndef PROXY_PROCESS_FLEET_H
#define PROXY_PROCESS_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/loop.h"
#include "proxy/stats.h"

struct fleet;

struct fleet_callbacks {
    void (*on_taken)(void *owner, uint64_t serial); /* every worker serves by it now */
    void (*on_draining)(void *owner);               /* no worker begins anything new any more */
    void (*on_stopped)(void *owner);                /* every worker has drained, or was ended, and its thread is gone */
};

struct fleet_options {
    struct loop *loop; /* borrowed, like everything here */
    struct stats_region *stats;
    const int *listen_fds; /* socket i of listener l: [l * sockets_per_listener + i]; worker i % workers has it */
    size_t listener_count, sockets_per_listener; /* no fewer than workers */
    uint32_t workers;
    int access_log_fd; /* -1: off; the fleet's to close */
};

struct fleet *fleet_new(const struct fleet_options *options, const struct fleet_callbacks *callbacks, void *owner);
void fleet_free(struct fleet *fleet); /* after on_stopped, not inside it */

/* False with an error when the document is refused; then nothing has changed. */
bool fleet_publish(struct fleet *fleet, json_t *document, struct error *error);
bool fleet_publish_patch(struct fleet *fleet, json_t *patch, struct error *error);
uint64_t fleet_serial(const struct fleet *fleet);  /* of the newest published; 0: none */
int64_t fleet_drain_ms(const struct fleet *fleet); /* how long a drain may take */
/* Asks every worker to turn its loop. False: one has not done so since it was asked last. One that leaves is not asked. */
bool fleet_ping(struct fleet *fleet);

/* Each goes further than the one before (proxy/worker/worker.h); on_stopped ends them. */
void fleet_retire(struct fleet *fleet); /* a successor has the listening sockets */
void fleet_drain(struct fleet *fleet);  /* nothing new; what is under way ends by itself */
void fleet_end(struct fleet *fleet);    /* now, with a line in the access log for each request that is cut off */
uint32_t fleet_cut_off_count(const struct fleet *fleet); /* of these; after on_stopped */
/* Every worker flushes to the present descriptor and goes on with this one; when the last has done so, the old one is
 * closed. Owned by the fleet from here on. Nothing when there is no access log. */
void fleet_switch_access_log(struct fleet *fleet, int fd);

#endif
