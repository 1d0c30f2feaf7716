#include "config/diff.h"

#include "config/load.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

static struct config *load(const char *text)
{
    struct config_problems problems;
    struct config *config = config_load_text("t", text, strlen(text), &problems);
    assert_non_null(config);
    config_problems_fini(&problems);
    return config;
}

static void assert_difference(const char *running_text, const char *wanted_text, size_t size, const char *expected)
{
    char out[128];
    memset(out, '#', sizeof out);
    struct config *running = load(running_text), *wanted = load(wanted_text);
    assert_int_equal(config_restart_needed(running, wanted, out, size), expected != NULL);
    if (size) {
        assert_string_equal(out, expected ? expected : "");
        assert_true(strlen(out) < size);
    }
    assert_int_equal(out[size], '#');
    config_free(running);
    config_free(wanted);
}

static void the_same_needs_no_restart(void **state)
{
    (void)state;
    assert_difference("{}", "listeners: [{address: '*:8080'}]", 100, NULL);
}

static void what_can_be_reloaded_needs_no_restart(void **state)
{
    (void)state;
    assert_difference("services: [{name: a, image: b, port: 1}]",
                      "{proxy: {retries: 1, timeouts: {head: 1s}}, services: [{name: c, image: d, port: 2}]}", 100,
                      NULL);
    assert_difference("listeners: [{name: a}, {name: b, address: '*:81'}]",
                      "listeners: [{name: a, requestsPerSecondPerWorker: 1},"
                      "{name: b, address: '*:81', connectionsPerWorker: 2, bodyBytesPerSecondPerWorker: 3}]",
                      100, NULL);
    assert_difference(
        "{}", "docker: {registries: [{name: r, username: u, password: p}], registryConfig: /x, pullTimeout: 1s}", 100,
        NULL);
    assert_difference("admin: {allowedHosts: [a]}", "admin: {allowedHosts: [b], token: sixteen-or-more-x}", 100, NULL);
}

static void what_needs_a_restart_is_listed_by_path(void **state)
{
    (void)state;
    assert_difference("{}", "{cluster: x, listeners: [{address: '*:81'}], proxy: {workers: 2, retries: 0}}", 100,
                      "cluster, listeners, proxy.workers");
    assert_difference("{}", "listeners: [{}, {name: b, address: '*:81'}]", 100, "listeners");
    assert_difference("listeners: [{}, {name: b, address: '*:81'}]",
                      "listeners: [{requestsPerSecondPerWorker: 1}, {name: b, address: '*:81', proxyProtocol: true}]",
                      100, "listeners");
    assert_difference("{}", "docker: {network: n, enabled: false, tls: {ca: /a, cert: /b, key: /c}}", 100,
                      "docker.enabled, docker.tls.ca, docker.tls.cert, docker.tls.key, docker.network");
}

static void a_short_list_ends_with_a_whole_name(void **state)
{
    (void)state;
    static const char wanted[] = "{cluster: x, listeners: [{address: '*:81'}], proxy: {workers: 2}}";
    assert_difference("{}", wanted, 33, "cluster, listeners");
    assert_difference("{}", wanted, 8, "cluster");
    assert_difference("{}", wanted, 7, "");
    assert_difference("{}", wanted, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_needs_no_restart),
        cmocka_unit_test(what_can_be_reloaded_needs_no_restart),
        cmocka_unit_test(what_needs_a_restart_is_listed_by_path),
        cmocka_unit_test(a_short_list_ends_with_a_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
