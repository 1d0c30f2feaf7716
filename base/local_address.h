/* local_address: is an IP address one of this host's own, so that what is sent there is delivered here? Asks the kernel's
 * routing for this one address each time, which costs the same however many interfaces there are. Any thread. */
#ifndef BASE_LOCAL_ADDRESS_H
#define BASE_LOCAL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/* ip: network order, 4 bytes or 16. True too for loopback, for "any" (which connects to this host), and for an IPv6
 * address that is an IPv4 one of these in disguise (::ffff:0:0/96). When the kernel does not tell: false, but for those. */
bool local_address_is_ours(bool is_ipv6, const uint8_t *ip);

#endif
