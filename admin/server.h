/* server: the admin API's HTTP server, evhttp on the control loop. It parses nothing itself beyond what evhttp gives
 * it: the request goes through admin/router.h and admin/guard.h, then to a handler of admin/handlers.h. Control thread
 * only. Bounds: 8 KiB of head, 1 MiB of body, 64 connections, 10 s to send a whole request or to read its answer (and
 * what its length needs). What evhttp itself cannot read (a malformed or oversized head, a body past 1 MiB, an unknown
 * method) gets its short HTML error page. */
#ifndef ADMIN_SERVER_H
#define ADMIN_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/parts.h"
#include "base/error.h"

#define ADMIN_HEAD_BYTES_MAX 8192
#define ADMIN_BODY_BYTES_MAX (1u << 20)
#define IDEMPOTENCY_KEY_BYTES_MAX 128

struct admin_server;

/* Null with the error set: an address that is no "IP:port", that is in use, or that is not loopback while there is no
 * token. `parts` is copied; parts->listen_fd stays the caller's on failure. */
struct admin_server *admin_server_new(const struct admin_parts *parts, struct error *error);
void admin_server_free(struct admin_server *server); /* open connections are closed */

/* New token (null: none) and allowed hosts, copied; false and nothing changed when that would open a port that is not
 * loopback without a token. */
bool admin_server_reconfigure(struct admin_server *server, const char *token, char *const *allowed_hosts,
                              size_t allowed_host_count, struct error *error);

uint16_t admin_server_port(const struct admin_server *server);

#endif
