/* corpus/conversation: what the parsers of proxy/h1 make of all that one side of a connection sends, however it
 * arrives. For tests: keeps everything, and tells it as text. One thread at a time; owned in place, freed by
 * conversation_fini().
 *
 * The text, one line each, bytes in hexadecimal:
 *   head <tab> method or status <tab> target or reason <tab> minor version <tab> class of desync, "-" for a response
 *        <tab> none|length|chunked|until-close <tab> target to send on, "-" for a response <tab> name=value,...
 *   body <tab> content <tab> trailers that may be sent on
 *   and at the end: more | end | bad <tab> why | extra <tab> count of bytes behind the last message */
#ifndef TESTS_CORPUS_CONVERSATION_H
#define TESTS_CORPUS_CONVERSATION_H

#include "base/buf.h"
#include "proxy/h1/chunk.h"
#include "proxy/h1/head.h"

enum conversation_state {
    CONVERSATION_HEAD = 0,
    CONVERSATION_LENGTH,
    CONVERSATION_CHUNKED,
    CONVERSATION_UNTIL_CLOSE,
    CONVERSATION_BAD,
    CONVERSATION_ENDED /* what follows is no message of this conversation */
};

struct conversation {
    enum conversation_state state;
    bool reads_responses;
    enum http_method asked; /* the method that a response answers */
    enum h1_desync gravest;
    enum h1_error error;
    size_t message_count; /* whole ones; of responses without those of status 1xx */
    size_t resume_at;
    uint64_t left_bytes;
    struct buf in, text, body, trailers;
    struct h1_chunk_decoder chunks;
    struct h1_request request;
    struct h1_response response;
};

void conversation_init_requests(struct conversation *c);
void conversation_init_responses(struct conversation *c, enum http_method asked);
void conversation_fini(struct conversation *c);

void conversation_feed(struct conversation *c, const char *bytes, size_t len);

/* Nothing more comes. Returns the text, valid until conversation_fini(). */
const char *conversation_end(struct conversation *c);

#endif
