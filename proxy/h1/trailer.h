/* h1/trailer: which fields of a trailer section may be sent on (RFC 9110 6.5). Any thread; pure, no allocation. */
#ifndef PROXY_H1_TRAILER_H
#define PROXY_H1_TRAILER_H

#include <stddef.h>

#include "proxy/h1/error.h"

/* section[0..len): whole lines with their CRLFs, as h1_chunk_decode() gave them piece by piece, without the empty line.
 * Copies those that may go on, in order and as they came, to `out`, which has room for len bytes and is another place.
 * - A line that names framing, routing or connection fields, or an alias of one with '_', is refused:
 *   H1_ERR_TRAILER_FORBIDDEN. Nobody sends these but to be read differently by two recipients.
 * - A line whose meaning is bound to the head (RFC 9110 6.5.1: authentication, cookies, content, caching, conditions,
 *   ranges) or that says who asks (X-Forwarded-*, Forwarded, Via, X-Real-IP, X-Request-ID), or an alias of one, is left
 *   out; of these names ETag and Content-Digest stay, which may come as trailers (RFC 9110 8.8.3, RFC 9530).
 * - More than HTTP_FIELDS_MAX lines: H1_ERR_TOO_MANY_FIELDS. Not whole lines of names and values: H1_ERR_TRAILER.
 * *out_len is 0 unless H1_OK. section is not null, also when it is empty. */
enum h1_error h1_trailer_filter(const char *section, size_t len, char *out, size_t *out_len);

#endif
