#include "proxy/access_log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX 2048
#define TARGET_BYTES_MAX 1024 /* longer ones are cut */
#define METHOD_BYTES_MAX 8
#define SERVICE_BYTES_MAX 64
#define ESCAPED_BYTES(bytes) ((bytes)*6)

bool access_log_open_fd(const char *where, int *fd)
{
    *fd = -1;
    if (strcmp(where, "off") == 0)
        return true;
    const char *path = strcmp(where, "stdout") == 0 ? "/proc/self/fd/1" : where;
    /* Opened anew, so that O_NONBLOCK is not set for others who share our standard output. */
    *fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0640);
    if (*fd < 0 && path != where)
        *fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3); /* a socket cannot be opened anew */
    return *fd >= 0;
}

void access_log_init(struct access_log *log, int fd, struct worker_stats *stats)
{
    struct stat status;
    *log = (struct access_log){ .fd = fd, .stats = stats };
    if (fd < 0)
        return;
    log->lines = mem_alloc(ACCESS_LOG_BYTES);
    bool is_known = fstat(fd, &status) == 0;
    /* A file takes any piece whole. A pipe takes up to PIPE_BUF bytes unmixed and all or none of them (pipe(7)). */
    log->piece_bytes = is_known && S_ISREG(status.st_mode) ? ACCESS_LOG_BYTES : PIPE_BUF;
    log->is_socket = is_known && S_ISSOCK(status.st_mode);
}

void access_log_fini(struct access_log *log)
{
    access_log_flush(log);
    free(log->lines);
    log->fd = -1;
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

void access_log_flush(struct access_log *log)
{
    size_t done = 0;
    while (done < log->len) {
        ssize_t put = put_piece(log, log->lines + done, piece_len(log, done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            STATS_ADD(log->stats->log_lines_dropped, count_lines(log->lines + done, log->len - done));
            break;
        }
        done += (size_t)put;
    }
    log->len = 0;
}

/* The bytes of a JSON string: quotes and backslashes escaped, everything that is not printable ASCII as \u00XX. Of the
 * text up to `limit` bytes, and what makes at most size bytes. */
static int put_escaped(char *out, size_t size, struct slice text, size_t limit)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    for (size_t i = 0; i < text.len && i < limit && len + 6 <= size; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\')
            out[len++] = '\\';
        if (c >= 0x20 && c < 0x7f) {
            out[len++] = (char)c;
            continue;
        }
        memcpy(out + len, "\\u00", 4);
        out[len + 4] = hex[c >> 4];
        out[len + 5] = hex[c & 15];
        len += 6;
    }
    return (int)len;
}

void access_log_add(struct access_log *log, const struct access_record *r)
{
    char now[32], target[TARGET_BYTES_MAX], method[ESCAPED_BYTES(METHOD_BYTES_MAX)];
    char service[ESCAPED_BYTES(SERVICE_BYTES_MAX)];
    if (log->len + LINE_BYTES_MAX > ACCESS_LOG_BYTES)
        access_log_flush(log);
    clock_format_wall(clock_wall_us(), now);
    int method_len = put_escaped(method, sizeof method, r->method, METHOD_BYTES_MAX);
    int target_len = put_escaped(target, sizeof target, r->target, TARGET_BYTES_MAX);
    int service_len = put_escaped(service, sizeof service, slice_of(r->service), SERVICE_BYTES_MAX);
    int len = snprintf(log->lines + log->len, LINE_BYTES_MAX,
                       "{\"time\":\"%s\",\"client\":\"%s\",\"method\":\"%.*s\",\"target\":\"%.*s\",\"status\":%d,"
                       "\"end\":\"%s\",\"service\":\"%.*s\",\"endpoint\":\"%s\",\"tries\":%d,\"requestBytes\":%llu,"
                       "\"responseBytes\":%llu,\"durationUs\":%lld,\"responseUs\":%lld}\n",
                       now, r->client, method_len, method, target_len, target, r->status, r->end, service_len, service,
                       r->endpoint, r->try_count, (unsigned long long)r->request_bytes,
                       (unsigned long long)r->response_bytes, (long long)r->duration_us, (long long)r->response_us);
    if (len > 0 && len < LINE_BYTES_MAX)
        log->len += (size_t)len;
    else
        STATS_ADD(log->stats->log_lines_dropped, 1);
}
