/* h1/writer: writes a head as HTTP/1.1, edited as http/edit.h says, whatever version it came in. Pure; any thread.
 *
 * Where the head came as HTTP/1 text, runs of lines that go on are copied whole: that is where forwarding between two HTTP/1 sides
 * gets its cheapness from. Where it did not, or where its lines are not as the RFC has them, each line is written anew. */
#ifndef PROXY_H1_WRITER_H
#define PROXY_H1_WRITER_H

#include <stddef.h>

#include "proxy/http/edit.h"

/* What is for the next hop alone (RFC 9110 7.6.1). Of a request beside it: TE, when the client accepts trailers. */
struct h1_hop {
    enum http_connection connection; /* of a request: NONE or UPGRADE */
    bool is_chunked;                 /* the body goes out chunked */
};

/* Room in Host of a request that has no authority: blanks, at the end of which the caller puts one (RFC 9112 3.2). */
#define H1_HOST_ROOM 64

struct h1_written {
    size_t len;
    size_t host_at; /* in `out`: where H1_HOST_ROOM blanks are; 0: nowhere */
};

/* Both: `out` has room for size bytes; that they are enough is the caller's promise. */
struct h1_written h1_write_request(const struct http_head *head, const struct http_text *text,
                                   const struct http_edit *edit, struct h1_hop hop, char *out, size_t size);
size_t h1_write_response(const struct http_head *head, const struct http_text *text, const struct http_edit *edit,
                         struct h1_hop hop, char *out, size_t size);

#endif
