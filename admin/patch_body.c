#include "admin/patch_body.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <jansson.h>

__attribute__((format(printf, 3, 4))) static bool refuse(struct patch_problem *problem, const char *field,
                                                         const char *format, ...)
{
    va_list args;
    snprintf(problem->field, sizeof problem->field, "%s", field);
    va_start(args, format);
    vsnprintf(problem->message, sizeof problem->message, format, args);
    va_end(args);
    return false;
}

/* Null with the problem set unless the body is one JSON object. */
static json_t *parse_object(struct slice body, struct patch_problem *problem)
{
    json_error_t error;
    if (body.len > PATCH_BODY_BYTES_MAX) {
        refuse(problem, "", "the body is larger than %u bytes", PATCH_BODY_BYTES_MAX);
        return NULL;
    }
    if (!patch_body_is_shallow(body, PATCH_BODY_DEPTH_MAX)) {
        refuse(problem, "", "JSON is nested deeper than %d", PATCH_BODY_DEPTH_MAX);
        return NULL;
    }
    json_t *document = json_loadb(body.at, body.len, JSON_REJECT_DUPLICATES, &error);
    if (!document) {
        refuse(problem, "", "not JSON: line %d column %d: %s", error.line, error.column, error.text);
        return NULL;
    }
    if (!json_is_object(document)) {
        json_decref(document);
        refuse(problem, "", "the body must be a JSON object");
        return NULL;
    }
    return document;
}

static bool read_count(const char *key, json_t *value, int64_t *out, struct patch_problem *problem)
{
    if (!json_is_integer(value))
        return refuse(problem, key, "must be an integer from 0 to %d", PATCH_COUNT_MAX);
    json_int_t count = json_integer_value(value);
    if (count < 0 || count > PATCH_COUNT_MAX)
        return refuse(problem, key, "%" JSON_INTEGER_FORMAT " is not from 0 to %d", count, PATCH_COUNT_MAX);
    *out = count;
    return true;
}

static bool read_member(const char *key, json_t *value, struct service_patch *out, struct patch_problem *problem)
{
    if (strcmp(key, "desiredCount") == 0)
        return read_count(key, value, &out->desired_count, problem);
    if (strcmp(key, "min") == 0)
        return read_count(key, value, &out->min, problem);
    if (strcmp(key, "max") == 0)
        return read_count(key, value, &out->max, problem);
    return refuse(problem, key, "unknown; allowed are desiredCount, min and max");
}

bool patch_body_parse_service(struct slice body, struct service_patch *out, struct patch_problem *problem)
{
    const char *key;
    json_t *value;
    struct service_patch patch = { .desired_count = -1, .min = -1, .max = -1 };
    json_t *document = parse_object(body, problem);
    if (!document)
        return false;
    bool is_good = json_object_size(document) > 0 || refuse(problem, "", "give at least one of desiredCount, min, max");
    json_object_foreach (document, key, value)
        is_good = is_good && read_member(key, value, &patch, problem);
    json_decref(document);
    if (is_good && patch.min >= 0 && patch.max >= 0 && patch.min > patch.max)
        is_good = refuse(problem, "min", "%" PRId64 " is larger than max %" PRId64, patch.min, patch.max);
    if (is_good)
        *out = patch;
    return is_good;
}

bool patch_body_parse_empty(struct slice body, struct patch_problem *problem)
{
    if (body.len == 0)
        return true;
    json_t *document = parse_object(body, problem);
    if (!document)
        return false;
    const char *key = json_object_iter_key(json_object_iter(document));
    bool is_good = !key || refuse(problem, key, "unknown; this call takes no fields");
    json_decref(document);
    return is_good;
}

bool patch_body_is_shallow(struct slice body, int max)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.at[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > max)
                return false;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return true;
}
