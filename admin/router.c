#include "admin/router.h"

#include "admin/query.h"
#include "base/check.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#define SEGMENTS_MAX 8
#define TASK_HEX_MIN 12
#define TASK_HEX_MAX 64
#define NAME_MAX_BYTES 63

struct segments {
    struct slice at[SEGMENTS_MAX];
    size_t count; /* 0: the path is "/" */
};

#define ROUTE_IS_OPEN_AUTH false
#define ROUTE_IS_OPEN_OPEN true

static const struct admin_route routes[] = {
#define ADMIN_ROUTE(id, method, path, handler, access, schema, summary) \
    { path, #handler, schema, summary, ADMIN_METHOD_##method, ROUTE_IS_OPEN_##access },
#include "admin/admin_routes.def"
};

static const char *const method_names[] = { "GET", "PATCH", "POST", "DELETE", "OTHER" };
static_assert(sizeof method_names / sizeof *method_names == ADMIN_METHOD_COUNT, "a name for each method");

static const char *const outcome_names[] = { "found", "not-found", "method-not-allowed", "has-query" };
static_assert(sizeof outcome_names / sizeof *outcome_names == ROUTER_OUTCOME_COUNT, "a name for each outcome");

/* What a service name or a task id may hold, and nothing that could mean something else in a path. */
static bool is_path_byte(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("-._~:[]", c));
}

/* The slash inside a service's name, "project%2Fweb" (RFC 3986 2.1); nothing else needs encoding. */
static bool is_encoded_slash(struct slice path, size_t at)
{
    return path.len - at >= 3 && path.at[at] == '%' && path.at[at + 1] == '2' &&
           (path.at[at + 2] == 'F' || path.at[at + 2] == 'f');
}

static bool is_dot_segment(struct slice s)
{
    return slice_equals(s, SLICE_LITERAL(".")) || slice_equals(s, SLICE_LITERAL(".."));
}

static bool split_path(struct slice path, struct segments *out)
{
    out->count = 0;
    if (path.len == 0 || path.len > ROUTER_TARGET_BYTES_MAX || path.at[0] != '/')
        return false;
    if (path.len == 1)
        return true;
    size_t start = 1;
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && path.at[i] != '/') {
            if (is_encoded_slash(path, i))
                i += 2;
            else if (!is_path_byte(path.at[i]))
                return false;
            continue;
        }
        struct slice segment = { path.at + start, i - start };
        if (segment.len == 0 || is_dot_segment(segment) || out->count == SEGMENTS_MAX)
            return false;
        out->at[out->count++] = segment;
        start = i + 1;
    }
    return true;
}

static bool is_hex_id(struct slice s)
{
    if (s.len < TASK_HEX_MIN || s.len > TASK_HEX_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!strchr("0123456789abcdef", s.at[i]))
            return false;
    }
    return true;
}

static bool is_provider_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!islower((unsigned char)s.at[i]))
            return false;
    }
    return s.len <= 16;
}

static bool is_name_part(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!isalnum((unsigned char)s.at[i]) && !strchr("-._", s.at[i]))
            return false;
    }
    return s.len > 0 && s.len <= NAME_MAX_BYTES && !is_dot_segment(s);
}

/* "web" or "project%2Fweb". */
static bool is_service_name(struct slice s)
{
    const char *percent = memchr(s.at, '%', s.len);
    if (!percent)
        return is_name_part(s);
    size_t len = (size_t)(percent - s.at);
    return is_name_part((struct slice){ s.at, len }) && is_name_part((struct slice){ percent + 3, s.len - len - 3 });
}

/* "web" or "web:7", as ECS has them: letters, digits, - and _, 255 at most. */
static bool is_definition(struct slice s)
{
    const char *colon = memchr(s.at, ':', s.len);
    size_t len = colon ? (size_t)(colon - s.at) : s.len, digits = s.len - len;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s.at[i]) && !strchr("-_", s.at[i]))
            return false;
    for (size_t i = len + 1; i < s.len; i++)
        if (!isdigit((unsigned char)s.at[i]))
            return false;
    return len > 0 && len <= 255 && (!colon || (digits > 1 && digits <= 10));
}

/* How many segments of `path` from `at` on make a parameter of this kind; 0: they do not. */
static size_t measure_parameter(struct slice kind, const struct segments *path, size_t at)
{
    if (slice_equals(kind, SLICE_LITERAL("{name}")))
        return is_service_name(path->at[at]) ? 1 : 0;
    if (slice_equals(kind, SLICE_LITERAL("{definition}")))
        return is_definition(path->at[at]) ? 1 : 0;
    check(slice_equals(kind, SLICE_LITERAL("{id}")));
    if (is_hex_id(path->at[at]))
        return 1;
    if (path->count - at >= 3 && is_provider_name(path->at[at]) && is_service_name(path->at[at + 1]))
        return 3;
    return 0;
}

/* The slices of neighbouring segments share one string, so that a parameter is one run of it. */
static bool copy_parameter(const struct segments *path, size_t at, size_t count, char out[ROUTER_PARAMETER_SIZE])
{
    const char *start = path->at[at].at;
    const char *end = path->at[at + count - 1].at + path->at[at + count - 1].len;
    size_t len = 0;
    for (; start < end; start += *start == '%' ? 3 : 1) {
        if (len + 1 >= ROUTER_PARAMETER_SIZE)
            return false;
        out[len++] = *start == '%' ? '/' : *start; /* split_path() has let no other escape through */
    }
    out[len] = '\0';
    return true;
}

static bool matches_template(const struct segments *wanted, const struct segments *path,
                             char parameter[ROUTER_PARAMETER_SIZE])
{
    size_t at = 0;
    parameter[0] = '\0';
    for (size_t i = 0; i < wanted->count; i++) {
        if (at >= path->count)
            return false;
        if (wanted->at[i].at[0] != '{') {
            if (!slice_equals(wanted->at[i], path->at[at++]))
                return false;
            continue;
        }
        size_t used = measure_parameter(wanted->at[i], path, at);
        if (used == 0 || !copy_parameter(path, at, used, parameter))
            return false;
        at += used;
    }
    return at == path->count;
}

/* Our own templates hold braces, which split_path() refuses in what clients send. */
static void split_template(const char *path, struct segments *out)
{
    out->count = 0;
    while (*path == '/' && path[1]) {
        path++;
        size_t len = strcspn(path, "/");
        check(out->count < SEGMENTS_MAX);
        out->at[out->count++] = (struct slice){ path, len };
        path += len;
    }
}

static void add_allowed(char allow[64], enum admin_method method)
{
    size_t used = strlen(allow);
    snprintf(allow + used, 64 - used, "%s%s%s", used ? ", " : "", admin_method_to_str(method),
             method == ADMIN_METHOD_GET ? ", HEAD" : "");
}

const char *admin_method_to_str(enum admin_method method)
{
    return (unsigned)method < ADMIN_METHOD_COUNT ? method_names[method] : "?";
}

const char *router_outcome_to_str(enum router_outcome outcome)
{
    return (unsigned)outcome < ROUTER_OUTCOME_COUNT ? outcome_names[outcome] : "?";
}

const struct admin_route *router_route(enum admin_route_id id)
{
    check((unsigned)id < ADMIN_ROUTE_COUNT);
    return &routes[id];
}

static bool takes_query(const char *path)
{
    for (int id = 0; id < ADMIN_ROUTE_COUNT; id++)
        if (strcmp(routes[id].path, path) == 0 && query_is_taken((enum admin_route_id)id))
            return true;
    return false;
}

void router_find(enum admin_method method, struct slice target, struct router_match *out)
{
    struct segments path, wanted;
    char parameter[ROUTER_PARAMETER_SIZE];
    *out = (struct router_match){ .outcome = ROUTER_NOT_FOUND, .route = ADMIN_ROUTE_COUNT };
    const char *query = target.len ? memchr(target.at, '?', target.len) : NULL;
    const char *end = target.at + target.len;
    if (query)
        target.len = (size_t)(query - target.at);
    if (!split_path(target, &path))
        return;
    for (int id = 0; id < ADMIN_ROUTE_COUNT; id++) {
        split_template(routes[id].path, &wanted);
        if (!matches_template(&wanted, &path, parameter))
            continue;
        if (query &&
            (routes[id].method == method ? !query_is_taken((enum admin_route_id)id) : !takes_query(routes[id].path))) {
            out->outcome = ROUTER_HAS_QUERY;
            return;
        }
        if (routes[id].method == method) {
            out->outcome = ROUTER_FOUND;
            out->route = (enum admin_route_id)id;
            out->allow[0] = '\0';
            out->query = query ? (struct slice){ query + 1, (size_t)(end - query - 1) } : (struct slice){ "", 0 };
            memcpy(out->parameter, parameter, sizeof parameter);
            return;
        }
        out->outcome = ROUTER_METHOD_NOT_ALLOWED;
        add_allowed(out->allow, routes[id].method);
    }
}
