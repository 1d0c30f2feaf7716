#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/snapshot/snapshot_builder.h"

#include "base/buf.h"
#include "base/mem.h"
#include "proxy/snapshot/snapshot_fields.h"
#include "tests/unit/base/random_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS 2
#define EVERY_ROUTE "[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"}]"

struct bench {
    struct stats_region *stats;
    struct snapshot_builder *builder;
};

static int set_up(void **state)
{
    static struct bench bench;
    int fd = stats_create_fd(WORKERS, NULL);
    assert_true(fd >= 0);
    bench.stats = stats_map_writer(fd, WORKERS, NULL);
    assert_non_null(bench.stats);
    close(fd);
    bench.builder = snapshot_builder_new(bench.stats, WORKERS);
    *state = &bench;
    return 0;
}

/* Every test frees its snapshots; then no endpoint may be left. */
static int tear_down(void **state)
{
    struct bench *b = *state;
    assert_int_equal(snapshot_builder_endpoint_count(b->builder), 0);
    snapshot_builder_free(b->builder);
    stats_unmap(b->stats);
    return 0;
}

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);
    if (!value)
        fail_msg("%s: %s", text, error.text);
    return value;
}

typedef struct snapshot *(*build_cb)(struct snapshot_builder *builder, json_t *document, const struct snapshot *newest,
                                     struct error *error);

static struct snapshot *build_with(build_cb build, struct bench *b, const struct snapshot *newest, const char *text)
{
    struct error error = { "" };
    json_t *document = parse(text);
    struct snapshot *snapshot = build(b->builder, document, newest, &error);
    json_decref(document);
    if (!snapshot)
        fail_msg("%s: %s", text, error.text);
    return snapshot;
}

/* {"version":1,"serial":1,"services":SERVICES,"routes":ROUTES} */
static struct snapshot *build(struct bench *b, const struct snapshot *newest, const char *services, const char *routes)
{
    char *text = mem_printf("{\"version\":1,\"serial\":1,\"services\":%s,\"routes\":%s}", services, routes);
    struct snapshot *snapshot = build_with(snapshot_build, b, newest, text);
    free(text);
    return snapshot;
}

static struct snapshot *patch(struct bench *b, const struct snapshot *newest, const char *text)
{
    return build_with(snapshot_build_patch, b, newest, text);
}

static struct snapshot_service *service_of(const struct bench *b, const struct snapshot *snapshot, const char *name)
{
    uint32_t slot = stats_find_service(b->stats, name);
    return slot == STATS_SLOT_NONE ? NULL : snapshot->services[slot];
}

static const struct snapshot_service *match(const struct snapshot *snapshot, const char *host, const char *path)
{
    uint32_t slot = route_table_match(snapshot->routes->table, slice_of(host), slice_of(path));
    return slot == UINT32_MAX ? NULL : snapshot->services[slot];
}

static bool list_has(const struct slot_list *list, uint32_t slot)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->slots[i] == slot)
            return true;
    }
    return false;
}

static void the_smallest_document_serves_nothing(void **state)
{
    struct bench *b = *state;
    struct proxy_settings defaults;
    assert_true(snapshot_read_settings(NULL, &defaults, NULL));
    struct snapshot *s = build_with(snapshot_build, b, NULL, "{\"version\":1,\"serial\":4611686018427387904}");
    assert_int_equal(s->serial, 4611686018427387904);
    assert_memory_equal(&s->settings, &defaults, sizeof defaults);
    assert_ptr_equal(s->settings.balancer, &balancer_p2c);
    assert_int_equal(s->hold_count, WORKERS);
    for (uint32_t w = 0; w < WORKERS; w++)
        assert_ptr_equal(s->holds[w].snapshot, s);
    assert_null(match(s, "a", "/"));
    assert_int_equal(s->endpoints_gone.count + s->endpoints_back.count, 0);
    snapshot_free(b->builder, s);
}

static void a_document_becomes_services_endpoints_and_routes(void **state)
{
    struct bench *b = *state;
    struct snapshot *s = build_with(
        snapshot_build, b, NULL,
        "{\"version\":1,\"serial\":7,\"settings\":{\"balancer\":\"round_robin\",\"retries\":0},\"workers\":2,"
        "\"accessLog\":\"off\",\"listeners\":[],"
        "\"services\":[{\"name\":\"web\",\"endpoints\":[{\"id\":\"a\",\"address\":\"10.0.0.1:80\"},"
        "{\"id\":\"b\",\"address\":\"[::1]:80\",\"weight\":1000}]},{\"name\":\"empty\",\"endpoints\":[]},"
        "{\"name\":\"bare\"}],"
        "\"routes\":[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"},"
        "{\"host\":\"x\",\"path\":\"/e\",\"service\":\"empty\"}]}");
    struct snapshot_service *web = service_of(b, s, "web");
    assert_string_equal(web->name, "web");
    assert_int_equal(web->endpoint_count, 2);
    assert_string_equal(web->endpoints[0].endpoint->key, "a 10.0.0.1:80");
    assert_int_equal(web->endpoints[0].weight, 1);
    assert_int_equal(web->endpoints[1].weight, 1000);
    assert_int_equal(web->endpoints[1].slot, web->endpoints[1].endpoint->slot);
    assert_int_equal(service_of(b, s, "bare")->endpoint_count, 0);
    assert_ptr_equal(match(s, "x", "/"), web);
    assert_ptr_equal(match(s, "x", "/e"), service_of(b, s, "empty"));
    assert_ptr_equal(s->settings.balancer, &balancer_round_robin);
    assert_int_equal(s->settings.retries, 0);
    assert_int_equal(s->endpoints_back.count, 2);
    snapshot_free(b->builder, s);
}

struct bad_case {
    const char *path, *text; /* how the error starts */
};

static void check_refused(struct bench *b, build_cb build_one, const struct snapshot *newest, const struct bad_case *c)
{
    struct error error = { "" };
    size_t before = snapshot_builder_endpoint_count(b->builder);
    json_t *document = parse(c->text);
    if (build_one(b->builder, document, newest, &error))
        fail_msg("%s was accepted", c->text);
    json_decref(document);
    if (strncmp(error.text, c->path, strlen(c->path)) != 0)
        fail_msg("%s\n'%s' does not start with '%s'", c->text, error.text, c->path);
    assert_true(strlen(error.text) > strlen(c->path));
    assert_int_equal(snapshot_builder_endpoint_count(b->builder), before);
}

#define DOCUMENT(rest) "{\"version\":1,\"serial\":1," rest "}"
#define ENDPOINT "{\"id\":\"a\",\"address\":\"10.0.0.1:80\"}"
#define SERVICES(list) DOCUMENT("\"services\":[" list "]")
#define ENDPOINTS(list) SERVICES("{\"name\":\"web\",\"endpoints\":[" ENDPOINT "," list "]}")
#define ROUTES(list) DOCUMENT("\"services\":[{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}],\"routes\":[" list "]")
#define ROUTE "{\"host\":\"h\",\"path\":\"/\",\"service\":\"web\"}"

static void every_kind_of_bad_document_is_refused_with_a_path(void **state)
{
    struct bench *b = *state;
    static const struct bad_case cases[] = {
        { "document:", "[]" },
        { "document:", "null" },
        { "version:", "{}" },
        { "document.version:", "{\"version\":2,\"serial\":1}" },
        { "document.version:", "{\"version\":\"1\",\"serial\":1}" },
        { "serial:", "{\"version\":1}" },
        { "document.serial:", "{\"version\":1,\"serial\":0}" },
        { "document.serial:", "{\"version\":1,\"serial\":4611686018427387905}" },
        { "document.serial:", "{\"version\":1,\"serial\":1.5}" },
        { "document.type:", DOCUMENT("\"type\":\"snapshot\"") },
        { "settings.balancer:", DOCUMENT("\"settings\":{\"balancer\":\"x\"}") },
        { "settings.limits.headBytes:", DOCUMENT("\"settings\":{\"limits\":{\"headBytes\":1}}") },
        { "services:", DOCUMENT("\"services\":{}") },
        { "services[0]:", SERVICES("7") },
        { "services[0].name:", SERVICES("{}") },
        { "services[0].name:", SERVICES("{\"name\":\"\"}") },
        { "services[0].colour:", SERVICES("{\"name\":\"web\",\"colour\":1}") },
        { "services[0]:", SERVICES("{\"name\":\"web\",\"endpoints\":{}}") },
        { "services[1].name:", SERVICES("{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]},{\"name\":\"web\"}") },
        { "services[1].endpoints[0].id:",
          SERVICES("{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]},{\"name\":\"b\",\"endpoints\":[{}]}") },
        { "services[0].endpoints[1]:", ENDPOINTS("[]") },
        { "services[0].endpoints[1].port:", ENDPOINTS("{\"id\":\"b\",\"address\":\"10.0.0.1:80\",\"port\":1}") },
        { "services[0].endpoints[1].id:", ENDPOINTS("{\"address\":\"10.0.0.1:80\"}") },
        { "services[0].endpoints[1].id:", ENDPOINTS("{\"id\":5,\"address\":\"10.0.0.1:80\"}") },
        { "services[0].endpoints[1].address:", ENDPOINTS("{\"id\":\"b\"}") },
        { "services[0].endpoints[1].address:", ENDPOINTS("{\"id\":\"b\",\"address\":\"web:80\"}") },
        { "services[0].endpoints[1].address:", ENDPOINTS("{\"id\":\"b\",\"address\":\"10.0.0.1:0\"}") },
        { "services[0].endpoints[1].weight:", ENDPOINTS("{\"id\":\"b\",\"address\":\"10.0.0.1:80\",\"weight\":0}") },
        { "services[0].endpoints[1].weight:", ENDPOINTS("{\"id\":\"b\",\"address\":\"10.0.0.1:80\",\"weight\":1001}") },
        { "services[0].endpoints[1]:", ENDPOINTS(ENDPOINT) },
        { "routes:", DOCUMENT("\"routes\":7") },
        { "routes[0]:", ROUTES("[]") },
        { "routes[0].host:", ROUTES("{\"path\":\"/\",\"service\":\"web\"}") },
        { "routes[0].path:", ROUTES("{\"host\":\"h\",\"service\":\"web\"}") },
        { "routes[0].service:", ROUTES("{\"host\":\"h\",\"path\":\"/\"}") },
        { "routes[0].service:", ROUTES("{\"host\":\"h\",\"path\":\"/\",\"service\":\"other\"}") },
        { "routes[0].port:", ROUTES("{\"host\":\"h\",\"path\":\"/\",\"service\":\"web\",\"port\":1}") },
        { "routes[1]:", ROUTES(ROUTE ",{\"host\":\"H\",\"path\":\"/\",\"service\":\"web\"}") },
        { "routes[1]:", ROUTES(ROUTE ",{\"host\":\"h:80\",\"path\":\"/\",\"service\":\"web\"}") },
        { "routes[1]:", ROUTES(ROUTE ",{\"host\":\"h\",\"path\":\"x\",\"service\":\"web\"}") },
        { "routes[1]:", ROUTES(ROUTE "," ROUTE) },
    };
    struct snapshot *newest =
        build(b, NULL, "[{\"name\":\"other\"},{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}]", "[]");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_refused(b, snapshot_build, NULL, &cases[i]);
        check_refused(b, snapshot_build, newest, &cases[i]);
    }
    assert_int_equal(service_of(b, newest, "web")->endpoints[0].endpoint->routes, 1); /* as if nothing had been */
    snapshot_free(b->builder, newest);
}

static void names_that_are_too_long_are_refused(void **state)
{
    struct bench *b = *state;
    char name[2000];
    memset(name, 'n', sizeof name);
    static const size_t lengths[] = { STATS_NAME_SIZE, 1999 };
    for (size_t i = 0; i < 2; i++) {
        char *text = mem_printf(SERVICES("{\"name\":\"%.*s\"}"), (int)lengths[i], name);
        check_refused(b, snapshot_build, NULL, &(struct bad_case){ "services[0]:", text });
        free(text);
        text = mem_printf(ENDPOINTS("{\"id\":\"%.*s\",\"address\":\"10.0.0.1:80\"}"), (int)lengths[i], name);
        check_refused(b, snapshot_build, NULL, &(struct bad_case){ "services[0].endpoints[1]", text });
        free(text);
        text = mem_printf(DOCUMENT("\"%.*s\":1"), (int)lengths[i], name);
        check_refused(b, snapshot_build, NULL, &(struct bad_case){ "document.nnn", text });
        free(text);
    }
}

static void more_services_than_rows_are_refused_and_leave_nothing(void **state)
{
    struct bench *b = *state;
    struct buf text;
    buf_init(&text, 0);
    buf_append_text(&text, "{\"version\":1,\"serial\":1,\"services\":[");
    for (int i = 0; i <= STATS_SERVICES_MAX; i++) {
        if (i == STATS_SERVICES_MAX) { /* as many as there are rows are served */
            buf_append_text(&text, "]}");
            snapshot_free(b->builder, build_with(snapshot_build, b, NULL, buf_text(&text)));
            text.len -= 2;
        }
        buf_printf(&text, "%s{\"name\":\"s%d\",\"endpoints\":[" ENDPOINT "]}", i ? "," : "", i);
    }
    buf_append_text(&text, "]}");
    check_refused(b, snapshot_build, NULL, &(struct bad_case){ "services[2048]:", buf_text(&text) });
    buf_fini(&text);
    snapshot_free(b->builder, build(b, NULL, "[{\"name\":\"fresh\"}]", "[]")); /* rows can be had again */
}

static void equal_services_are_shared_and_changed_ones_are_not(void **state)
{
    struct bench *b = *state;
    static const char same[] = "{\"name\":\"same\",\"endpoints\":[" ENDPOINT "]}";
    char *services = mem_printf("[%s,{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}]", same);
    struct snapshot *one = build(b, NULL, services, EVERY_ROUTE), *two = build(b, one, services, EVERY_ROUTE);
    assert_ptr_equal(service_of(b, one, "same"), service_of(b, two, "same"));
    assert_ptr_equal(service_of(b, one, "web"), service_of(b, two, "web"));
    free(services);
    static const char *const changes[] = {
        "[{\"id\":\"a\",\"address\":\"10.0.0.1:80\",\"weight\":2}]",
        "[{\"id\":\"b\",\"address\":\"10.0.0.1:80\"}]",
        "[{\"id\":\"a\",\"address\":\"10.0.0.1:81\"}]",
        "[]",
        "[" ENDPOINT ",{\"id\":\"b\",\"address\":\"10.0.0.1:80\"}]",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        services = mem_printf("[{\"name\":\"web\",\"endpoints\":%s},%s]", changes[i], same);
        struct snapshot *next = build(b, two, services, EVERY_ROUTE);
        assert_ptr_equal(service_of(b, next, "same"), service_of(b, two, "same"));
        assert_ptr_not_equal(service_of(b, next, "web"), service_of(b, two, "web"));
        assert_int_equal(service_of(b, next, "web")->slot, service_of(b, two, "web")->slot);
        free(services);
        snapshot_free(b->builder, two);
        two = next;
    }
    snapshot_free(b->builder, one);
    assert_int_equal(service_of(b, two, "same")->refs, 1);
    snapshot_free(b->builder, two);
}

static void an_endpoint_keeps_its_slot_while_any_snapshot_names_it(void **state)
{
    struct bench *b = *state;
    struct snapshot *one = build(b, NULL, "[{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}]", EVERY_ROUTE);
    const struct endpoint *a = service_of(b, one, "web")->endpoints[0].endpoint;
    uint32_t slot = a->slot;
    struct snapshot *two = build(b, one, "[{\"name\":\"web\",\"endpoints\":[]}]", EVERY_ROUTE);
    assert_int_equal(snapshot_builder_endpoint_count(b->builder), 1); /* the old one still serves by it */
    struct snapshot *three = build(
        b, two, "[{\"name\":\"api\",\"endpoints\":[{\"id\":\"c\",\"address\":\"10.0.0.9:1\"}," ENDPOINT "]}]", "[]");
    assert_ptr_equal(service_of(b, three, "api")->endpoints[1].endpoint, a);
    assert_int_equal(service_of(b, three, "api")->endpoints[1].slot, slot);
    assert_int_not_equal(service_of(b, three, "api")->endpoints[0].slot, slot);
    snapshot_free(b->builder, one);
    snapshot_free(b->builder, two);
    assert_int_equal(snapshot_builder_endpoint_count(b->builder), 2);
    snapshot_free(b->builder, three);
}

static void what_leaves_and_what_comes_back_is_listed(void **state)
{
    struct bench *b = *state;
    struct snapshot *one = build(b, NULL, "[{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}]", EVERY_ROUTE);
    uint32_t a = service_of(b, one, "web")->endpoints[0].slot;
    assert_true(list_has(&one->endpoints_back, a));
    assert_int_equal(one->endpoints_gone.count, 0);
    struct snapshot *two =
        build(b, one, "[{\"name\":\"web\",\"endpoints\":[{\"id\":\"b\",\"address\":\"10.0.0.2:80\"}]}]", EVERY_ROUTE);
    uint32_t second = service_of(b, two, "web")->endpoints[0].slot;
    assert_true(list_has(&two->endpoints_gone, a));
    assert_true(list_has(&two->endpoints_back, second));
    assert_int_equal(two->endpoints_gone.count, 1);
    assert_int_equal(two->endpoints_back.count, 1);
    struct snapshot *three = build(b, two, "[{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}]", EVERY_ROUTE);
    assert_true(list_has(&three->endpoints_gone, second));
    assert_true(list_has(&three->endpoints_back, a));
    struct snapshot *four = build(b, three, "[{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}]", EVERY_ROUTE);
    assert_int_equal(four->endpoints_gone.count + four->endpoints_back.count, 0);
    struct snapshot *five = build(b, four, "[]", "[]");
    assert_true(list_has(&five->endpoints_gone, a));
    snapshot_free(b->builder, one);
    snapshot_free(b->builder, two);
    snapshot_free(b->builder, three);
    snapshot_free(b->builder, four);
    snapshot_free(b->builder, five);
}

static void an_endpoint_that_another_service_still_has_is_not_gone(void **state)
{
    struct bench *b = *state;
    static const char both[] = "[{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]},{\"name\":\"api\",\"endpoints\":"
                               "[" ENDPOINT "]}]";
    struct snapshot *one = build(b, NULL, both, EVERY_ROUTE);
    uint32_t a = service_of(b, one, "web")->endpoints[0].slot;
    struct snapshot *two = build(b, one, "[{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}]", EVERY_ROUTE);
    assert_false(list_has(&two->endpoints_gone, a));
    struct snapshot *moved =
        build(b, two, "[{\"name\":\"web\"},{\"name\":\"api\",\"endpoints\":[" ENDPOINT "]}]", EVERY_ROUTE);
    assert_false(list_has(&moved->endpoints_gone, a));
    struct snapshot *none = build(b, moved, "[{\"name\":\"web\"},{\"name\":\"api\"}]", EVERY_ROUTE);
    assert_true(list_has(&none->endpoints_gone, a));
    snapshot_free(b->builder, one);
    snapshot_free(b->builder, two);
    snapshot_free(b->builder, moved);
    snapshot_free(b->builder, none);
}

static void a_patch_changes_what_it_names_and_shares_the_rest(void **state)
{
    struct bench *b = *state;
    struct snapshot *one =
        build_with(snapshot_build, b, NULL,
                   DOCUMENT("\"settings\":{\"balancer\":\"least_conn\",\"retries\":1},\"services\":[{\"name\":\"web\","
                            "\"endpoints\":[" ENDPOINT "]},{\"name\":\"same\",\"endpoints\":[" ENDPOINT
                            "]}],\"routes\":" EVERY_ROUTE));
    struct snapshot *two = patch(b, one,
                                 "{\"type\":\"patch\",\"serial\":2,\"services\":[{\"name\":\"web\",\"endpoints\":[]},"
                                 "{\"name\":\"new\",\"endpoints\":[{\"id\":\"n\",\"address\":\"10.0.0.3:80\"}]}]}");
    assert_int_equal(two->serial, 2);
    assert_ptr_equal(two->routes, one->routes);
    assert_ptr_equal(two->settings.balancer, &balancer_least_conn);
    assert_int_equal(two->settings.retries, 1);
    assert_ptr_equal(service_of(b, two, "same"), service_of(b, one, "same"));
    assert_int_equal(service_of(b, two, "web")->endpoint_count, 0);
    assert_int_equal(service_of(b, two, "new")->endpoint_count, 1);
    assert_int_equal(two->endpoints_gone.count, 0); /* "same" has it still */
    assert_true(list_has(&two->endpoints_back, service_of(b, two, "new")->endpoints[0].slot));
    struct snapshot *three = patch(b, two, "{\"type\":\"patch\",\"serial\":3,\"settings\":{\"retries\":3}}");
    assert_int_equal(three->settings.retries, 3);
    assert_ptr_equal(three->settings.balancer, &balancer_p2c); /* replaced whole */
    assert_ptr_equal(match(three, "x", "/"), service_of(b, three, "web"));
    struct snapshot *four =
        patch(b, three, "{\"serial\":4,\"routes\":[{\"host\":\"n\",\"path\":\"/\",\"service\":\"new\"}]}");
    assert_null(match(four, "x", "/"));
    assert_ptr_equal(match(four, "n", "/"), service_of(b, four, "new"));
    snapshot_free(b->builder, one);
    snapshot_free(b->builder, two);
    snapshot_free(b->builder, three);
    assert_ptr_equal(match(four, "n", "/"), service_of(b, four, "new"));
    snapshot_free(b->builder, four);
}

static void a_patch_removes_services(void **state)
{
    struct bench *b = *state;
    struct snapshot *one = build(b, NULL, "[{\"name\":\"web\"},{\"name\":\"old\",\"endpoints\":[" ENDPOINT "]}]",
                                 "[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"},"
                                 "{\"host\":\"*\",\"path\":\"/old\",\"service\":\"old\"}]");
    uint32_t a = service_of(b, one, "old")->endpoints[0].slot;
    struct snapshot *two = patch(b, one, "{\"serial\":2,\"removedServices\":[\"old\"],\"routes\":" EVERY_ROUTE "}");
    assert_null(service_of(b, two, "old"));
    assert_ptr_equal(match(two, "x", "/old"), service_of(b, two, "web"));
    assert_true(list_has(&two->endpoints_gone, a));
    assert_non_null(service_of(b, one, "old")); /* the one before is as it was */
    snapshot_free(b->builder, one);
    assert_int_equal(snapshot_builder_endpoint_count(b->builder), 0);
    struct snapshot *three = patch(b, two, "{\"serial\":3,\"services\":[{\"name\":\"old\"}]}");
    assert_non_null(service_of(b, three, "old"));
    snapshot_free(b->builder, two);
    snapshot_free(b->builder, three);
}

static void bad_patches_are_refused_and_change_nothing(void **state)
{
    struct bench *b = *state;
    static const struct bad_case cases[] = {
        { "patch:", "[]" },
        { "serial:", "{}" },
        { "patch.version:", "{\"version\":1,\"serial\":2}" },
        { "patch.listeners:", "{\"serial\":2,\"listeners\":[]}" },
        { "settings.retries:", "{\"serial\":2,\"settings\":{\"retries\":9}}" },
        { "services[0].endpoints[0].address:",
          "{\"serial\":2,\"services\":[{\"name\":\"web\",\"endpoints\":[{\"id\":\"z\",\"address\":\"z\"}]}]}" },
        { "services[1].name:", "{\"serial\":2,\"services\":[{\"name\":\"web\"},{\"name\":\"web\"}]}" },
        { "removedServices:", "{\"serial\":2,\"removedServices\":\"web\",\"routes\":[]}" },
        { "removedServices[0]:", "{\"serial\":2,\"removedServices\":[\"nobody\"],\"routes\":[]}" },
        { "removedServices[0]:", "{\"serial\":2,\"removedServices\":[7],\"routes\":[]}" },
        { "removedServices[1]:", "{\"serial\":2,\"removedServices\":[\"web\",\"web\"],\"routes\":[]}" },
        { "routes:", "{\"serial\":2,\"removedServices\":[\"web\"]}" },
        { "routes[0].service:", "{\"serial\":2,\"removedServices\":[\"web\"],\"routes\":" EVERY_ROUTE "}" },
        { "routes:", "{\"serial\":2,\"routes\":{}}" },
    };
    struct snapshot *newest = build(b, NULL, "[{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}]", EVERY_ROUTE);
    struct snapshot_service *web = service_of(b, newest, "web");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(b, snapshot_build_patch, newest, &cases[i]);
    assert_int_equal(web->refs, 1);
    assert_int_equal(newest->routes->refs, 1);
    assert_int_equal(web->endpoints[0].endpoint->routes, 1);
    check_refused(b, snapshot_build_patch, NULL, &(struct bad_case){ "patch:", "{\"serial\":2}" });
    snapshot_free(b->builder, newest);
}

static void a_services_row_is_released_with_its_last_snapshot(void **state)
{
    struct bench *b = *state;
    struct snapshot *one = build(b, NULL, "[{\"name\":\"web\"}]", "[]");
    uint32_t slot = service_of(b, one, "web")->slot;
    stats_services(b->stats, 0)[slot].requests = 5;
    struct snapshot *two = build(b, one, "[]", "[]");
    snapshot_free(b->builder, one);
    struct snapshot *three = build(b, two, "[{\"name\":\"web\"}]", "[]"); /* back before the row was needed */
    assert_int_equal(service_of(b, three, "web")->slot, slot);
    assert_int_equal(stats_services(b->stats, 0)[slot].requests, 5);
    snapshot_free(b->builder, two);
    snapshot_free(b->builder, three);
}

/* A snapshot that is on its way back has rows too: they may be all that is wanted. */
static void nothing_is_called_in_before_older_snapshots_have_come_back(void **state)
{
    struct bench *b = *state;
    static uint32_t others[STATS_ENDPOINTS_MAX];
    size_t count = 0;
    char id[16];
    struct row_set rows;
    struct snapshot *one = build(b, NULL, "[{\"name\":\"web\",\"endpoints\":[" ENDPOINT "]}]", EVERY_ROUTE);
    struct snapshot_row kept = { .endpoint = service_of(b, one, "web")->endpoints[0].endpoint };
    struct snapshot *two = build(b, one, "[]", "[]");
    snapshot_keep_row(b->builder, kept);
    while (stats_free_endpoints(b->stats) > 0) {
        snprintf(id, sizeof id, "x%zu", count);
        others[count++] = stats_claim_endpoint(b->stats, id, "-");
    }
    check_refused(b, snapshot_build, two,
                  &(struct bad_case){ "services[0].endpoints[0].address: too many",
                                      "{\"version\":1,\"serial\":3,\"services\":[{\"name\":\"web\","
                                      "\"endpoints\":[{\"id\":\"new\",\"address\":\"1.2.3.4:80\"}]}]}" });
    assert_false(snapshot_call_rows_in(b->builder, true, &rows));
    snapshot_free(b->builder, one);
    while (count > 0)
        stats_release_endpoint(b->stats, others[--count]);
    assert_false(snapshot_call_rows_in(b->builder, false, &rows));
    snapshot_return_row(b->builder, kept);
    snapshot_free(b->builder, two);
}

/* Random services over a few endpoints, as documents and as patches; a few snapshots are kept alive. The lists of
 * changes, applied one after the other, always give the endpoints that the newest one names. */
static char *random_services(uint64_t *random)
{
    struct buf text;
    buf_init(&text, 0);
    buf_append_text(&text, "[");
    for (int s = 0; s < 4; s++) {
        if (random_below(random, 3) == 0)
            continue;
        buf_printf(&text, "%s{\"name\":\"s%d\",\"endpoints\":[", text.len > 1 ? "," : "", s);
        bool is_first = true;
        for (int e = 0; e < 6; e++) {
            if (random_below(random, 2)) {
                buf_printf(&text, "%s{\"id\":\"e%d\",\"address\":\"10.0.0.1:80\"}", is_first ? "" : ",", e);
                is_first = false;
            }
        }
        buf_append_text(&text, "]}");
    }
    buf_append_text(&text, "]");
    buf_text(&text);
    return text.at;
}

static void check_in_rotation(const struct snapshot *snapshot, bool *is_in)
{
    static bool named[STATS_ENDPOINTS_MAX];
    memset(named, 0, sizeof named);
    for (size_t i = 0; i < snapshot->endpoints_gone.count; i++)
        is_in[snapshot->endpoints_gone.slots[i]] = false;
    for (size_t i = 0; i < snapshot->endpoints_back.count; i++)
        is_in[snapshot->endpoints_back.slots[i]] = true;
    for (size_t s = 0; s < STATS_SERVICES_MAX; s++) {
        const struct snapshot_service *service = snapshot->services[s];
        for (size_t e = 0; service && e < service->endpoint_count; e++)
            named[service->endpoints[e].slot] = true;
    }
    assert_memory_equal(named, is_in, sizeof named);
}

static void any_sequence_of_changes_adds_up(void **state)
{
    struct bench *b = *state;
    static bool is_in[STATS_ENDPOINTS_MAX];
    struct snapshot *alive[4] = { NULL }, *newest = NULL;
    uint64_t random = 9;
    memset(is_in, 0, sizeof is_in);
    for (int round = 0; round < 400; round++) {
        char *services = random_services(&random);
        bool is_patch = newest && random_below(&random, 2);
        char *text =
            mem_printf(is_patch ? "{\"serial\":%d,\"services\":%s}" : "{\"version\":1,\"serial\":%d,\"services\":%s}",
                       round + 1, services);
        newest = build_with(is_patch ? snapshot_build_patch : snapshot_build, b, newest, text);
        check_in_rotation(newest, is_in);
        if (alive[round % 4])
            snapshot_free(b->builder, alive[round % 4]);
        alive[round % 4] = newest;
        free(text);
        free(services);
    }
    for (int i = 0; i < 4; i++)
        snapshot_free(b->builder, alive[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_smallest_document_serves_nothing),
        TEST(a_document_becomes_services_endpoints_and_routes),
        TEST(every_kind_of_bad_document_is_refused_with_a_path),
        TEST(names_that_are_too_long_are_refused),
        TEST(more_services_than_rows_are_refused_and_leave_nothing),
        TEST(equal_services_are_shared_and_changed_ones_are_not),
        TEST(an_endpoint_keeps_its_slot_while_any_snapshot_names_it),
        TEST(what_leaves_and_what_comes_back_is_listed),
        TEST(an_endpoint_that_another_service_still_has_is_not_gone),
        TEST(a_patch_changes_what_it_names_and_shares_the_rest),
        TEST(a_patch_removes_services),
        TEST(bad_patches_are_refused_and_change_nothing),
        TEST(a_services_row_is_released_with_its_last_snapshot),
        TEST(nothing_is_called_in_before_older_snapshots_have_come_back),
        TEST(any_sequence_of_changes_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
