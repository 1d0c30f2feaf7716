#include "admin/query.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct query_row query_rows[] = {
#define ADMIN_QUERY(route, name, kind, help) { ADMIN_ROUTE_##route, #name, help, QUERY_##kind },
#include "admin/admin_queries.def"
};
const size_t query_row_count = sizeof query_rows / sizeof query_rows[0];

bool query_is_taken(enum admin_route_id route)
{
    for (size_t i = 0; i < query_row_count; i++)
        if (query_rows[i].route == route)
            return true;
    return false;
}

const char *query_find(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->values[i].name, name) == 0)
            return query->values[i].value;
    return NULL;
}

int64_t query_count(const struct query *query, const char *name, int64_t otherwise)
{
    const char *value = query_find(query, name);
    return value != NULL ? strtoll(value, NULL, 10) : otherwise;
}

bool query_has(const struct query *query, const char *name)
{
    const char *value = query_find(query, name);
    return value != NULL && strcmp(value, "true") == 0;
}

static const struct query_row *find_row(enum admin_route_id route, struct slice name)
{
    for (size_t i = 0; i < query_row_count; i++)
        if (query_rows[i].route == route && slice_equals(slice_of(query_rows[i].name), name))
            return &query_rows[i];
    return NULL;
}

static bool is_plain(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!isalnum((unsigned char)value.at[i]) && (value.at[i] == '\0' || !strchr("-._:", value.at[i])))
            return false;
    return value.len > 0 && value.len < QUERY_VALUE_SIZE;
}

static bool check_value(const struct query_row *row, const char *value, struct error *error)
{
    if (row->kind == QUERY_FLAG)
        return strcmp(value, "true") == 0 || strcmp(value, "false") == 0 || error_set(error, "must be true or false");
    if (row->kind != QUERY_COUNT)
        return true;
    size_t len = strlen(value);
    int64_t count = len <= 4 && strspn(value, "0123456789") == len ? strtoll(value, NULL, 10) : 0;
    return (count >= 1 && count <= QUERY_COUNT_MAX) || error_set(error, "must be from 1 to %d", QUERY_COUNT_MAX);
}

static bool read_pair(enum admin_route_id route, struct slice pair, struct query *out, char field[64],
                      struct error *error)
{
    const char *equals = pair.len > 0 ? memchr(pair.at, '=', pair.len) : NULL;
    struct slice name = { pair.at, equals != NULL ? (size_t)(equals - pair.at) : pair.len };
    const struct query_row *row = find_row(route, name);
    if (row == NULL)
        return error_set(error, "a query parameter of this call is not known: GET /v1/openapi.json names them");
    snprintf(field, 64, "%s", row->name);
    if (query_find(out, row->name) != NULL || out->count == QUERY_VALUES_MAX)
        return error_set(error, "is given twice");
    struct slice value = { equals != NULL ? equals + 1 : "", equals != NULL ? pair.len - name.len - 1 : 0 };
    if (!is_plain(value))
        return error_set(error, "must be letters, digits and any of -._: and no longer than %d", QUERY_VALUE_SIZE - 1);
    memcpy(out->values[out->count].value, value.at, value.len);
    out->values[out->count].value[value.len] = '\0';
    out->values[out->count].name = row->name;
    return check_value(row, out->values[out->count++].value, error);
}

bool query_read(enum admin_route_id route, struct slice text, struct query *out, char field[64], struct error *error)
{
    *out = (struct query){ .count = 0 };
    field[0] = '\0';
    while (text.len > 0) {
        const char *and = memchr(text.at, '&', text.len);
        size_t len = and != NULL ? (size_t)(and-text.at) : text.len;
        if (!read_pair(route, (struct slice){ text.at, len }, out, field, error))
            return false;
        len += and != NULL;
        text = (struct slice){ text.at + len, text.len - len };
    }
    return true;
}
