/* handlers: one function for each row of admin/admin_routes.def; they read the parts, order what the request asks for,
 * and fill the reply. The guard has passed the request before. Written by noun in handlers_services.c,
 * handlers_tasks.c, handlers_stopped.c, handlers_task_definitions.c, handlers_routes.c and handlers_meta.c. Control thread only; none blocks except for the store's
 * durable write. */
#ifndef ADMIN_HANDLERS_H
#define ADMIN_HANDLERS_H

#include "admin/parts.h"
#include "admin/query.h"
#include "admin/reply.h"
#include "admin/router.h"
#include "base/slice.h"

struct admin_request {
    enum admin_route_id route;
    const char *parameter; /* {name}, {id} or {definition}; empty when the route has none */
    struct slice body;
    struct query query;
    const char *if_match, *if_none_match, *idempotency_key; /* null: not given */
    const char *who;                                        /* for histories */
};

typedef void (*admin_handler_cb)(const struct admin_parts *parts, const struct admin_request *request,
                                 struct admin_reply *reply);

#define ADMIN_ROUTE(id, method, path, handler, access, schema, summary) \
    void handler(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply);
#include "admin/admin_routes.def"

#endif
