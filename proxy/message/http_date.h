/* http_date: the Date field of the present second, written once for all the responses of it (RFC 9110 6.6.1). Pure but for
 * the cell; the thread that owns it. */
#ifndef PROXY_MESSAGE_HTTP_DATE_H
#define PROXY_MESSAGE_HTTP_DATE_H

#include <stdint.h>

#include "base/slice.h"

#define HTTP_DATE_LINE_BYTES 37

struct http_date {
    int64_t second; /* since 1970 */
    char line[HTTP_DATE_LINE_BYTES];
};

/* Cheap while the second is the same. From 1970 to 9999. */
void http_date_set(struct http_date *date, int64_t wall_us);

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT" with its CRLF; empty before the first http_date_set(). Borrowed from the cell. */
static inline struct slice http_date_line(const struct http_date *date)
{
    return (struct slice){ date->line, date->line[0] ? HTTP_DATE_LINE_BYTES : 0 };
}

/* The same without name and line end. */
static inline struct slice http_date_value(const struct http_date *date)
{
    return (struct slice){ date->line + 6, date->line[0] ? HTTP_DATE_LINE_BYTES - 8 : 0 };
}

#endif
