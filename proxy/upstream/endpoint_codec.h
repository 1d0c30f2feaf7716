/* endpoint_codec: how the tasks of a service are spoken to: what writes the head of a request for them, and what reads the heads
 * of their responses. One table a version of HTTP, chosen before the endpoint is, since all tasks of a service speak the same.
 * What goes between those heads goes over the channel of an upstream connection. Pure; any thread. */
#ifndef PROXY_UPSTREAM_ENDPOINT_CODEC_H
#define PROXY_UPSTREAM_ENDPOINT_CODEC_H

#include <stddef.h>

#include "proxy/h1/head.h"
#include "proxy/message/forward_head.h"

struct endpoint_codec {
    /* Bytes that are enough for write_request(). */
    size_t (*request_room)(const struct h1_request *request);
    /* The head as it goes to the endpoint; returns its length. It is written once, and kept for further tries. text: what `request`
     * was read from. */
    size_t (*write_request)(const struct h1_request *request, const char *text, struct forward_request *with, char *out,
                            size_t size);
    /* The next head, final or not, at the start of what has come. What it says is h1/head.h's h1_parse_response(). */
    enum h1_result (*read_response)(const char *bytes, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                    enum http_method method, struct h1_response *response, enum h1_error *error);
};

extern const struct endpoint_codec endpoint_codec_h1;

#endif
