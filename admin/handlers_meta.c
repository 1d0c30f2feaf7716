#include "admin/handlers.h"

#include "admin/json_field.h"
#include "admin/metrics.h"
#include "admin/openapi.h"

static json_t *readiness_to_json(const struct admin_readiness *row)
{
    json_t *object = json_object();
#define ADMIN_FIELDS_OF_READINESS
#define ADMIN_FIELD(schema, kind, key, value, help) json_object_set_new(object, #key, json_field_##kind(value));
#include "admin/json_fields.def"
    return object;
}

void admin_get_index(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    (void)request;
    json_t *rows = json_array();
    for (int id = 0; id < ADMIN_ROUTE_COUNT; id++) {
        const struct admin_route *route = router_route((enum admin_route_id)id);
        json_array_append_new(rows, json_pack("{s:s,s:s,s:s}", "method", admin_method_to_str(route->method), "path",
                                              route->path, "summary", route->summary));
    }
    admin_reply_json(
        reply, 200,
        json_pack("{s:s,s:o,s:o}", "name", "portico", "version", json_field_text(parts->version), "routes", rows));
}

void admin_get_openapi(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    (void)request;
    admin_reply_json(reply, 200, openapi_document(parts->version));
}

void admin_get_metrics(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    (void)request;
    reply->status = 200;
    reply->content_type = METRICS_CONTENT_TYPE;
    if (!metrics_render(parts, &reply->body))
        admin_reply_error(reply, 500, "too_large", NULL, "the metrics are larger than %u bytes", REPLY_BODY_BYTES_MAX);
}

void admin_get_healthz(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    (void)parts;
    (void)request;
    admin_reply_json(reply, 200, json_pack("{s:s}", "status", "ok"));
}

void admin_get_readyz(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    (void)request;
    struct admin_readiness readiness = { .ready = true };
    if (parts->daemon && parts->daemon->readiness)
        parts->daemon->readiness(parts->daemon_owner, &readiness);
    admin_reply_json(reply, readiness.ready ? 200 : 503, readiness_to_json(&readiness));
}
