/* target: where requests go, and the bytes that are sent. The URL is read without asking anybody; resolving asks the
 * system once, at the start. Main thread. */
#ifndef BENCH_LOAD_TARGET_H
#define BENCH_LOAD_TARGET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/* Slices of the URL as it was given. */
struct target_url {
    struct slice authority; /* "[::1]:8080" */
    struct slice host;      /* without brackets */
    uint16_t port;
    struct slice origin_form; /* path and query; "" means "/" */
};

/* All borrowed. */
struct target_request {
    const char *method;
    const char *const *fields; /* "Name: value", checked here */
    size_t field_count;
    size_t body_bytes; /* byte i is 'a' + i % 26 */
    bool closes;       /* asks the server to close */
};

struct target_address {
    struct sockaddr_storage address;
    socklen_t address_len;
    char text[INET6_ADDRSTRLEN + 9]; /* "[::1]:65535" */
};

/* Only "http://HOST[:PORT][/PATH][?QUERY]". */
bool target_parse_url(const char *text, struct target_url *url, struct error *error);

/* An IPv4 or IPv6 literal, or a name; its first address counts. */
bool target_resolve(const struct target_url *url, struct target_address *address, struct error *error);

/* Appends head and body of the request. */
bool target_write_request(const struct target_url *url, const struct target_request *request, struct buf *out,
                          struct error *error);

#endif
