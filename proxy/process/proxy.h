/* proxy: the data plane's process. One main thread that takes snapshots (from a link or a file), builds them and hands
 * them to N worker threads, and collects what no worker holds any more. Enters its jail before the first untrusted
 * byte. */
#ifndef PROXY_PROCESS_PROXY_H
#define PROXY_PROCESS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proxy_options {
    int *listen_fds;             /* socket i of listener l: [l * sockets_per_listener + i]; owned by the process */
    size_t listen_fd_count;      /* listeners * sockets_per_listener */
    size_t sockets_per_listener; /* no fewer than workers; more after an upgrade to fewer */
    uint32_t workers;
    int link_fd;               /* frames of proxy/snapshot/snapshot_document.md; -1: none */
    int supervisor_fd;         /* base/child_channel.h; -1: none */
    int stats_fd;              /* proxy/stats.h; -1: private */
    const char *snapshot_path; /* serve this file; null: none. SIGHUP reads it again. SIGTERM drains. SIGUSR1 opens the
                                * access log anew. */
    const char *access_log;    /* off, stdout or a path */
    const char *user;          /* null: stay */
};

#define PROXY_EXIT_CUT_OFF 3

/* Returns the exit code: 0 after a drain, 1 when something failed, 2 for a bad snapshot file, PROXY_EXIT_CUT_OFF when
 * requests were cut off because the time to drain was over. */
int proxy_run(const struct proxy_options *options);

/* Reads `listeners`, `workers` and `accessLog` of a snapshot file, binds the listeners and fills the options; the caller then
 * owns listen_fds and access_log, to proxy_options_fini. False after it has said on stderr what is wrong. */
bool proxy_options_from_file(const char *path, struct proxy_options *options);
void proxy_options_fini(struct proxy_options *options);

#endif
