/* access_log: one line per request, gathered in memory and written in large pieces: one write per buffer or per tick of
 * the worker. Writing never blocks a worker: what a slow reader does not take is dropped, by whole lines, and counted.
 * One worker; several may write to one descriptor, and lines stay whole. How a line looks: proxy/log/access_log_line.h. */
#ifndef PROXY_LOG_ACCESS_LOG_H
#define PROXY_LOG_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/log/access_log_line.h"
#include "proxy/snapshot/settings.h"
#include "proxy/stats.h"

#define ACCESS_LOG_BYTES (32u * 1024) /* fits an empty pipe (16 pages) also when each piece fills half a page */

struct access_log {
    int fd;      /* borrowed; -1: off */
    char *lines; /* owned */
    size_t len;
    size_t piece_bytes; /* of one write */
    bool is_socket;
    bool is_torn; /* the last write ended inside a line, and what is next was refused */
    enum log_format format;
    uint32_t every, left_out;  /* one in `every` is written; those since the last one */
    int64_t wall_minus_now_us; /* of the two clocks, as of the last flush */
    struct access_log_clock clock;
    struct worker_stats *stats; /* borrowed */
};

/* True for what names a file, which can be moved away and opened anew: not "off", not "stdout". */
bool access_log_is_file(const char *where);

/* Opens what the configuration names: "off" gives -1, "stdout", or a file to append to. Before privileges are dropped.
 * False when it cannot be opened. The descriptor is the caller's. It does not block, unless it is a
 * socket: O_NONBLOCK would be set for all who share our standard output. */
bool access_log_open_fd(const char *where, int *fd);

void access_log_init(struct access_log *log, int fd, struct worker_stats *stats); /* JSON, every request */
void access_log_fini(struct access_log *log);                                     /* flushes */
static inline bool access_log_is_on(const struct access_log *log)
{
    return log->fd >= 0;
}
void access_log_set_format(struct access_log *log, enum log_format format, uint32_t every);

/* Flushes to the present descriptor, then goes on with this one. The old one is not used any more. */
void access_log_switch(struct access_log *log, int fd);

/* Nothing when it is off, or when the sampling leaves it out. */
void access_log_add(struct access_log *log, const struct access_record *record);
void access_log_flush(struct access_log *log);

#endif
