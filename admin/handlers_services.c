#include "admin/handlers.h"

#include "admin/json_field.h"
#include "admin/patch_body.h"
#include "admin/refusal.h"

#include <math.h>
#include <string.h>

static json_t *service_to_json(const struct service_status *row)
{
    json_t *object = json_object();
#define ADMIN_FIELDS_OF_SERVICE
#define ADMIN_FIELD(schema, kind, key, value, help) json_object_set_new(object, #key, json_field_##kind(value));
#include "admin/json_fields.def"
    return object;
}

static json_t *event_to_json(const struct controller_event *row)
{
    json_t *object = json_object();
#define ADMIN_FIELDS_OF_EVENT
#define ADMIN_FIELD(schema, kind, key, value, help) json_object_set_new(object, #key, json_field_##kind(value));
#include "admin/json_fields.def"
    return object;
}

static void add_service(void *owner, const struct service_status *status)
{
    json_array_append_new(owner, service_to_json(status));
}

static void add_event(void *owner, const struct controller_event *event)
{
    json_array_append_new(owner, event_to_json(event));
}

static void reply_no_service(struct admin_reply *reply, const char *name)
{
    admin_reply_error(reply, 404, "not_found", NULL, "no service is named %s", name);
}

static void reply_events(const struct admin_parts *parts, const char *service, struct admin_reply *reply)
{
    json_t *events = json_array();
    controller_each_event(parts->controller, service, add_event, events);
    admin_reply_json(reply, 200, json_pack("{s:o}", "events", events));
}

/* The controller's text begins with the field that it is about, or names none. */
static const char *blamed_field(const char *text)
{
    static const char *const fields[] = { "desiredCount", "min", "max" };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        size_t len = strlen(fields[i]);
        if (strncmp(text, fields[i], len) == 0 && (text[len] == ':' || text[len] == ' '))
            return fields[i];
    }
    return NULL;
}

void admin_get_services(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    (void)request;
    json_t *services = json_array();
    controller_each_service(parts->controller, add_service, services);
    admin_reply_json(reply, 200, json_pack("{s:o}", "services", services));
}

void admin_get_service(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    struct service_status status;
    if (!controller_find_service(parts->controller, request->parameter, &status)) {
        reply_no_service(reply, request->parameter);
        return;
    }
    admin_reply_json(reply, 200, service_to_json(&status));
}

void admin_patch_service(const struct admin_parts *parts, const struct admin_request *request,
                         struct admin_reply *reply)
{
    struct service_patch patch;
    struct patch_problem problem = { .field = "" };
    struct error error = { .text = "" };
    if (!patch_body_parse_service(request->body, &patch, &problem)) {
        admin_reply_error(reply, 400, "invalid_request", *problem.field ? problem.field : NULL, "%s", problem.message);
        return;
    }
    enum controller_result result = controller_patch_service(parts->controller, request->parameter, &patch, &error);
    if (result == CONTROLLER_OK)
        admin_get_service(parts, request, reply);
    else
        admin_reply_refused(reply, result, blamed_field(error.text), &error);
}

void admin_get_service_events(const struct admin_parts *parts, const struct admin_request *request,
                              struct admin_reply *reply)
{
    struct service_status status;
    if (controller_find_service(parts->controller, request->parameter, &status))
        reply_events(parts, status.name, reply);
    else
        reply_no_service(reply, request->parameter);
}

void admin_get_events(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    (void)request;
    reply_events(parts, NULL, reply);
}
