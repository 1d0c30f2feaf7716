/* listen_address: "127.0.0.1:80", "[::1]:80" or "*:80" as numbers. Pure; names are not resolved. Any thread. */
#ifndef CONFIG_LISTEN_ADDRESS_H
#define CONFIG_LISTEN_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#define LISTEN_ADDRESS_SIZE 64

struct listen_address {
    bool is_ipv6;
    uint8_t ip[16]; /* network order; the first four of IPv4 */
    uint16_t port;  /* 1..65535 */
};

bool listen_address_parse(const char *text, struct listen_address *out);
void listen_address_print(const struct listen_address *address, char out[LISTEN_ADDRESS_SIZE]);

bool listen_address_is_loopback(const struct listen_address *address); /* 127/8, ::1, ::ffff:127/104 */

/* "127.0.0.1:2375", "[::1]:2375", "localhost:2375": the host of a URL that leads nowhere else. */
bool listen_address_names_loopback(const char *authority);

/* Both cannot be listened on: the same port, and the same address or one of the two is all addresses of that family. */
bool listen_address_overlaps(const struct listen_address *a, const struct listen_address *b);

/* A decimal port, 1..65535, without leading zeros; 0 when it is not. */
uint16_t listen_address_parse_port(const char *text);

#endif
