#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/publish/publication.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/load.h"
#include "daemon/publish/snapshot_writer.h"
#include "proxy/snapshot/snapshot_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench {
    struct task_registry *registry;
    uint8_t provider;
    struct publication *publication;
    struct config *config;
};

static void on_change(void *owner, const char *service)
{
    struct bench *b = owner;
    publication_note_service(b->publication, service);
}

static void configure(struct bench *b, const char *yaml)
{
    struct config_problems problems;
    struct config *config = config_load_text("test", yaml, strlen(yaml), &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_message("%s\n", problems.lines[i]);
    config_problems_fini(&problems);
    assert_non_null(config);
    publication_apply_config(b->publication, config);
    config_free(b->config);
    b->config = config;
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    b->registry = task_registry_new();
    b->provider = task_registry_add_provider(b->registry, "test");
    b->publication = publication_new(b->registry, "inside,edge+proxy");
    task_registry_set_listener(b->registry, on_change, b);
    configure(b, "services: []");
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    publication_free(b->publication);
    task_registry_free(b->registry);
    config_free(b->config);
    free(b);
    return 0;
}

static void put_task_that_wants(struct bench *b, const char *id, const char *service, const char *address,
                                const char *host, const char *proxy_protocol)
{
    struct task_spec spec = { .weight = 1, .state = TASK_RUNNING };
    snprintf(spec.id, sizeof spec.id, "%s", id);
    snprintf(spec.name, sizeof spec.name, "container-%s", id);
    snprintf(spec.service, sizeof spec.service, "%s", service);
    snprintf(spec.address, sizeof spec.address, "%s", address);
    snprintf(spec.host, sizeof spec.host, "%s", host);
    snprintf(spec.path, sizeof spec.path, "%s", host[0] ? "/" : "");
    snprintf(spec.proxy_protocol, sizeof spec.proxy_protocol, "%s", proxy_protocol);
    assert_true(task_registry_apply(b->registry, b->provider, &spec));
    task_registry_set_probe(b->registry, id, TASK_HEALTH_UP, "");
}

static void put_task(struct bench *b, const char *id, const char *service, const char *address, const char *host)
{
    put_task_that_wants(b, id, service, address, host, "");
}

static void assert_frame(json_t *frame, const char *expected)
{
    if (!expected) {
        assert_null(frame);
        return;
    }
    assert_non_null(frame);
    json_object_del(frame, "settings");
    json_t *document = json_object_get(frame, "document");
    if (document)
        json_object_del(document, "settings");
    char *text = json_to_text(frame);
    assert_string_equal(text, expected);
    free(text);
    json_decref(frame);
}

static void assert_patch(struct bench *b, uint64_t serial, const char *expected)
{
    assert_frame(publication_write_patch(b->publication, serial), expected);
}

static void assert_snapshot(struct bench *b, uint64_t serial, const char *expected)
{
    assert_frame(publication_write_snapshot(b->publication, serial), expected);
}

static void skip_snapshot(struct bench *b, uint64_t serial)
{
    json_decref(publication_write_snapshot(b->publication, serial));
}

static void assert_listeners(struct bench *b, uint64_t serial, const char *expected)
{
    json_t *frame = publication_write_snapshot(b->publication, serial);
    char *text =
        json_to_text(json_object_get(json_object_get(json_object_get(frame, "document"), "settings"), "listeners"));
    assert_string_equal(text, expected);
    free(text);
    json_decref(frame);
}

#define LISTENER(proxy, connections)                                                                          \
    "{\"proxyProtocol\":" proxy ",\"connectionsPerWorker\":" connections ",\"requestsPerSecondPerWorker\":0," \
    "\"bodyBytesPerSecondPerWorker\":0}"

/* The sockets are those of the start, in its order; the file may say otherwise by now. */
static void limits_go_to_the_listener_of_that_name_and_a_proxy_header_is_wanted_where_it_was(void **state)
{
    struct bench *b = *state;
    configure(b, "proxy: {trustedProxies: [127.0.0.1]}\n"
                 "listeners: [{name: edge, address: '*:1', connectionsPerWorker: 7},\n"
                 "            {name: more, address: '*:3', connectionsPerWorker: 8},\n"
                 "            {name: inside, address: '*:2', connectionsPerWorker: 9, proxyProtocol: true}]\n");
    assert_listeners(b, 1, "[" LISTENER("false", "9") "," LISTENER("true", "7") "]");
    configure(b, "listeners: [{name: other, address: '*:1', connectionsPerWorker: 7}]");
    assert_listeners(b, 2, "[" LISTENER("false", "0") "," LISTENER("true", "0") "]");
}

static void an_empty_world_gives_an_empty_document(void **state)
{
    assert_snapshot(*state, 1,
                    "{\"type\":\"snapshot\",\"document\":{\"version\":1,\"serial\":1,\"services\":[],\"routes\":[]}}");
}

static void a_service_of_the_configuration_has_its_route_before_its_first_task(void **state)
{
    struct bench *b = *state;
    configure(b, "services: [{name: web, host: a.test, path: /x, image: i, port: 80}]");
    assert_snapshot(b, 5,
                    "{\"type\":\"snapshot\",\"document\":{\"version\":1,\"serial\":5,"
                    "\"services\":[{\"name\":\"web\",\"endpoints\":[]}],"
                    "\"routes\":[{\"host\":\"a.test\",\"path\":\"/x\",\"service\":\"web\"}]}}");
}

static void the_configuration_says_which_proxy_header_its_tasks_want(void **state)
{
    struct bench *b = *state;
    configure(b, "services: [{name: web, host: a.test, image: i, port: 80, proxyProtocol: v2}]");
    put_task_that_wants(b, "1", "web", "10.0.0.1:80", "", "v1");
    assert_snapshot(b, 1,
                    "{\"type\":\"snapshot\",\"document\":{\"version\":1,\"serial\":1,"
                    "\"services\":[{\"name\":\"web\",\"proxyProtocol\":\"v2\","
                    "\"endpoints\":[{\"id\":\"1\",\"address\":\"10.0.0.1:80\",\"weight\":1}]}],"
                    "\"routes\":[{\"host\":\"a.test\",\"path\":\"/\",\"service\":\"web\"}]}}");
    configure(b, "services: [{name: web, host: a.test, image: i, port: 80, proxyProtocol: v2}]");
    assert_patch(b, 2,
                 "{\"routes\":[{\"host\":\"a.test\",\"path\":\"/\",\"service\":\"web\"}],"
                 "\"type\":\"patch\",\"serial\":2}");
    configure(b, "services: [{name: web, host: a.test, image: i, port: 80}]");
    assert_patch(b, 3,
                 "{\"services\":[{\"name\":\"web\","
                 "\"endpoints\":[{\"id\":\"1\",\"address\":\"10.0.0.1:80\",\"weight\":1}]}],"
                 "\"routes\":[{\"host\":\"a.test\",\"path\":\"/\",\"service\":\"web\"}],"
                 "\"type\":\"patch\",\"serial\":3}");
    assert_false(publication_is_out_of_rotation(b->publication, "1"));
}

static void a_task_that_wants_another_proxy_header_than_most_is_left_out(void **state)
{
    struct bench *b = *state;
    put_task_that_wants(b, "1", "web", "10.0.0.1:80", "a.test", "v1");
    skip_snapshot(b, 1);
    put_task_that_wants(b, "2", "web", "10.0.0.2:80", "a.test", "v2");
    assert_patch(b, 2, NULL); /* as many: the older version stays */
    assert_true(publication_is_out_of_rotation(b->publication, "2"));
    put_task_that_wants(b, "3", "web", "10.0.0.3:80", "a.test", "v2");
    assert_patch(b, 2,
                 "{\"services\":[{\"name\":\"web\",\"proxyProtocol\":\"v2\","
                 "\"endpoints\":[{\"id\":\"2\",\"address\":\"10.0.0.2:80\",\"weight\":1},"
                 "{\"id\":\"3\",\"address\":\"10.0.0.3:80\",\"weight\":1}]}],"
                 "\"type\":\"patch\",\"serial\":2}");
    publication_acknowledge(b->publication, 2);
    assert_true(publication_is_out_of_rotation(b->publication, "1"));
    /* One that says nothing wants none. */
    put_task(b, "2", "web", "10.0.0.2:80", "a.test");
    put_task_that_wants(b, "3", "web", "10.0.0.3:80", "a.test", "off");
    assert_patch(b, 3,
                 "{\"services\":[{\"name\":\"web\","
                 "\"endpoints\":[{\"id\":\"2\",\"address\":\"10.0.0.2:80\",\"weight\":1},"
                 "{\"id\":\"3\",\"address\":\"10.0.0.3:80\",\"weight\":1}]}],"
                 "\"type\":\"patch\",\"serial\":3}");
}

static void a_patch_names_only_the_services_that_changed(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    put_task(b, "2", "api", "10.0.0.2:80", "b.test");
    skip_snapshot(b, 1);
    assert_patch(b, 2, NULL);
    put_task(b, "3", "api", "10.0.0.3:80", "b.test");
    assert_patch(
        b, 2,
        "{\"services\":[{\"name\":\"api\",\"endpoints\":[{\"id\":\"2\",\"address\":\"10.0.0.2:80\",\"weight\":1},"
        "{\"id\":\"3\",\"address\":\"10.0.0.3:80\",\"weight\":1}]}],\"type\":\"patch\",\"serial\":2}");
    assert_patch(b, 3, NULL);
}

static void a_change_that_changes_nothing_for_the_data_plane_makes_no_frame(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    skip_snapshot(b, 1);
    task_registry_set_probe(b->registry, "1", TASK_HEALTH_DOWN, "");
    task_registry_set_probe(b->registry, "1", TASK_HEALTH_UP, "");
    assert_patch(b, 2, NULL);
}

static void a_new_service_brings_its_route(void **state)
{
    struct bench *b = *state;
    skip_snapshot(b, 1);
    put_task(b, "1", "web", "[fd00::1]:80", "*");
    assert_patch(
        b, 2,
        "{\"services\":[{\"name\":\"web\",\"endpoints\":[{\"id\":\"1\",\"address\":\"[fd00::1]:80\",\"weight\":1}]}],"
        "\"routes\":[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"}],\"type\":\"patch\",\"serial\":2}");
}

static void a_service_without_any_route_is_not_published(void **state)
{
    struct bench *b = *state;
    skip_snapshot(b, 1);
    put_task(b, "1", "hidden", "10.0.0.1:80", "");
    assert_patch(b, 2, NULL);
    assert_true(publication_is_out_of_rotation(b->publication, "1"));
}

static void a_service_that_lost_its_last_task_stays_with_its_route(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    skip_snapshot(b, 1);
    task_registry_remove(b->registry, "1");
    assert_patch(b, 2, "{\"services\":[{\"name\":\"web\",\"endpoints\":[]}],\"type\":\"patch\",\"serial\":2}");
}

static void a_changed_host_leaves_no_route_behind(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "old.test");
    skip_snapshot(b, 1);
    task_registry_remove(b->registry, "1");
    put_task(b, "2", "web", "10.0.0.2:80", "new.test");
    assert_patch(
        b, 2,
        "{\"services\":[{\"name\":\"web\",\"endpoints\":[{\"id\":\"2\",\"address\":\"10.0.0.2:80\",\"weight\":1}]}],"
        "\"routes\":[{\"host\":\"new.test\",\"path\":\"/\",\"service\":\"web\"}],\"type\":\"patch\",\"serial\":2}");
}

static void a_task_may_ask_for_several_hosts(void **state)
{
    struct bench *b = *state;
    skip_snapshot(b, 1);
    put_task(b, "1", "web", "10.0.0.1:80", "example.org,www.example.org");
    assert_patch(
        b, 2,
        "{\"services\":[{\"name\":\"web\",\"endpoints\":[{\"id\":\"1\",\"address\":\"10.0.0.1:80\",\"weight\":1}]}],"
        "\"routes\":[{\"host\":\"example.org\",\"path\":\"/\",\"service\":\"web\"},"
        "{\"host\":\"www.example.org\",\"path\":\"/\",\"service\":\"web\"}],\"type\":\"patch\",\"serial\":2}");
}

static void keep_text(void *owner, const char *service, const char *text)
{
    snprintf(owner, 600, "%s: %s", service, text);
}

static void tasks_of_one_service_that_ask_for_different_routes_are_told_of_once(void **state)
{
    struct bench *b = *state;
    char told[600] = "";
    publication_set_listener(b->publication, keep_text, told);
    put_task(b, "1", "api", "10.0.0.1:80", "staging.test");
    put_task(b, "3", "api", "10.0.0.3:80", "");
    skip_snapshot(b, 1);
    assert_string_equal(told, "");
    put_task(b, "2", "api", "10.0.0.2:80", "production.test");
    skip_snapshot(b, 2);
    assert_non_null(strstr(told, "api: containers container-1 (staging.test/) and container-2 (production.test/)"));
    told[0] = '\0';
    put_task(b, "4", "api", "10.0.0.4:80", "staging.test");
    skip_snapshot(b, 3);
    assert_string_equal(told, "");
}

static void a_service_that_nobody_brings_back_goes_with_its_route(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    skip_snapshot(b, 1);
    task_registry_remove(b->registry, "1");
    publication_refresh(b->publication);
    assert_int_equal(publication_age(b->publication, 5000), ROUTE_BOOK_IDLE_MS);
    json_decref(publication_write_patch(b->publication, 2));
    assert_int_equal(publication_age(b->publication, 5000 + ROUTE_BOOK_IDLE_MS), -1);
    assert_patch(b, 3, "{\"removedServices\":[\"web\"],\"routes\":[],\"type\":\"patch\",\"serial\":3}");
}

/* Some of them without a container, and one that the configuration brings last. */
static void beyond_the_limit_of_services_those_with_containers_count_and_the_refusal_is_told(void **state)
{
    struct bench *b = *state;
    char told[600] = "", id[16], service[16], host[32];
    struct publication_status status;
    publication_set_listener(b->publication, keep_text, told);
    for (int i = 0; i < SNAPSHOT_SERVICES_MAX; i++) {
        snprintf(id, sizeof id, "%d", i);
        snprintf(service, sizeof service, "s%d", i);
        snprintf(host, sizeof host, "h%d.test", i);
        put_task(b, id, service, "10.0.0.1:80", host);
    }
    publication_refresh(b->publication);
    for (int i = 0; i < 2; i++) {
        snprintf(id, sizeof id, "%d", i);
        task_registry_remove(b->registry, id);
    }
    put_task(b, "new", "new", "10.0.0.1:80", "new.test");
    configure(b, "services: [{name: configured, host: c.test, image: i, port: 80}]");
    publication_refresh(b->publication);
    publication_status(b->publication, &status);
    assert_int_equal(status.service_count, SNAPSHOT_SERVICES_MAX);
    assert_int_equal(status.left_out_count, 0);
    assert_string_equal(told, "");
    put_task(b, "late", "late", "10.0.0.1:80", "late.test");
    publication_refresh(b->publication);
    publication_status(b->publication, &status);
    assert_int_equal(status.left_out_count, 1);
    assert_string_equal(status.left_out, "late");
    assert_non_null(strstr(told, "late: more than"));
    task_registry_remove(b->registry, "new");
    publication_refresh(b->publication);
    publication_status(b->publication, &status);
    assert_int_equal(status.left_out_count, 0);
}

static void a_service_that_left_the_configuration_is_removed_with_its_route(void **state)
{
    struct bench *b = *state;
    configure(b, "services: [{name: web, host: a.test, image: i, port: 80}]");
    skip_snapshot(b, 1);
    configure(b, "services: []");
    assert_patch(b, 2, "{\"removedServices\":[\"web\"],\"routes\":[],\"type\":\"patch\",\"serial\":2}");
    assert_patch(b, 3, NULL);
}

static void a_route_moves_to_the_service_that_waited_for_it(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    put_task(b, "2", "next", "10.0.0.2:80", "a.test");
    skip_snapshot(b, 1);
    task_registry_remove(b->registry, "1");
    assert_patch(
        b, 2,
        "{\"services\":[{\"name\":\"next\",\"endpoints\":[{\"id\":\"2\",\"address\":\"10.0.0.2:80\",\"weight\":1}]}],"
        "\"removedServices\":[\"web\"],\"routes\":[{\"host\":\"a.test\",\"path\":\"/\",\"service\":\"next\"}],"
        "\"type\":\"patch\",\"serial\":2}");
}

static void settings_travel_when_they_change(void **state)
{
    struct bench *b = *state;
    skip_snapshot(b, 1);
    configure(b, "proxy: {retries: 1}");
    json_t *patch = publication_write_patch(b->publication, 2);
    assert_non_null(patch);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(patch, "settings"), "retries")), 1);
    json_decref(patch);
    configure(b, "proxy: {retries: 1}");
    patch = publication_write_patch(b->publication, 3);
    assert_null(json_object_get(patch, "settings"));
    json_decref(patch);
}

static void what_is_no_endpoint_is_left_out(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    put_task(b, "2", "web", "not an address", "a.test");
    put_task(b, "3 3", "web", "10.0.0.3:80", "a.test");
    put_task(b, "4", "web", "10.0.0.4:80", "a.test");
    task_registry_set_admin(b->registry, "4", TASK_ADMIN_DRAINING);
    assert_snapshot(b, 1,
                    "{\"type\":\"snapshot\",\"document\":{\"version\":1,\"serial\":1,\"services\":[{\"name\":\"web\","
                    "\"endpoints\":[{\"id\":\"1\",\"address\":\"10.0.0.1:80\",\"weight\":1}]}],"
                    "\"routes\":[{\"host\":\"a.test\",\"path\":\"/\",\"service\":\"web\"}]}}");
}

static void a_drained_task_is_out_of_rotation_with_the_acknowledgement(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    assert_true(publication_is_out_of_rotation(b->publication, "1"));
    skip_snapshot(b, 1);
    assert_false(publication_is_out_of_rotation(b->publication, "1"));
    publication_acknowledge(b->publication, 1);
    assert_false(publication_is_out_of_rotation(b->publication, "1"));
    task_registry_set_admin(b->registry, "1", TASK_ADMIN_DRAINING);
    assert_false(publication_is_out_of_rotation(b->publication, "1"));
    json_decref(publication_write_patch(b->publication, 2));
    assert_false(publication_is_out_of_rotation(b->publication, "1"));
    publication_acknowledge(b->publication, 2);
    assert_true(publication_is_out_of_rotation(b->publication, "1"));
}

static void assert_endpoints(struct bench *b, uint64_t serial, const char *wanted)
{
    char text[64] = "";
    json_t *frame = publication_write_snapshot(b->publication, serial);
    json_t *services = json_object_get(json_object_get(frame, "document"), "services"), *endpoint;
    size_t i;
    json_array_foreach (json_object_get(json_array_get(services, 0), "endpoints"), i, endpoint)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ",
                 json_string_value(json_object_get(endpoint, "id")));
    assert_string_equal(text, wanted);
    json_decref(frame);
}

static size_t failing_open_count(const struct bench *b)
{
    struct publication_status status;
    publication_status(b->publication, &status);
    return status.failing_open_count;
}

static void without_a_healthy_task_requests_go_to_those_that_were(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    put_task(b, "2", "web", "10.0.0.2:80", "a.test");
    assert_endpoints(b, 1, "1 2 ");
    task_registry_set_probe(b->registry, "1", TASK_HEALTH_DOWN, "");
    assert_endpoints(b, 2, "2 ");
    assert_int_equal(failing_open_count(b), 0);
    task_registry_set_probe(b->registry, "2", TASK_HEALTH_DOWN, "");
    assert_endpoints(b, 3, "1 2 ");
    assert_int_equal(failing_open_count(b), 1);
    task_registry_set_probe(b->registry, "1", TASK_HEALTH_UP, "");
    assert_endpoints(b, 4, "1 ");
    assert_int_equal(failing_open_count(b), 0);
}

static void without_a_healthy_task_and_without_failing_open_requests_go_to_nobody(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    configure(b, "proxy: {failOpen: false}");
    task_registry_set_probe(b->registry, "1", TASK_HEALTH_DOWN, "");
    assert_endpoints(b, 1, "");
    configure(b, "proxy: {failOpen: true}");
    assert_endpoints(b, 2, "1 ");
}

static void who_is_drained_or_stopping_or_was_never_healthy_is_no_last_resort(void **state)
{
    struct bench *b = *state;
    for (char id[2] = "1"; id[0] <= '4'; id[0]++) {
        put_task(b, id, "web", "10.0.0.1:80", "a.test");
        task_registry_set_probe(b->registry, id, TASK_HEALTH_DOWN, "");
    }
    assert_endpoints(b, 1, "1 2 3 4 ");
    task_registry_set_admin(b->registry, "1", TASK_ADMIN_DRAINING);
    assert_endpoints(b, 2, "2 3 4 ");
    publication_acknowledge(b->publication, 2);
    assert_true(publication_is_out_of_rotation(b->publication, "1"));
    struct task_spec spec = task_registry_find(b->registry, "2")->spec;
    spec.state = TASK_STOPPING;
    task_registry_apply(b->registry, b->provider, &spec);
    assert_endpoints(b, 3, "3 4 ");
    spec.state = TASK_RUNNING; /* it did not stop: it has to be healthy once more */
    task_registry_apply(b->registry, b->provider, &spec);
    task_registry_set_probe(b->registry, "2", TASK_HEALTH_DOWN, "");
    assert_endpoints(b, 4, "3 4 ");
    put_task(b, "3", "web", "10.0.0.9:80", "a.test"); /* healthy at another address */
    assert_endpoints(b, 5, "3 ");
}

static void a_task_that_changed_its_address_stays_in_rotation(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    skip_snapshot(b, 1);
    put_task(b, "1", "web", "10.0.0.2:80", "a.test");
    json_decref(publication_write_patch(b->publication, 2));
    publication_acknowledge(b->publication, 2);
    assert_false(publication_is_out_of_rotation(b->publication, "1"));
}

static void a_data_plane_that_started_again_gets_everything_again(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "a.test");
    skip_snapshot(b, 1);
    publication_forget_sent(b->publication);
    assert_true(publication_is_out_of_rotation(b->publication, "1"));
    json_t *frame = publication_write_snapshot(b->publication, 2);
    assert_int_equal(json_array_size(json_object_get(json_object_get(frame, "document"), "services")), 1);
    json_decref(frame);
    assert_false(publication_is_out_of_rotation(b->publication, "1"));
}

/* What the data plane says to our frames. */
struct receiver {
    struct stats_region *stats;
    struct snapshot_builder *builder;
    struct snapshot *newest;
};

static void receiver_open(struct receiver *r)
{
    int fd = stats_create_fd(1, NULL);
    r->stats = stats_map_writer(fd, 1, NULL);
    close(fd);
    r->builder = snapshot_builder_new(r->stats, 1);
    r->newest = NULL;
}

static void receiver_take(struct receiver *r, json_t *frame)
{
    struct error error = { "" };
    if (!frame)
        return;
    json_t *document = json_object_get(frame, "document");
    struct snapshot *next = document ? snapshot_build(r->builder, document, r->newest, &error)
                                     : snapshot_build_patch(r->builder, frame, r->newest, &error);
    assert_string_equal(error.text, "");
    assert_non_null(next);
    if (r->newest)
        snapshot_free(r->builder, r->newest);
    r->newest = next;
    json_decref(frame);
}

static void receiver_close(struct receiver *r)
{
    snapshot_free(r->builder, r->newest);
    snapshot_builder_free(r->builder);
    stats_unmap(r->stats);
}

/* A fixed pseudo-random walk: each step changes something, the data plane must accept every frame. */
static void the_data_plane_accepts_every_frame_of_a_long_random_history(void **state)
{
    static const char *const hosts[] = { "a.test", "b.test", "*", "*.c.test", "Bad Host" };
    static const char *const configs[] = {
        "services: []", "services: [{name: s1, host: b.test, image: i, port: 80}]",
        "services: [{name: s9, host: '*', image: i, port: 80}]\nproxy: {retries: 0}"
    };
    struct bench *b = *state;
    struct receiver receiver;
    uint32_t random = 12345;
    receiver_open(&receiver);
    receiver_take(&receiver, publication_write_snapshot(b->publication, 1));
    for (uint64_t serial = 2; serial < 3000; serial++) {
        random = random * 1664525 + 1013904223;
        uint32_t what = random >> 24 & 15, which = random >> 16 & 31;
        char id[16], service[16], address[48];
        snprintf(id, sizeof id, "%u", which);
        snprintf(service, sizeof service, "s%u", which % 7);
        snprintf(address, sizeof address, "10.0.%u.%u:80", what, which);
        if (what == 0)
            configure(b, configs[which % 3]);
        else if (what < 4)
            task_registry_remove(b->registry, id);
        else if (what < 6)
            task_registry_set_admin(b->registry, id, TASK_ADMIN_DRAINING);
        else
            put_task(b, id, service, address, hosts[which % 5]);
        receiver_take(&receiver, random >> 10 & 31 ? publication_write_patch(b->publication, serial)
                                                   : publication_write_snapshot(b->publication, serial));
    }
    struct publication_status status;
    publication_status(b->publication, &status);
    assert_in_range(status.service_count, 1, 8);
    assert_true(status.refusals.total_count > 0);
    receiver_close(&receiver);
}

static void assert_responses(json_t *frame, const char *wanted)
{
    assert_non_null(frame);
    json_t *document = json_object_get(frame, "document");
    json_t *service = json_array_get(json_object_get(document ? document : frame, "services"), 0);
    assert_string_equal(json_string_value(json_object_get(service, "name")), "web");
    const char *responses = json_string_value(json_object_get(service, "responses"));
    if (wanted)
        assert_string_equal(responses, wanted);
    else
        assert_null(responses);
    json_decref(frame);
}

/* Without a word of its own the data plane goes by that of the settings, which is sent once. */
static void a_service_says_how_its_answers_are_read_where_it_has_a_word_of_its_own(void **state)
{
    struct bench *b = *state;
    put_task(b, "1", "web", "10.0.0.1:80", "");
    configure(b, "services: [{name: web, host: a.example, image: i, port: 80, responses: strict}]");
    assert_responses(publication_write_snapshot(b->publication, 1), "strict");
    configure(b, "services: [{name: web, host: a.example, image: i, port: 80, responses: lenient}]");
    assert_responses(publication_write_patch(b->publication, 2), "lenient");
    configure(b, "services: [{name: web, host: a.example, image: i, port: 80, responses: lenient}]");
    json_t *unchanged = publication_write_patch(b->publication, 3);
    assert_null(json_object_get(unchanged, "services"));
    json_decref(unchanged);
    configure(b, "services: [{name: web, host: a.example, image: i, port: 80}]");
    assert_responses(publication_write_patch(b->publication, 4), NULL);
    assert_responses(publication_write_snapshot(b->publication, 5), NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(limits_go_to_the_listener_of_that_name_and_a_proxy_header_is_wanted_where_it_was),
        TEST(an_empty_world_gives_an_empty_document),
        TEST(a_service_of_the_configuration_has_its_route_before_its_first_task),
        TEST(the_configuration_says_which_proxy_header_its_tasks_want),
        TEST(a_task_that_wants_another_proxy_header_than_most_is_left_out),
        TEST(a_patch_names_only_the_services_that_changed),
        TEST(a_change_that_changes_nothing_for_the_data_plane_makes_no_frame),
        TEST(a_new_service_brings_its_route),
        TEST(a_service_without_any_route_is_not_published),
        TEST(a_service_that_lost_its_last_task_stays_with_its_route),
        TEST(a_changed_host_leaves_no_route_behind),
        TEST(a_task_may_ask_for_several_hosts),
        TEST(tasks_of_one_service_that_ask_for_different_routes_are_told_of_once),
        TEST(a_service_that_nobody_brings_back_goes_with_its_route),
        TEST(beyond_the_limit_of_services_those_with_containers_count_and_the_refusal_is_told),
        TEST(a_service_that_left_the_configuration_is_removed_with_its_route),
        TEST(a_route_moves_to_the_service_that_waited_for_it),
        TEST(settings_travel_when_they_change),
        TEST(what_is_no_endpoint_is_left_out),
        TEST(a_drained_task_is_out_of_rotation_with_the_acknowledgement),
        TEST(without_a_healthy_task_requests_go_to_those_that_were),
        TEST(without_a_healthy_task_and_without_failing_open_requests_go_to_nobody),
        TEST(who_is_drained_or_stopping_or_was_never_healthy_is_no_last_resort),
        TEST(a_task_that_changed_its_address_stays_in_rotation),
        TEST(a_data_plane_that_started_again_gets_everything_again),
        TEST(a_service_says_how_its_answers_are_read_where_it_has_a_word_of_its_own),
        TEST(the_data_plane_accepts_every_frame_of_a_long_random_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
