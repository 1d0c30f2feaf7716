#include "admin/openapi.h"

#include "admin/json_field.h"
#include "admin/patch_body.h"
#include "admin/query.h"
#include "admin/router.h"
#include "base/check.h"

#include <ctype.h>
#include <string.h>

/* One member of a schema, described by the kind that writes it. */
struct field_row {
    const char *schema, *key, *help;
    json_t *(*describe)(void);
};

static json_t *describe_text(void)
{
    return json_pack("{s:s}", "type", "string");
}

static json_t *describe_text_or_null(void)
{
    return json_pack("{s:s,s:b}", "type", "string", "nullable", 1);
}

static json_t *describe_count(void)
{
    return json_pack("{s:s,s:i}", "type", "integer", "minimum", 0);
}

static json_t *describe_count_or_null(void)
{
    return json_pack("{s:s,s:i,s:b}", "type", "integer", "minimum", 0, "nullable", 1);
}

static json_t *describe_flag(void)
{
    return json_pack("{s:s}", "type", "boolean");
}

static json_t *describe_real_or_null(void)
{
    return json_pack("{s:s,s:b}", "type", "number", "nullable", 1);
}

static json_t *describe_lines_or_null(void)
{
    return json_pack("{s:s,s:{s:s},s:b}", "type", "array", "items", "type", "string", "nullable", 1);
}

static json_t *describe_time_or_null(void)
{
    return json_pack("{s:s,s:s,s:b}", "type", "string", "format", "date-time", "nullable", 1);
}

static const struct field_row fields[] = {
#define ADMIN_FIELDS_OF_SERVICE
#define ADMIN_FIELDS_OF_TASK
#define ADMIN_FIELDS_OF_STOPPED_TASK
#define ADMIN_FIELDS_OF_EVENT
#define ADMIN_FIELDS_OF_ROUTE
#define ADMIN_FIELDS_OF_READINESS
#define ADMIN_FIELD(schema, kind, key, value, help) { #schema, #key, help, describe_##kind },
#include "admin/json_fields.def"
};

static json_t *reference(const char *schema)
{
    return json_pack("{s:s+}", "$ref", "#/components/schemas/", schema);
}

/* An object with every field always there; anything else is a change of the API. */
static json_t *new_object_schema(void)
{
    return json_pack("{s:s,s:[],s:{}}", "type", "object", "required", "properties");
}

static void add_property(json_t *schema, const char *key, json_t *property, bool is_required)
{
    json_object_set_new(json_object_get(schema, "properties"), key, property);
    if (is_required)
        json_array_append_new(json_object_get(schema, "required"), json_string(key));
}

static void add_field_schemas(json_t *schemas)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_t *schema = json_object_get(schemas, fields[i].schema);
        if (!schema) {
            schema = new_object_schema();
            json_object_set_new(schemas, fields[i].schema, schema);
        }
        json_t *property = fields[i].describe();
        json_object_set_new(property, "description", json_string(fields[i].help));
        add_property(schema, fields[i].key, property, true);
    }
}

static void add_list_schema(json_t *schemas, const char *name, const char *key, const char *item)
{
    json_t *schema = new_object_schema();
    add_property(schema, key, json_pack("{s:s,s:o}", "type", "array", "items", reference(item)), true);
    json_object_set_new(schemas, name, schema);
}

static void add_patch_schema(json_t *schemas)
{
    static const char *const keys[] = { "desiredCount", "min", "max" };
    json_t *properties = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set_new(properties, keys[i],
                            json_pack("{s:s,s:i,s:i}", "type", "integer", "minimum", 0, "maximum", PATCH_COUNT_MAX));
    json_object_set_new(schemas, "ServicePatch",
                        json_pack("{s:s,s:b,s:i,s:o}", "type", "object", "additionalProperties", 0, "minProperties", 1,
                                  "properties", properties));
}

static void add_error_schema(json_t *schemas)
{
    json_t *error = new_object_schema();
    add_property(error, "code", describe_text(), true);
    add_property(error, "message", describe_text(), true);
    add_property(error, "field", describe_text(), false);
    json_t *schema = new_object_schema();
    add_property(schema, "error", error, true);
    json_object_set_new(schemas, "Error", schema);
}

static void add_index_schema(json_t *schemas)
{
    json_t *row = new_object_schema();
    add_property(row, "method", describe_text(), true);
    add_property(row, "path", describe_text(), true);
    add_property(row, "summary", describe_text(), true);
    json_t *schema = new_object_schema();
    add_property(schema, "name", describe_text(), true);
    add_property(schema, "version", describe_text(), true);
    add_property(schema, "routes", json_pack("{s:s,s:o}", "type", "array", "items", row), true);
    json_object_set_new(schemas, "Index", schema);
}

/* A definition has ECS's fields and some of ours; docs/task-definitions.md has them all. */
static void add_task_definition_schemas(json_t *schemas)
{
    json_t *row = new_object_schema(), *list = new_object_schema(), *definition = new_object_schema();
    static const char *const texts[] = { "name", "family", "status", "registeredBy" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add_property(row, texts[i], describe_text(), true);
    add_property(row, "revision", describe_count(), true);
    add_property(row, "registeredAt", describe_time_or_null(), true);
    add_property(list, "taskDefinitions", json_pack("{s:s,s:o}", "type", "array", "items", row), true);
    add_property(list, "nextAfter", describe_text_or_null(), true);
    json_object_set_new(schemas, "TaskDefinitionList", list);
    for (size_t i = 1; i < sizeof texts / sizeof *texts; i++)
        add_property(definition, texts[i], describe_text(), true);
    add_property(definition, "revision", describe_count(), true);
    json_t *answer = new_object_schema();
    add_property(answer, "taskDefinition", definition, false);
    add_property(answer, "dryRun", describe_flag(), false);
    add_property(answer, "name", describe_text(), false);
    json_object_set_new(schemas, "TaskDefinitionAnswer", answer);
    json_object_set_new(schemas, "TaskDefinition", json_pack("{s:s}", "type", "object"));
}

static json_t *new_schemas(void)
{
    json_t *schemas = json_object();
    add_field_schemas(schemas);
    add_list_schema(schemas, "ServiceList", "services", "Service");
    add_list_schema(schemas, "TaskList", "tasks", "Task");
    add_list_schema(schemas, "StoppedTaskList", "stoppedTasks", "StoppedTask");
    add_list_schema(schemas, "EventList", "events", "Event");
    add_list_schema(schemas, "RouteList", "routes", "Route");
    add_patch_schema(schemas);
    add_task_definition_schemas(schemas);
    add_error_schema(schemas);
    add_index_schema(schemas);
    json_t *health = new_object_schema();
    add_property(health, "status", describe_text(), true);
    json_object_set_new(schemas, "Health", health);
    json_object_set_new(schemas, "OpenApi", json_pack("{s:s}", "type", "object"));
    json_object_set_new(schemas, "MetricsText", describe_text());
    return schemas;
}

static json_t *new_content(const char *media_type, const char *schema)
{
    return json_pack("{s:{s:o}}", media_type, "schema", reference(schema));
}

static json_t *new_answer(const char *description, const char *schema)
{
    const char *media_type = strcmp(schema, "MetricsText") == 0 ? "text/plain" : "application/json";
    return json_pack("{s:s,s:o}", "description", description, "content", new_content(media_type, schema));
}

static json_t *describe_query(enum query_kind kind)
{
    if (kind == QUERY_COUNT)
        return json_pack("{s:s,s:i,s:i}", "type", "integer", "minimum", 1, "maximum", QUERY_COUNT_MAX);
    return kind == QUERY_FLAG ? describe_flag() : describe_text();
}

static json_t *new_parameters(enum admin_route_id id, const char *path)
{
    json_t *parameters = json_array();
    for (size_t i = 0; i < query_row_count; i++)
        if (query_rows[i].route == id)
            json_array_append_new(parameters, json_pack("{s:s,s:s,s:s,s:o}", "name", query_rows[i].name, "in", "query",
                                                        "description", query_rows[i].help, "schema",
                                                        describe_query(query_rows[i].kind)));
    const char *open = strchr(path, '{');
    if (open)
        json_array_append_new(parameters, json_pack("{s:s#,s:s,s:b,s:o}", "name", open + 1, (int)strcspn(open + 1, "}"),
                                                    "in", "path", "required", 1, "schema", describe_text()));
    return parameters;
}

static json_t *new_answers(enum admin_route_id id, const struct admin_route *route)
{
    json_t *answers = json_object();
    const char *good = id == ADMIN_ROUTE_DRAIN_TASK ? "202" : "200";
    json_object_set_new(answers, good, new_answer(route->summary, route->schema));
    if (id == ADMIN_ROUTE_REGISTER_TASK_DEFINITION)
        json_object_set_new(answers, "201", new_answer("Registered", route->schema));
    if (id == ADMIN_ROUTE_READYZ)
        json_object_set_new(answers, "503", new_answer("Not ready", route->schema));
    json_object_set_new(answers, "default", new_answer("Refused or failed", "Error"));
    return answers;
}

static json_t *new_operation(enum admin_route_id id, const struct admin_route *route)
{
    json_t *operation = json_pack("{s:s,s:s,s:o,s:o}", "operationId", route->handler_name, "summary", route->summary,
                                  "parameters", new_parameters(id, route->path), "responses", new_answers(id, route));
    if (id == ADMIN_ROUTE_PATCH_SERVICE)
        json_object_set_new(
            operation, "requestBody",
            json_pack("{s:b,s:o}", "required", 1, "content", new_content("application/json", "ServicePatch")));
    if (id == ADMIN_ROUTE_REGISTER_TASK_DEFINITION)
        json_object_set_new(
            operation, "requestBody",
            json_pack("{s:b,s:o}", "required", 1, "content", new_content("application/json", "TaskDefinition")));
    if (route->is_open)
        json_object_set_new(operation, "security", json_array());
    return operation;
}

static json_t *new_paths(void)
{
    json_t *paths = json_object();
    for (int id = 0; id < ADMIN_ROUTE_COUNT; id++) {
        const struct admin_route *route = router_route((enum admin_route_id)id);
        char method[16] = "";
        const char *name = admin_method_to_str(route->method);
        for (size_t i = 0; name[i] && i + 1 < sizeof method; i++)
            method[i] = (char)tolower((unsigned char)name[i]);
        json_t *path = json_object_get(paths, route->path);
        if (!path) {
            path = json_object();
            json_object_set_new(paths, route->path, path);
        }
        json_object_set_new(path, method, new_operation((enum admin_route_id)id, route));
    }
    return paths;
}

json_t *openapi_document(const char *version)
{
    json_t *document = json_pack("{s:s,s:{s:s,s:o},s:[{s:[]}],s:o,s:{s:o,s:{s:{s:s,s:s}}}}", "openapi", "3.0.3", "info",
                                 "title", "Portico admin API", "version", json_field_text(version), "security",
                                 "bearer", "paths", new_paths(), "components", "schemas", new_schemas(),
                                 "securitySchemes", "bearer", "type", "http", "scheme", "bearer");
    check(document != NULL);
    return document;
}
