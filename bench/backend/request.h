/* request: the head of an HTTP/1 request (RFC 9112 2 to 6), parsed in place. Pure. Offsets are from
 * the head's first byte, since the buffer may move while the body is read; `head` is always that byte. */
#ifndef BENCH_BACKEND_REQUEST_H
#define BENCH_BACKEND_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "bench/backend/request_body.h"

struct request {
    size_t head_len, method_len, target_at, target_len, path_at, path_len, fields_at;
    bool is_head, is_http10, wants_close, wants_continue;
    struct request_body body;
};

struct field {
    const char *name, *value;
    size_t name_len, value_len;
};

/* The field at *at, which moves to the next. 0: the empty line that ends the head; -1: malformed. */
int field_next(const char **at, const char *end, struct field *f);

/* 0, or the status to refuse with. */
int request_parse(struct request *r, const char *head, size_t head_len);

bool request_path_is(const struct request *r, const char *head, const char *path);

/* What the query says of that name, and its length; null: nothing. */
const char *request_query_text(const struct request *r, const char *head, const char *name, size_t *len);

/* The numeric query parameter, at most max, or the fallback. */
double request_query(const struct request *r, const char *head, const char *name, double fallback, double max);

#endif
