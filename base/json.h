/* json: strict, bounded parsing on top of jansson, and getters that never trust a type. Any thread, one document at a
 * time. "Borrowed" pointers live as long as the document they come from; what json_parse_bounded() returns is the
 * caller's, to json_decref(). All getters accept a null object, so that a chain of look-ups needs one test at its end.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/slice.h"

#define JSON_DEPTH_MAX 32

struct json_limits {
    size_t bytes_max;
    size_t depth_max;  /* nesting of arrays and objects */
    size_t values_max; /* array items and object members in all: bounds memory, 2 bytes of "{}" cost some 200 parsed */
};

/* 1 MiB, depth 32, 100,000 values: for one object of an API or a small file. */
extern const struct json_limits json_limits_default;

/* One JSON text (RFC 8259) that is an object or an array, in UTF-8, without U+0000, duplicate keys or anything after
 * it. Null, with the reason and its line and column in error, for anything else. */
json_t *json_parse_bounded(struct slice text, const struct json_limits *limits, struct error *error);

/* Null or false when the member is missing or of another type; *out is then unchanged. Strings and containers are
 * borrowed. */
const char *json_find_string(const json_t *object, const char *key);
const json_t *json_find_object(const json_t *object, const char *key);
const json_t *json_find_array(const json_t *object, const char *key);
bool json_find_integer(const json_t *object, const char *key, int64_t *out);
bool json_find_real(const json_t *object, const char *key, double *out); /* an integer is accepted too */
bool json_find_bool(const json_t *object, const char *key, bool *out);

/* Compact text, keys in insertion order; owned by the caller, to free(). */
#define JSON_TEXT_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15)) /* 0.1, not 0.10000000000000001 */
char *json_to_text(const json_t *value);

#endif
