#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/snapshot/snapshot_fields.h"

#include <string.h>

static const char *const allowed[] = { "a", "b", NULL };

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value)
        fail_msg("%s: %s", text, error.text);
    return value;
}

static void only_allowed_keys_pass(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "{}", NULL },
        { "{\"a\":1}", NULL },
        { "{\"b\":1,\"a\":null}", NULL },
        { "{\"a\":1,\"c\":1}", "here.c: unknown key" },
        { "{\"A\":1}", "here.A: unknown key" },
        { "{\"\":1}", "here.: unknown key" },
        { "[]", "here: not an object" },
        { "null", "here: not an object" },
        { "\"a\"", "here: not an object" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = { "" };
        json_t *value = parse(cases[i].text);
        assert_int_equal(snapshot_check_keys(value, allowed, "here", &error), !cases[i].error);
        assert_string_equal(error.text, cases[i].error ? cases[i].error : "");
        json_decref(value);
    }
    assert_false(snapshot_check_keys(NULL, allowed, "here", NULL));
}

static void integers_are_read_in_their_range_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
        int64_t value;
    } cases[] = {
        { "{}", true, 42 },
        { "{\"n\":-5}", true, -5 },
        { "{\"n\":10}", true, 10 },
        { "{\"n\":-6}", false, 42 },
        { "{\"n\":11}", false, 42 },
        { "{\"n\":9223372036854775807}", false, 42 },
        { "{\"n\":1.0}", false, 42 },
        { "{\"n\":\"1\"}", false, 42 },
        { "{\"n\":true}", false, 42 },
        { "{\"n\":null}", false, 42 },
        { "{\"n\":[1]}", false, 42 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = { "" };
        json_t *object = parse(cases[i].text);
        int64_t value = 42;
        assert_int_equal(snapshot_read_integer(object, "n", "here", -5, 10, &value, &error), cases[i].is_good);
        assert_int_equal(value, cases[i].value);
        assert_string_equal(error.text, cases[i].is_good ? "" : "here.n: not an integer from -5 to 10");
        json_decref(object);
    }
}

static void texts_are_there_not_empty_and_without_nul(void **state)
{
    (void)state;
    static const char *const bad[] = { "{}",           "{\"t\":\"\"}",    "{\"t\":1}",
                                       "{\"t\":null}", "{\"t\":[\"x\"]}", "{\"t\":\"a\\u0000b\"}" };
    json_t *good = parse("{\"t\":\"caf\xc3\xa9\"}");
    assert_string_equal(snapshot_read_text(good, "t", "here", NULL), "caf\xc3\xa9");
    json_decref(good);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = { "" };
        json_t *object = parse(bad[i]);
        assert_null(snapshot_read_text(object, "t", "here", &error));
        assert_string_equal(error.text, "here.t: not a non-empty string");
        json_decref(object);
    }
}

static void without_settings_the_defaults_hold(void **state)
{
    (void)state;
    static const char *const texts[] = { "{}", "{\"timeouts\":{}}", "{\"limits\":{}}", "{\"clients\":{}}",
                                         "{\"listeners\":[{}]}" };
    struct proxy_settings settings, defaults;
    memset(&settings, 0xff, sizeof settings);
    assert_true(snapshot_read_settings(NULL, &settings, NULL));
    assert_int_equal(settings.head_ms, 10000);
    assert_int_equal(settings.buffer_bytes_per_worker, 256 << 20);
    assert_int_equal(settings.desync, DESYNC_MODE_DEFENSIVE);
    assert_ptr_equal(settings.balancer, &balancer_p2c);
    assert_int_equal(settings.trusted_proxy_count, 0);
    memcpy(&defaults, &settings, sizeof defaults);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *object = parse(texts[i]);
        memset(&settings, 0xff, sizeof settings);
        assert_true(snapshot_read_settings(object, &settings, NULL));
        assert_memory_equal(&settings, &defaults, sizeof defaults);
        json_decref(object);
    }
}

static void every_setting_reaches_its_field(void **state)
{
    (void)state;
    struct proxy_settings wanted, settings;
    json_t *object = parse(
        "{\"balancer\":\"least_conn\",\"retries\":1,\"retryBudgetPercent\":2,\"timeouts\":{\"headMs\":1011,"
        "\"bodyMs\":1012,\"streamMs\":1036,\"idleMs\":1013,\"connectMs\":1014,\"responseMs\":1015,\"requestMs\":23,"
        "\"tunnelMs\":1024,"
        "\"upstreamIdleMs\":1016,\"drainMs\":17,\"retiredTunnelMs\":18},\"limits\":{\"headBytes\":1025,"
        "\"fieldCount\":19,"
        "\"connectionsPerWorker\":20,\"bufferBytesPerWorker\":2000021,\"upstreamIdlePerEndpoint\":22,"
        "\"replayBytes\":25,\"bodyBytesPerSecondMin\":26},\"clients\":{\"connections\":27,"
        "\"sharePercent\":35,"
        "\"requestsPerSecond\":28,\"bodyBytesPerSecond\":29},\"desync\":\"strictest\",\"acceptBareLf\":true,"
        "\"encodedSlashes\":\"refuse\",\"responses\":\"strict\","
        "\"answerHalfClosed\":true,"
        "\"forwardedFor\":\"preserve\",\"sendForwarded\":true,\"accessLogFormat\":\"combined\","
        "\"accessLogEvery\":30,\"trustedProxies\":[\"10.0.0.0/8\",\"::1\"],"
        "\"listeners\":[{\"connectionsPerWorker\":31},{\"proxyProtocol\":true,"
        "\"requestsPerSecondPerWorker\":33,\"bodyBytesPerSecondPerWorker\":34}]}");
    assert_true(snapshot_read_settings(NULL, &wanted, NULL));
    wanted.balancer = &balancer_least_conn;
    wanted.retries = 1;
    wanted.retry_budget_percent = 2;
    wanted.head_ms = 1011;
    wanted.body_ms = 1012;
    wanted.stream_ms = 1036;
    wanted.idle_ms = 1013;
    wanted.connect_ms = 1014;
    wanted.response_ms = 1015;
    wanted.request_ms = 23;
    wanted.tunnel_ms = 1024;
    wanted.upstream_idle_ms = 1016;
    wanted.drain_ms = 17;
    wanted.retired_tunnel_ms = 18;
    wanted.head_bytes = 1025;
    wanted.field_count = 19;
    wanted.connections_per_worker = 20;
    wanted.buffer_bytes_per_worker = 2000021;
    wanted.upstream_idle_per_endpoint = 22;
    wanted.replay_bytes = 25;
    wanted.body_bytes_per_second_min = 26;
    wanted.clients.share_percent = 35;
    wanted.clients.connections = 27;
    wanted.clients.requests_per_second = 28;
    wanted.clients.body_bytes_per_second = 29;
    wanted.desync = DESYNC_MODE_STRICTEST;
    wanted.accepts_bare_lf = true;
    wanted.encoded_slashes = ENCODED_SLASHES_REFUSE;
    wanted.answers_half_closed = true;
    wanted.responses = RESPONSES_STRICT;
    wanted.forwarded_for = FORWARDED_FOR_PRESERVE;
    wanted.sends_forwarded = true;
    wanted.access_log_format = LOG_FORMAT_COMBINED;
    wanted.access_log_every = 30;
    wanted.trusted_proxy_count = 2;
    wanted.listeners[0].connections_per_worker = 31;
    wanted.listeners[1].proxy_protocol = true;
    wanted.listeners[1].requests_per_second_per_worker = 33;
    wanted.listeners[1].body_bytes_per_second_per_worker = 34;
    assert_true(network_parse("10.0.0.0/8", &wanted.trusted_proxies[0]));
    assert_true(network_parse("::1", &wanted.trusted_proxies[1]));
    assert_true(snapshot_read_settings(object, &settings, NULL));
    assert_memory_equal(&settings, &wanted, sizeof wanted);
    json_decref(object);
}

static void a_service_may_want_a_proxy_header(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
        enum proxy_protocol_version version;
    } cases[] = {
        { "{}", true, PROXY_PROTOCOL_OFF },
        { "{\"proxyProtocol\":\"off\"}", true, PROXY_PROTOCOL_OFF },
        { "{\"proxyProtocol\":\"v1\"}", true, PROXY_PROTOCOL_V1 },
        { "{\"proxyProtocol\":\"v2\"}", true, PROXY_PROTOCOL_V2 },
        { "{\"proxyProtocol\":\"v3\"}", false, PROXY_PROTOCOL_OFF },
        { "{\"proxyProtocol\":true}", false, PROXY_PROTOCOL_OFF },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum proxy_protocol_version version;
        json_t *service = parse(cases[i].text);
        assert_int_equal(snapshot_read_proxy_protocol(service, "services[0]", &version, NULL), cases[i].is_good);
        assert_int_equal(version, cases[i].version);
        json_decref(service);
    }
}

static void a_service_has_its_own_word_or_that_of_the_settings(void **state)
{
    (void)state;
    static const char *const others[] = { "name", NULL };
    static const struct {
        const char *text, *error;
        enum responses with_strict, with_lenient;
    } cases[] = {
        { "{\"name\":\"web\"}", NULL, RESPONSES_STRICT, RESPONSES_LENIENT },
        { "{\"responses\":\"strict\"}", NULL, RESPONSES_STRICT, RESPONSES_STRICT },
        { "{\"responses\":\"lenient\"}", NULL, RESPONSES_LENIENT, RESPONSES_LENIENT },
        { "{\"responses\":\"sloppy\"}", "services[0].responses: 'sloppy' is not known", 0, 0 },
        { "{\"responses\":null}", "services[0].responses: not a non-empty string", 0, 0 },
        { "{\"retries\":1}", "services[0].retries: unknown key", 0, 0 },
    };
    struct proxy_settings strict, lenient;
    assert_true(snapshot_read_settings(NULL, &lenient, NULL));
    strict = lenient;
    strict.responses = RESPONSES_STRICT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = { "" };
        struct service_settings own;
        json_t *service = parse(cases[i].text);
        memset(&own, 0xff, sizeof own);
        assert_int_equal(snapshot_read_service_settings(service, others, "services[0]", &own, &error), !cases[i].error);
        assert_string_equal(error.text, cases[i].error ? cases[i].error : "");
        if (!cases[i].error) {
            assert_int_equal(settings_responses(&strict, &own), cases[i].with_strict);
            assert_int_equal(settings_responses(&lenient, &own), cases[i].with_lenient);
        }
        json_decref(service);
    }
}

static void bad_settings_are_refused_with_their_path(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path;
    } cases[] = {
        { "[]", "settings:" },
        { "{\"colour\":1}", "settings.colour:" },
        { "{\"failOpen\":true}", "settings.failOpen:" },
        { "{\"balancer\":\"random\"}", "settings.balancer:" },
        { "{\"balancer\":1}", "settings.balancer:" },
        { "{\"retries\":4}", "settings.retries:" },
        { "{\"retries\":-1}", "settings.retries:" },
        { "{\"timeouts\":[]}", "settings.timeouts:" },
        { "{\"timeouts\":null}", "settings.timeouts:" },
        { "{\"timeouts\":{\"headMS\":1}}", "settings.timeouts.headMS:" },
        { "{\"timeouts\":{\"headMs\":0}}", "settings.timeouts.headMs:" },
        { "{\"timeouts\":{\"headMs\":99}}", "settings.timeouts.headMs:" },
        { "{\"timeouts\":{\"headMs\":600001}}", "settings.timeouts.headMs:" },
        { "{\"timeouts\":{\"headMs\":3600001}}", "settings.timeouts.headMs:" },
        { "{\"timeouts\":{\"watchdogMs\":30000}}", "settings.timeouts.watchdogMs:" },
        { "{\"timeouts\":{\"drainMs\":-1}}", "settings.timeouts.drainMs:" },
        { "{\"timeouts\":{\"idleMs\":\"75s\"}}", "settings.timeouts.idleMs:" },
        { "{\"limits\":{\"headBytes\":65537}}", "settings.limits.headBytes:" },
        { "{\"limits\":{\"headBytes\":1023}}", "settings.limits.headBytes:" },
        { "{\"limits\":{\"headBytes\":255}}", "settings.limits.headBytes:" },
        { "{\"limits\":{\"fieldCount\":129}}", "settings.limits.fieldCount:" },
        { "{\"limits\":{\"connectionsPerWorker\":0}}", "settings.limits.connectionsPerWorker:" },
        { "{\"limits\":{\"bufferBytesPerWorker\":1}}", "settings.limits.bufferBytesPerWorker:" },
        { "{\"limits\":{\"upstreamIdlePerEndpoint\":10001}}", "settings.limits.upstreamIdlePerEndpoint:" },
        { "{\"limits\":{\"replayBytes\":32769}}", "settings.limits.replayBytes:" },
        { "{\"retryBudgetPercent\":101}", "settings.retryBudgetPercent:" },
        { "{\"clients\":{\"connections\":-1}}", "settings.clients.connections:" },
        { "{\"clients\":{\"sharePercent\":0}}", "settings.clients.sharePercent:" },
        { "{\"clients\":{\"sharePercent\":101}}", "settings.clients.sharePercent:" },
        { "{\"clients\":{\"rate\":1}}", "settings.clients.rate:" },
        { "{\"desync\":\"off\"}", "settings.desync:" },
        { "{\"desync\":1}", "settings.desync:" },
        { "{\"acceptBareLf\":1}", "settings.acceptBareLf:" },
        { "{\"encodedSlashes\":\"decode\"}", "settings.encodedSlashes:" },
        { "{\"responses\":\"sloppy\"}", "settings.responses:" },
        { "{\"forwardedFor\":\"trust\"}", "settings.forwardedFor:" },
        { "{\"accessLogFormat\":\"xml\"}", "settings.accessLogFormat:" },
        { "{\"accessLogEvery\":0}", "settings.accessLogEvery:" },
        { "{\"trustedProxies\":\"10.0.0.0/8\"}", "settings.trustedProxies:" },
        { "{\"trustedProxies\":[\"10.0.0.1/8\"]}", "settings.trustedProxies[0]:" },
        { "{\"listeners\":{}}", "settings.listeners:" },
        { "{\"listeners\":[{\"proxyProtocol\":\"v1\"}]}", "settings.listeners[].proxyProtocol:" },
        { "{\"listeners\":[{\"requestsPerSecondPerWorker\":1000001}]}",
          "settings.listeners[].requestsPerSecondPerWorker:" },
        { "{\"listeners\":[{\"requestsPerSecondPerWorker\":\"5\"}]}",
          "settings.listeners[].requestsPerSecondPerWorker:" },
        { "{\"listeners\":[{\"bodyBytesPerSecondPerWorker\":-1}]}",
          "settings.listeners[].bodyBytesPerSecondPerWorker:" },
        { "{\"listeners\":[{\"bodyBytesPerSecondPerWorker\":1099511627777}]}",
          "settings.listeners[].bodyBytesPerSecondPerWorker:" },
        { "{\"listeners\":[{\"address\":\"*:1\"}]}", "settings.listeners[].address:" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = { "" };
        struct proxy_settings settings;
        json_t *object = parse(cases[i].text);
        if (snapshot_read_settings(object, &settings, &error))
            fail_msg("%s was accepted", cases[i].text);
        if (strncmp(error.text, cases[i].path, strlen(cases[i].path)) != 0)
            fail_msg("%s: '%s' does not start with '%s'", cases[i].text, error.text, cases[i].path);
        json_decref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_allowed_keys_pass),
        cmocka_unit_test(integers_are_read_in_their_range_only),
        cmocka_unit_test(texts_are_there_not_empty_and_without_nul),
        cmocka_unit_test(without_settings_the_defaults_hold),
        cmocka_unit_test(every_setting_reaches_its_field),
        cmocka_unit_test(a_service_may_want_a_proxy_header),
        cmocka_unit_test(a_service_has_its_own_word_or_that_of_the_settings),
        cmocka_unit_test(bad_settings_are_refused_with_their_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
