#include "admin/openapi.h"

#include "admin/query.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/router.h"

static json_t *operation_of(json_t *document, const struct admin_route *route)
{
    char method[16] = "";
    const char *name = admin_method_to_str(route->method);
    for (size_t i = 0; name[i]; i++)
        method[i] = (char)tolower((unsigned char)name[i]);
    return json_object_get(json_object_get(json_object_get(document, "paths"), route->path), method);
}

static void every_route_has_an_operation_and_there_is_no_other(void **state)
{
    (void)state;
    json_t *document = openapi_document("1.2.3");
    size_t operation_count = 0;
    const char *path;
    json_t *operations;
    for (int id = 0; id < ADMIN_ROUTE_COUNT; id++) {
        const struct admin_route *route = router_route((enum admin_route_id)id);
        json_t *operation = operation_of(document, route);
        if (!json_is_object(operation))
            fail_msg("missing: %s %s", admin_method_to_str(route->method), route->path);
        assert_string_equal(json_string_value(json_object_get(operation, "summary")), route->summary);
        size_t parameter_count = strchr(route->path, '{') ? 1 : 0;
        for (size_t i = 0; i < query_row_count; i++)
            parameter_count += query_rows[i].route == (enum admin_route_id)id;
        assert_int_equal(json_array_size(json_object_get(operation, "parameters")), parameter_count);
    }
    json_object_foreach (json_object_get(document, "paths"), path, operations)
        operation_count += json_object_size(operations);
    assert_int_equal(operation_count, ADMIN_ROUTE_COUNT);
    json_decref(document);
}

static void check_references(json_t *value, json_t *schemas)
{
    static const char prefix[] = "#/components/schemas/";
    const char *key;
    size_t i;
    json_t *member;
    json_object_foreach (value, key, member) {
        if (strcmp(key, "$ref") == 0) {
            const char *target = json_string_value(member);
            assert_memory_equal(target, prefix, sizeof prefix - 1);
            if (!json_object_get(schemas, target + sizeof prefix - 1))
                fail_msg("dangling: %s", target);
        }
        check_references(member, schemas);
    }
    json_array_foreach (value, i, member)
        check_references(member, schemas);
}

static void every_reference_has_a_schema(void **state)
{
    (void)state;
    json_t *document = openapi_document("1.2.3");
    assert_string_equal(json_string_value(json_object_get(document, "openapi")), "3.0.3");
    json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    assert_true(json_object_size(schemas) >= 12);
    check_references(document, schemas);
    json_t *service = json_object_get(json_object_get(schemas, "Service"), "properties");
    assert_int_equal(json_object_size(service), 23);
    json_t *rate = json_object_get(service, "requestsPerSecond");
    assert_true(json_is_true(json_object_get(rate, "nullable")));
    json_decref(document);
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

/* Run from the root of the source tree, as make does. */
static void the_manual_names_every_route_and_every_field(void **state)
{
    (void)state;
    char *manual = read_whole("docs/admin-api.md");
    assert_non_null(manual);
    for (int id = 0; id < ADMIN_ROUTE_COUNT; id++) {
        const struct admin_route *route = router_route((enum admin_route_id)id);
        char heading[128];
        snprintf(heading, sizeof heading, "\n### %s %s\n", admin_method_to_str(route->method), route->path);
        if (!strstr(manual, heading))
            fail_msg("docs/admin-api.md has no heading%s", heading);
    }
    static const char *const schemas[] = { "Service", "Task", "StoppedTask", "Event", "Route", "Readiness" };
    json_t *document = openapi_document("1.2.3");
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        json_t *components = json_object_get(json_object_get(document, "components"), "schemas");
        const char *key;
        json_t *member;
        json_object_foreach (json_object_get(json_object_get(components, schemas[i]), "properties"), key, member) {
            char name[64];
            snprintf(name, sizeof name, "\"%s\":", key);
            if (!strstr(manual, name))
                fail_msg("docs/admin-api.md shows no field %s of %s", name, schemas[i]);
        }
    }
    json_decref(document);
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_has_an_operation_and_there_is_no_other),
        cmocka_unit_test(every_reference_has_a_schema),
        cmocka_unit_test(the_manual_names_every_route_and_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
