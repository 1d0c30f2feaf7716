#include "proxy/exchange/exchange_parts.h"

#include "base/check.h"
#include "proxy/message/proxy_protocol.h"
#include "proxy/worker/worker.h"

#include <string.h>

/* In front of everything else, when the service's tasks want to be told whom a connection is for. */
static void put_proxy_header(struct exchange *x, const struct snapshot_service *service)
{
    union endpoint_address to;
    if (!service || service->proxy_protocol == PROXY_PROTOCOL_OFF)
        return;
    bool is_known = x->client->ops->destination(x->client, &to);
    x->head->end = (uint32_t)proxy_protocol_write(service->proxy_protocol, &x->client->source.any,
                                                  is_known ? &to.any : NULL, x->head->data);
}

/* Room for a body that will be kept whole, so that it can be sent again. */
static size_t body_room(const struct exchange *x, const struct http_head *request, size_t head_room)
{
    uint64_t most = (uint64_t)worker_snapshot(x->worker)->settings.replay_bytes;
    bool fits = request->body == HTTP_BODY_LENGTH && request->content_length <= most &&
                head_room + request->content_length <= BUFFER_LARGE_BYTES;
    return fits ? (size_t)request->content_length : 0;
}

static void note_upgrade(struct exchange *x, const struct http_head *request)
{
    x->upgrade_len = 0;
    if (!request->upgrade || request->upgrade_protocol.len > sizeof x->upgrade)
        return;
    x->upgrade_len = (uint8_t)request->upgrade_protocol.len;
    memcpy(x->upgrade, request->upgrade_protocol.at, request->upgrade_protocol.len);
}

void exchange_name_endpoint(struct exchange *x)
{
    char *field = x->head->data + x->host_at;
    const char *address = x->endpoint->address_text;
    size_t len = strlen(address);
    check(len <= FORWARD_HOST_ROOM);
    memset(field, ' ', FORWARD_HOST_ROOM - len);
    memcpy(field + FORWARD_HOST_ROOM - len, address, len);
}

static struct forwarded_client describe_client(const struct exchange *x, const struct http_head *request, char port[6])
{
    const struct proxy_settings *settings = &worker_snapshot(x->worker)->settings;
    return (struct forwarded_client){ .peer = { x->client->peer, x->client->peer_len },
                                      .port = x->client->ops->port(x->client, port),
                                      .is_https = request->scheme == HTTP_SCHEME_HTTPS, /* then it is trusted */
                                      .is_trusted = x->client->is_trusted,
                                      .mode = settings->forwarded_for,
                                      .sends_forwarded = settings->sends_forwarded };
}

bool exchange_build_head(struct exchange *x, const struct http_head *request, const struct snapshot_service *service)
{
    struct worker *w = x->worker;
    char port[6];
    x->codec = &endpoint_codec_h1; /* of all services, so far */
    note_upgrade(x, request);
    x->keeps_request_id = forward_keeps_request_id(request);
    if (!x->keeps_request_id)
        request_id_write((const uint64_t[2]){ worker_random(w), worker_random(w) }, x->request_id);
    struct forward_request with = { .client = describe_client(x, request, port),
                                    .request_id = { x->request_id, sizeof x->request_id },
                                    .via = &w->via,
                                    .keeps_request_id = x->keeps_request_id,
                                    .upgrade = x->upgrade_len > 0,
                                    .sends_trailers = request->body == HTTP_BODY_CHUNKED,
                                    .host_at = 0 };
    size_t room = x->codec->request_room(request) + PROXY_PROTOCOL_WRITE_MAX;
    x->head = buffer_take(&w->buffers, room + body_room(x, request, room));
    if (!x->head)
        return false;
    put_proxy_header(x, service);
    x->method_at = x->head->end;
    x->method_len = (uint32_t)request->method_text.len;
    x->target_len = (uint32_t)request->forward_target.len;
    x->head->end +=
        (uint32_t)x->codec->write_request(request, &with, x->head->data + x->method_at, buffer_room(x->head));
    x->host_at = with.host_at ? x->method_at + (uint32_t)with.host_at : 0;
    return true;
}
