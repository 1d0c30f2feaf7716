/* h1/chunk: strict incremental decoder of the chunked transfer coding (RFC 9112 7.1). No allocation, no buffer: it can
 * be cut at any byte. One thread at a time; owned in place by whoever embeds it.
 *
 * Chunk extensions are checked, bounded and dropped; trailer fields are checked, bounded and handed over. */
#ifndef PROXY_H1_CHUNK_H
#define PROXY_H1_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/h1/head.h"

#define H1_CHUNK_EXTENSION_MAX (16 * 1024) /* bytes, of all chunks of a message together */
#define H1_CHUNK_TRAILER_MAX (8 * 1024)    /* bytes, of the trailer section */

struct h1_chunk_decoder {
    uint64_t taken_bytes; /* of the body, with its framing */
    uint64_t left_bytes;  /* of the current chunk's data */
    uint32_t extension_bytes;
    uint32_t trailer_bytes;
    uint8_t state; /* enum chunk_state, in chunk.c */
    uint8_t size_digits;
    uint8_t error; /* enum h1_error; sticky */
};

void h1_chunk_init(struct h1_chunk_decoder *decoder);

/* Consumes in[0..*consumed), and reports the data found there as one slice (borrowed from `in`, often empty). It stops
 * behind each piece of data: call again with the rest while *consumed < len.
 * *trailer: what was consumed of the trailer section's lines (borrowed from `in`, often empty), with their CRLFs, without
 * the empty line that ends the section. Pieces may be cut anywhere: appended they are what h1_trailer_filter() takes, at
 * most H1_CHUNK_TRAILER_MAX bytes.
 * H1_MORE: the body goes on. H1_DONE: it ended at *consumed; what follows is not part of it. H1_BAD: *error says why;
 * nothing that was decoded may be completed as a message. After H1_DONE or H1_BAD the decoder repeats that answer and
 * consumes nothing. `data` is empty unless H1_MORE, `trailer` is empty if H1_BAD. */
enum h1_result h1_chunk_decode(struct h1_chunk_decoder *decoder, const char *in, size_t len, size_t *consumed,
                               struct slice *data, struct slice *trailer, enum h1_error *error);

#endif
