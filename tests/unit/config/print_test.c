#include "config/print.h"

#include "config/load.h"
#include "config/schema.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config *load(const char *text)
{
    struct config_problems problems;
    struct config *config = config_load_text("t", text, strlen(text), &problems);
    if (!config)
        fail_msg("%s\n%s", problems.lines[0], text);
    config_problems_fini(&problems);
    return config;
}

static char *print(const struct config *config, bool show_secrets)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    config_print(config, show_secrets, out);
    fclose(out);
    return text;
}

/* What is printed says the same when it is read again, and prints the same. */
static void assert_round_trip(const char *text)
{
    struct config *config = load(text);
    char *printed = print(config, true);
    struct config *again = load(printed);
    char *printed_again = print(again, true);
    assert_string_equal(printed, printed_again);
    free(printed);
    free(printed_again);
    config_free(config);
    config_free(again);
}

static void what_is_printed_loads_as_the_same(void **state)
{
    (void)state;
    assert_round_trip("{}");
    assert_round_trip("services: [{name: a, image: b, port: 1}]");
    assert_round_trip(
        "stateDir: /s\nlisteners: [{name: a, address: '[::1]:81'}, {name: b, address: '*:82',\n"
        "  requestsPerSecondPerWorker: 8, bodyBytesPerSecondPerWorker: 9KiB}]\n"
        "proxy: {timeouts: {head: 1500ms, idle: 61s}, limits: {headBytes: 1025}}\n"
        "admin: {token: 'a\"b\\c$$d:#{}&*!~1234', allowedHosts: [a, b]}\n"
        "docker: {enabled: false, endpoint: 'tcp://h:1', tls: {ca: /c, cert: /d, key: /k}}\n"
        "services:\n- name: a\n  image: b\n  port: 1\n  cpu: 2\n  memory: 6\n  command: ['', '- x', 'yes']\n"
        "  healthCheck: {path: '/?a=%20'}\n"
        "  scaling: {max: 7, target: {requestsPerSecondPerTask: 0.1}}\n"
        "- {name: b, path: /b, image: c, port: 2, scaling: {max: 1, target: {latencyP99Ms: 123.456}}}\n");
}

static void any_text_survives_being_printed(void **state)
{
    (void)state;
    static const char text[] =
        "services: [{name: a, image: b, port: 1, environment: {X: \"\\x01\\t\\r\\n \\x7f \\N \\L \\P \\_ "
        "\\ufeff \\U0001F600 \\ufffd \xc3\xa9\xe2\x82\xac '\\\" \\\\ $$ $${A} # : \"}}]";
    static const char value[] =
        "\x01\t\r\n \x7f \xc2\x85 \xe2\x80\xa8 \xe2\x80\xa9 \xc2\xa0 \xef\xbb\xbf \xf0\x9f\x98\x80 "
        "\xef\xbf\xbd \xc3\xa9\xe2\x82\xac '\" \\ $ ${A} # : ";
    struct config *config = load(text);
    assert_string_equal(config->services[0].environment[0].value, value);
    char *printed = print(config, true);
    struct config *again = load(printed);
    assert_string_equal(again->services[0].environment[0].value, value);
    free(printed);
    config_free(again);
    config_free(config);
}

static void secrets_are_hidden_unless_asked_for(void **state)
{
    (void)state;
    struct config *config = load("admin: {token: hunter2hunter2hunter2}\n"
                                 "docker: {registries: [{name: r.example, username: hunter2, password: hunter2}]}\n"
                                 "services: [{name: a, image: b, port: 1, environment: {PASSWORD: hunter2}}]\n");
    char *hidden = print(config, false), *shown = print(config, true);
    assert_null(strstr(hidden, "hunter2"));
    assert_non_null(strstr(hidden, "  token: \"********\"\n"));
    assert_non_null(strstr(hidden, "      \"PASSWORD\": \"********\"\n"));
    assert_non_null(strstr(shown, "      password: \"hunter2\"\n"));
    assert_non_null(strstr(shown, "  token: \"hunter2hunter2hunter2\"\n"));
    assert_non_null(strstr(shown, "      \"PASSWORD\": \"hunter2\"\n"));
    free(hidden);
    free(shown);
    config_free(config);
}

static void defaults_are_filled_in(void **state)
{
    (void)state;
    struct config *config = load("cluster: c");
    char *text = print(config, false);
    assert_memory_equal(text,
                        "stateDir: \"/var/lib/portico\"\ncluster: \"c\"\nlogLevel: \"info\"\nstrict: "
                        "false\nlisteners:\n  - name: \"http\"\n"
                        "    address: \"0.0.0.0:8080\"\n    proxyProtocol: false\n    connectionsPerWorker: 0\n"
                        "    requestsPerSecondPerWorker: 0\n    bodyBytesPerSecondPerWorker: 0\nproxy:\n  workers: 0\n",
                        269);
    assert_non_null(strstr(text, "    head: 10s\n"));
    assert_non_null(strstr(text, "    bufferBytesPerWorker: 256MiB\n"));
    assert_non_null(strstr(text, "services: []\n"));
    assert_null(strstr(text, "tls"));
    free(text);
    config_free(config);
}

static void the_reference_names_every_key(void **state)
{
    (void)state;
    char *text, row_start[128];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    config_print_reference(out);
    fclose(out);
    for (int section = 0; section < SCHEMA_SECTION_COUNT; section++) {
        const struct schema_row *row = schema_next((enum schema_section)section, NULL);
        for (; row; row = schema_next((enum schema_section)section, row)) {
            snprintf(row_start, sizeof row_start, "\n| `%s` | ", row->key);
            assert_non_null(strstr(text, row_start));
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_loads_as_the_same),   cmocka_unit_test(any_text_survives_being_printed),
        cmocka_unit_test(secrets_are_hidden_unless_asked_for), cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(the_reference_names_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
