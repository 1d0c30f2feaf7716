#include "proxy/upstream/endpoint_codec.h"

#include "proxy/h1/head.h"
#include "proxy/worker/worker.h"

static size_t request_room(const struct http_head *request)
{
    return forward_request_room(request);
}

static enum endpoint_reading read_response(struct worker *w, struct slice came, enum http_method method,
                                           bool is_lenient, size_t *resume_at, const struct http_head **head)
{
    enum h1_error cause;
    struct h1_limits limits = w->head_limits;
    limits.is_lenient = is_lenient;
    enum h1_result result = h1_parse_response(came.at, came.len, &limits, resume_at, method, &w->response, &cause);
    *head = &w->response.head;
    if (result == H1_DONE)
        return ENDPOINT_HEAD_READ;
    if (result == H1_MORE)
        return ENDPOINT_HEAD_GOES_ON;
    fault_in_head(&w->fault, "response-head", h1_error_to_str(cause), came, w->response.head.head_bytes);
    return ENDPOINT_HEAD_MALFORMED;
}

const struct endpoint_codec endpoint_codec_h1 = {
    .request_room = request_room,
    .write_request = forward_request_head,
    .read_response = read_response,
};
