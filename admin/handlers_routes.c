#include "admin/handlers.h"

#include "admin/json_field.h"

static void add_route(void *owner, const struct admin_route_row *row)
{
    json_t *object = json_object();
#define ADMIN_FIELDS_OF_ROUTE
#define ADMIN_FIELD(schema, kind, key, value, help) json_object_set_new(object, #key, json_field_##kind(value));
#include "admin/json_fields.def"
    json_array_append_new(owner, object);
}

void admin_get_routes(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    (void)request;
    json_t *rows = json_array();
    if (parts->daemon && parts->daemon->each_route)
        parts->daemon->each_route(parts->daemon_owner, add_route, rows);
    admin_reply_json(reply, 200, json_pack("{s:o}", "routes", rows));
}
