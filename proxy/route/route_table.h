/* route_table: (host, path) -> service. Immutable once finished; shared by snapshots. Matching allocates nothing and
 * costs one hash of the host and one look-up for each segment of the path, however many routes there are. Exact host
 * beats the longest "*.suffix", which beats "*"; within a host the longest path prefix on a segment boundary wins.
 * Hosts are compared without case, port and one trailing dot (RFC 9110 4.2.3). Paths are compared in the normal form of
 * h1/target.h: what a route's path has unencoded that URIs have in encoded form only is encoded when it is added. */
#ifndef PROXY_ROUTE_ROUTE_TABLE_H
#define PROXY_ROUTE_ROUTE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define ROUTE_HOST_MAX 255
#define ROUTE_PATH_MAX 255
#define ROUTE_SEGMENTS_MAX 64 /* deeper prefixes of a request's path are not looked up; a route may not have more */
#define ROUTE_COUNT_MAX 100000

struct route_table;

struct route_table *route_table_new(void);
void route_table_free(struct route_table *table);
/* False with an error: host or path not allowed, or the pair is there already. */
bool route_table_add(struct route_table *table, const char *host, const char *path, uint32_t service_slot,
                     struct error *error);
size_t route_table_count(const struct route_table *table);

/* The service's slot, or UINT32_MAX. Any thread, once nothing is added any more. */
uint32_t route_table_match(const struct route_table *table, struct slice host, struct slice path);
/* The same if the encoded slashes and backslashes of the path were slashes, as some recipients have it. */
uint32_t route_table_match_decoded(const struct route_table *table, struct slice host, struct slice path);

#endif
