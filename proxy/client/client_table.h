/* client_table: what each client address takes up in one worker: open connections, requests and request body bytes a
 * second; and who has most. An address is all of an IPv4 address, the first 64 bits of an IPv6 one. One worker; entries
 * are owned by the table.
 *
 *   (no entry) --enter--> OPEN (connections > 0) --last leave--> IDLE --one second--> (no entry)
 *                           ^------------- enter ------------------|
 *
 * Rates are token buckets (proxy/client/token_bucket.h), which hold one second: after that an idle entry has full ones, and
 * nothing is lost with it. One that is in debt (more bytes were taken than allowed) stays until it is not. A table without
 * room lets a new address in without limits and counts it: a flood of addresses must not shut others out. Times are
 * monotonic milliseconds. */
#ifndef PROXY_CLIENT_CLIENT_TABLE_H
#define PROXY_CLIENT_CLIENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/network.h"

#define CLIENT_TABLE_ENTRIES 16384

/* 0: no limit. Bytes a second at most 2^40. May differ from call to call. */
struct client_limits {
    int64_t connections;
    int64_t share; /* connections that it may have only if none of them is idle; 0: also never the one with most */
    int64_t requests_per_second;
    int64_t body_bytes_per_second;
};

enum client_admission {
    CLIENT_ADMITTED = 0,
    CLIENT_UNTRACKED,
    CLIENT_REFUSED,
    CLIENT_OVER_SHARE,
    CLIENT_ADMISSION_COUNT
};

struct client_table;
struct client_entry;
struct conn; /* proxy/client/conn.h */
TAILQ_HEAD(client_conns, conn);

/* seed: random, so that nobody can choose addresses that collide. */
struct client_table *client_table_new(size_t capacity, uint64_t seed);
void client_table_free(struct client_table *table); /* null is fine; no entry may be used any more */

/* A new connection. ADMITTED: *entry is set, and client_table_leave() must follow when the connection ends. UNTRACKED:
 * no room, *entry is null. REFUSED: it has its connections already, *entry is null. OVER_SHARE: it has its share; *entry
 * is set, for the caller to close one of its connections and ask again. */
enum client_admission client_table_enter(struct client_table *table, const struct network_address *address,
                                         const struct client_limits *limits, int64_t now_ms,
                                         struct client_entry **entry);
void client_table_leave(struct client_table *table, struct client_entry *entry, int64_t now_ms);

/* The client with the most connections, give or take an eighth; null: nobody has any. */
struct client_entry *client_table_biggest(struct client_table *table);
/* The caller's list, by client_link: empty at first, and to be emptied again by the last leave. */
struct client_conns *client_entry_conns(struct client_entry *entry);
uint32_t client_entry_connection_count(const struct client_entry *entry);

/* All of these take a null entry too, for which there is no limit. */

/* False: one too many in this second (429). */
bool client_entry_take_request(struct client_entry *entry, const struct client_limits *limits, int64_t now_ms);
/* How many of `wanted` bytes may be read now; 0: later. What was read is then to be taken. */
size_t client_entry_allowed_bytes(struct client_entry *entry, const struct client_limits *limits, size_t wanted,
                                  int64_t now_ms);
void client_entry_take_bytes(struct client_entry *entry, const struct client_limits *limits, size_t bytes);

size_t client_table_count(const struct client_table *table); /* entries, idle ones included */
uint64_t client_table_untracked_count(const struct client_table *table);
const char *client_admission_to_str(enum client_admission admission);

#endif
