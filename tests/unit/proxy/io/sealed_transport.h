/* sealed_transport: a transport for tests that has everything about it that TLS has: records, a handshake, a change of keys
 * that must be answered before anything else, decrypted bytes that no socket shows, an end that is a message. Its cipher
 * is an XOR. One thread; it makes no promise that a real one would not make.
 *
 *   record: type, length (2 bytes, high first), content; all but the head of it under the key
 *   HELLO  the first one of each side, the second in answer to the first; before that nothing goes either way
 *   BYTES  of the application
 *   KEYS   must be answered by KEYS before more is received
 *   END    no more comes */
#ifndef TESTS_UNIT_PROXY_IO_SEALED_TRANSPORT_H
#define TESTS_UNIT_PROXY_IO_SEALED_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "proxy/io/transport.h"

#define SEALED_RECORD_BYTES 1000 /* most content of one */
#define SEALED_HEAD_BYTES 3

enum sealed_type { SEALED_HELLO = 1, SEALED_BYTES, SEALED_KEYS, SEALED_END };

/* Freed when its channel closes; *open_count says how many are open. With is_first it speaks first, as a client does. */
struct transport *sealed_transport_new(bool is_first, int *open_count);

/* What the other side writes, and makes of what it reads. */
void sealed_put(struct buf *out, enum sealed_type type, const void *content, size_t len);
/* Takes the first record off, its content put behind `content`. 0: none is whole. */
enum sealed_type sealed_take(struct buf *in, struct buf *content);

#endif
