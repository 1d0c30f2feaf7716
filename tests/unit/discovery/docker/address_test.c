#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/local_links.h"
#include "discovery/docker/address.h"

#include <string.h>

#define NETWORK(name, ip, gateway) "\"" name "\":{\"IPAddress\":\"" ip "\",\"Gateway\":\"" gateway "\"}"
#define DOCUMENT(mode, networks, ports)                                                           \
    "{\"HostConfig\":{\"NetworkMode\":\"" mode "\"},\"NetworkSettings\":{\"Networks\":{" networks \
    "},\"Ports\":{" ports "}}}"
#define PUBLISHED(ip, port) "\"80/tcp\":[{\"HostIp\":\"" ip "\",\"HostPort\":\"" port "\"}]"

struct row {
    const char *json;
    struct docker_label_scope scope;
    const char *address; /* null: none */
    const char *reason;
};

static const struct row rows[] = {
    { DOCUMENT("default", NETWORK("bridge", "172.17.0.2", "172.17.0.1"), ""), { 0 }, "172.17.0.2:80", NULL },
    { DOCUMENT("host", NETWORK("host", "", ""), ""), { 0 }, "127.0.0.1:80", NULL },
    { DOCUMENT("a", NETWORK("a", "10.0.0.2", "10.0.0.1") "," NETWORK("b", "10.1.0.2", "10.1.0.1"), ""),
      { .network = "b" },
      "10.1.0.2:80",
      NULL },
    /* Preferred, and not the only one. */
    { DOCUMENT("a", NETWORK("a", "10.0.0.2", "10.0.0.1"), PUBLISHED("", "8000")),
      { .network = "b" },
      "10.0.0.2:80",
      NULL },
    { DOCUMENT("a", NETWORK("b", "", ""), ""), { .network = "b" }, NULL, "no address on the network b" },
    /* An overlay has no gateway: a bridge is better, a published port too, and it is better than nothing. */
    { DOCUMENT("o", NETWORK("o", "10.9.0.2", "") "," NETWORK("z", "172.18.0.2", "172.18.0.1"), ""),
      { 0 },
      "172.18.0.2:80",
      NULL },
    { DOCUMENT("o", NETWORK("o", "10.9.0.2", ""), PUBLISHED("0.0.0.0", "8000")), { 0 }, "127.0.0.1:8000", NULL },
    { DOCUMENT("o", NETWORK("o", "10.9.0.2", ""), ""), { 0 }, "10.9.0.2:80", NULL },
    { DOCUMENT("default", "", PUBLISHED("", "8000")), { 0 }, "127.0.0.1:8000", NULL },
    { DOCUMENT("default", "", PUBLISHED("::", "8000")), { 0 }, "[::1]:8000", NULL },
    { DOCUMENT("default", "", PUBLISHED("192.0.2.1", "8000")), { 0 }, "192.0.2.1:8000", NULL },
    { DOCUMENT("default", "", PUBLISHED("0.0.0.0", "")), { 0 }, NULL, "does not publish port 80" },
    { DOCUMENT("default", "", PUBLISHED("0.0.0.0", "70000")), { 0 }, NULL, "does not publish port 80" },
    { DOCUMENT("default", "", PUBLISHED("evil.example", "80")), { 0 }, NULL, "does not publish port 80" },
    { DOCUMENT("default", "", "\"80/tcp\":null"), { 0 }, NULL, "does not publish port 80" },
    { DOCUMENT("default", "", "\"80/udp\":[{\"HostIp\":\"\",\"HostPort\":\"80\"}]"), { 0 }, NULL, "does not publish" },
    { DOCUMENT("none", NETWORK("none", "", ""), ""), { 0 }, NULL, "no address on any network" },
    { DOCUMENT("default", NETWORK("bridge", "172.17.0.999", "172.17.0.1"), ""), { 0 }, NULL, "no address" },
    { DOCUMENT("default", "\"six\":{\"IPAddress\":\"\",\"GlobalIPv6Address\":\"fd00::2\",\"IPv6Gateway\":\"fd00::1\"}",
               ""),
      { 0 },
      "[fd00::2]:80",
      NULL },
    { "{}", { 0 }, NULL, "no address" },
    { "{\"NetworkSettings\":{\"Networks\":[],\"Ports\":5}}", { 0 }, NULL, "no address" },
    /* An engine elsewhere. */
    { DOCUMENT("default", NETWORK("bridge", "172.17.0.2", "172.17.0.1"), PUBLISHED("0.0.0.0", "8000")),
      { .remote_host = "192.0.2.7" },
      "192.0.2.7:8000",
      NULL },
    { DOCUMENT("default", NETWORK("bridge", "172.17.0.2", "172.17.0.1"), ""),
      { .remote_host = "192.0.2.7" },
      NULL,
      "port 80 is not published" },
    { DOCUMENT("host", "", ""), { .remote_host = "[2001:db8::1]" }, "[2001:db8::1]:80", NULL },
    { DOCUMENT("host", "", ""), { .remote_host = "engine.example" }, NULL, "need an IP address" },
};

static void the_best_address_is_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char address[TASK_ADDRESS_SIZE] = "";
        struct error error = { "" };
        json_t *root = json_parse_bounded(slice_of(rows[i].json), &json_limits_default, &error);
        assert_non_null(root);
        struct docker_address_query query = { .inspected = root, .port = 80 };
        bool found = docker_address_find(&query, &rows[i].scope, address, &error);
        json_decref(root);
        if (found != (rows[i].address != NULL) || (found && strcmp(address, rows[i].address) != 0))
            fail_msg("row %zu: %s %s", i, address, error.text);
        if (!found && !strstr(error.text, rows[i].reason))
            fail_msg("row %zu: %s", i, error.text);
    }
}

/* Portico is on 10.1.0.0/16 and fd01::/64. */
static const struct docker_label_scope *on_links(const char *network)
{
    static struct network networks[2];
    static struct local_links links = { .networks = networks, .count = 2 };
    static struct docker_label_scope scope;
    assert_true(network_parse("10.1.0.0/16", &networks[0]) && network_parse("fd01::/64", &networks[1]));
    scope = (struct docker_label_scope){ .network = network, .links = &links };
    return &scope;
}

#define A NETWORK("a", "10.0.0.2", "10.0.0.1")
#define B NETWORK("b", "10.1.0.2", "10.1.0.1")
#define B2 NETWORK("b2", "10.1.1.2", "10.1.0.1")
#define SIX(name, v4, v6) \
    "\"" name "\":{\"IPAddress\":\"" v4 "\",\"GlobalIPv6Address\":\"" v6 "\",\"Gateway\":\"10.0.0.1\"}"
#define COMPOSED NETWORK("shop_front", "10.0.0.2", "10.0.0.1") "," B

static void an_address_on_our_own_links_is_taken_before_others(void **state)
{
    static const struct {
        const char *networks, *preferred, *label, *project, *address, *words;
    } cases[] = {
        { A "," B, NULL, NULL, NULL, "10.1.0.2:80", "" },
        { B "," A, NULL, NULL, NULL, "10.1.0.2:80", "" },
        { B2 "," A "," B, NULL, NULL, NULL, "10.1.0.2:80", "" }, /* by name, not as the engine lists them */
        { A "," B, "a", NULL, NULL, "10.0.0.2:80", "" },
        { A "," B, "z", NULL, NULL, "10.1.0.2:80", "" },
        { A, NULL, NULL, NULL, "10.0.0.2:80", "Portico is on none of its networks: 10.0.0.2 on a may be out of reach" },
        { SIX("a", "10.0.0.2", "fd01::2"), NULL, NULL, NULL, "[fd01::2]:80", "" },
        { SIX("a", "10.1.0.2", "fd01::2"), NULL, NULL, NULL, "10.1.0.2:80", "" },
        { SIX("a", "10.0.0.2", "fd02::2"), NULL, NULL, NULL, "10.0.0.2:80", "may be out of reach" },
        { A "," B, NULL, "a", NULL, "10.0.0.2:80", "" },
        { A "," B, "b", "a", NULL, "10.0.0.2:80", "" },
        { COMPOSED, NULL, "front", "shop", "10.0.0.2:80", "" },
        { COMPOSED, NULL, "shop_front", "shop", "10.0.0.2:80", "" },
        { COMPOSED, NULL, "front", NULL, NULL,
          "portico.network=\"front\": it is not on that network, but on: shop_front, b" },
        { COMPOSED, NULL, "front", "other", NULL, "it is not on that network" },
        { NETWORK("a", "", ""), NULL, "a", NULL, NULL, "no address on the network a (label portico.network)" },
        { "", NULL, "a", NULL, NULL, "but on: none" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char address[TASK_ADDRESS_SIZE] = "", json[1024];
        struct error error = { "" };
        snprintf(json, sizeof json, "{\"NetworkSettings\":{\"Networks\":{%s}}}", cases[i].networks);
        json_t *root = json_parse_bounded(slice_of(json), &json_limits_default, &error);
        assert_non_null(root);
        struct docker_address_query query = {
            .inspected = root, .port = 80, .network = cases[i].label, .compose_project = cases[i].project
        };
        bool found = docker_address_find(&query, on_links(cases[i].preferred), address, &error);
        json_decref(root);
        if (found != (cases[i].address != NULL) || (found && strcmp(address, cases[i].address) != 0) ||
            !strstr(error.text, cases[i].words) || (cases[i].words[0] == '\0' && error.text[0]))
            fail_msg("case %zu: %s %s", i, address, error.text);
    }
}

static void whose_network_it_uses_is_read_from_its_mode(void **state)
{
    static const struct {
        const char *mode, *lender;
    } cases[] = { { "container:abc", "abc" }, { "default", NULL }, { "host", NULL }, { "containers", NULL } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"HostConfig\":{\"NetworkMode\":\"%s\"}}", cases[i].mode);
        json_t *root = json_parse_bounded(slice_of(json), &json_limits_default, NULL);
        const char *lender = docker_address_find_lender(root);
        assert_true(cases[i].lender ? lender && strcmp(lender, cases[i].lender) == 0 : !lender);
        json_decref(root);
    }
}

static void only_ip_addresses_are_formatted(void **state)
{
    char out[TASK_ADDRESS_SIZE];
    (void)state;
    assert_true(docker_address_format("10.0.0.1", 65535, out));
    assert_string_equal(out, "10.0.0.1:65535");
    assert_true(docker_address_format("::ffff:192.0.2.1", 1, out));
    assert_string_equal(out, "[::ffff:192.0.2.1]:1");
    assert_false(docker_address_format("", 1, out));
    assert_false(docker_address_format("10.0.0.1 ", 1, out));
    assert_false(docker_address_format("[10.0.0.1]", 1, out));
    assert_false(
        docker_address_format("0123456789012345678901234567890123456789012345678901234567890123456789", 1, out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_address_is_chosen),
        cmocka_unit_test(an_address_on_our_own_links_is_taken_before_others),
        cmocka_unit_test(whose_network_it_uses_is_read_from_its_mode),
        cmocka_unit_test(only_ip_addresses_are_formatted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
