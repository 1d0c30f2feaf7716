/* proxy_protocol: the header of the PROXY protocol, versions 1 and 2, in front of a connection's bytes
 * (haproxy.org/download/2.6/doc/proxy-protocol.txt). It names the client in a proxy's stead, so only listeners that are
 * set up for it read it, and only from trusted sources: there is no guessing. Pure; any thread; no allocation.
 *
 * Refused beside what the specification refuses: headers above PROXY_PROTOCOL_HEADER_MAX bytes, TLVs that do not fill
 * the rest of the header exactly, a CRC32C that is there twice or of a wrong size. Its value is verified. */
#ifndef PROXY_MESSAGE_PROXY_PROTOCOL_H
#define PROXY_MESSAGE_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "proxy/snapshot/endpoint.h"
#include "proxy/snapshot/settings.h"

#define PROXY_PROTOCOL_HEADER_MAX 1024 /* version 2 with its TLVs; one of version 1 has at most 107 */
#define PROXY_PROTOCOL_WRITE_MAX 108

enum proxy_protocol_result { PROXY_PROTOCOL_DONE = 0, PROXY_PROTOCOL_MORE, PROXY_PROTOCOL_BAD };

struct proxy_protocol_header {
    bool has_addresses; /* false: LOCAL, UNKNOWN, or no TCP connection: the connection's own addresses count */
    union endpoint_address source, destination; /* IPv4-mapped IPv6 is given as IPv4; ports can be 0 */
};

const char *proxy_protocol_result_to_str(enum proxy_protocol_result result);

/* in[0..len): the first bytes of the connection. DONE: the header was the first *consumed bytes. MORE: nothing wrong so
 * far; call again with more. BAD: whatever may follow; close. How the bytes were split never changes what comes out,
 * only how early BAD is seen. */
enum proxy_protocol_result proxy_protocol_parse(const char *in, size_t len, struct proxy_protocol_header *out,
                                                size_t *consumed);

/* Returns the length; 0 for PROXY_PROTOCOL_OFF. A null address, or one that is neither IPv4 nor IPv6: UNKNOWN or LOCAL.
 * IPv4-mapped IPv6 on both sides is written as IPv4; of two families both are written as IPv6. */
size_t proxy_protocol_write(enum proxy_protocol_version version, const struct sockaddr *source,
                            const struct sockaddr *destination, char out[PROXY_PROTOCOL_WRITE_MAX]);

#endif
