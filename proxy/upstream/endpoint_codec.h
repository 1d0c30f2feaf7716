/* endpoint_codec: how the tasks of a service are spoken to: what writes the head of a request for them, and what reads the heads
 * of their responses. One table a version of HTTP, chosen before the endpoint is, since all tasks of a service speak the same.
 * What goes between those heads goes over the channel of an upstream connection. One worker. */
#ifndef PROXY_UPSTREAM_ENDPOINT_CODEC_H
#define PROXY_UPSTREAM_ENDPOINT_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "proxy/http/head.h"
#include "proxy/message/forward_head.h"

struct worker;

enum endpoint_reading {
    ENDPOINT_HEAD_READ = 0,
    ENDPOINT_HEAD_GOES_ON, /* more of it must come */
    ENDPOINT_HEAD_MALFORMED
};

struct endpoint_codec {
    /* Bytes that are enough for write_request(). */
    size_t (*request_room)(const struct http_head *request);
    /* The head as it goes to the endpoint; returns its length. It is written once, and kept for further tries. */
    size_t (*write_request)(const struct http_head *request, struct forward_request *with, char *out, size_t size);
    /* The next head, final or not, at the start of what has come, of the answer to such a request. READ: *head, which is valid until
     * the next call and while `came` is where it is. MALFORMED: w->fault says why. *resume_at: 0 at first, and kept between calls
     * for one head. */
    enum endpoint_reading (*read_response)(struct worker *w, struct slice came, enum http_method method,
                                           bool is_lenient, size_t *resume_at, const struct http_head **head);
};

extern const struct endpoint_codec endpoint_codec_h1;

#endif
