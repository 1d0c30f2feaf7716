#include "config/load.h"

#include "tests/unit/config/document_asserts.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void an_empty_map_gives_every_default(void **state)
{
    (void)state;
    struct config *c = load_accepted("{}");
    assert_string_equal(c->state_dir, "/var/lib/portico");
    assert_string_equal(c->cluster, "default");
    assert_string_equal(c->log_level, "info");
    assert_int_equal(c->listener_count, 1);
    assert_string_equal(c->listeners[0].name, "http");
    assert_string_equal(c->listeners[0].address, "0.0.0.0:8080");
    assert_int_equal(c->proxy.workers, 0);
    assert_string_equal(c->proxy.user, "nobody");
    assert_string_equal(c->proxy.access_log, "off");
    assert_string_equal(c->proxy.balancer, "p2c");
    assert_int_equal(c->proxy.retries, 2);
    assert_true(c->proxy.fails_open);
    assert_int_equal(c->proxy.timeouts.head_ms, 10000);
    assert_int_equal(c->proxy.timeouts.body_ms, 60000);
    assert_int_equal(c->proxy.timeouts.stream_ms, 300000);
    assert_int_equal(c->proxy.timeouts.idle_ms, 75000);
    assert_int_equal(c->proxy.timeouts.connect_ms, 2000);
    assert_int_equal(c->proxy.timeouts.response_ms, 60000);
    assert_int_equal(c->proxy.timeouts.upstream_idle_ms, 60000);
    assert_int_equal(c->proxy.timeouts.drain_ms, 30000);
    assert_int_equal(c->proxy.limits.head_bytes, 32768);
    assert_int_equal(c->proxy.limits.field_count, 100);
    assert_int_equal(c->proxy.limits.connections_per_worker, 8192);
    assert_int_equal(c->proxy.limits.buffer_bytes_per_worker, 256 << 20);
    assert_int_equal(c->proxy.limits.upstream_idle_per_endpoint, 128);
    assert_string_equal(c->admin.address, "127.0.0.1:9900");
    assert_null(c->admin.token);
    assert_int_equal(c->admin.allowed_host_count, 0);
    assert_true(c->docker.enabled);
    assert_string_equal(c->docker.endpoint, "unix:///var/run/docker.sock");
    assert_null(c->docker.tls_ca);
    assert_null(c->docker.network);
    assert_null(c->discovery.endpoints_file);
    assert_int_equal(c->service_count, 0);
    config_free(c);
}

static void a_service_gets_its_defaults(void **state)
{
    (void)state;
    struct config *c = load_accepted("services:\n- {name: web, image: shop/web:1, port: 80}\n");
    const struct config_service *s = &c->services[0];
    assert_int_equal(c->service_count, 1);
    assert_string_equal(s->host, "*");
    assert_string_equal(s->path, "/");
    assert_int_equal(s->command_count, 0);
    assert_int_equal(s->environment_count, 0);
    assert_int_equal(s->cpu, 0);
    assert_int_equal(s->memory_mib, 0);
    assert_int_equal(s->desired_count, 1);
    assert_int_equal(s->stop_timeout_ms, 30000);
    assert_int_equal(s->deregistration_delay_ms, 30000);
    assert_null(s->health_check.path);
    assert_int_equal(s->health_check.interval_ms, 5000);
    assert_int_equal(s->health_check.timeout_ms, 2000);
    assert_int_equal(s->health_check.healthy_threshold, 1);
    assert_int_equal(s->health_check.unhealthy_threshold, 3);
    assert_int_equal(s->health_check.start_period_ms, 300000);
    assert_string_equal(s->health_check.matcher, "200-399");
    assert_null(s->health_check.host);
    assert_int_equal(s->health_check.header_count, 0);
    assert_false(s->scaling.enabled);
    config_free(c);
}

static void every_key_reaches_its_field(void **state)
{
    (void)state;
    struct config *c =
        load_accepted("stateDir: /s\ncluster: c-1\nlogLevel: debug\n"
                      "listeners: [{name: a, address: '[::1]:81'}, {name: b, address: '*:82',\n"
                      "  connectionsPerWorker: 7, requestsPerSecondPerWorker: 8, bodyBytesPerSecondPerWorker: 9KiB}]\n"
                      "proxy: {workers: 3, user: www-data, accessLog: /log, retries: 0, desync: strictest,\n"
                      "  trustedProxies: [10.0.0.0/8, '::1'], forwardedFor: replace, sendForwarded: true, "
                      "answerHalfClosed: true,\n"
                      "  acceptBareLf: true, encodedSlashes: refuse, responses: strict, accessLogFormat: combined, "
                      "accessLogEvery: 10, "
                      "failOpen: false, "
                      "retryBudgetPercent: 5,\n"
                      "  timeouts: {request: 1m, tunnel: 2h}, limits: {replayBytes: 0, bodyBytesPerSecondMin: 1KiB},\n"
                      "  clients: {sharePercent: 3, connections: 4, requestsPerSecond: 5, bodyBytesPerSecond: 6}}\n"
                      "admin: {address: 0.0.0.0:1, token: " TOKEN ", allowedHosts: [A.example, b]}\n"
                      "docker: {enabled: false, endpoint: 'tcp://h:2376', network: n,\n"
                      "  tls: {ca: /ca, cert: /cert, key: /key}}\n"
                      "discovery: {endpointsFile: e.json}\n"
                      "services:\n- name: api\n  host: [Example.com, '*.Example.COM']\n"
                      "  path: /v1/\n  image: i@sha256:00\n"
                      "  command: [/bin/api, '', -x]\n  environment: {B: '2', A: 1}\n  port: 65535\n  cpu: 512\n"
                      "  memory: 2GiB\n  desiredCount: 4\n  stopTimeout: 120s\n  deregistrationDelay: 1h\n"
                      "  healthCheck: {path: '/h?x=%20', interval: 1s, timeout: 500ms, healthyThreshold: 2,\n"
                      "    unhealthyThreshold: 5, host: Probe.example, matcher: '200-299,401', startPeriod: 90s,\n"
                      "    headers: {X-Probe: 'a b', Authorization: Basic x}}\n"
                      "  scaling: {min: 2, max: 8, target: {latencyP99Ms: 12.5}, scaleInCooldown: 0s}\n");
    const struct config_service *s = &c->services[0];
    assert_string_equal(c->listeners[0].address, "[::1]:81");
    assert_string_equal(c->listeners[1].address, "0.0.0.0:82");
    assert_int_equal(c->listeners[0].requests_per_second_per_worker, 0);
    assert_int_equal(c->listeners[1].connections_per_worker, 7);
    assert_int_equal(c->listeners[1].requests_per_second_per_worker, 8);
    assert_int_equal(c->listeners[1].body_bytes_per_second_per_worker, 9216);
    assert_int_equal(c->proxy.workers, 3);
    assert_string_equal(c->proxy.access_log, "/log");
    assert_string_equal(c->proxy.desync, "strictest");
    assert_int_equal(c->proxy.trusted_proxy_count, 2);
    assert_string_equal(c->proxy.trusted_proxies[1], "::1");
    assert_string_equal(c->proxy.forwarded_for, "replace");
    assert_string_equal(c->proxy.encoded_slashes, "refuse");
    assert_string_equal(c->proxy.responses, "strict");
    assert_true(c->proxy.sends_forwarded && c->proxy.accepts_bare_lf && c->proxy.answers_half_closed);
    assert_string_equal(c->proxy.access_log_format, "combined");
    assert_int_equal(c->proxy.access_log_every, 10);
    assert_int_equal(c->proxy.retry_budget_percent, 5);
    assert_false(c->proxy.fails_open);
    assert_int_equal(c->proxy.timeouts.request_ms, 60000);
    assert_int_equal(c->proxy.timeouts.tunnel_ms, 7200000);
    assert_int_equal(c->proxy.limits.body_bytes_per_second_min, 1024);
    assert_int_equal(c->proxy.clients.share_percent, 3);
    assert_int_equal(c->proxy.clients.body_bytes_per_second, 6);
    assert_string_equal(c->admin.token, TOKEN);
    assert_int_equal(c->admin.allowed_host_count, 2);
    assert_string_equal(c->admin.allowed_hosts[0], "a.example");
    assert_false(c->docker.enabled);
    assert_string_equal(c->docker.tls_key, "/key");
    assert_string_equal(c->docker.network, "n");
    assert_string_equal(c->discovery.endpoints_file, "e.json");
    assert_string_equal(s->host, "example.com,*.example.com");
    assert_string_equal(s->path, "/v1");
    assert_int_equal(s->command_count, 3);
    assert_string_equal(s->command[1], "");
    assert_int_equal(s->environment_count, 2);
    assert_string_equal(s->environment[0].name, "B");
    assert_string_equal(s->environment[1].value, "1");
    assert_int_equal(s->port, 65535);
    assert_int_equal(s->memory_mib, 2048);
    assert_int_equal(s->stop_timeout_ms, 120000);
    assert_int_equal(s->deregistration_delay_ms, 3600000);
    assert_string_equal(s->health_check.path, "/h?x=%20");
    assert_string_equal(s->health_check.host, "probe.example");
    assert_string_equal(s->health_check.matcher, "200-299,401");
    assert_int_equal(s->health_check.start_period_ms, 90000);
    assert_int_equal(s->health_check.header_count, 2);
    assert_string_equal(s->health_check.headers[0].name, "X-Probe");
    assert_string_equal(s->health_check.headers[0].value, "a b");
    assert_int_equal(s->health_check.timeout_ms, 500);
    assert_true(s->scaling.enabled);
    assert_int_equal(s->scaling.min, 2);
    assert_int_equal(s->scaling.max, 8);
    assert_true(s->scaling.latency_p99_ms == 12.5);
    assert_int_equal(s->scaling.scale_in_cooldown_ms, 0);
    config_free(c);
}

static void all_problems_are_named_at_once_with_line_and_column(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "t.yaml:1:1: stateDri: unknown key, allowed keys are stateDir, cluster, logLevel, strict, listeners, proxy, "
        "admin, "
        "docker, "
        "discovery, services; did you mean 'stateDir'?",
        "t.yaml:2:11: logLevel: 'inof' is not a log level, write one of error, warn, info, debug; did you mean 'info'?",
        "t.yaml:5:11: proxy.timeouts.head: '5 sec' is not a duration, write a number with ms, s, m or h between 100ms "
        "and 10m",
        "t.yaml:6:11: proxy.timeouts.body: '2h' is out of range, write a number with ms, s, m or h between 100ms and "
        "1h",
        "t.yaml:7:12: proxy.workers: is a text in quotes, write an integer without quotes",
        "t.yaml:8:11: proxy.limits: is a list, write a map with the keys of proxy.limits",
        "t.yaml:10:5: services[0].port: is missing, write an integer: a whole number between 1 and 65535",
        "t.yaml:12:5: services[0].desiredCuont: unknown key, allowed keys are name, host, path, allowLabels, "
        "allowTaskRoutes, image, pull, command, environment, "
        "port, cpu, memory, desiredCount, proxyProtocol, responses, responseTimeout, stopTimeout, deregistrationDelay, "
        "tunnelDeregistrationDelay, "
        "healthCheck, scaling; did "
        "you mean "
        "'desiredCount'?",
        "t.yaml:13:11: services[0].path: '/a/../b' is not a path prefix, write '/' and up to 255 visible ASCII "
        "characters in up "
        "to 64 segments, without empty or dot segments and '%', '?', '#', ';', '\\', '*'",
        "t.yaml:14:5: services[1]: is a value, write a map with the keys of services[]",
    };
    assert_problems("stateDri: /x\n"
                    "logLevel: inof\n"
                    "proxy:\n"
                    "  timeouts:\n"
                    "    head: 5 sec\n"
                    "    body: 2h\n"
                    "  workers: \"4\"\n"
                    "  limits: [1, 2]\n"
                    "services:\n"
                    "  - name: web\n"
                    "    image: a\n"
                    "    desiredCuont: 3\n"
                    "    path: /a/../b\n"
                    "  - 7\n",
                    lines, sizeof lines / sizeof lines[0]);
}

static void a_key_far_from_all_others_gets_no_suggestion(void **state)
{
    (void)state;
    assert_problem("listeners: [{colour: red}]", "t.yaml:1:14: listeners[0].colour: unknown key, allowed keys are "
                                                 "name, address, proxyProtocol, connectionsPerWorker, "
                                                 "requestsPerSecondPerWorker, bodyBytesPerSecondPerWorker");
    assert_problem("listeners: [{adress: '*:1'}]",
                   "t.yaml:1:14: listeners[0].adress: unknown key, allowed keys are name, address, proxyProtocol, "
                   "connectionsPerWorker, requestsPerSecondPerWorker, bodyBytesPerSecondPerWorker; "
                   "did you mean 'address'?");
}

static void a_missing_key_is_reported_where_its_section_starts(void **state)
{
    (void)state;
    assert_problem("services:\n  - name: web\n    port: 80\n",
                   "t.yaml:2:5: services[0].image: is missing, write an image: a Docker image such as "
                   "registry.example.com/shop/web:1.2");
    assert_problem("services:\n  - name: web\n    port: 80\n    image:\n",
                   "t.yaml:2:5: services[0].image: is missing, write an image: a Docker image such as "
                   "registry.example.com/shop/web:1.2");
}

static void a_key_without_value_is_as_good_as_none(void **state)
{
    (void)state;
    struct config *c = load_accepted("proxy:\nadmin:\n  token:\ncluster: ~\nlogLevel: null\n");
    assert_string_equal(c->cluster, "default");
    assert_int_equal(c->proxy.retries, 2);
    assert_null(c->admin.token);
    config_free(c);
}

static void json_is_accepted(void **state)
{
    (void)state;
    struct config *c =
        load_accepted("{\n\t\"cluster\": \"c\",\n\t\"proxy\":{\"workers\":2,\"timeouts\":{\"head\":\"5s\"}},\n"
                      "\t\"docker\": {\"enabled\": false, \"network\": null},\n\t\"services\": [\n"
                      "\t\t{\"name\":\"web\",\"image\":\"a\\/b\",\"port\":80,\"path\":\"\\u002fx\",\"command\":[],\n"
                      "\t\t \"scaling\": {\"max\": 3, \"target\": {\"inFlightPerTask\": 0.5}}}\n\t]\n}\n");
    assert_int_equal(c->proxy.workers, 2);
    assert_int_equal(c->proxy.timeouts.head_ms, 5000);
    assert_false(c->docker.enabled);
    assert_string_equal(c->services[0].image, "a/b");
    assert_string_equal(c->services[0].path, "/x");
    assert_true(c->services[0].scaling.in_flight_per_task == 0.5);
    config_free(c);
}

static void problems_in_json_have_line_and_column(void **state)
{
    (void)state;
    assert_problem("{\n  \"proxy\": {\n    \"retries\": 4\n  }\n}\n",
                   "t.yaml:3:16: proxy.retries: '4' is out of range, write a whole number between 0 and 3");
    assert_problem_start("{\n  \"proxy\": {\n    \"retries\": 1\n", "t.yaml:4:1: document: is not YAML: ");
}

static void a_syntax_error_has_line_and_column(void **state)
{
    (void)state;
    assert_problem(
        "cluster: a\nproxy:\n  workers: 1\n retries: 2\n",
        "t.yaml:4:2: document: is not YAML: did not find expected key (while parsing a block mapping, line 1), write "
        "YAML 1.1 or JSON");
    assert_problem_start("cluster: a\nlogLevel: \"x\xff\"\n", "t.yaml:2:13: document: is not UTF-8 text: ");
}

static void a_document_cut_to_nothing_is_a_problem(void **state)
{
    (void)state;
    static const char line[] = "t.yaml:1:1: document: is empty, write at least one key, or {} for the defaults";
    assert_problem("", line);
    assert_problem("# only a comment\n", line);
    assert_problem("---\n", line);
    assert_problem("null\n", line);
    assert_problem("[1]", "t.yaml:1:1: document: is a list, write a map: lines with key: value");
}

static void environment_variables_are_replaced_in_values(void **state)
{
    (void)state;
    setenv("PORTICO_TEST_COUNT", "3", 1);
    setenv("PORTICO_TEST_WORD", "a: [b]\n# \"c\"", 1);
    struct config *c = load_accepted("services:\n- name: web\n  image: a\n  port: \"80${PORTICO_TEST_COUNT}\"\n"
                                     "  desiredCount: ${PORTICO_TEST_COUNT}\n"
                                     "  environment: {X: \"<${PORTICO_TEST_WORD}>\", Y: '$${Z}', Z: a$$$$}\n");
    assert_int_equal(c->services[0].port, 803);
    assert_int_equal(c->services[0].desired_count, 3);
    assert_string_equal(c->services[0].environment[0].value, "<a: [b]\n# \"c\">");
    assert_string_equal(c->services[0].environment[1].value, "${Z}");
    assert_string_equal(c->services[0].environment[2].value, "a$$");
    config_free(c);
}

static void a_variable_that_is_not_set_is_a_problem(void **state)
{
    (void)state;
    unsetenv("PORTICO_TEST_UNSET");
    assert_problem(
        "cluster: ${PORTICO_TEST_UNSET}",
        "t.yaml:1:10: cluster: the environment variable 'PORTICO_TEST_UNSET' is not set, set it or write $$ for a "
        "dollar sign");
    assert_problem(
        "stateDir: /$HOME",
        "t.yaml:1:11: stateDir: has a '$' alone, write $$ for a dollar sign, or ${NAME} for an environment variable");
    assert_problem(
        "admin: { token: ${PORTICO_TEST_UNSET} }",
        "t.yaml:1:17: admin.token: ends in '$': within { } and [ ], write \"${NAME}\" in quotes, or $$ for a "
        "dollar sign");
    assert_problem(
        "listeners: [{ name: http, address: ${A} }]",
        "t.yaml:1:36: listeners[0].address: ends in '$': within { } and [ ], write \"${NAME}\" in quotes, or "
        "$$ for a dollar sign");
    assert_problem_start("stateDir: ${A", "t.yaml:1:11: stateDir: has a '${' without a name and '}' behind it");
    assert_problem_start("stateDir: '${}'", "t.yaml:1:11: stateDir: has a '${' without a name and '}' behind it");
}

static void a_problem_quotes_the_variable_and_not_its_value(void **state)
{
    (void)state;
    setenv("PORTICO_TEST_COUNT", "hunter2", 1);
    assert_problem(
        "proxy: {retries: \"${PORTICO_TEST_COUNT}\"}",
        "t.yaml:1:18: proxy.retries: '${PORTICO_TEST_COUNT}' is not an integer, write a whole number between 0 and 3");
}

static void no_problem_shows_a_secret(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "admin: {token: hunter2}",
        "admin: {token: [hunter2]}",
        "admin: {token: {hunter2: 1}}",
        "admin: {token: hunter2, token: 'hunter2hunter2hunter2'}",
        "admin: hunter2",
        "docker: {registries: [{name: r, username: hunter2, password: \"hunter2\\n\"}]}",
        "docker: {registries: [{name: r, username: hunter2, password: hunter2, passwordFile: /x}]}",
        "docker: {registries: [{name: r, username: hunter2}]}",
        "admin: {tokn: hunter2}",
        "admin: {token: \"hunter2hunter2hunter2\\e\"}",
        "admin: {token: hunter2$hunter2}",
        "services: [{name: a, image: a, port: 1, environment: [PASSWORD=hunter2]}]",
        "services: [{name: a, image: a, port: 1, environment: {PASSWORD=hunter2}}]",
        "services: [{name: a, image: a, port: 1, environment: {A: {B: hunter2}}}]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config_problems problems;
        assert_null(config_load_text("t", texts[i], strlen(texts[i]), &problems));
        assert_true(problems.count > 0);
        for (size_t j = 0; j < problems.count; j++)
            assert_null(strstr(problems.lines[j], "hunter2"));
        config_problems_fini(&problems);
    }
}

static void control_characters_of_the_input_are_escaped(void **state)
{
    (void)state;
    assert_problem(
        "cluster: \"a\\e[31m\\n\\x9b\"",
        "t.yaml:1:10: cluster: 'a\\x1b[31m\\x0a\\u009b' is not a cluster name, write 1 to 32 of a-z, 0-9 and '-'");
    struct config_problems problems;
    assert_null(config_load_text("a\nb", "1", 1, &problems));
    assert_memory_equal(problems.lines[0], "a\\x0ab:1:1: ", strlen("a\\x0ab:1:1: "));
    config_problems_fini(&problems);
}

static void hundred_problems_are_enough(void **state)
{
    (void)state;
    char text[4096] = "", *at = text;
    for (int i = 0; i < 150; i++)
        at += sprintf(at, "k%d: 1\n", i);
    struct config_problems problems;
    assert_null(config_load_text("t", text, strlen(text), &problems));
    assert_int_equal(problems.count, CONFIG_PROBLEMS_MAX + 1);
    assert_string_equal(problems.lines[CONFIG_PROBLEMS_MAX], "... and more");
    config_problems_fini(&problems);
}

static void lists_and_maps_are_bounded(void **state)
{
    (void)state;
    assert_problem("listeners: []", "t.yaml:1:12: listeners: has 0 entries, write between 1 and 16");
    assert_problem_start("admin: {allowedHosts: a}", "t.yaml:1:23: admin.allowedHosts: is a value, write a list: ");
    assert_problem_start("proxy: {trustedProxies: [10.0.0.1/8]}", "t.yaml:1:26: proxy.trustedProxies[0]: ");
    assert_problem_start("proxy: {desync: stricter}", "t.yaml:1:17: proxy.desync: ");
    assert_problem("admin: {allowedHosts: [a, ~]}", "t.yaml:1:27: admin.allowedHosts[1]: is empty, write a host name");
    assert_problem_start("admin: {allowedHosts: [a, [b]]}",
                         "t.yaml:1:27: admin.allowedHosts[1]: is a list and not a host name, write a name");
    assert_problem(SERVICE "environment: {A: }}]",
                   "t.yaml:1:60: services[0].environment.A: has no value, write a text, \"\" for an empty one");
    assert_problem_start(SERVICE "environment: {1A: x}}]", "t.yaml:1:57: services[0].environment.1A: is not a name of");
    assert_problem_start(
        SERVICE "healthCheck: {matcher: 2xx}}]",
        "t.yaml:1:66: services[0].healthCheck.matcher: '2xx' is not a set of statuses, write statuses from 100 to 599");
    assert_problem_start(SERVICE "healthCheck: {headers: {Host: x}}}]",
                         "t.yaml:1:67: services[0].healthCheck.headers.Host: is not a header field that can be added");
    assert_problem_start(SERVICE "healthCheck: {headers: {A: \"x\\n\"}}}]",
                         "t.yaml:1:70: services[0].healthCheck.headers.A: ");
    assert_problem_start(SERVICE "environment: [A]}]", "t.yaml:1:56: services[0].environment: is a list, write a map");
    assert_problem_start(SERVICE "command: sh -c x}]", "t.yaml:1:52: services[0].command: is a value, write a list");
    assert_problem_start("services: {web: {image: a}}", "t.yaml:1:11: services: is a map, write a list of maps");

    char text[16384] = "services:\n", *at = text + strlen(text);
    for (int i = 0; i < CONFIG_SERVICES_MAX + 1; i++)
        at += sprintf(at, "- {}\n");
    assert_problem(text, "t.yaml:2:1: services: has 1001 entries, write between 0 and 1000");
}

static void balancers_are_those_that_were_named(void **state)
{
    (void)state;
    static const char *const one[] = { "p2c" }, *const three[] = { "p2c", "least_conn", "round_robin" };
    assert_problem("proxy: {balancer: least_conn}",
                   "t.yaml:1:19: proxy.balancer: 'least_conn' is not a balancer, write p2c");
    config_set_balancer_names(three, 3);
    assert_accepted("proxy: {balancer: least_conn}");
    assert_problem("proxy: {balancer: leastconn}",
                   "t.yaml:1:19: proxy.balancer: 'leastconn' is not a balancer, write one of "
                   "p2c, least_conn, round_robin; did you mean 'least_conn'?");
    config_set_balancer_names(one, 1);
}

static void files_are_read_and_their_errors_are_problems(void **state)
{
    (void)state;
    struct config_problems problems;
    char path[] = "/tmp/portico-load-test-XXXXXX", expected[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "cluster: f\n", 11), 11);
    struct config *c = config_load_file(path, &problems);
    assert_non_null(c);
    assert_string_equal(c->cluster, "f");
    config_free(c);
    config_problems_fini(&problems);

    assert_int_equal(ftruncate(fd, CONFIG_FILE_BYTES_MAX + 1), 0);
    assert_null(config_load_file(path, &problems));
    snprintf(expected, sizeof expected, "%s:1:1: document: is too large, write at most 4194304 bytes", path);
    assert_string_equal(problems.lines[0], expected);
    config_problems_fini(&problems);
    close(fd);
    unlink(path);

    assert_null(config_load_file(path, &problems));
    assert_int_equal(problems.count, 1);
    snprintf(expected, sizeof expected, "%s:1:1: document: cannot be read: No such file or directory", path);
    assert_memory_equal(problems.lines[0], expected, strlen(expected));
    config_problems_fini(&problems);
    assert_null(config_load_file("/tmp", &problems));
    config_problems_fini(&problems);
}

static void check_exposure(const char *text, mode_t mode, bool is_accepted, bool is_exposed)
{
    struct config_problems problems;
    char path[] = "/tmp/portico-load-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    struct config *c = config_load_file(path, &problems);
    unlink(path);
    assert_int_equal(c != NULL, is_accepted);
    if (c)
        assert_int_equal(c->is_token_exposed, is_exposed);
    else
        assert_non_null(strstr(problems.lines[0], ":1:18: admin.token: is written in a file that everybody may read"));
    config_free(c);
    config_problems_fini(&problems);
}

static void a_password_in_a_file_that_everybody_may_read_is_too(void **state)
{
    static const struct {
        const char *registry;
        bool is_exposed;
    } cases[] = { { "password: pw", true },
                  { "password: '${PORTICO_TEST_TOKEN}'", false },
                  { "passwordFile: /x", false } };
    (void)state;
    setenv("PORTICO_TEST_TOKEN", "0123456789abcdef", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config_problems problems;
        char path[] = "/tmp/portico-load-test-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        dprintf(fd,
                "docker: {registries: [{name: a, username: u, password: '${PORTICO_TEST_TOKEN}'}, {name: b, username: "
                "u, %s}]}",
                cases[i].registry);
        assert_int_equal(fchmod(fd, 0644), 0);
        struct config *c = config_load_file(path, &problems);
        assert_non_null(c);
        assert_int_equal(c->is_password_exposed, cases[i].is_exposed);
        config_free(c);
        config_problems_fini(&problems);
        dprintf(fd, "\nstrict: true");
        c = config_load_file(path, &problems);
        assert_int_equal(c == NULL, cases[i].is_exposed);
        if (c == NULL)
            assert_non_null(
                strstr(problems.lines[0], "docker.registries[1].password: is written in a file that everybody"));
        config_free(c);
        config_problems_fini(&problems);
        close(fd);
        unlink(path);
    }
}

static void a_token_in_a_file_that_everybody_may_read_is_a_warning_or_a_problem(void **state)
{
    (void)state;
    setenv("PORTICO_TEST_TOKEN", "0123456789abcdef", 1);
    check_exposure("admin:  { token: 0123456789abcdef }", 0600, true, false);
    check_exposure("admin:  { token: 0123456789abcdef }", 0640, true, false);
    check_exposure("admin:  { token: 0123456789abcdef }", 0644, true, true);
    check_exposure("admin:  { token: '${PORTICO_TEST_TOKEN}' }", 0644, true, false);
    check_exposure("admin: {}", 0644, true, false);
    check_exposure("admin:  { token: 0123456789abcdef }\nstrict: true", 0644, false, false);
    check_exposure("admin:  { token: 0123456789abcdef }\nstrict: true", 0640, true, false);
}

static void the_examples_are_accepted(void **state)
{
    (void)state;
    static const char *const paths[] = { "config/examples/minimal.yaml", "config/examples/portico.yaml" };
    for (size_t i = 0; i < 2; i++) {
        struct config_problems problems;
        struct config *c = config_load_file(paths[i], &problems);
        if (!c)
            fail_msg("%s", problems.lines[0]);
        config_free(c);
        config_problems_fini(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_gives_every_default),
        cmocka_unit_test(a_service_gets_its_defaults),
        cmocka_unit_test(every_key_reaches_its_field),
        cmocka_unit_test(all_problems_are_named_at_once_with_line_and_column),
        cmocka_unit_test(a_key_far_from_all_others_gets_no_suggestion),
        cmocka_unit_test(a_missing_key_is_reported_where_its_section_starts),
        cmocka_unit_test(a_key_without_value_is_as_good_as_none),
        cmocka_unit_test(json_is_accepted),
        cmocka_unit_test(problems_in_json_have_line_and_column),
        cmocka_unit_test(a_syntax_error_has_line_and_column),
        cmocka_unit_test(a_document_cut_to_nothing_is_a_problem),
        cmocka_unit_test(environment_variables_are_replaced_in_values),
        cmocka_unit_test(a_variable_that_is_not_set_is_a_problem),
        cmocka_unit_test(a_problem_quotes_the_variable_and_not_its_value),
        cmocka_unit_test(no_problem_shows_a_secret),
        cmocka_unit_test(control_characters_of_the_input_are_escaped),
        cmocka_unit_test(hundred_problems_are_enough),
        cmocka_unit_test(lists_and_maps_are_bounded),
        cmocka_unit_test(balancers_are_those_that_were_named),
        cmocka_unit_test(files_are_read_and_their_errors_are_problems),
        cmocka_unit_test(a_password_in_a_file_that_everybody_may_read_is_too),
        cmocka_unit_test(a_token_in_a_file_that_everybody_may_read_is_a_warning_or_a_problem),
        cmocka_unit_test(the_examples_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
