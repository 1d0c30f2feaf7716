/* query: the part of a request target behind the question mark, by the rows of admin/admin_queries.def. Strict: each name once,
 * none that the route has no row for, values of letters, digits and "-._:" that need no encoding. Pure. Any thread. */
#ifndef ADMIN_QUERY_H
#define ADMIN_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/router.h"
#include "base/error.h"
#include "base/slice.h"

#define QUERY_VALUE_SIZE 288
#define QUERY_COUNT_MAX 1000

enum query_kind { QUERY_NAME = 0, QUERY_COUNT, QUERY_FLAG, QUERY_KIND_COUNT };

struct query_row {
    enum admin_route_id route;
    const char *name, *help; /* static */
    enum query_kind kind;
};

extern const struct query_row query_rows[];
extern const size_t query_row_count;

#define QUERY_VALUES_MAX 8

/* Zeroed: there is none. */
struct query {
    struct {
        const char *name; /* static */
        char value[QUERY_VALUE_SIZE];
    } values[QUERY_VALUES_MAX];
    size_t count;
};

bool query_is_taken(enum admin_route_id route);
/* text: behind the question mark. False with the name of what is wrong in `field`, empty when it has none. */
bool query_read(enum admin_route_id route, struct slice text, struct query *out, char field[64], struct error *error);

const char *query_find(const struct query *query, const char *name); /* null: not given */
int64_t query_count(const struct query *query, const char *name, int64_t otherwise);
bool query_has(const struct query *query, const char *name); /* a flag that is true */

#endif
