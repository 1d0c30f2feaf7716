#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/mem.h"
#include "discovery/docker/labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "d6610da750b62a68d953fd33c0164b8e1352bad9e11ae03f954d13e4087dabec"
#define BRIDGE "\"bridge\":{\"IPAddress\":\"172.17.0.2\",\"Gateway\":\"172.17.0.1\",\"GlobalIPv6Address\":\"\"}"
#define RUNNING "\"Status\":\"running\",\"StartedAt\":\"2026-11-22T21:50:00.5Z\",\"ExitCode\":0"
#define ENABLED "\"portico.enable\":\"true\",\"portico.service\":\"web\",\"portico.port\":\"8080\""
#define ROUTED ENABLED ",\"portico.host\":\"a.test\""
#define OWN                                                                                                         \
    "\"portico.managed-by\":\"portico\",\"portico.cluster\":\"prod\",\"portico.service\":\"web\",\"portico.port\":" \
    "\"80\""

static const struct docker_label_scope here = { .cluster = "prod" };

static char *inspect(const char *labels, const char *state, const char *config, const char *networks, const char *ports)
{
    return mem_printf(
        "{\"Id\":\"" ID "\",\"Name\":\"/web-1\",\"State\":{%s},\"Config\":{%s\"Labels\":{%s}},"
        "\"HostConfig\":{\"NetworkMode\":\"default\"},\"NetworkSettings\":{\"Ports\":{%s},\"Networks\":{%s}}}",
        state, config, labels, ports, networks);
}

static enum docker_verdict parse(char *json, const struct docker_label_scope *scope, struct docker_container *out,
                                 struct error *warning)
{
    enum docker_verdict verdict = docker_container_parse(slice_of(json), SLICE_LITERAL(""), scope, out, warning);
    free(json);
    return verdict;
}

static enum docker_verdict parse_labels(const char *labels, struct docker_container *out, struct error *warning)
{
    return parse(inspect(labels, RUNNING, "", BRIDGE, ""), &here, out, warning);
}

static void a_foreign_container_becomes_a_task(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(parse_labels(ENABLED ",\"portico.host\":\"WWW.Example.com\",\"portico.path\":\"/api/\","
                                          "\"portico.weight\":\"7\",\"other\":\"x\",\"portico.revision\":\"r\"",
                                  &seen, &warning),
                     DOCKER_VERDICT_TASK);
    assert_string_equal(warning.text, "");
    assert_string_equal(seen.spec.id, ID);
    assert_string_equal(seen.spec.name, "web-1");
    assert_string_equal(seen.spec.service, "web");
    assert_string_equal(seen.spec.address, "172.17.0.2:8080");
    assert_string_equal(seen.spec.host, "www.example.com");
    assert_string_equal(seen.spec.path, "/api");
    assert_string_equal(seen.spec.revision, "");
    assert_string_equal(seen.spec.proxy_protocol, "");
    assert_int_equal(seen.spec.weight, 7);
    assert_false(seen.spec.managed);
    assert_false(seen.spec.has_engine_health);
    assert_int_equal(seen.spec.state, TASK_RUNNING);
    assert_true(seen.spec.started_at_wall_us == 1795384200500000);
    assert_int_equal(seen.stop_signal, 15);
}

static void a_container_says_which_proxy_header_it_wants(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    static const char *const words[] = { "off", "v1", "v2" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char labels[256];
        snprintf(labels, sizeof labels, ROUTED ",\"portico.proxy-protocol\":\"%s\"", words[i]);
        assert_int_equal(parse_labels(labels, &seen, &warning), DOCKER_VERDICT_TASK);
        assert_string_equal(warning.text, "");
        assert_string_equal(seen.spec.proxy_protocol, words[i]);
    }
}

#define IMAGE_DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void our_own_container_says_which_image_it_is_of_or_the_engine_does(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    static const struct {
        const char *label, *image, *revision, *image_id;
    } cases[] = {
        { "3f2a", "sha256:" IMAGE_DIGITS, "3f2a-0123456789abcdef", "sha256:" IMAGE_DIGITS },
        { "3f2a", "web:1", "3f2a", "" }, /* of an engine that gives a name */
        { "3f2a-00", "sha256:" IMAGE_DIGITS, "3f2a-00", "sha256:" IMAGE_DIGITS },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *labels = mem_printf(OWN ",\"portico.revision\":\"%s\",\"portico.image\":\"web:1\"", cases[i].label);
        char *plain = inspect(labels, RUNNING, "", BRIDGE, "");
        char *json = mem_printf("{\"Image\":\"%s\",%s", cases[i].image, plain + 1);
        free(plain);
        free(labels);
        assert_int_equal(parse(json, &here, &seen, &warning), DOCKER_VERDICT_TASK);
        assert_string_equal(warning.text, "");
        assert_string_equal(seen.spec.revision, cases[i].revision);
        assert_string_equal(seen.spec.image_id, cases[i].image_id);
    }
}

static void our_own_container_carries_its_revision_and_no_route(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(parse_labels(OWN ",\"portico.revision\":\"3f2a9c\",\"portico.host\":\"evil.example\","
                                      "\"portico.proxy-protocol\":\"v1\"",
                                  &seen, &warning),
                     DOCKER_VERDICT_TASK);
    assert_string_equal(seen.spec.proxy_protocol, "");
    assert_true(seen.spec.managed);
    assert_string_equal(seen.spec.revision, "3f2a9c");
    assert_string_equal(seen.spec.host, "");
    assert_string_equal(seen.spec.address, "172.17.0.2:80");
    assert_int_equal(seen.spec.weight, 1);
}

/* Left out, it would not count, and the next one would be made, without end. */
static void our_own_container_is_a_task_whatever_is_wrong_with_it(void **state)
{
    static const char lonely[] = "\"portico.managed-by\":\"portico\",\"portico.cluster\":\"prod\"";
    static const struct {
        const char *labels, *state, *networks;
        enum task_state task_state;
        const char *service, *problem;
    } rows[] = {
        { OWN, RUNNING, "\"bridge\":{\"IPAddress\":\"\"}", TASK_RUNNING, "web", "address" },
        { OWN ",\"portico.revision\":\"a b\"", RUNNING, BRIDGE, TASK_RUNNING, "web", "portico.revision" },
        { OWN ",\"portico.revision\":\"0123456789012345678901234567890123456789\"", "\"Status\":\"exited\"", BRIDGE,
          TASK_STOPPED, "web", "portico.revision" },
        { lonely, "\"Status\":\"created\"", BRIDGE, TASK_PENDING, DOCKER_SERVICE_UNKNOWN,
          "portico.service is missing" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        assert_int_equal(
            parse(inspect(rows[i].labels, rows[i].state, "", rows[i].networks, ""), &here, &seen, &warning),
            DOCKER_VERDICT_TASK);
        assert_true(seen.spec.managed);
        assert_int_equal(seen.spec.state, rows[i].task_state);
        assert_string_equal(seen.spec.service, rows[i].service);
        assert_non_null(strstr(seen.spec.problem, rows[i].problem));
        assert_non_null(strstr(warning.text, rows[i].problem));
    }
}

/* Whoever knows it keeps what is known; whoever does not has to count it. */
static void our_own_container_in_a_strange_state_is_there_at_least(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(parse(inspect(OWN, "\"Status\":\"melting\"", "", BRIDGE, ""), &here, &seen, &warning),
                     DOCKER_VERDICT_UNREADABLE);
    assert_true(seen.spec.managed);
    assert_string_equal(seen.spec.service, "web");
    assert_non_null(strstr(seen.spec.problem, "state that is not known"));
}

static void an_images_own_labels_have_no_say_in_our_containers(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(
        parse_labels(OWN ",\"portico.weight\":\"0\",\"portico.path\":\"?\",\"portico.host\":\"a b\"", &seen, &warning),
        DOCKER_VERDICT_TASK);
    assert_string_equal(seen.spec.problem, "");
    assert_int_equal(seen.spec.weight, 1);
    assert_int_equal(parse_labels(OWN ",\"portico.wieght\":\"0\"", &seen, &warning), DOCKER_VERDICT_TASK);
    assert_string_equal(seen.spec.problem, "");
}

/* Not as a stranger's either, whatever else it says. */
static void a_claim_to_be_ours_without_proof_is_refused(void **state)
{
    static const struct ownership ownership = { .key = "a key" };
    static const struct docker_label_scope strict = { .cluster = "prod", .ownership = &ownership };
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(
        parse(inspect(OWN ",\"portico.revision\":\"r\",\"portico.enable\":\"true\"", RUNNING, "", BRIDGE, ""), &strict,
              &seen, &warning),
        DOCKER_VERDICT_INVALID);
    assert_non_null(strstr(warning.text, "no proof"));
    assert_non_null(strstr(warning.text, "docker.adoptCreatedBefore"));
    assert_false(seen.spec.managed);
}

static void a_configured_service_is_not_joined_unless_it_allows_it(void **state)
{
    static char closed[][TASK_NAME_SIZE] = { "web" };
    static const struct label_policy policy = { .closed = closed, .closed_count = 1 };
    static const struct docker_label_scope strict = { .cluster = "prod", .policy = &policy };
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(
        parse(inspect(ENABLED ",\"portico.path\":\"/\"", RUNNING, "", BRIDGE, ""), &strict, &seen, &warning),
        DOCKER_VERDICT_INVALID);
    assert_non_null(strstr(warning.text, "service web is in the configuration and has not allowLabels: true"));
    assert_string_equal(seen.spec.service, "web");
    assert_int_equal(
        parse(inspect(OWN ",\"portico.revision\":\"r\"", RUNNING, "", BRIDGE, ""), &strict, &seen, &warning),
        DOCKER_VERDICT_TASK); /* a task of it is */
}

static void an_address_that_leads_to_portico_itself_is_refused(void **state)
{
    static const struct own_sockets own = { .ports = { 8080 }, .count = 1 };
    static const struct docker_label_scope strict = { .cluster = "prod", .own_sockets = &own };
    struct docker_container seen;
    struct error warning;
    (void)state;
    char *json = inspect(ENABLED ",\"portico.path\":\"/\"", RUNNING, "", BRIDGE, "");
    char *mode = strstr(json, "\"default\"");
    memcpy(mode, "\"host\"   ", 9);
    assert_int_equal(parse(json, &strict, &seen, &warning), DOCKER_VERDICT_INVALID);
    assert_non_null(strstr(warning.text, "127.0.0.1:8080 is one that Portico itself listens on"));
    assert_string_equal(seen.spec.address, "");
    json = inspect(ENABLED ",\"portico.path\":\"/\"", "\"Status\":\"created\"", "", BRIDGE, "");
    memcpy(strstr(json, "\"default\""), "\"host\"   ", 9); /* and asks for a route already */
    assert_int_equal(parse(json, &strict, &seen, &warning), DOCKER_VERDICT_INVALID);
    assert_int_equal(
        parse(inspect(ENABLED ",\"portico.path\":\"/\"", RUNNING, "", BRIDGE, ""), &strict, &seen, &warning),
        DOCKER_VERDICT_TASK); /* the same port elsewhere is not ours */
}

static void what_is_not_ours_is_left_alone_silently(void **state)
{
    static const char *const rows[] = {
        "",
        "\"portico.enable\":\"false\",\"portico.service\":\"BAD NAME\"",
        "\"portico.service\":\"web\",\"portico.port\":\"80\"",
        "\"portico.managed-by\":\"portico\",\"portico.service\":\"web\"",
        "\"portico.managed-by\":\"portico\",\"portico.cluster\":\"staging\",\"portico.service\":\"web\"",
        ("\"portico.managed-by\":\"portico\",\"portico.cluster\":\"staging\"," ENABLED),
        "\"portico.managed-by\":\"somebody\",\"portico.cluster\":\"prod\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        assert_int_equal(parse_labels(rows[i], &seen, &warning), DOCKER_VERDICT_NOT_OURS);
        assert_string_equal(warning.text, "");
    }
}

static void hostile_labels_are_refused_with_a_warning_that_names_the_container(void **state)
{
    static const struct {
        const char *labels, *named;
    } rows[] = {
        { "\"portico.enable\":\"maybe\"", "portico.enable" },
        { "\"portico.enable\":true", "portico.enable" },
        { "\"portico.enable\":\"\"", "portico.enable" },
        { "\"portico.enable\":\"true\",\"portico.port\":\"80\"", "portico.service is missing" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"web\"", "portico.port is missing" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"Web\",\"portico.port\":\"80\"", "portico.service" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"\",\"portico.port\":\"80\"", "portico.service" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"a/../b\",\"portico.port\":\"80\"", "portico.service" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"a\\nb\",\"portico.port\":\"80\"", "portico.service" },
        { "\"portico.enable\":\"true\",\"portico.service\":[\"a\"],\"portico.port\":\"80\"", "portico.service" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"web\",\"portico.port\":\"0\"", "portico.port" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"web\",\"portico.port\":\"65536\"", "portico.port" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"web\",\"portico.port\":\"80 \"", "portico.port" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"web\",\"portico.port\":\"+80\"", "portico.port" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"web\",\"portico.port\":\"0x50\"", "portico.port" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"web\",\"portico.port\":\"8080,9090\"", "portico.port" },
        { "\"portico.enable\":\"true\",\"portico.service\":\"web\",\"portico.port\":80", "portico.port" },
        { ENABLED ",\"portico.host\":\"a b\"", "portico.host" },
        { ENABLED ",\"portico.host\":\"a.example:80\"", "portico.host" },
        { ENABLED ",\"portico.host\":\"a,,b\"", "portico.host" },
        { ENABLED ",\"portico.host\":\"a,b c\"", "portico.host" },
        { ENABLED ",\"portico.host\":\"*.*.example\"", "portico.host" },
        { ENABLED ",\"portico.host\":\"\"", "portico.host" },
        { ENABLED ",\"portico.path\":\"api\"", "portico.path" },
        { ENABLED ",\"portico.proxy-protocol\":\"\"", "portico.proxy-protocol" },
        { ENABLED ",\"portico.proxy-protocol\":\"v3\"", "portico.proxy-protocol" },
        { ENABLED ",\"portico.proxy-protocol\":\"V1\"", "portico.proxy-protocol" },
        { ENABLED ",\"portico.proxy-protocol\":2", "portico.proxy-protocol" },
        { ENABLED ",\"portico.path\":\"/a/../b\"", "portico.path" },
        { ENABLED ",\"portico.path\":\"/%2e%2e\"", "portico.path" },
        { ENABLED ",\"portico.path\":\"/api/*\"", "/api, which takes all below it, is expected" },
        { ENABLED ",\"portico.path\":\"/a?b\"", "portico.path" },
        { ENABLED ",\"portico.path\":\"/a\\u0001\"", "portico.path" },
        { ENABLED ",\"portico.weight\":\"0\"", "portico.weight" },
        { ENABLED ",\"portico.weight\":\"1001\"", "portico.weight" },
        { ENABLED ",\"portico.weight\":\"-1\"", "portico.weight" },
        { ENABLED ",\"portico.weight\":\"1.5\"", "portico.weight" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        if (parse_labels(rows[i].labels, &seen, &warning) != DOCKER_VERDICT_INVALID)
            fail_msg("accepted: %s", rows[i].labels);
        if (!strstr(warning.text, rows[i].named) || !strstr(warning.text, "web-1 (d6610da750b6)"))
            fail_msg("%s: %s", rows[i].labels, warning.text);
    }
}

static void a_huge_label_is_refused_and_quoted_in_part(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    char *huge = mem_alloc(200001);
    memset(huge, 'a', 200000);
    char *labels = mem_printf("\"portico.enable\":\"true\",\"portico.service\":\"%s\",\"portico.port\":\"80\"", huge);
    assert_int_equal(parse_labels(labels, &seen, &warning), DOCKER_VERDICT_INVALID);
    assert_true(strlen(warning.text) < 300);
    free(labels);
    free(huge);
}

static void documents_that_are_no_container_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"Id\":5}",
        "{\"Id\":\"\"}",
        "{\"Id\":\"a/b\"}",
        "{\"Id\":\"" ID ID "\"}",
        "{\"Id\":\"a\",\"Id\":\"a\"}",
        "{\"Id\":\"" ID "\",\"Config\":{\"Labels\":{" ENABLED "}}}",
        "{\"Id\":\"" ID "\",\"Config\":{\"Labels\":{" ENABLED "}},\"State\":{\"Status\":\"melting\"}}",
        "{\"Id\":\"" ID "\",\"Config\":{\"Labels\":{" ENABLED "}},\"State\":{\"Status\":[]}}",
        "{\"Id\":\"" ID "\",\"Config\":{\"Labels\":{" ENABLED "," ENABLED "}},\"State\":{" RUNNING "}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        if (docker_container_parse(slice_of(rows[i]), SLICE_LITERAL(""), &here, &seen, &warning) !=
            DOCKER_VERDICT_UNREADABLE)
            fail_msg("accepted: %s", rows[i]);
        assert_true(warning.text[0] != '\0');
    }
    struct docker_container seen;
    struct error warning;
    assert_int_equal(docker_container_parse(SLICE_LITERAL("{\"Id\":\"a\",\"Config\":{\"Labels\":[]}}"),
                                            SLICE_LITERAL(""), &here, &seen, &warning),
                     DOCKER_VERDICT_NOT_OURS);
}

#define BORROWER                                                                                     \
    "{\"Id\":\"" ID "\",\"Name\":\"/web-1\",\"State\":{" RUNNING "},\"Config\":{\"Labels\":{" ROUTED \
    "}},\"HostConfig\":{\"NetworkMode\":\"container:gateway\"},\"NetworkSettings\":{\"Ports\":{},\"Networks\":{}}}"
#define LENDER(mode, networks)                                                    \
    "{\"Id\":\"0123456789abcdef\",\"HostConfig\":{\"NetworkMode\":\"" mode "\"}," \
    "\"NetworkSettings\":{\"Networks\":{" networks "}}}"

static void a_container_on_the_network_of_another_has_the_addresses_of_that_one(void **state)
{
    static const struct {
        const char *lender, *address, *lender_id, *words;
        enum docker_verdict verdict;
    } rows[] = {
        { "", "", "gateway", "", DOCKER_VERDICT_BORROWS },
        { LENDER("default", BRIDGE), "172.17.0.2:8080", "0123456789abcdef", "", DOCKER_VERDICT_TASK },
        { LENDER("host", ""), "127.0.0.1:8080", "0123456789abcdef", "", DOCKER_VERDICT_TASK },
        { "{}", "", "gateway", "it uses the network of container gateway: it has no address", DOCKER_VERDICT_INVALID },
        { LENDER("container:x", ""), "", "0123456789abcdef", "that one uses another's itself", DOCKER_VERDICT_INVALID },
        { "{", "", "", "inspect document", DOCKER_VERDICT_UNREADABLE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        enum docker_verdict verdict =
            docker_container_parse(SLICE_LITERAL(BORROWER), slice_of(rows[i].lender), &here, &seen, &warning);
        if (verdict != rows[i].verdict || strcmp(seen.spec.address, rows[i].address) != 0 ||
            strcmp(seen.lender, rows[i].lender_id) != 0 || !strstr(warning.text, rows[i].words) ||
            (!rows[i].words[0] && warning.text[0]))
            fail_msg("row %zu: %s %s %s %s", i, docker_verdict_to_str(verdict), seen.spec.address, seen.lender,
                     warning.text);
    }
}

static void a_network_named_by_a_label_is_the_only_one_and_an_image_of_our_own_tasks_names_none(void **state)
{
    static const char two[] = BRIDGE ",\"shop_front\":{\"IPAddress\":\"172.18.0.9\",\"Gateway\":\"172.18.0.1\"}";
    static const struct {
        const char *labels, *address, *words;
        enum docker_verdict verdict;
    } rows[] = {
        { ROUTED ",\"portico.network\":\"shop_front\"", "172.18.0.9:8080", "", DOCKER_VERDICT_TASK },
        { ROUTED ",\"portico.network\":\"front\",\"com.docker.compose.project\":\"shop\"", "172.18.0.9:8080", "",
          DOCKER_VERDICT_TASK },
        { ROUTED ",\"portico.network\":\"nowhere\"", "", "it is not on that network, but on: bridge, shop_front",
          DOCKER_VERDICT_INVALID },
        { ROUTED ",\"portico.network\":\"\"", "", "the name of a network is expected", DOCKER_VERDICT_INVALID },
        { OWN ",\"portico.network\":\"shop_front\"", "172.17.0.2:80", "", DOCKER_VERDICT_TASK },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        enum docker_verdict verdict = parse(inspect(rows[i].labels, RUNNING, "", two, ""), &here, &seen, &warning);
        if (verdict != rows[i].verdict || strcmp(seen.spec.address, rows[i].address) != 0 ||
            !strstr(warning.text, rows[i].words) || (!rows[i].words[0] && warning.text[0]))
            fail_msg("row %zu: %s %s %s", i, docker_verdict_to_str(verdict), seen.spec.address, warning.text);
    }
}

static void the_only_exposed_port_needs_no_label(void **state)
{
    static const struct {
        const char *config, *address;
    } rows[] = {
        { "\"ExposedPorts\":{\"8081/tcp\":{}},", "172.17.0.2:8081" },
        { "\"ExposedPorts\":{\"53/udp\":{},\"8081/tcp\":{}},", "172.17.0.2:8081" },
        { "\"ExposedPorts\":{\"8081/tcp\":{},\"8082/tcp\":{}},", NULL },
        { "\"ExposedPorts\":{\"x/tcp\":{}},", NULL },
        { "\"ExposedPorts\":{},", NULL },
        { "\"ExposedPorts\":null,", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        char *json =
            inspect("\"portico.enable\":\"true\",\"portico.service\":\"web\"", RUNNING, rows[i].config, BRIDGE, "");
        assert_int_equal(parse(json, &here, &seen, &warning),
                         rows[i].address ? DOCKER_VERDICT_TASK : DOCKER_VERDICT_INVALID);
        if (rows[i].address)
            assert_string_equal(seen.spec.address, rows[i].address);
    }
}

static void every_engine_state_has_its_task_state(void **state)
{
    static const struct {
        const char *state;
        enum task_state expected;
    } rows[] = {
        { "\"Status\":\"created\"", TASK_PENDING },
        { "\"Status\":\"restarting\"", TASK_PENDING },
        { "\"Status\":\"paused\"", TASK_RUNNING },
        { "\"Status\":\"removing\"", TASK_STOPPED },
        { "\"Status\":\"exited\",\"ExitCode\":3", TASK_STOPPED },
        { "\"Status\":\"dead\"", TASK_STOPPED },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        assert_int_equal(parse(inspect(OWN, rows[i].state, "", "", ""), &here, &seen, &warning), DOCKER_VERDICT_TASK);
        assert_int_equal(seen.spec.state, rows[i].expected);
        assert_string_equal(seen.spec.address, ""); /* no address is asked of what does not run */
        assert_int_equal(seen.spec.exit_code, strstr(rows[i].state, "ExitCode") ? 3 : 0);
        assert_true(seen.spec.started_at_wall_us == 0);
    }
}

static void the_engines_own_health_check_is_read(void **state)
{
    static const struct {
        const char *health;
        bool has;
        enum task_health expected;
    } rows[] = {
        { "\"Status\":\"none\"", false, TASK_HEALTH_UNKNOWN },
        { "\"Status\":\"\",\"FailingStreak\":0,\"Log\":null", false, TASK_HEALTH_UNKNOWN }, /* Podman, no check */
        { "\"Status\":\"starting\"", true, TASK_HEALTH_UNKNOWN },
        { "\"Status\":\"healthy\"", true, TASK_HEALTH_UP },
        { "\"Status\":\"unhealthy\"", true, TASK_HEALTH_DOWN },
        { "\"Status\":\"splendid\"", true, TASK_HEALTH_UNKNOWN },
        { "\"Status\":5", false, TASK_HEALTH_UNKNOWN },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        char *text = mem_printf(RUNNING ",\"Health\":{%s}", rows[i].health);
        assert_int_equal(parse(inspect(ENABLED, text, "", BRIDGE, ""), &here, &seen, &warning), DOCKER_VERDICT_TASK);
        assert_int_equal(seen.spec.has_engine_health, rows[i].has);
        assert_int_equal(seen.spec.engine_health, rows[i].expected);
        free(text);
    }
}

static void a_paused_container_runs_and_is_not_healthy(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(
        parse(inspect(ENABLED, "\"Status\":\"paused\",\"Health\":{\"Status\":\"healthy\"}", "", BRIDGE, ""), &here,
              &seen, &warning),
        DOCKER_VERDICT_TASK);
    assert_int_equal(seen.spec.state, TASK_RUNNING);
    assert_true(seen.spec.has_engine_health);
    assert_int_equal(seen.spec.engine_health, TASK_HEALTH_DOWN);
}

static void a_misspelt_label_is_mentioned_and_the_rest_counts(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(parse_labels(ENABLED ",\"portico.prot\":\"1\"", &seen, &warning), DOCKER_VERDICT_TASK);
    assert_non_null(strstr(warning.text, "portico.prot is not known"));
}

static void a_container_that_asks_for_no_route_is_a_task_with_a_warning(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(parse_labels(ENABLED, &seen, &warning), DOCKER_VERDICT_TASK);
    assert_non_null(strstr(warning.text, "web-1 (d6610da750b6): neither portico.host nor portico.path is set"));
    assert_int_equal(parse_labels(ROUTED, &seen, &warning), DOCKER_VERDICT_TASK);
    assert_string_equal(warning.text, "");
    assert_int_equal(parse_labels(ENABLED ",\"portico.path\":\"/x\"", &seen, &warning), DOCKER_VERDICT_TASK);
    assert_string_equal(warning.text, "");
    assert_int_equal(parse_labels(OWN, &seen, &warning), DOCKER_VERDICT_TASK);
    assert_string_equal(warning.text, "");
}

static void several_hosts_and_the_words_of_compose_files_are_understood(void **state)
{
    static const char *const words[] = { "true", "1", "yes", "on", "True", "YES" };
    struct docker_container seen;
    struct error warning;
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char labels[256];
        snprintf(labels, sizeof labels,
                 "\"portico.enable\":\"%s\",\"portico.service\":\"web\",\"portico.port\":\"80\","
                 "\"portico.host\":\"Example.org, www.example.org ,*.example.net\"",
                 words[i]);
        assert_int_equal(parse_labels(labels, &seen, &warning), DOCKER_VERDICT_TASK);
        assert_string_equal(warning.text, "");
        assert_string_equal(seen.spec.host, "example.org,www.example.org,*.example.net");
    }
    assert_int_equal(parse_labels("\"portico.enable\":\"0\"", &seen, &warning), DOCKER_VERDICT_NOT_OURS);
    assert_int_equal(parse_labels("\"portico.enable\":\"no\"", &seen, &warning), DOCKER_VERDICT_NOT_OURS);
}

static void a_compose_project_is_part_of_the_name(void **state)
{
#define IN_SHOP ",\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"Web_1\""
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(parse_labels(ROUTED IN_SHOP, &seen, &warning), DOCKER_VERDICT_TASK);
    assert_string_equal(seen.spec.service, "shop/web");
    assert_int_equal(parse_labels("\"portico.enable\":\"1\",\"portico.port\":\"80\"" IN_SHOP, &seen, &warning),
                     DOCKER_VERDICT_TASK);
    assert_string_equal(seen.spec.service, "shop/Web_1");
    assert_int_equal(parse_labels(OWN IN_SHOP, &seen, &warning), DOCKER_VERDICT_TASK);
    assert_string_equal(seen.spec.service, "web"); /* the image may have been built by compose */
}

static void a_restart_policy_says_that_a_container_will_be_back(void **state)
{
    static const struct {
        const char *policy;
        bool restarts;
    } rows[] = {
        { "{\"Name\":\"always\"}", true },
        { "{\"Name\":\"unless-stopped\"}", true },
        { "{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}", true },
        { "{\"Name\":\"no\"}", false },
        { "{\"Name\":\"\"}", false },
        { "{\"Name\":7}", false },
        { "null", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_container seen;
        struct error warning;
        char *json = mem_printf("{\"Id\":\"" ID "\",\"State\":{\"Status\":\"exited\"},\"Config\":{\"Labels\":{" ROUTED
                                "}},\"HostConfig\":{\"RestartPolicy\":%s}}",
                                rows[i].policy);
        assert_int_equal(parse(json, &here, &seen, &warning), DOCKER_VERDICT_TASK);
        assert_int_equal(seen.restarts, rows[i].restarts);
    }
}

static void the_stop_signal_of_the_image_is_known(void **state)
{
    struct docker_container seen;
    struct error warning;
    (void)state;
    parse(inspect(ENABLED, RUNNING, "\"StopSignal\":\"SIGWINCH\",", BRIDGE, ""), &here, &seen, &warning);
    assert_int_equal(seen.stop_signal, 28);
    assert_int_equal(docker_signal_parse("TERM"), 15);
    assert_int_equal(docker_signal_parse("sigkill"), 9);
    assert_int_equal(docker_signal_parse("15"), 15);
    assert_int_equal(docker_signal_parse("SIGRTMIN+3"), 37);
    assert_int_equal(docker_signal_parse("RTMIN"), 34);
    assert_int_equal(docker_signal_parse("SIGRTMIN+99"), 0);
    assert_int_equal(docker_signal_parse("65"), 0);
    assert_int_equal(docker_signal_parse(""), 0);
    assert_int_equal(docker_signal_parse("SIGNONSENSE"), 0);
}

static void a_name_that_is_no_name_is_replaced_by_the_id(void **state)
{
    static const char json[] = "{\"Id\":\"" ID "\",\"Name\":\"/x\\u001b[2J\",\"Config\":{\"Labels\":{" OWN
                               "}},\"State\":{\"Status\":\"exited\"}}";
    struct docker_container seen;
    struct error warning;
    (void)state;
    assert_int_equal(docker_container_parse(SLICE_LITERAL(json), SLICE_LITERAL(""), &here, &seen, &warning),
                     DOCKER_VERDICT_TASK);
    assert_string_equal(seen.spec.name, "d6610da750b6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_foreign_container_becomes_a_task),
        cmocka_unit_test(a_container_says_which_proxy_header_it_wants),
        cmocka_unit_test(our_own_container_carries_its_revision_and_no_route),
        cmocka_unit_test(our_own_container_says_which_image_it_is_of_or_the_engine_does),
        cmocka_unit_test(our_own_container_is_a_task_whatever_is_wrong_with_it),
        cmocka_unit_test(our_own_container_in_a_strange_state_is_there_at_least),
        cmocka_unit_test(an_images_own_labels_have_no_say_in_our_containers),
        cmocka_unit_test(a_claim_to_be_ours_without_proof_is_refused),
        cmocka_unit_test(a_configured_service_is_not_joined_unless_it_allows_it),
        cmocka_unit_test(an_address_that_leads_to_portico_itself_is_refused),
        cmocka_unit_test(what_is_not_ours_is_left_alone_silently),
        cmocka_unit_test(hostile_labels_are_refused_with_a_warning_that_names_the_container),
        cmocka_unit_test(a_huge_label_is_refused_and_quoted_in_part),
        cmocka_unit_test(documents_that_are_no_container_are_refused),
        cmocka_unit_test(a_container_on_the_network_of_another_has_the_addresses_of_that_one),
        cmocka_unit_test(a_network_named_by_a_label_is_the_only_one_and_an_image_of_our_own_tasks_names_none),
        cmocka_unit_test(the_only_exposed_port_needs_no_label),
        cmocka_unit_test(every_engine_state_has_its_task_state),
        cmocka_unit_test(the_engines_own_health_check_is_read),
        cmocka_unit_test(a_paused_container_runs_and_is_not_healthy),
        cmocka_unit_test(a_misspelt_label_is_mentioned_and_the_rest_counts),
        cmocka_unit_test(a_container_that_asks_for_no_route_is_a_task_with_a_warning),
        cmocka_unit_test(several_hosts_and_the_words_of_compose_files_are_understood),
        cmocka_unit_test(a_compose_project_is_part_of_the_name),
        cmocka_unit_test(a_restart_policy_says_that_a_container_will_be_back),
        cmocka_unit_test(the_stop_signal_of_the_image_is_known),
        cmocka_unit_test(a_name_that_is_no_name_is_replaced_by_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
