#include "proxy/snapshot/snapshot_fields.h"

#include <stddef.h>
#include <string.h>

struct setting {
    const char *key;
    size_t offset;
    int64_t min, max;
};

#define ROW(key, field, min, max)                             \
    {                                                         \
        key, offsetof(struct proxy_settings, field), min, max \
    }
#define HOUR_MS (3600 * 1000)

static const struct setting timeouts[] = {
    ROW("headMs", head_ms, 1, HOUR_MS),
    ROW("bodyMs", body_ms, 1, HOUR_MS),
    ROW("streamMs", stream_ms, 1, 24 * HOUR_MS),
    ROW("idleMs", idle_ms, 1, 24 * HOUR_MS),
    ROW("connectMs", connect_ms, 1, HOUR_MS),
    ROW("responseMs", response_ms, 1, 24 * HOUR_MS),
    ROW("requestMs", request_ms, 0, HOUR_MS),
    ROW("tunnelMs", tunnel_ms, 1, 24 * HOUR_MS),
    ROW("upstreamIdleMs", upstream_idle_ms, 1, 24 * HOUR_MS),
    ROW("drainMs", drain_ms, 0, HOUR_MS),
    ROW("retiredTunnelMs", retired_tunnel_ms, 0, 7 * 24 * HOUR_MS),
    { NULL, 0, 0, 0 },
};

static const struct setting limits[] = {
    ROW("headBytes", head_bytes, 256, 65536),
    ROW("fieldCount", field_count, 1, 128),
    ROW("connectionsPerWorker", connections_per_worker, 1, 1000000),
    ROW("bufferBytesPerWorker", buffer_bytes_per_worker, 1 << 20, INT64_C(1) << 40),
    ROW("upstreamIdlePerEndpoint", upstream_idle_per_endpoint, 0, 10000),
    ROW("replayBytes", replay_bytes, 0, 32768),
    ROW("spliceBytesMin", splice_bytes_min, 0, INT64_C(1) << 40),
    ROW("bodyBytesPerSecondMin", body_bytes_per_second_min, 0, 1 << 30),
    { NULL, 0, 0, 0 },
};

static const struct setting clients[] = {
    ROW("sharePercent", client_share_percent, 1, 100),
    ROW("connections", client_connections, 0, 1000000),
    ROW("requestsPerSecond", client_requests_per_second, 0, 1000000),
    ROW("bodyBytesPerSecond", client_body_bytes_per_second, 0, INT64_C(1) << 40),
    { NULL, 0, 0, 0 },
};

#define X(name, word) word,
static const char *const desync_modes[] = { DESYNC_MODE_LIST(X) NULL };
static const char *const encoded_slashes_modes[] = { ENCODED_SLASHES_LIST(X) NULL };
static const char *const forwarded_for_modes[] = { FORWARDED_FOR_LIST(X) NULL };
static const char *const responses_words[] = { RESPONSES_LIST(X) NULL };
static const char *const log_formats[] = { LOG_FORMAT_LIST(X) NULL };
static const char *const proxy_protocols[] = { PROXY_PROTOCOL_LIST(X) NULL };
#undef X

static bool is_allowed(const char *const *allowed, const char *key)
{
    for (; *allowed; allowed++) {
        if (strcmp(*allowed, key) == 0)
            return true;
    }
    return false;
}

bool snapshot_check_keys(json_t *object, const char *const *allowed, const char *path, struct error *error)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return error_set(error, "%s: not an object", path);
    json_object_foreach (object, key, value) {
        if (!is_allowed(allowed, key))
            return error_set(error, "%s.%.60s: unknown key", path, key);
    }
    return true;
}

bool snapshot_read_integer(json_t *object, const char *key, const char *path, int64_t min, int64_t max, int64_t *out,
                           struct error *error)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
        return error_set(error, "%s.%s: not an integer from %lld to %lld", path, key, (long long)min, (long long)max);
    *out = json_integer_value(value);
    return true;
}

const char *snapshot_read_text(json_t *object, const char *key, const char *path, struct error *error)
{
    json_t *value = json_object_get(object, key);
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        error_set(error, "%s.%s: not a non-empty string", path, key);
        return NULL;
    }
    return json_string_value(value);
}

static bool read_rows(json_t *object, const struct setting *rows, const char *path, struct proxy_settings *out,
                      struct error *error)
{
    const char *allowed[16];
    size_t count = 0;
    if (!object)
        return true;
    for (const struct setting *row = rows; row->key; row++)
        allowed[count++] = row->key;
    allowed[count] = NULL;
    if (!snapshot_check_keys(object, allowed, path, error))
        return false;
    for (const struct setting *row = rows; row->key; row++) {
        int64_t *field = (int64_t *)((char *)out + row->offset);
        if (!snapshot_read_integer(object, row->key, path, row->min, row->max, field, error))
            return false;
    }
    return true;
}

static bool read_word(json_t *object, const char *key, const char *path, const char *const *words, int *out,
                      struct error *error)
{
    if (!json_object_get(object, key))
        return true;
    const char *word = snapshot_read_text(object, key, path, error);
    for (int i = 0; word && words[i]; i++) {
        if (strcmp(words[i], word) == 0) {
            *out = i;
            return true;
        }
    }
    return word ? error_set(error, "%s.%s: '%.40s' is not known", path, key, word) : false;
}

static bool read_boolean(json_t *object, const char *key, const char *path, bool *out, struct error *error)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        return true;
    if (!json_is_boolean(value))
        return error_set(error, "%s.%s: neither true nor false", path, key);
    *out = json_is_true(value);
    return true;
}

static bool read_trusted_proxies(json_t *list, struct proxy_settings *out, struct error *error)
{
    if (list && (!json_is_array(list) || json_array_size(list) > SETTINGS_TRUSTED_PROXIES_MAX))
        return error_set(error, "settings.trustedProxies: not a list of at most %d", SETTINGS_TRUSTED_PROXIES_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !network_parse(text, &out->trusted_proxies[i]))
            return error_set(error, "settings.trustedProxies[%zu]: not a network", i);
    }
    out->trusted_proxy_count = json_array_size(list);
    return true;
}

static bool read_listener(json_t *object, struct listener_settings *out, struct error *error)
{
    static const char path[] = "settings.listeners[]";
    static const char *const allowed[] = { "proxyProtocol", "connectionsPerWorker", "requestsPerSecondPerWorker",
                                           "bodyBytesPerSecondPerWorker", NULL };
    return snapshot_check_keys(object, allowed, path, error) &&
           read_boolean(object, "proxyProtocol", path, &out->proxy_protocol, error) &&
           snapshot_read_integer(object, "connectionsPerWorker", path, 0, 1000000, &out->connections_per_worker,
                                 error) &&
           snapshot_read_integer(object, "requestsPerSecondPerWorker", path, 0, 1000000,
                                 &out->requests_per_second_per_worker, error) &&
           snapshot_read_integer(object, "bodyBytesPerSecondPerWorker", path, 0, INT64_C(1) << 40,
                                 &out->body_bytes_per_second_per_worker, error);
}

static bool read_listeners(json_t *list, struct proxy_settings *out, struct error *error)
{
    if (list && (!json_is_array(list) || json_array_size(list) > SETTINGS_LISTENERS_MAX))
        return error_set(error, "settings.listeners: not a list of at most %d", SETTINGS_LISTENERS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!read_listener(json_array_get(list, i), &out->listeners[i], error))
            return false;
    }
    return true;
}

/* What is written as a word, true or false, or a list. */
static bool read_policies(json_t *settings, struct proxy_settings *out, struct error *error)
{
    int desync = (int)out->desync, forwarded_for = (int)out->forwarded_for, format = (int)out->log_format;
    int slashes = (int)out->encoded_slashes;
    if (!read_word(settings, "desync", "settings", desync_modes, &desync, error) ||
        !read_word(settings, "forwardedFor", "settings", forwarded_for_modes, &forwarded_for, error) ||
        !read_word(settings, "accessLogFormat", "settings", log_formats, &format, error) ||
        !read_word(settings, "encodedSlashes", "settings", encoded_slashes_modes, &slashes, error) ||
        !snapshot_read_responses(settings, "settings", &out->responses, error) ||
        !read_boolean(settings, "acceptBareLf", "settings", &out->accepts_bare_lf, error) ||
        !read_boolean(settings, "answerHalfClosed", "settings", &out->answers_half_closed, error) ||
        !read_boolean(settings, "sendForwarded", "settings", &out->sends_forwarded, error) ||
        !read_trusted_proxies(json_object_get(settings, "trustedProxies"), out, error) ||
        !read_listeners(json_object_get(settings, "listeners"), out, error))
        return false;
    out->desync = (enum desync_mode)desync;
    out->encoded_slashes = (enum encoded_slashes)slashes;
    out->forwarded_for = (enum forwarded_for)forwarded_for;
    out->log_format = (enum log_format)format;
    return true;
}

bool snapshot_read_proxy_protocol(json_t *service, const char *path, enum proxy_protocol_version *version,
                                  struct error *error)
{
    int word = PROXY_PROTOCOL_OFF;
    bool ok = read_word(service, "proxyProtocol", path, proxy_protocols, &word, error);
    *version = (enum proxy_protocol_version)word;
    return ok;
}

bool snapshot_read_responses(json_t *service, const char *path, enum responses *responses, struct error *error)
{
    int word = (int)*responses - 1;
    bool ok = read_word(service, "responses", path, responses_words, &word, error);
    *responses = (enum responses)(word + 1);
    return ok;
}

bool snapshot_read_settings(json_t *settings, struct proxy_settings *out, const struct balancer_ops **balancer,
                            struct error *error)
{
    static const char *const allowed[] = {
        "balancer",       "retries",      "retryBudgetPercent", "timeouts",         "limits",        "clients",
        "desync",         "acceptBareLf", "trustedProxies",     "forwardedFor",     "sendForwarded", "accessLogFormat",
        "accessLogEvery", "listeners",    "encodedSlashes",     "answerHalfClosed", "responses",     NULL
    };
    *out = (struct proxy_settings)PROXY_SETTINGS_DEFAULT;
    *balancer = &balancer_p2c;
    if (!settings)
        return true;
    if (!snapshot_check_keys(settings, allowed, "settings", error) ||
        !snapshot_read_integer(settings, "retries", "settings", 0, 3, &out->retries, error) ||
        !snapshot_read_integer(settings, "retryBudgetPercent", "settings", 0, 100, &out->retry_budget_percent, error) ||
        !snapshot_read_integer(settings, "accessLogEvery", "settings", 1, 1000000, &out->log_every, error) ||
        !read_rows(json_object_get(settings, "timeouts"), timeouts, "settings.timeouts", out, error) ||
        !read_rows(json_object_get(settings, "limits"), limits, "settings.limits", out, error) ||
        !read_rows(json_object_get(settings, "clients"), clients, "settings.clients", out, error) ||
        !read_policies(settings, out, error))
        return false;
    if (!json_object_get(settings, "balancer"))
        return true;
    const char *name = snapshot_read_text(settings, "balancer", "settings", error);
    if (!name)
        return false;
    *balancer = balancer_find(name);
    return *balancer ? true : error_set(error, "settings.balancer: '%.40s' is not known", name);
}
