#include "proxy/snapshot_fields.h"

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
    ROW("idleMs", idle_ms, 1, 24 * HOUR_MS),
    ROW("connectMs", connect_ms, 1, HOUR_MS),
    ROW("responseMs", response_ms, 1, 24 * HOUR_MS),
    ROW("upstreamIdleMs", upstream_idle_ms, 1, 24 * HOUR_MS),
    ROW("drainMs", drain_ms, 0, HOUR_MS),
    { NULL, 0, 0, 0 },
};

static const struct setting limits[] = {
    ROW("headBytes", head_bytes, 256, 65536),
    ROW("fieldCount", field_count, 1, 128),
    ROW("connectionsPerWorker", connections_per_worker, 1, 1000000),
    ROW("bufferBytesPerWorker", buffer_bytes_per_worker, 1 << 20, INT64_C(1) << 40),
    ROW("upstreamIdlePerEndpoint", upstream_idle_per_endpoint, 0, 10000),
    { NULL, 0, 0, 0 },
};

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

bool snapshot_read_settings(json_t *settings, struct proxy_settings *out, const struct balancer_ops **balancer,
                            struct error *error)
{
    static const char *const allowed[] = { "balancer", "retries", "timeouts", "limits", NULL };
    *out = (struct proxy_settings)PROXY_SETTINGS_DEFAULT;
    *balancer = &balancer_p2c;
    if (!settings)
        return true;
    if (!snapshot_check_keys(settings, allowed, "settings", error) ||
        !snapshot_read_integer(settings, "retries", "settings", 0, 3, &out->retries, error) ||
        !read_rows(json_object_get(settings, "timeouts"), timeouts, "settings.timeouts", out, error) ||
        !read_rows(json_object_get(settings, "limits"), limits, "settings.limits", out, error))
        return false;
    if (!json_object_get(settings, "balancer"))
        return true;
    const char *name = snapshot_read_text(settings, "balancer", "settings", error);
    if (!name)
        return false;
    *balancer = balancer_find(name);
    return *balancer ? true : error_set(error, "settings.balancer: '%.40s' is not known", name);
}
