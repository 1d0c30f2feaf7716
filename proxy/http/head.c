#include "proxy/http/head.h"

#include <assert.h>

static const char *const method_names[] = { [HTTP_METHOD_OTHER] = "other",
#define METHOD_NAME(name) [HTTP_METHOD_##name] = #name,
                                            HTTP_METHOD_LIST(METHOD_NAME)
#undef METHOD_NAME
};
static_assert(sizeof(method_names) / sizeof(method_names[0]) == HTTP_METHOD_COUNT, "a method without a name");

static const char *const body_names[] = {
    [HTTP_BODY_NONE] = "none",
    [HTTP_BODY_LENGTH] = "length",
    [HTTP_BODY_CHUNKED] = "chunked",
    [HTTP_BODY_UNTIL_CLOSE] = "until-close",
};
static_assert(sizeof(body_names) / sizeof(body_names[0]) == HTTP_BODY_UNTIL_CLOSE + 1, "a body without a name");

const char *http_method_to_str(enum http_method method)
{
    return (unsigned)method < HTTP_METHOD_COUNT ? method_names[method] : "unknown";
}

const char *http_body_to_str(enum http_body body)
{
    return (unsigned)body <= HTTP_BODY_UNTIL_CLOSE ? body_names[body] : "unknown";
}

bool http_method_is_idempotent(enum http_method method)
{
    switch (method) {
    case HTTP_METHOD_GET:
    case HTTP_METHOD_HEAD:
    case HTTP_METHOD_PUT:
    case HTTP_METHOD_DELETE:
    case HTTP_METHOD_OPTIONS:
    case HTTP_METHOD_TRACE:
        return true;
    default:
        return false;
    }
}

const struct http_field_line *http_find_field(const struct http_field_line *fields, size_t count, enum http_field id)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].id == id) {
            return &fields[i];
        }
    }
    return NULL;
}
