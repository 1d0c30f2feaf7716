#include "proxy/access_log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 2048
#define TARGET_BYTES_MAX 1024 /* longer ones are cut */

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
    *log = (struct access_log){ .fd = fd, .stats = stats };
    if (fd >= 0)
        log->lines = mem_alloc(ACCESS_LOG_BYTES);
}

void access_log_fini(struct access_log *log)
{
    access_log_flush(log);
    free(log->lines);
    log->fd = -1;
}

void access_log_flush(struct access_log *log)
{
    size_t done = 0;
    while (done < log->len) {
        ssize_t put = write(log->fd, log->lines + done, log->len - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            STATS_ADD(log->stats->log_lines_dropped, log->pending_lines);
            break;
        }
        done += (size_t)put;
    }
    log->len = 0;
    log->pending_lines = 0;
}

/* The bytes of a JSON string: quotes and backslashes escaped, everything that is not printable ASCII as \u00XX. */
static size_t put_escaped(char *out, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    for (size_t i = 0; i < text.len && i < TARGET_BYTES_MAX && len + 6 < TARGET_BYTES_MAX; i++) {
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
    return len;
}

void access_log_add(struct access_log *log, const struct access_record *r)
{
    char now[32], target[TARGET_BYTES_MAX], method[64];
    if (log->len + LINE_BYTES_MAX > ACCESS_LOG_BYTES)
        access_log_flush(log);
    clock_format_wall(clock_wall_us(), now);
    int method_len = (int)put_escaped(method, (struct slice){ r->method.at, r->method.len < 8 ? r->method.len : 8 });
    int target_len = (int)put_escaped(target, r->target);
    int len = snprintf(log->lines + log->len, LINE_BYTES_MAX,
                       "{\"time\":\"%s\",\"client\":\"%s\",\"method\":\"%.*s\",\"target\":\"%.*s\",\"status\":%d,"
                       "\"end\":\"%s\",\"service\":\"%.64s\",\"endpoint\":\"%s\",\"tries\":%d,\"requestBytes\":%llu,"
                       "\"responseBytes\":%llu,\"durationUs\":%lld,\"responseUs\":%lld}\n",
                       now, r->client, method_len, method, target_len, target, r->status, r->end, r->service,
                       r->endpoint, r->try_count, (unsigned long long)r->request_bytes,
                       (unsigned long long)r->response_bytes, (long long)r->duration_us, (long long)r->response_us);
    if (len <= 0 || len >= LINE_BYTES_MAX)
        return;
    log->len += (size_t)len;
    log->pending_lines++;
}
