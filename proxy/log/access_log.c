#include "proxy/log/access_log.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proxy/log/termination.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

bool access_log_is_file(const char *where)
{
    return strcmp(where, "off") != 0 && strcmp(where, "stdout") != 0;
}

bool access_log_open_fd(const char *where, int *fd)
{
    *fd = -1;
    if (strcmp(where, "off") == 0)
        return true;
    const char *path = strcmp(where, "stdout") == 0 ? "/proc/self/fd/1" : where;
    /* Opened anew, so that O_NONBLOCK is not set for others who share our standard output. */
    *fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
    if (*fd < 0 && path != where)
        *fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3); /* a socket cannot be opened anew */
    return *fd >= 0;
}

static void set_fd(struct access_log *log, int fd)
{
    struct stat status;
    bool is_known = fd >= 0 && fstat(fd, &status) == 0;
    log->fd = fd;
    /* A file takes any piece whole. A pipe takes up to PIPE_BUF bytes unmixed and all or none of them (pipe(7)). */
    log->piece_bytes = is_known && S_ISREG(status.st_mode) ? ACCESS_LOG_BYTES : PIPE_BUF;
    log->is_socket = is_known && S_ISSOCK(status.st_mode);
    log->is_torn = false;
}

static void read_wall_clock(struct access_log *log)
{
    log->wall_minus_now_us = clock_wall_us() - clock_now_us();
}

void access_log_init(struct access_log *log, int fd, struct worker_stats *stats)
{
    *log = (struct access_log){ .stats = stats, .every = 1 };
    set_fd(log, fd);
    if (fd < 0)
        return;
    log->lines = mem_alloc(ACCESS_LOG_BYTES);
    read_wall_clock(log);
}

void access_log_fini(struct access_log *log)
{
    access_log_flush(log);
    free(log->lines);
    log->fd = -1;
}

void access_log_set_format(struct access_log *log, enum log_format format, uint32_t every)
{
    log->format = format;
    log->every = every ? every : 1;
}

void access_log_switch(struct access_log *log, int fd)
{
    if (!access_log_is_on(log))
        return;
    access_log_flush(log);
    set_fd(log, fd);
}

/* As many whole lines from `from` on as fit one piece: a line is shorter than a piece. */
static size_t piece_len(const struct access_log *log, size_t from)
{
    const char *first = log->lines + from;
    if (log->len - from <= log->piece_bytes)
        return log->len - from;
    const char *newline = memrchr(first, '\n', log->piece_bytes);
    return (size_t)(newline + 1 - first);
}

/* A socket is our standard output itself: O_NONBLOCK on it would be the others' too. */
static ssize_t put_piece(const struct access_log *log, const char *at, size_t len)
{
    return log->is_socket ? send(log->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL) : write(log->fd, at, len);
}

static uint64_t count_lines(const char *at, size_t len)
{
    uint64_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += at[i] == '\n';
    return count;
}

/* A full disk may have cut a line, whose rest was then dropped: the next one must not be taken for it. */
static bool end_torn_line(struct access_log *log)
{
    if (log->is_torn && put_piece(log, "\n", 1) == 1)
        log->is_torn = false;
    return !log->is_torn;
}

/* How much of it has been taken; less than all when the reader is behind, gone, or the disk is full. */
static size_t put_lines(struct access_log *log)
{
    size_t done = 0;
    if (log->len == 0 || !end_torn_line(log))
        return 0;
    while (done < log->len) {
        ssize_t put = put_piece(log, log->lines + done, piece_len(log, done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        done += (size_t)put;
    }
    log->is_torn = done > 0 && log->lines[done - 1] != '\n';
    return done;
}

void access_log_flush(struct access_log *log)
{
    if (!access_log_is_on(log))
        return;
    size_t done = put_lines(log);
    if (done < log->len)
        STATS_ADD(log->stats->log_lines_dropped, count_lines(log->lines + done, log->len - done));
    log->len = 0;
    read_wall_clock(log);
}

static bool is_left_out(struct access_log *log, const struct access_record *r)
{
    if (log->every <= 1 || r->is_forced || termination_is_failure(r->termination ? r->termination : "--", r->status))
        return false;
    if (++log->left_out < log->every)
        return true;
    log->left_out = 0;
    return false;
}

void access_log_add(struct access_log *log, const struct access_record *r)
{
    if (!access_log_is_on(log) || is_left_out(log, r))
        return;
    if (log->len + ACCESS_LOG_LINE_BYTES > ACCESS_LOG_BYTES)
        access_log_flush(log);
    int64_t wall_us = r->started_at_us + log->wall_minus_now_us;
    char *out = log->lines + log->len;
    log->len += log->format == LOG_FORMAT_COMBINED ? access_log_line_combined(&log->clock, wall_us, r, out)
                                                   : access_log_line_json(&log->clock, wall_us, r, out);
}
