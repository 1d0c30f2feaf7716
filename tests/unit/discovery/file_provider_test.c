#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "discovery/file_provider.h"
#include "discovery/own_sockets.h"
#include "discovery/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void endpoints_are_read_from_yaml_and_json(void **state)
{
    static const char *const texts[] = {
        "endpoints:\n  - service: web\n    address: 10.0.0.7:8080\n    host: WWW.example.org\n    path: /api/\n    "
        "weight: 10\n"
        "  - { service: shop, address: \"[FD00::2]:80\" }\n",
        "{\"endpoints\":[{\"service\":\"web\",\"address\":\"10.0.0.7:8080\",\"host\":\"www.example.org\",\"path\":\"/"
        "api\","
        "\"weight\":10},{\"service\":\"shop\",\"address\":\"[fd00::2]:80\"}]}",
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t count = 0;
        struct error error;
        struct task_spec *specs = file_provider_parse("f", slice_of(texts[i]), &count, &error);
        if (!specs)
            fail_msg("%s", error.text);
        assert_int_equal(count, 2);
        assert_string_equal(specs[0].id, "file/web/10.0.0.7:8080");
        assert_string_equal(specs[0].service, "web");
        assert_string_equal(specs[0].host, "www.example.org");
        assert_string_equal(specs[0].path, "/api");
        assert_int_equal(specs[0].weight, 10);
        assert_int_equal(specs[0].state, TASK_RUNNING);
        assert_false(specs[0].managed);
        assert_string_equal(specs[1].address, "[fd00::2]:80");
        assert_int_equal(specs[1].weight, 1);
        free(specs);
    }
}

static void bad_documents_are_refused_whole_and_name_the_place(void **state)
{
    static const struct {
        const char *text, *named;
    } rows[] = {
        { "", "f:1:1" },
        { "endpoints: [", "f:" },
        { "[]", "no list of endpoints" },
        { "endpoints: 5", "no list of endpoints" },
        { "other: []", "no list of endpoints" },
        { "endpoints: []\nextra: 1", "extra" },
        { "endpoints: [5]", "endpoints[0]" },
        { "endpoints: [{service: web}]", "endpoints[0]" },
        { "endpoints: [{address: \"10.0.0.1:80\"}]", "endpoints[0]" },
        { "endpoints: [{service: web, address: \"10.0.0.1:80\"},{service: Web, address: \"10.0.0.1:80\"}]",
          "endpoints[1].service" },
        { "endpoints: [{service: web, address: \"10.0.0.1\"}]", "endpoints[0].address" },
        { "endpoints: [{service: web, address: \"host.example:80\"}]", "endpoints[0].address" },
        { "endpoints: [{service: web, address: \"*:80\"}]", "endpoints[0].address" },
        { "endpoints: [{service: web, address: \"10.0.0.1:0\"}]", "endpoints[0].address" },
        { "endpoints: [{service: web, address: \"10.0.0.1:80\", weight: 0}]", "endpoints[0].weight" },
        { "endpoints: [{service: web, address: \"10.0.0.1:80\", weight: 1001}]", "endpoints[0].weight" },
        { "endpoints: [{service: web, address: \"10.0.0.1:80\", host: \"a b\"}]", "endpoints[0].host" },
        { "endpoints: [{service: web, address: \"10.0.0.1:80\", path: \"/../x\"}]", "endpoints[0].path" },
        { "endpoints: [{service: web, address: \"10.0.0.1:80\", wieght: 1}]", "endpoints[0].wieght" },
        { "endpoints: [{service: [web], address: \"10.0.0.1:80\"}]", "endpoints[0].service" },
        { "endpoints: [{service: web, address: \"10.0.0.1:80\"},{service: web, address: \"10.0.0.1:80\"}]",
          "written twice" },
        { "endpoints: [{service: web, service: web, address: \"10.0.0.1:80\"}]", "twice" },
        { "a: &x [1]\nendpoints: *x", "anchor" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t count = 7;
        struct error error = { "" };
        if (file_provider_parse("f", slice_of(rows[i].text), &count, &error))
            fail_msg("accepted: %s", rows[i].text);
        assert_int_equal(count, 0);
        if (!strstr(error.text, rows[i].named) || strncmp(error.text, "f:", 2) != 0)
            fail_msg("%s: %s", rows[i].text, error.text);
    }
}

static void ids_of_long_names_fit_and_differ(void **state)
{
    static const char text[] = "endpoints:\n"
                               "- {service: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123, address: "
                               "\"[2001:db8:1111:2222:3333:4444:5555:6666]:65535\"}\n"
                               "- {service: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff124, address: "
                               "\"[2001:db8:1111:2222:3333:4444:5555:6666]:65535\"}\n";
    size_t count;
    struct error error;
    (void)state;
    struct task_spec *specs = file_provider_parse("f", SLICE_LITERAL(text), &count, &error);
    assert_non_null(specs);
    assert_string_not_equal(specs[0].id, specs[1].id);
    assert_non_null(strstr(specs[0].id, "[2001:db8:1111:2222:3333:4444:5555:6666]:65535"));
    free(specs);
}

static void an_empty_list_is_a_list(void **state)
{
    size_t count = 9;
    (void)state;
    struct task_spec *specs = file_provider_parse("f", SLICE_LITERAL("endpoints: []"), &count, NULL);
    assert_non_null(specs);
    assert_int_equal(count, 0);
    free(specs);
}

/* ---- with a file ---- */

struct bench {
    struct loop *loop;
    struct task_registry *registry;
    struct provider provider;
    struct config config;
    char folder[64], path[96];
};

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    strcpy(b->folder, "/tmp/endpoints-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/endpoints.yaml", b->folder);
    b->loop = loop_new();
    b->registry = task_registry_new();
    b->config.discovery.endpoints_file = b->path;
    provider_init(&b->provider, provider_find_kind("file"),
                  &(struct provider_parts){ .loop = b->loop, .registry = b->registry });
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    b->provider.ops->stop(&b->provider);
    b->provider.ops->stop(&b->provider);
    task_registry_free(b->registry);
    loop_free(b->loop);
    unlink(b->path);
    rmdir(b->folder);
    free(b);
    return 0;
}

static void write_file(struct bench *b, const char *text)
{
    FILE *file = fopen(b->path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_bad_file_keeps_the_old_list_and_is_reported(void **state)
{
    struct bench *b = *state;
    struct error error;
    write_file(b, "endpoints: [{service: web, address: \"10.0.0.1:80\"},{service: web, address: \"10.0.0.2:80\"}]");
    assert_true(b->provider.ops->is_configured(&b->config));
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    assert_int_equal(task_registry_count(b->registry), 2);
    assert_true(task_registry_is_synced(b->registry, b->provider.index));
    assert_null(b->provider.ops->find_problem(&b->provider));
    write_file(b, "endpoints: [{service: web, address: nonsense}]");
    assert_false(file_provider_reload(&b->provider, &error));
    assert_non_null(strstr(error.text, "endpoints[0].address"));
    assert_int_equal(task_registry_count(b->registry), 2);
    assert_non_null(b->provider.ops->find_problem(&b->provider));
    unlink(b->path);
    assert_false(b->provider.ops->reload(&b->provider, &b->config, &error));
    assert_non_null(strstr(error.text, "No such file"));
    assert_int_equal(task_registry_count(b->registry), 2);
    write_file(b, "endpoints: [{service: web, address: \"10.0.0.2:80\"}]");
    assert_true(b->provider.ops->reload(&b->provider, &b->config, &error));
    assert_int_equal(task_registry_count(b->registry), 1);
    assert_null(b->provider.ops->find_problem(&b->provider));
}

static void an_endpoint_without_room_counts_as_refused(void **state)
{
    struct bench *b = *state;
    struct error error;
    uint8_t other = task_registry_add_provider(b->registry, "other");
    struct task_spec spec = { .service = "other", .weight = 1, .state = TASK_STOPPED };
    for (int i = 0; i < TASK_REGISTRY_MAX; i++) {
        snprintf(spec.id, sizeof spec.id, "other-%d", i);
        assert_true(task_registry_apply(b->registry, other, &spec));
    }
    write_file(b, "endpoints: [{service: web, address: \"10.0.0.1:80\"}]");
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    assert_int_equal(b->provider.refused_count, 1);
    task_registry_remove(b->registry, "other-7");
    assert_true(b->provider.ops->reload(&b->provider, &b->config, &error));
    assert_int_equal(b->provider.refused_count, 0);
}

static void an_endpoint_that_leads_to_portico_itself_is_left_out_and_told(void **state)
{
    struct bench *b = *state;
    struct error error;
    struct own_sockets own = { .ports = { 9900 }, .count = 1 };
    b->provider.parts.own_sockets = &own;
    write_file(b, "endpoints: [{service: web, address: \"127.0.0.1:9900\"},{service: web, address: \"127.0.0.1:80\"}]");
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    assert_int_equal(task_registry_count(b->registry), 1);
    assert_int_equal(b->provider.refused_count, 1);
    assert_non_null(strstr(b->provider.refusal, "127.0.0.1:9900"));
    write_file(b, "endpoints: [{service: web, address: \"127.0.0.1:80\"}]");
    assert_true(b->provider.ops->reload(&b->provider, &b->config, &error));
    assert_int_equal(b->provider.refused_count, 0);
}

static void a_missing_file_is_no_reason_not_to_start(void **state)
{
    struct bench *b = *state;
    struct error error;
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    assert_non_null(b->provider.ops->find_problem(&b->provider));
    /* Nothing of it was ever in use: an empty list is the truth, and none would hold up the other providers' changes. */
    assert_true(task_registry_is_synced(b->registry, b->provider.index));
    assert_int_equal(task_registry_count(b->registry), 0);
}

/* As a restart of control finds it while an editor or a script writes. */
static void beside_a_half_written_file_the_last_good_one_stands_in(void **state)
{
    struct bench *b = *state;
    struct error error;
    char copy[sizeof b->folder + 64];
    snprintf(copy, sizeof copy, "%s/" FILE_PROVIDER_COPY_NAME, b->folder);
    b->config.state_dir = b->folder;
    write_file(b, "endpoints: [{service: web, address: \"10.0.0.1:80\"}]");
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    b->provider.ops->stop(&b->provider);
    task_registry_remove(b->registry, "file/web/10.0.0.1:80");
    write_file(b, "endpoints: [{service: web, addr");
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    assert_non_null(task_registry_find(b->registry, "file/web/10.0.0.1:80"));
    assert_non_null(b->provider.ops->find_problem(&b->provider));
    write_file(b, "endpoints: [{service: web, address: \"10.0.0.2:80\"}]");
    assert_true(file_provider_reload(&b->provider, &error));
    assert_null(task_registry_find(b->registry, "file/web/10.0.0.1:80"));
    unlink(copy);
}

static void what_is_no_regular_file_does_not_hang_the_reader(void **state)
{
    struct bench *b = *state;
    struct error error;
    assert_int_equal(mkfifo(b->path, 0600), 0);
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    assert_non_null(strstr(b->provider.ops->find_problem(&b->provider), "no regular file"));
}

static void the_kinds_are_found_by_name(void **state)
{
    (void)state;
    assert_int_equal(provider_kinds_count(), 2);
    assert_ptr_equal(provider_find_kind("docker"), provider_kind(0));
    assert_ptr_equal(provider_find_kind("file"), provider_kind(1));
    assert_null(provider_find_kind("consul"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_read_from_yaml_and_json),
        cmocka_unit_test(bad_documents_are_refused_whole_and_name_the_place),
        cmocka_unit_test(ids_of_long_names_fit_and_differ),
        cmocka_unit_test(an_empty_list_is_a_list),
        TEST(a_bad_file_keeps_the_old_list_and_is_reported),
        TEST(an_endpoint_without_room_counts_as_refused),
        TEST(an_endpoint_that_leads_to_portico_itself_is_left_out_and_told),
        TEST(a_missing_file_is_no_reason_not_to_start),
        TEST(beside_a_half_written_file_the_last_good_one_stands_in),
        TEST(what_is_no_regular_file_does_not_hang_the_reader),
        cmocka_unit_test(the_kinds_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
