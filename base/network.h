/* network: an IP prefix such as 10.0.0.0/8 or 2001:db8::/32, and whether an address lies in it. IPv4 is kept as
 * IPv4-mapped IPv6 (RFC 4291 2.5.5.2), so that one comparison serves both, and an IPv4 client of a dual-stack socket is
 * the same client. Pure; any thread. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct network_address {
    uint8_t bytes[16];
};

struct network {
    struct network_address address; /* bits behind the prefix are 0 */
    uint8_t prefix_bits;            /* of the 128 */
};

#define NETWORK_TEXT_SIZE 64
#define NETWORK_ADDRESS_TEXT_SIZE 46

extern const uint8_t network_v4_prefix[12]; /* of IPv4-mapped IPv6 addresses */

/* "10.0.0.0/8", "::1/128", or an address alone. False: not that, or bits are set behind the prefix. */
bool network_parse(const char *text, struct network *network);
bool network_contains(const struct network *network, const struct network_address *address);
bool network_list_contains(const struct network *networks, size_t count, const struct network_address *address);

/* False for a family that is neither IPv4 nor IPv6. */
bool network_address_of(const struct sockaddr *from, struct network_address *address);

/* As inet_ntop() has it, an IPv4-mapped address as IPv4; returns the length. Cheap for IPv4: each new client's is written. */
size_t network_address_to_text(const struct network_address *address, char text[NETWORK_ADDRESS_TEXT_SIZE]);

#endif
