#include "discovery/docker/health_labels.h"

#include "base/json.h"
#include "config/schema.h"
#include "config/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000
/* What the engine takes when the image does not say. */
#define ENGINE_INTERVAL_MS 30000
#define START_PERIOD_MAX_MS ((int64_t)24 * 3600 * 1000)

/* True also when the label is not there; then the field stays as it is. */
static bool read_label(const json_t *labels, const char *label, const char *key, void *field, struct error *reason)
{
    const json_t *found = json_object_get(labels, label);
    const struct schema_row *row = schema_find(SCHEMA_SECTION_HEALTH_CHECK, key);
    const char *text = json_string_value(found);
    if (!found || (text && value_parse(row, text, field) == VALUE_OK))
        return true;
    struct buf allowed;
    buf_init(&allowed, 0);
    value_write_allowed(row, &allowed);
    error_set(reason, "label %s=\"%.60s\": %s is expected", label, text ? text : "(not text)", buf_text(&allowed));
    buf_fini(&allowed);
    return false;
}

bool docker_health_labels_read(const json_t *labels, struct task_check *out, struct error *reason)
{
    char *path = NULL;
    bool ok = read_label(labels, DOCKER_LABEL_HEALTH_PATH, "path", &path, reason) &&
              read_label(labels, DOCKER_LABEL_HEALTH_INTERVAL, "interval", &out->interval_ms, reason) &&
              read_label(labels, DOCKER_LABEL_HEALTH_TIMEOUT, "timeout", &out->timeout_ms, reason);
    snprintf(out->path, sizeof out->path, "%s", path ? path : "");
    free(path);
    return ok;
}

int64_t docker_health_start_period_ms(const json_t *config)
{
    const json_t *check = json_find_object(config, "Healthcheck");
    int64_t start_ns = 0, interval_ns = 0;
    if (!json_find_integer(check, "StartPeriod", &start_ns) || start_ns <= 0)
        return 0;
    json_find_integer(check, "Interval", &interval_ns);
    int64_t start_ms = start_ns / NS_PER_MS,
            interval_ms = interval_ns > 0 ? interval_ns / NS_PER_MS : ENGINE_INTERVAL_MS;
    if (start_ms > START_PERIOD_MAX_MS || interval_ms > START_PERIOD_MAX_MS)
        return START_PERIOD_MAX_MS;
    return start_ms + interval_ms;
}

void docker_health_words(const json_t *state, char out[TASK_WORDS_SIZE])
{
    const json_t *log = json_object_get(json_find_object(state, "Health"), "Log");
    const json_t *last = json_array_get(log, json_array_size(log) - 1);
    const char *output = json_find_string(last, "Output");
    int64_t exit_code = 0;
    out[0] = '\0';
    if (!json_find_integer(last, "ExitCode", &exit_code))
        return;
    snprintf(out, TASK_WORDS_SIZE, "exit code %lld%s%.*s", (long long)exit_code, output && output[0] ? ": " : "",
             output ? (int)strcspn(output, "\r\n") : 0, output ? output : "");
}
