#include "proxy/snapshot/endpoint.h"

#include "base/check.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct endpoint_table {
    struct endpoint *by_key;    /* uthash; owns */
    struct stats_region *stats; /* borrowed */
};

struct endpoint_table *endpoint_table_new(struct stats_region *stats)
{
    struct endpoint_table *table = mem_alloc(sizeof *table);
    table->stats = stats;
    return table;
}

void endpoint_table_free(struct endpoint_table *table)
{
    check(table->by_key == NULL);
    free(table);
}

size_t endpoint_table_count(const struct endpoint_table *table)
{
    return HASH_CNT(by_key, table->by_key);
}

/* Strict: digits only, no sign, no leading zero, 1..65535. */
static bool parse_port(const char *text, in_port_t *port)
{
    unsigned value = 0;
    if (*text < '1' || *text > '9')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > 65535)
            return false;
    }
    *port = htons((uint16_t)value);
    return true;
}

bool endpoint_parse_address(const char *text, union endpoint_address *address, socklen_t *len)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t host_len = colon ? (size_t)(colon - text) : 0;
    if (host_len == 0 || host_len >= sizeof host)
        return false;
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    memset(address, 0, sizeof *address);
    if (host[0] == '[') {
        if (host[host_len - 1] != ']')
            return false;
        host[host_len - 1] = '\0';
        address->v6.sin6_family = AF_INET6;
        *len = sizeof address->v6;
        return inet_pton(AF_INET6, host + 1, &address->v6.sin6_addr) == 1 &&
               parse_port(colon + 1, &address->v6.sin6_port);
    }
    address->v4.sin_family = AF_INET;
    *len = sizeof address->v4;
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1 && parse_port(colon + 1, &address->v4.sin_port);
}

static struct endpoint *endpoint_make(struct endpoint_table *table, const char *key, const char *id,
                                      const char *address, struct error *error)
{
    union endpoint_address parsed;
    socklen_t len = 0;
    if (!endpoint_parse_address(address, &parsed, &len)) {
        error_set(error, "'%.80s' is not an address, allowed is IPv4:port or [IPv6]:port", address);
        return NULL;
    }
    uint32_t slot = stats_claim_endpoint(table->stats, id, address);
    if (slot == STATS_SLOT_NONE) {
        error_set(error, "too many endpoints, allowed are %d", STATS_ENDPOINTS_MAX);
        return NULL;
    }
    struct endpoint *endpoint = mem_alloc(sizeof *endpoint);
    snprintf(endpoint->key, sizeof endpoint->key, "%s", key);
    endpoint->address_text = endpoint->key + strlen(id) + 1;
    endpoint->address = parsed;
    endpoint->address_len = len;
    endpoint->slot = slot;
    HASH_ADD(by_key, table->by_key, key, strlen(endpoint->key), endpoint);
    return endpoint;
}

struct endpoint *endpoint_ref(struct endpoint_table *table, const char *id, const char *address, struct error *error)
{
    char key[STATS_NAME_SIZE];
    if (strlen(id) > ENDPOINT_ID_MAX || strlen(address) > ENDPOINT_ADDRESS_MAX || id[0] == '\0') {
        error_set(error, "id or address is empty or too long, allowed are %d and %d bytes", ENDPOINT_ID_MAX,
                  ENDPOINT_ADDRESS_MAX);
        return NULL;
    }
    snprintf(key, sizeof key, "%s %s", id, address);
    struct endpoint *endpoint = NULL;
    HASH_FIND(by_key, table->by_key, key, strlen(key), endpoint);
    if (!endpoint)
        endpoint = endpoint_make(table, key, id, address, error);
    if (endpoint)
        endpoint->refs++;
    return endpoint;
}

void endpoint_ref_again(struct endpoint *endpoint)
{
    check(endpoint->refs > 0);
    endpoint->refs++;
}

void endpoint_unref(struct endpoint_table *table, struct endpoint *endpoint)
{
    check(endpoint->refs > 0);
    if (--endpoint->refs > 0)
        return;
    HASH_DELETE(by_key, table->by_key, endpoint);
    stats_release_endpoint(table->stats, endpoint->slot);
    free(endpoint);
}
