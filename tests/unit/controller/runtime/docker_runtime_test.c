#include "controller/runtime/docker_runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define ID "3f2a000000000000000000000000000000000000000000000000000000000001"

static char *command[] = { (char *)"serve", (char *)"--name=\"x\"" };
static struct config_env environment[] = { { (char *)"MODE", (char *)"a=b\n" } };
static struct config_service service;
static const struct ownership ownership = { .key = "a key" };
static const char *image_id;

static int set_up(void **state)
{
    (void)state;
    image_id = "";
    service = (struct config_service){ .name = (char *)"web",
                                       .image = (char *)"web:1",
                                       .command = command,
                                       .command_count = 2,
                                       .environment = environment,
                                       .environment_count = 1,
                                       .port = 8080,
                                       .cpu = 256,
                                       .memory_mib = 64,
                                       .stop_timeout_ms = 2500 };
    return 0;
}

static json_t *body_of(const char *network, bool publish)
{
    struct task_order order = { .service = &service, .image_id = image_id, .revision = "abc", .name = "n" };
    char *text = docker_runtime_body(&order, "prod", &ownership, network, publish);
    json_t *body = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    assert_non_null(body);
    return body;
}

static void the_body_is_the_definition_and_nothing_else(void **state)
{
    (void)state;
    json_t *body = body_of(NULL, false);
    char proof[OWNERSHIP_PROOF_SIZE];
    ownership_prove(&ownership,
                    &(struct ownership_claim){
                        .cluster = "prod", .name = "n", .service = "web", .revision = "abc", .port = "8080" },
                    proof);
    json_t *expected = json_pack(
        "{s:s, s:[s,s], s:[s], s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s}, s:{s:{}}, s:i, s:{s:i, s:i, s:{s:s}}}", "Image",
        "web:1", "Cmd", "serve", "--name=\"x\"", "Env", "MODE=a=b\n", "Labels", "portico.managed-by", "portico",
        "portico.cluster", "prod", "portico.service", "web", "portico.port", "8080", "portico.revision", "abc",
        "portico.proof", proof, "portico.image", "web:1", "ExposedPorts", "8080/tcp", "StopTimeout", 3, "HostConfig",
        "CpuShares", 256, "Memory", 67108864, "RestartPolicy", "Name", "no");
    assert_non_null(expected);
    assert_true(json_equal(body, expected));
    json_decref(expected);
    json_decref(body);
}

static void a_known_image_is_asked_for_by_its_id_and_its_name_stays_readable(void **state)
{
    (void)state;
    image_id = "sha256:0123";
    json_t *body = body_of(NULL, false);
    assert_string_equal(json_string_value(json_object_get(body, "Image")), "sha256:0123");
    assert_string_equal(json_string_value(json_object_get(json_object_get(body, "Labels"), "portico.image")), "web:1");
    json_decref(body);
}

static void limits_that_are_not_set_are_not_sent(void **state)
{
    (void)state;
    service.cpu = service.memory_mib = 0;
    service.command_count = 0;
    json_t *body = body_of(NULL, false), *host = json_object_get(body, "HostConfig");
    assert_null(json_object_get(body, "Cmd"));
    assert_null(json_object_get(host, "CpuShares"));
    assert_null(json_object_get(host, "Memory"));
    assert_null(json_object_get(host, "NetworkMode"));
    assert_null(json_object_get(host, "PublishAllPorts"));
    json_decref(body);
}

static void one_cpu_unit_becomes_two_shares(void **state)
{
    (void)state;
    service.cpu = 1;
    json_t *body = body_of(NULL, false);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(body, "HostConfig"), "CpuShares")), 2);
    json_decref(body);
}

static void network_and_published_ports_are_passed_on(void **state)
{
    (void)state;
    json_t *body = body_of("backend", true), *host = json_object_get(body, "HostConfig");
    assert_string_equal(json_string_value(json_object_get(host, "NetworkMode")), "backend");
    assert_true(json_is_true(json_object_get(host, "PublishAllPorts")));
    json_decref(body);
}

static bool is_ours(const char *text)
{
    return docker_runtime_is_ours(slice_of(text), ID, "prod", &ownership);
}

#define PROOF "%s"
#define INSPECT(id, by, cluster)                                                              \
    "{\"Id\":\"" id "\",\"Name\":\"/n\",\"Config\":{\"Labels\":{\"portico.managed-by\":\"" by \
    "\",\"portico.cluster\":\"" cluster                                                       \
    "\",\"portico.service\":\"web\",\"portico.port\":\"8080\",\"portico.revision\":\"abc\","  \
    "\"portico.proof\":\"" PROOF "\"}}}"

static bool is_ours_with_the_proof(const char *format)
{
    char proof[OWNERSHIP_PROOF_SIZE], text[1024];
    ownership_prove(&ownership,
                    &(struct ownership_claim){
                        .cluster = "prod", .name = "n", .service = "web", .revision = "abc", .port = "8080" },
                    proof);
    const char *place = strstr(format, PROOF);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(place - format), format, proof, place + strlen(PROOF));
    return is_ours(text);
}

static void only_a_proven_claim_on_exactly_that_id_is_ours(void **state)
{
    (void)state;
    assert_true(is_ours_with_the_proof(INSPECT(ID, "portico", "prod")));
    assert_false(is_ours(INSPECT(ID, "portico", "prod"))); /* our own labels, and no proof */
    assert_false(is_ours_with_the_proof(INSPECT(ID, "portico", "staging")));
    assert_false(is_ours_with_the_proof(INSPECT(ID, "somebody", "prod")));
    assert_false(is_ours_with_the_proof(INSPECT("4f2a", "portico", "prod"))); /* a name that resolved to another one */
    assert_false(is_ours("{\"Id\":\"" ID "\",\"Config\":{\"Labels\":null}}"));
    assert_false(is_ours("{\"Id\":\"" ID "\",\"Config\":{}}"));
    assert_false(
        is_ours("{\"Config\":{\"Labels\":{\"portico.managed-by\":\"portico\",\"portico.cluster\":\"prod\"}}}"));
    assert_false(is_ours("[]"));
    assert_false(is_ours(""));
    assert_false(is_ours("{\"Id\":\"" ID));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_body_is_the_definition_and_nothing_else),
        TEST(a_known_image_is_asked_for_by_its_id_and_its_name_stays_readable),
        TEST(limits_that_are_not_set_are_not_sent),
        TEST(one_cpu_unit_becomes_two_shares),
        TEST(network_and_published_ports_are_passed_on),
        TEST(only_a_proven_claim_on_exactly_that_id_is_ours),
    };
    return cmocka_run_group_tests_name("docker_runtime", tests, NULL, NULL);
}
