#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

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
    { DOCUMENT("a", NETWORK("a", "10.0.0.2", "10.0.0.1"), PUBLISHED("", "8000")),
      { .network = "b" },
      NULL,
      "no address on the network b" },
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
        bool found = docker_address_find(root, &rows[i].scope, 80, address, &error);
        json_decref(root);
        if (found != (rows[i].address != NULL) || (found && strcmp(address, rows[i].address) != 0))
            fail_msg("row %zu: %s %s", i, address, error.text);
        if (!found && !strstr(error.text, rows[i].reason))
            fail_msg("row %zu: %s", i, error.text);
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
        cmocka_unit_test(only_ip_addresses_are_formatted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
