/* answer: reads one response strictly (RFC 9112, with the proxy's own parser), from bytes that may be cut anywhere, and
 * judges it. Pure. One thread at a time: the reader is shared by all answers of a thread, an answer belongs to one
 * connection. */
#ifndef BENCH_LOAD_ANSWER_H
#define BENCH_LOAD_ANSWER_H

#include "base/buf.h"
#include "bench/load/expectation.h"
#include "bench/load/failure.h"
#include "proxy/h1/chunk.h"
#include "proxy/h1/head.h"

#define ANSWER_HEAD_BYTES_MAX (64u << 10)

struct answer_reader {
    const struct expectation *expectation; /* borrowed */
    enum http_method method;
    struct h1_response response; /* scratch */
};

enum answer_state { ANSWER_IN_HEAD = 0, ANSWER_IN_BODY, ANSWER_DONE };

/* With ANSWER_DONE, failure and why (static text) are what it came to. */
struct answer {
    enum answer_state state;
    enum failure failure;
    const char *why;
    int status; /* 0 before the head is whole */
    bool keeps_alive;
    enum http_body body;
    uint64_t left_bytes; /* of HTTP_BODY_LENGTH */
    struct h1_chunk_decoder chunks;
    struct body_check check;
    struct buf head; /* only when the head comes in pieces; owned */
    size_t resume_at;
};

void answer_init(struct answer *a);
void answer_fini(struct answer *a);
void answer_begin(struct answer *a);           /* of the next request; keeps the memory */
bool answer_has_begun(const struct answer *a); /* any byte of it has come */

/* All bytes are taken. Those that follow the answer's end make it malformed: nobody has asked for them. */
enum answer_state answer_take(struct answer_reader *reader, struct answer *a, const char *at, size_t len);

/* The connection has ended: always ANSWER_DONE then. */
void answer_end(struct answer_reader *reader, struct answer *a);

#endif
