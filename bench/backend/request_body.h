/* request_body: Content-Length and chunked request bodies (RFC 9112 6, 7.1), counted and dropped piece by piece. One
 * thread at a time; owned in place. */
#ifndef BENCH_BACKEND_REQUEST_BODY_H
#define BENCH_BACKEND_REQUEST_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/backend/bytes.h"

enum chunk_state {
    CHUNK_SIZE = 0,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_PAYLOAD,
    CHUNK_PAYLOAD_CR,
    CHUNK_PAYLOAD_LF,
    CHUNK_LINE_START, /* of a trailer field or the last line */
    CHUNK_LINE,
    CHUNK_LAST_LF,
    CHUNK_DONE
};

struct request_body {
    bool is_chunked, wants_checksum;
    uint64_t left;  /* of the body, or of the present chunk */
    uint64_t bytes; /* seen so far */
    enum chunk_state state;
    unsigned digit_count;
    uint32_t adler_a, adler_b; /* adler_a starts as 1 */
};

/* Takes the body's bytes out of `in`, from `from` on. 1: complete, 0: more to come, -1: malformed. */
int request_body_take(struct request_body *b, struct bytes *in, size_t from);

#endif
