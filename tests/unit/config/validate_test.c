#include "config/validate.h"

#include "tests/unit/config/document_asserts.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void two_services_may_not_share_a_name_or_a_route(void **state)
{
    (void)state;
    assert_problem("services:\n- {name: web, image: a, port: 1}\n- {name: web, image: a, port: 1, path: /x}\n",
                   "t.yaml:3:10: services[1].name: 'web' is the name of services[0] too (line 2), write another name");
    assert_problem(
        "services:\n- {name: a, host: X.y, path: /p/, image: a, port: 1}\n"
        "- {name: b, host: x.Y, path: /p, image: a, port: 1}\n",
        "t.yaml:3:30: services[1].path: '/p' on host 'x.y' is the route of services[0] too (line 2), write another "
        "host or path");
    assert_problem("services:\n- {name: a, host: [a.b, x.y], image: a, port: 1}\n"
                   "- {name: b, host: 'x.y, c.d', path: /, image: a, port: 1}\n",
                   "t.yaml:3:37: services[1].path: '/' on host 'x.y' is the route of services[0] too (line 2), write "
                   "another host or path");
    assert_problem_start("services:\n- {name: a, path: '/api/*', image: a, port: 1}\n",
                         "t.yaml:2:19: services[0].path: '/api/*' is not a path prefix");
    assert_accepted(
        "services:\n- {name: a, host: [x.y, www.x.y], image: a, port: 1}\n- {name: b, host: x.z, image: a, port: 1}\n");
    assert_accepted(
        "services:\n- {name: a, host: x.y, image: a, port: 1}\n- {name: b, host: x.z, image: a, port: 1}\n");
}

static void scaling_has_one_target_and_a_range(void **state)
{
    (void)state;
    assert_problem(
        SERVICE "scaling: {max: 3, target: {}}}]",
        "t.yaml:1:69: services[0].scaling.target: has 0 targets, write exactly one of requestsPerSecondPerTask, "
        "inFlightPerTask, latencyP99Ms");
    assert_problem_start(SERVICE "scaling: {max: 3}}]", "t.yaml:1:52: services[0].scaling.target: has 0 targets");
    assert_problem_start(SERVICE "scaling: {max: 3, target: {inFlightPerTask: 1, latencyP99Ms: 1}}}]",
                         "t.yaml:1:69: services[0].scaling.target: has 2 targets");
    assert_problem(SERVICE "scaling: {min: 4, max: 3, target: {inFlightPerTask: 1}}}]",
                   "t.yaml:1:58: services[0].scaling.min: 4 is more than max, write at most 3");
    assert_problem_start(SERVICE "scaling: {target: {inFlightPerTask: 1}}}]",
                         "t.yaml:1:52: services[0].scaling.max: is missing");
    assert_problem(SERVICE "desiredCount: 5, scaling: {min: 1, max: 3, target: {inFlightPerTask: 1}}}]",
                   "t.yaml:1:57: services[0].desiredCount: 5 is outside of scaling, write an integer between 1 and 3");
}

static void a_desired_count_that_is_not_written_starts_inside_the_scaling_range(void **state)
{
    (void)state;
    struct config *c = load_accepted(SERVICE "scaling: {min: 4, max: 9, target: {inFlightPerTask: 1}}}]");
    assert_int_equal(c->services[0].desired_count, 4);
    config_free(c);
}

static void a_wrong_field_does_not_cause_further_problems(void **state)
{
    (void)state;
    assert_problem_start(SERVICE "scaling: {min: x, max: 3, target: {inFlightPerTask: 1}}}]",
                         "t.yaml:1:58: services[0].scaling.min: 'x' is not an integer");
    assert_problem_start(SERVICE "scaling: {max: 3, target: {inFlightPerTask: x}}}]",
                         "t.yaml:1:87: services[0].scaling.target.inFlightPerTask: 'x' is not a number");
    assert_problem_start("admin: {address: 0.0.0.0:1, token: short}",
                         "t.yaml:1:36: admin.token: the value is not a secret");
    assert_problem_start("services:\n- {name: a, image: a, port: 1}\n- {name: b, path: x, image: a, port: 1}\n",
                         "t.yaml:3:19: services[1].path: 'x' is not a path prefix");
}

static void a_token_is_required_beyond_loopback(void **state)
{
    (void)state;
    assert_accepted("admin: {address: '127.9.9.9:1'}");
    assert_accepted("admin: {address: '[::1]:1'}");
    assert_accepted("admin: {address: '0.0.0.0:1', token: " TOKEN "}");
    assert_problem(
        "admin: {address: '0.0.0.0:1'}",
        "t.yaml:1:8: admin.token: is missing, '0.0.0.0:1' is not a loopback address: write a token of 16 to 512 "
        "characters, or an address such as 127.0.0.1:9900");
    assert_problem_start("admin: {address: '[::]:1'}", "t.yaml:1:8: admin.token: is missing");
    assert_problem_start("admin: {token: 0123456789abcde}", "t.yaml:1:16: admin.token: the value is not a secret");
}

static void two_listeners_may_not_share_an_address(void **state)
{
    (void)state;
    assert_problem(
        "listeners: [{address: '1.2.3.4:80'}, {name: b, address: '*:80'}]",
        "t.yaml:1:57: listeners[1].address: '0.0.0.0:80' is taken by listeners[0] (1.2.3.4:80), write another "
        "address or port");
    assert_problem_start("listeners: [{address: '[::1]:80'}, {name: b, address: '[0::0:1]:80'}]",
                         "t.yaml:1:55: listeners[1].address: '[::1]:80' is taken by listeners[0]");
    assert_problem_start(
        "listeners: [{address: '0.0.0.0:9900'}]",
        "t.yaml:1:23: listeners[0].address: '0.0.0.0:9900' is taken by admin.address (127.0.0.1:9900)");
    assert_problem(
        "listeners: [{address: '1.2.3.4:80'}, {address: '1.2.3.4:81'}]",
        "t.yaml:1:38: listeners[1].name: 'http' is the name of listeners[0] too (line 1), write another name");
    assert_accepted(
        "listeners: [{address: '1.2.3.4:80'}, {name: b, address: '1.2.3.5:80'}, {name: c, address: '[::]:80'}]");
}

static void a_registry_has_one_password_and_is_named_once(void **state)
{
    (void)state;
    assert_accepted(
        "docker: {registries: [{name: a, username: u, password: p}, {name: 'a:5', username: u, passwordFile: /p}]}");
    assert_problem(
        "docker: {registries: [{name: a, username: u}]}",
        "t.yaml:1:23: docker.registries[0].password: is missing, write exactly one of password and passwordFile");
    assert_problem("docker: {registries: [{name: a, username: u, password: p, passwordFile: /p}]}",
                   "t.yaml:1:56: docker.registries[0].password: is not the only one, write exactly one of password and "
                   "passwordFile");
    assert_problem(
        "docker: {registries: [{name: a, username: u, password: p}, {name: A, username: u, password: p}]}",
        "t.yaml:1:67: docker.registries[1].name: 'a' is the name of docker.registries[0] too (line 1), write each "
        "once");
    assert_problem_start("docker: {registries: [{username: u, password: p}]}",
                         "t.yaml:1:23: docker.registries[0].name: is missing");
}

static void a_tcp_engine_needs_all_three_tls_files(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "t.yaml:1:50: docker.tls.ca: is missing, a tcp:// endpoint needs all three files: write ca, cert and key of "
        "docker.tls",
        "t.yaml:1:50: docker.tls.key: is missing, a tcp:// endpoint needs all three files: write ca, cert and key of "
        "docker.tls",
    };
    assert_problems("docker: {endpoint: 'tcp://10.0.0.1:2376',   tls: {cert: /c}}", lines, 2);
    assert_accepted("docker: {endpoint: 'tcp://[::1]:2376', tls: {ca: /a, cert: /c, key: /k}}");
    assert_problem(
        "docker: {endpoint: 'tcp://10.0.0.1:2375'}",
        "t.yaml:1:9: docker.tls: is missing, 'tcp://10.0.0.1:2375' is not a loopback address, and whoever "
        "reaches an engine is root there: write ca, cert and key of docker.tls, or insecure: true for a socket "
        "proxy");
    assert_accepted("docker: {endpoint: 'tcp://127.0.0.1:2375'}");
    assert_accepted("docker: {endpoint: 'tcp://[::1]:2375'}");
    assert_accepted("docker: {endpoint: 'tcp://localhost:2375'}");
    assert_accepted("docker: {endpoint: 'tcp://socket-proxy:2375', insecure: true}");
    assert_problem_start("docker: {endpoint: 'tcp://localhost.example:2375'}", "t.yaml:1:9: docker.tls: is missing");
    assert_problem_start("docker: {endpoint: 'http://h:1'}",
                         "t.yaml:1:20: docker.endpoint: 'http://h:1' is not a Docker endpoint");
    assert_problem_start("docker: {network: none}", "t.yaml:1:19: docker.network: 'none' gives a task no address");
    assert_problem_start("docker: {endpoint: 'tcp://h'}", "t.yaml:1:20: docker.endpoint: ");
    assert_problem_start("docker: {endpoint: 'unix://run/x'}", "t.yaml:1:20: docker.endpoint: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_services_may_not_share_a_name_or_a_route),
        cmocka_unit_test(scaling_has_one_target_and_a_range),
        cmocka_unit_test(a_desired_count_that_is_not_written_starts_inside_the_scaling_range),
        cmocka_unit_test(a_wrong_field_does_not_cause_further_problems),
        cmocka_unit_test(a_token_is_required_beyond_loopback),
        cmocka_unit_test(two_listeners_may_not_share_an_address),
        cmocka_unit_test(a_registry_has_one_password_and_is_named_once),
        cmocka_unit_test(a_tcp_engine_needs_all_three_tls_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
