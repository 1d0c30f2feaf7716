/* router: a request target to a row of admin/admin_routes.def. Pure: no effect, no allocation. Any thread.
 * There is one spelling of each path: percent-encoding, dot segments, empty segments and a trailing slash match
 * nothing, so what is authorised is what is executed (RFC 3986 6.2.2 would call the other spellings equal). */
#ifndef ADMIN_ROUTER_H
#define ADMIN_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define ROUTER_TARGET_BYTES_MAX 1024
#define ROUTER_PARAMETER_SIZE 272

enum admin_method {
    ADMIN_METHOD_GET = 0,
    ADMIN_METHOD_PATCH,
    ADMIN_METHOD_POST,
    ADMIN_METHOD_DELETE,
    ADMIN_METHOD_OTHER,
    ADMIN_METHOD_COUNT
};

enum admin_route_id {
#define ADMIN_ROUTE(id, method, path, handler, access, schema, summary) ADMIN_ROUTE_##id,
#include "admin/admin_routes.def"
    ADMIN_ROUTE_COUNT
};

struct admin_route {
    const char *path, *handler_name, *schema, *summary; /* static */
    enum admin_method method;
    bool is_open; /* needs no token */
};

enum router_outcome {
    ROUTER_FOUND = 0,
    ROUTER_NOT_FOUND,
    ROUTER_METHOD_NOT_ALLOWED, /* `allow` says which are */
    ROUTER_HAS_QUERY,          /* the path exists, and takes no query with any method, or with this one */
    ROUTER_OUTCOME_COUNT
};

struct router_match {
    enum router_outcome outcome;
    enum admin_route_id route;             /* when found */
    char parameter[ROUTER_PARAMETER_SIZE]; /* {name}, {id} or {definition}; empty when the route has none */
    struct slice query;                    /* behind the question mark; of the target */
    char allow[64];                        /* "GET, HEAD, PATCH" */
};

const char *admin_method_to_str(enum admin_method method);
const char *router_outcome_to_str(enum router_outcome outcome);
const struct admin_route *router_route(enum admin_route_id id);

/* target: the raw request target. HEAD is matched as GET by the caller's choice of method. */
void router_find(enum admin_method method, struct slice target, struct router_match *out);

#endif
