#include "base/json.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

const struct json_limits json_limits_default = { .bytes_max = 1u << 20,
                                                 .depth_max = JSON_DEPTH_MAX,
                                                 .values_max = 100000 };

/* Jansson's own depth limit is 2048 and it has none for the number of values: both are counted here, before it
 * allocates anything. Whether the text is well-formed is left to it. */
static bool check_limits(struct slice text, const struct json_limits *limits, struct error *error)
{
    size_t depth = 0;
    size_t values = 0;
    bool in_string = false;
    if (text.len > limits->bytes_max)
        return error_set(error, "JSON of %zu bytes, at most %zu are allowed", text.len, limits->bytes_max);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        in_string = c == '"';
        if (c == '[' || c == '{') {
            values++;
            if (++depth > limits->depth_max)
                return error_set(error, "JSON is nested deeper than %zu levels", limits->depth_max);
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        } else if (c == ',') {
            values++;
        }
        if (values > limits->values_max)
            return error_set(error, "JSON has more than %zu values", limits->values_max);
    }
    return true;
}

json_t *json_parse_bounded(struct slice text, const struct json_limits *limits, struct error *error)
{
    if (!check_limits(text, limits, error))
        return NULL;
    json_error_t reason;
    json_t *value = json_loadb(text.len ? text.at : "", text.len, JSON_REJECT_DUPLICATES, &reason);
    if (!value && json_error_code(&reason) == json_error_out_of_memory)
        error_set(error, "out of memory");
    else if (!value)
        error_set(error, "%d:%d: not valid JSON: %s", reason.line, reason.column, reason.text);
    return value;
}

const char *json_find_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const json_t *json_find_object(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_object(value) ? value : NULL;
}

const json_t *json_find_array(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_array(value) ? value : NULL;
}

bool json_find_integer(const json_t *object, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        return false;
    *out = json_integer_value(value);
    return true;
}

bool json_find_real(const json_t *object, const char *key, double *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        return false;
    *out = json_number_value(value);
    return true;
}

bool json_find_bool(const json_t *object, const char *key, bool *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_boolean(value))
        return false;
    *out = json_is_true(value);
    return true;
}

char *json_to_text(const json_t *value)
{
    char *text = json_dumps(value, JSON_TEXT_FLAGS | JSON_ENCODE_ANY);
    check(text != NULL); /* only when out of memory */
    return text;
}
