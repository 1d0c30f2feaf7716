/* control: the process that decides: configuration, discovery, health checks, controller, admin API, and the snapshots
 * for the proxy. One loop, one thread; the store has another (controller/store/write_thread.h). This module only wires
 * the others together. It may open the Docker socket; no client's byte reaches it but through the admin API. */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control_options {
    const char *config_path;
    const char *state_dir; /* the supervisor's: a file that cannot be read does not say where the last good copy is */
    const char *listeners; /* the supervisor's: see bound_listeners in daemon/publish/snapshot_writer.h */
    int link_fd;           /* to the proxy; -1: the supervisor sends one */
    int supervisor_fd;     /* base/child_channel.h */
    int admin_fd;          /* bound and listening */
    int *stats_fds;        /* proxy/stats.h: our proxy's, then those of earlier ones */
    size_t stats_fd_count;
    int64_t control_restarts; /* 0: the first start, which may be refused; later ones must come up */
    int64_t proxy_starts, upgrades;
    int64_t unreadable_proxies; /* earlier ones at work whose counters are of another version */
    bool succeeds;              /* an earlier proxy serves until ours does */
    bool is_provisional; /* there is a way back until the supervisor commits: nothing is written that it would meet */
};

/* Returns the exit code: 0 when told to stop, 2 when the first start is refused, 1 when another one is better. */
int control_run(const struct control_options *options);

#endif
