/* reply: the proxy's own answers. Pure; any thread. */
#ifndef PROXY_EXCHANGE_REPLY_H
#define PROXY_EXCHANGE_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define REPLY_BYTES_MAX 512

const char *reply_reason(int status); /* RFC 9110 15 */
/* Writes a whole response with a short text body, and returns its length. 503 and 429 carry Retry-After, 405
 * and 200 (to OPTIONS) Allow. date: a line of at most 64
 * bytes, or empty. */
size_t reply_write(int status, bool keep_alive, bool is_head_request, struct slice date, char out[REPLY_BYTES_MAX]);

#endif
