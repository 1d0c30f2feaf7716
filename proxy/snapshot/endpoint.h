/* endpoint: one address that requests may be sent to. Long-lived: it survives snapshots as long as one of them names
 * its id and address, and with it survive its statistics row and, in each worker, its pool of connections
 * (proxy/upstream/pool.h). Main thread only, but `slot`, `address` and the texts never change and may be read by
 * a worker while the snapshot that it holds refers to the endpoint, or it uses its row (proxy/worker/row_use.h). */
#ifndef PROXY_SNAPSHOT_ENDPOINT_H
#define PROXY_SNAPSHOT_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <uthash.h>

#include "base/error.h"
#include "proxy/stats.h"

#define ENDPOINT_ID_MAX 71
#define ENDPOINT_ADDRESS_MAX 63

union endpoint_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct endpoint {
    char key[STATS_NAME_SIZE]; /* "<id> <address>" */
    const char *address_text;  /* inside key */
    union endpoint_address address;
    socklen_t address_len;
    uint32_t slot;
    uint32_t refs;   /* services of any living snapshot, workers that keep it; main thread */
    uint32_t routes; /* services of the newest snapshot; main thread */
    UT_hash_handle by_key;
};

struct endpoint_table;

struct endpoint_table *endpoint_table_new(struct stats_region *stats); /* stats is borrowed */
void endpoint_table_free(struct endpoint_table *table);                /* every endpoint must have been released */
size_t endpoint_table_count(const struct endpoint_table *table);

/* Finds or makes the endpoint and adds a ref. Null with an error when the address is bad or the table is full. */
struct endpoint *endpoint_ref(struct endpoint_table *table, const char *id, const char *address, struct error *error);
void endpoint_ref_again(struct endpoint *endpoint); /* has refs already */
void endpoint_unref(struct endpoint_table *table, struct endpoint *endpoint);

/* "1.2.3.4:80" or "[::1]:80"; strict; port 1..65535. Any thread. */
bool endpoint_parse_address(const char *text, union endpoint_address *address, socklen_t *len);

#endif
