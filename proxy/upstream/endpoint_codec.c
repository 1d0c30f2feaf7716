#include "proxy/upstream/endpoint_codec.h"

static size_t request_room(const struct h1_request *request)
{
    return forward_request_room(request);
}

const struct endpoint_codec endpoint_codec_h1 = {
    .request_room = request_room,
    .write_request = forward_request_head,
    .read_response = h1_parse_response,
};
