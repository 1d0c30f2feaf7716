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
    static const struct proxy_settings defaults = PROXY_SETTINGS_DEFAULT;
    static const char *const texts[] = { "{}", "{\"timeouts\":{}}", "{\"limits\":{}}" };
    struct proxy_settings settings;
    const struct balancer_ops *balancer = NULL;
    memset(&settings, 0xff, sizeof settings);
    assert_true(snapshot_read_settings(NULL, &settings, &balancer, NULL));
    assert_memory_equal(&settings, &defaults, sizeof defaults);
    assert_ptr_equal(balancer, &balancer_p2c);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *object = parse(texts[i]);
        memset(&settings, 0xff, sizeof settings);
        assert_true(snapshot_read_settings(object, &settings, &balancer, NULL));
        assert_memory_equal(&settings, &defaults, sizeof defaults);
        json_decref(object);
    }
}

static void every_setting_reaches_its_field(void **state)
{
    (void)state;
    struct proxy_settings wanted = { .retries = 1,
                                     .retry_budget_percent = 2,
                                     .head_ms = 11,
                                     .body_ms = 12,
                                     .stream_ms = 36,
                                     .idle_ms = 13,
                                     .connect_ms = 14,
                                     .response_ms = 15,
                                     .request_ms = 23,
                                     .tunnel_ms = 24,
                                     .upstream_idle_ms = 16,
                                     .drain_ms = 17,
                                     .retired_tunnel_ms = 18,
                                     .head_bytes = 1018,
                                     .field_count = 19,
                                     .connections_per_worker = 20,
                                     .buffer_bytes_per_worker = 2000021,
                                     .upstream_idle_per_endpoint = 22,
                                     .replay_bytes = 25,
                                     .splice_bytes_min = 32,
                                     .body_bytes_per_second_min = 26,
                                     .client_share_percent = 35,
                                     .client_connections = 27,
                                     .client_requests_per_second = 28,
                                     .client_body_bytes_per_second = 29,
                                     .desync = DESYNC_MODE_STRICTEST,
                                     .accepts_bare_lf = true,
                                     .encoded_slashes = ENCODED_SLASHES_REFUSE,
                                     .answers_half_closed = true,
                                     .responses = RESPONSES_STRICT,
                                     .forwarded_for = FORWARDED_FOR_PRESERVE,
                                     .sends_forwarded = true,
                                     .log_format = LOG_FORMAT_COMBINED,
                                     .log_every = 30,
                                     .trusted_proxy_count = 2,
                                     .listeners = { { .connections_per_worker = 31 },
                                                    { .proxy_protocol = true,
                                                      .requests_per_second_per_worker = 33,
                                                      .body_bytes_per_second_per_worker = 34 } } };
    struct proxy_settings settings;
    const struct balancer_ops *balancer = NULL;
    json_t *object = parse(
        "{\"balancer\":\"least_conn\",\"retries\":1,\"retryBudgetPercent\":2,\"timeouts\":{\"headMs\":11,"
        "\"bodyMs\":12,\"streamMs\":36,\"idleMs\":13,\"connectMs\":14,\"responseMs\":15,\"requestMs\":23,"
        "\"tunnelMs\":24,"
        "\"upstreamIdleMs\":16,\"drainMs\":17,\"retiredTunnelMs\":18},\"limits\":{\"headBytes\":1018,\"fieldCount\":19,"
        "\"connectionsPerWorker\":20,\"bufferBytesPerWorker\":2000021,\"upstreamIdlePerEndpoint\":22,"
        "\"replayBytes\":25,\"spliceBytesMin\":32,\"bodyBytesPerSecondMin\":26},\"clients\":{\"connections\":27,"
        "\"sharePercent\":35,"
        "\"requestsPerSecond\":28,\"bodyBytesPerSecond\":29},\"desync\":\"strictest\",\"acceptBareLf\":true,"
        "\"encodedSlashes\":\"refuse\",\"responses\":\"strict\","
        "\"answerHalfClosed\":true,"
        "\"forwardedFor\":\"preserve\",\"sendForwarded\":true,\"accessLogFormat\":\"combined\","
        "\"accessLogEvery\":30,\"trustedProxies\":[\"10.0.0.0/8\",\"::1\"],"
        "\"listeners\":[{\"connectionsPerWorker\":31},{\"proxyProtocol\":true,"
        "\"requestsPerSecondPerWorker\":33,\"bodyBytesPerSecondPerWorker\":34}]}");
    assert_true(network_parse("10.0.0.0/8", &wanted.trusted_proxies[0]));
    assert_true(network_parse("::1", &wanted.trusted_proxies[1]));
    assert_true(snapshot_read_settings(object, &settings, &balancer, NULL));
    assert_memory_equal(&settings, &wanted, sizeof wanted);
    assert_ptr_equal(balancer, &balancer_least_conn);
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

static void bad_settings_are_refused_with_their_path(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path;
    } cases[] = {
        { "[]", "settings:" },
        { "{\"colour\":1}", "settings.colour:" },
        { "{\"balancer\":\"random\"}", "settings.balancer:" },
        { "{\"balancer\":1}", "settings.balancer:" },
        { "{\"retries\":4}", "settings.retries:" },
        { "{\"retries\":-1}", "settings.retries:" },
        { "{\"timeouts\":[]}", "settings.timeouts:" },
        { "{\"timeouts\":null}", "settings.timeouts:" },
        { "{\"timeouts\":{\"headMS\":1}}", "settings.timeouts.headMS:" },
        { "{\"timeouts\":{\"headMs\":0}}", "settings.timeouts.headMs:" },
        { "{\"timeouts\":{\"headMs\":3600001}}", "settings.timeouts.headMs:" },
        { "{\"timeouts\":{\"drainMs\":-1}}", "settings.timeouts.drainMs:" },
        { "{\"timeouts\":{\"idleMs\":\"75s\"}}", "settings.timeouts.idleMs:" },
        { "{\"limits\":{\"headBytes\":65537}}", "settings.limits.headBytes:" },
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
        const struct balancer_ops *balancer;
        json_t *object = parse(cases[i].text);
        if (snapshot_read_settings(object, &settings, &balancer, &error))
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
        cmocka_unit_test(bad_settings_are_refused_with_their_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
