#include "proxy/h1/head.h"

#include <assert.h>

static const char *const method_names[] = { [H1_METHOD_OTHER] = "other",
#define METHOD_NAME(name) [H1_METHOD_##name] = #name,
                                            H1_METHOD_LIST(METHOD_NAME)
#undef METHOD_NAME
};
static_assert(sizeof(method_names) / sizeof(method_names[0]) == H1_METHOD_COUNT, "a method without a name");

static const char *const result_names[] = { [H1_DONE] = "done", [H1_MORE] = "more", [H1_BAD] = "bad" };
static_assert(sizeof(result_names) / sizeof(result_names[0]) == H1_BAD + 1, "a result without a name");

static const char *const body_names[] = {
    [H1_BODY_NONE] = "none",
    [H1_BODY_LENGTH] = "length",
    [H1_BODY_CHUNKED] = "chunked",
    [H1_BODY_UNTIL_CLOSE] = "until-close",
};
static_assert(sizeof(body_names) / sizeof(body_names[0]) == H1_BODY_UNTIL_CLOSE + 1, "a body without a name");

const char *h1_result_to_str(enum h1_result result)
{
    return (unsigned)result <= H1_BAD ? result_names[result] : "unknown";
}

const char *h1_method_to_str(enum h1_method method)
{
    return (unsigned)method < H1_METHOD_COUNT ? method_names[method] : "unknown";
}

const char *h1_body_to_str(enum h1_body body)
{
    return (unsigned)body <= H1_BODY_UNTIL_CLOSE ? body_names[body] : "unknown";
}

bool h1_method_is_idempotent(enum h1_method method)
{
    switch (method) {
    case H1_METHOD_GET:
    case H1_METHOD_HEAD:
    case H1_METHOD_PUT:
    case H1_METHOD_DELETE:
    case H1_METHOD_OPTIONS:
    case H1_METHOD_TRACE:
        return true;
    default:
        return false;
    }
}

const struct h1_field_line *h1_find_field(const struct h1_field_line *fields, size_t count, enum h1_field id)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].id == id) {
            return &fields[i];
        }
    }
    return NULL;
}
