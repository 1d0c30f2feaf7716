/* access_log: one JSON line per request, gathered in memory and written in large pieces. Writing never blocks a worker:
 * what a slow reader does not take is dropped, by whole lines, and counted. One worker; several may write to one
 * descriptor, and lines stay whole. Untrusted text is escaped. */
#ifndef PROXY_ACCESS_LOG_H
#define PROXY_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/stats.h"

#define ACCESS_LOG_BYTES (32u * 1024) /* fits an empty pipe (16 pages) also when each piece fills half a page */

struct access_record {
    const char *client, *service, *endpoint, *end; /* end: how the exchange ended */
    struct slice method, target;
    int status, try_count;
    uint64_t request_bytes, response_bytes; /* bodies */
    int64_t duration_us, response_us;       /* to the last byte, to the response head */
};

struct access_log {
    int fd;      /* borrowed; -1: off */
    char *lines; /* owned */
    size_t len;
    size_t piece_bytes; /* of one write */
    bool is_socket;
    struct worker_stats *stats; /* borrowed */
};

/* Opens what the configuration names: "off" gives -1, "stdout", or a file to append to. Before privileges are dropped.
 * False when it cannot be opened. The descriptor is the caller's. It does not block, unless it is a
 * socket: O_NONBLOCK would be set for all who share our standard output. */
bool access_log_open_fd(const char *where, int *fd);

void access_log_init(struct access_log *log, int fd, struct worker_stats *stats);
void access_log_fini(struct access_log *log); /* flushes */
static inline bool access_log_is_on(const struct access_log *log)
{
    return log->fd >= 0;
}
void access_log_add(struct access_log *log, const struct access_record *record);
void access_log_flush(struct access_log *log);

#endif
