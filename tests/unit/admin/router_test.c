#include "admin/router.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct router_match find(enum admin_method method, const char *target)
{
    struct router_match match;
    router_find(method, slice_of(target), &match);
    return match;
}

static void each_route_is_found_by_its_own_path(void **state)
{
    (void)state;
    static const struct {
        enum admin_method method;
        const char *target;
        enum admin_route_id route;
        const char *parameter;
    } rows[] = {
        { ADMIN_METHOD_GET, "/", ADMIN_ROUTE_INDEX, "" },
        { ADMIN_METHOD_GET, "/v1/services", ADMIN_ROUTE_LIST_SERVICES, "" },
        { ADMIN_METHOD_GET, "/v1/services/web", ADMIN_ROUTE_GET_SERVICE, "web" },
        { ADMIN_METHOD_PATCH, "/v1/services/web.a_b-c", ADMIN_ROUTE_PATCH_SERVICE, "web.a_b-c" },
        { ADMIN_METHOD_GET, "/v1/services/shop%2Fweb", ADMIN_ROUTE_GET_SERVICE, "shop/web" },
        { ADMIN_METHOD_GET, "/v1/services/a_b%2fevents/events", ADMIN_ROUTE_SERVICE_EVENTS, "a_b/events" },
        { ADMIN_METHOD_GET, "/v1/services/web/events", ADMIN_ROUTE_SERVICE_EVENTS, "web" },
        { ADMIN_METHOD_GET, "/v1/services/events", ADMIN_ROUTE_GET_SERVICE, "events" },
        { ADMIN_METHOD_GET, "/v1/events", ADMIN_ROUTE_LIST_EVENTS, "" },
        { ADMIN_METHOD_GET, "/v1/tasks", ADMIN_ROUTE_LIST_TASKS, "" },
        { ADMIN_METHOD_GET, "/v1/tasks/" HEX64, ADMIN_ROUTE_GET_TASK, HEX64 },
        { ADMIN_METHOD_GET, "/v1/tasks/0123456789ab", ADMIN_ROUTE_GET_TASK, "0123456789ab" },
        { ADMIN_METHOD_GET, "/v1/tasks/file/web/10.0.0.1:80", ADMIN_ROUTE_GET_TASK, "file/web/10.0.0.1:80" },
        { ADMIN_METHOD_GET, "/v1/tasks/file/web/[fd00::2]:80", ADMIN_ROUTE_GET_TASK, "file/web/[fd00::2]:80" },
        { ADMIN_METHOD_POST, "/v1/tasks/" HEX64 "/drain", ADMIN_ROUTE_DRAIN_TASK, HEX64 },
        { ADMIN_METHOD_POST, "/v1/tasks/file/web/10.0.0.1:80/drain", ADMIN_ROUTE_DRAIN_TASK, "file/web/10.0.0.1:80" },
        { ADMIN_METHOD_GET, "/v1/services/web/stopped-tasks", ADMIN_ROUTE_SERVICE_STOPPED_TASKS, "web" },
        { ADMIN_METHOD_GET, "/v1/stopped-tasks", ADMIN_ROUTE_LIST_STOPPED_TASKS, "" },
        { ADMIN_METHOD_GET, "/v1/stopped-tasks/0123456789ab", ADMIN_ROUTE_GET_STOPPED_TASK, "0123456789ab" },
        { ADMIN_METHOD_GET, "/v1/stopped-tasks/docker/web/portico-c-web-01234567", ADMIN_ROUTE_GET_STOPPED_TASK,
          "docker/web/portico-c-web-01234567" },
        { ADMIN_METHOD_GET, "/v1/taskDefinitions", ADMIN_ROUTE_LIST_TASK_DEFINITIONS, "" },
        { ADMIN_METHOD_GET, "/v1/taskDefinitions?limit=2", ADMIN_ROUTE_LIST_TASK_DEFINITIONS, "" },
        { ADMIN_METHOD_POST, "/v1/taskDefinitions?dryRun=true", ADMIN_ROUTE_REGISTER_TASK_DEFINITION, "" },
        { ADMIN_METHOD_GET, "/v1/taskDefinitions/web", ADMIN_ROUTE_GET_TASK_DEFINITION, "web" },
        { ADMIN_METHOD_GET, "/v1/taskDefinitions/web_a-b:17", ADMIN_ROUTE_GET_TASK_DEFINITION, "web_a-b:17" },
        { ADMIN_METHOD_POST, "/v1/taskDefinitions/web:1/deregister", ADMIN_ROUTE_DEREGISTER_TASK_DEFINITION, "web:1" },
        { ADMIN_METHOD_DELETE, "/v1/taskDefinitions/web:1?dryRun=true", ADMIN_ROUTE_DELETE_TASK_DEFINITION, "web:1" },
        { ADMIN_METHOD_GET, "/v1/routes", ADMIN_ROUTE_LIST_ROUTES, "" },
        { ADMIN_METHOD_GET, "/v1/openapi.json", ADMIN_ROUTE_OPENAPI, "" },
        { ADMIN_METHOD_GET, "/metrics", ADMIN_ROUTE_METRICS, "" },
        { ADMIN_METHOD_GET, "/healthz", ADMIN_ROUTE_HEALTHZ, "" },
        { ADMIN_METHOD_GET, "/readyz", ADMIN_ROUTE_READYZ, "" },
    };
    bool seen[ADMIN_ROUTE_COUNT] = { false };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct router_match match = find(rows[i].method, rows[i].target);
        if (match.outcome != ROUTER_FOUND || match.route != rows[i].route)
            fail_msg("%s: %s", rows[i].target, router_outcome_to_str(match.outcome));
        assert_string_equal(match.parameter, rows[i].parameter);
        seen[match.route] = true;
    }
    for (int id = 0; id < ADMIN_ROUTE_COUNT; id++) {
        if (!seen[id])
            fail_msg("no row for %s", router_route((enum admin_route_id)id)->path);
    }
}

static void another_spelling_of_a_path_is_not_found(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "",
        "*",
        "v1/services",
        "//",
        "//v1/services",
        "/v1//services",
        "/v1/services/",
        "/v1/services/web/",
        "/v1/./services",
        "/v1/x/../services",
        "/..",
        "/.",
        "/v1/services/.",
        "/v1/taskDefinitions/web:",
        "/v1/taskDefinitions/:1",
        "/v1/taskDefinitions/web:1:2",
        "/v1/taskDefinitions/web:x",
        "/v1/taskDefinitions/we.b:1",
        "/v1/taskDefinitions/web:12345678901",
        "/v1/services/..",
        "/v1/services/%77eb",
        "/v1%2fservices",
        "/%76%31/services",
        "/v1/services/web%00",
        "/v1/services/shop/web",
        "/v1/services/%2Fweb",
        "/v1/services/shop%2F",
        "/v1/services/a%2Fb%2Fc",
        "/v1/services/shop%2F..",
        "/v1/services/shop%2",
        "/v1/services/shop%",
        "/v1/services\\web",
        "/v1/services;a=b",
        "/v1/services#a",
        "/V1/services",
        "/v1/services/web/events/x",
        "/v1/services/a b",
        "/v1/services/\xc3\xa9",
        "/v1/services/a:b",
        "http://127.0.0.1:9900/v1/services",
        "/v1/tasks/web",
        "/v1/tasks/0123456789a",
        "/v1/tasks/" HEX64 "0",
        "/v1/tasks/0123456789AB",
        "/v1/tasks/0123456789ax",
        "/v1/tasks/file/web",
        "/v1/tasks/file/web/10.0.0.1:80/stop",
        "/v1/tasks/file/../10.0.0.1:80",
        "/v1/tasks/File/web/10.0.0.1:80",
        "/a/b/c/d/e/f/g/h/i/j/k",
    };
    static const enum admin_method methods[] = { ADMIN_METHOD_GET, ADMIN_METHOD_PATCH, ADMIN_METHOD_POST };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        for (size_t m = 0; m < 3; m++) {
            struct router_match match = find(methods[m], targets[i]);
            if (match.outcome != ROUTER_NOT_FOUND)
                fail_msg("%s: %s", targets[i], router_outcome_to_str(match.outcome));
        }
    }
}

static void a_wrong_method_is_told_the_right_ones(void **state)
{
    (void)state;
    struct router_match match = find(ADMIN_METHOD_POST, "/v1/services/web");
    assert_int_equal(match.outcome, ROUTER_METHOD_NOT_ALLOWED);
    assert_string_equal(match.allow, "GET, HEAD, PATCH");
    match = find(ADMIN_METHOD_GET, "/v1/tasks/0123456789ab/drain");
    assert_int_equal(match.outcome, ROUTER_METHOD_NOT_ALLOWED);
    assert_string_equal(match.allow, "POST");
    match = find(ADMIN_METHOD_OTHER, "/");
    assert_int_equal(match.outcome, ROUTER_METHOD_NOT_ALLOWED);
    assert_string_equal(match.allow, "GET, HEAD");
}

static void a_query_is_refused_where_no_call_takes_it(void **state)
{
    (void)state;
    assert_int_equal(find(ADMIN_METHOD_GET, "/v1/services?").outcome, ROUTER_HAS_QUERY);
    assert_int_equal(find(ADMIN_METHOD_POST, "/v1/tasks/0123456789ab/drain?force=1").outcome, ROUTER_HAS_QUERY);
    assert_int_equal(find(ADMIN_METHOD_GET, "/v1/taskDefinitions/web?x=1").outcome, ROUTER_HAS_QUERY);
    assert_int_equal(find(ADMIN_METHOD_GET, "/nowhere?x=/v1/services").outcome, ROUTER_NOT_FOUND);
}

static void an_endless_target_is_not_found(void **state)
{
    (void)state;
    static char target[100000];
    memset(target, 'a', sizeof target);
    memcpy(target, "/v1/services/", 13);
    struct router_match match;
    router_find(ADMIN_METHOD_GET, (struct slice){ target, sizeof target }, &match);
    assert_int_equal(match.outcome, ROUTER_NOT_FOUND);
    router_find(ADMIN_METHOD_GET, (struct slice){ target, 13 + 63 }, &match);
    assert_int_equal(match.outcome, ROUTER_FOUND);
    router_find(ADMIN_METHOD_GET, (struct slice){ target, 13 + 64 }, &match);
    assert_int_equal(match.outcome, ROUTER_NOT_FOUND);
    router_find(ADMIN_METHOD_GET, (struct slice){ "/v1/services/a\0b", 16 }, &match);
    assert_int_equal(match.outcome, ROUTER_NOT_FOUND);
    router_find(ADMIN_METHOD_GET, (struct slice){ NULL, 0 }, &match);
    assert_int_equal(match.outcome, ROUTER_NOT_FOUND);
}

static void only_healthz_is_open(void **state)
{
    (void)state;
    for (int id = 0; id < ADMIN_ROUTE_COUNT; id++)
        assert_int_equal(router_route((enum admin_route_id)id)->is_open, id == ADMIN_ROUTE_HEALTHZ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route_is_found_by_its_own_path),
        cmocka_unit_test(another_spelling_of_a_path_is_not_found),
        cmocka_unit_test(a_wrong_method_is_told_the_right_ones),
        cmocka_unit_test(a_query_is_refused_where_no_call_takes_it),
        cmocka_unit_test(an_endless_target_is_not_found),
        cmocka_unit_test(only_healthz_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
