/* response: head and body of what the backend answers, made piece by piece into the connection's output.
 * One thread at a time; owned in place. */
#ifndef BENCH_BACKEND_RESPONSE_H
#define BENCH_BACKEND_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/backend/bytes.h"
#include "bench/backend/request.h"

struct response {
    bool is_chunked, is_json, is_text; /* is_text: the body is `text`, else the alphabet over and over */
    uint64_t body_at, body_left, piece_bytes;
    int64_t pause_us; /* between two pieces; 0: none */
    struct bytes text;
};

/* The head and the first piece. is_json, is_text and text are set; body_bytes is text's length or the wanted size. */
void response_start(struct response *r, const struct request *q, const char *head, int status, uint64_t body_bytes,
                    const char *task, struct bytes *out);

void response_add_piece(struct response *r, struct bytes *out); /* the next one */

/* Appends the request as JSON. */
void response_add_echo(struct bytes *text, const struct request *q, const char *head, const char *task);

#endif
