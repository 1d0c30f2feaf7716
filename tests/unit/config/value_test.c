#include "config/value.h"

#include "tests/unit/config/document_asserts.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

static void durations_are_checked_at_their_limits(void **state)
{
    (void)state;
    assert_accepted("proxy: {timeouts: {head: 100ms}}");
    assert_accepted("proxy: {timeouts: {head: 10m}}");
    assert_accepted("proxy: {timeouts: {head: '600s'}}");
    static const char *const bad[] = { "99ms", "601s", "0s",  "5",   "5.5s",
                                       "-5s",  "5S",   "05s", "5s ", "99999999999999999999s",
                                       "''" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "proxy: {timeouts: {head: '%s'}}", bad[i]);
        assert_problem_start(text, "t.yaml:1:26: proxy.timeouts.head: ");
    }
}

static void sizes_are_checked_at_their_limits(void **state)
{
    (void)state;
    struct config *c = load_accepted("proxy: {limits: {headBytes: 1024, bufferBytesPerWorker: 64GiB}}");
    assert_int_equal(c->proxy.limits.head_bytes, 1024);
    assert_true(c->proxy.limits.buffer_bytes_per_worker == INT64_C(64) << 30);
    config_free(c);
    assert_accepted("proxy: {limits: {headBytes: 64KiB}}");
    assert_problem_start("proxy: {limits: {headBytes: 1023}}",
                         "t.yaml:1:29: proxy.limits.headBytes: '1023' is out of range");
    assert_problem_start("proxy: {limits: {headBytes: 65KiB}}",
                         "t.yaml:1:29: proxy.limits.headBytes: '65KiB' is out of range");
    assert_problem_start("proxy: {limits: {headBytes: 64KB}}",
                         "t.yaml:1:29: proxy.limits.headBytes: '64KB' is not a size");
    assert_problem_start("proxy: {limits: {headBytes: 9999999999GiB}}",
                         "t.yaml:1:29: proxy.limits.headBytes: '9999999999GiB' is not a size");
}

static void memory_is_whole_mebibytes(void **state)
{
    (void)state;
    assert_accepted(SERVICE "memory: 6}]");
    assert_accepted(SERVICE "memory: 6144KiB}]");
    assert_accepted(SERVICE "memory: 16384GiB}]");
    assert_problem_start(SERVICE "memory: 5}]", "t.yaml:1:51: services[0].memory: '5' is out of range");
    assert_problem_start(SERVICE "memory: 7000KiB}]",
                         "t.yaml:1:51: services[0].memory: '7000KiB' is not a memory size");
}

static void integers_booleans_and_reals_are_plain(void **state)
{
    (void)state;
    static const char *const bad[] = { "010", "0x10", "1e1", "1.0", "+1", "-1", "'1'", "one", "18446744073709551617",
                                       "1_0" };
    char text[160];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "proxy: {retries: %s}", bad[i]);
        assert_problem_start(text, "t.yaml:1:18: proxy.retries: ");
    }
    assert_problem_start("docker: {enabled: yes}",
                         "t.yaml:1:19: docker.enabled: 'yes' is not a boolean, write true or false");
    assert_problem_start("docker: {enabled: 'true'}", "t.yaml:1:19: docker.enabled: is a text in quotes");
    static const char *const bad_reals[] = { "0", "1e3", ".5", "5.", "inf", "nan", "0x1p3", "1000001", "00.5", "' 1'" };
    for (size_t i = 0; i < sizeof bad_reals / sizeof bad_reals[0]; i++) {
        snprintf(text, sizeof text, SERVICE "scaling: {max: 1, target: {inFlightPerTask: %s}}}]", bad_reals[i]);
        assert_problem_start(text, "t.yaml:1:87: services[0].scaling.target.inFlightPerTask: ");
    }
    assert_accepted(SERVICE "scaling: {max: 1, target: {inFlightPerTask: 0.001}}}]");
    assert_accepted(SERVICE "scaling: {max: 1, target: {inFlightPerTask: 1000000}}}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_checked_at_their_limits),
        cmocka_unit_test(sizes_are_checked_at_their_limits),
        cmocka_unit_test(memory_is_whole_mebibytes),
        cmocka_unit_test(integers_booleans_and_reals_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
