/* access_log_line: one request as one line of text, as a JSON object or in the combined format of web servers. Untrusted
 * text is escaped, so that a line is one line and of printable ASCII only; what is too long is cut. Pure but for the
 * cache of the second's text; no allocation, no printf: this is on the request path. The thread that owns the cache. */
#ifndef PROXY_LOG_ACCESS_LOG_LINE_H
#define PROXY_LOG_ACCESS_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/message/fault.h"

/* The longest line, with its newline. Less than PIPE_BUF. */
#define ACCESS_LOG_LINE_BYTES 3584

/* A zeroed one is a request of which nothing is known. Texts are borrowed; null and "" are alike. */
struct access_record {
    int64_t started_at_us; /* monotonic; head complete, or the moment of the refusal */
    const char *client, *service, *endpoint;
    const char *protocol;               /* "1.0", "1.1" */
    const char *end;                    /* how the exchange ended */
    const char *termination;            /* two letters, see proxy/log/termination.h */
    const char *desync, *desync_reason; /* unless compliant */
    const char *fault, *fault_place;    /* what was wrong with a refused message, and in which part of it; or null */
    uint64_t fault_at;                  /* bytes from the start of that part */
    struct slice fault_line;            /* that it is in, hostile */
    struct slice method, target, host, request_id;
    struct slice referer, user_agent; /* of the combined format only */
    int status;                       /* 0: none was sent */
    int try_count;
    uint16_t client_port;                   /* 0: unknown */
    bool is_reused;                         /* the request went over a pooled connection */
    bool is_forced;                         /* written whatever the sampling says */
    uint64_t request_bytes, response_bytes; /* bodies */
    /* From started_at_us to the request's last byte, to the response head, to the end; and of the last connect. */
    int64_t request_us, response_us, duration_us, connect_us;
};

/* Borrows the line. */
void access_record_set_fault(struct access_record *record, const struct fault *fault);

/* The text of a second, which many lines share; a long request brings an earlier one back, so there are a few. */
#define ACCESS_LOG_SECONDS 4
struct access_log_second {
    int64_t second; /* since 1970 */
    char json[20], combined[27];
};
struct access_log_clock {
    struct access_log_second seconds[ACCESS_LOG_SECONDS];
};

/* wall_us: of the start, since 1970. At most ACCESS_LOG_LINE_BYTES go to out, which must have room for them. The length,
 * with the newline. */
size_t access_log_line_json(struct access_log_clock *clock, int64_t wall_us, const struct access_record *record,
                            char *out);
size_t access_log_line_combined(struct access_log_clock *clock, int64_t wall_us, const struct access_record *record,
                                char *out);

/* The value of the first field line of that name (lower case) in a request head that has been parsed before; empty
 * without one. What is behind the head is not looked at. */
struct slice access_log_find_field(struct slice head, struct slice name);

#endif
