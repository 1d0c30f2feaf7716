/* conversation_reader: a strict reader of what went over one connection, written from RFC 9112 and sharing nothing with
 * proxy/h1: whatever leaves the proxy must be a sequence of well-formed messages, or the beginning of one. Pure. */
#ifndef TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_READER_H
#define TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* First bytes of marks: a client's number, or an upstream connection's, is in the lower bits. What a peer sends has no
 * other peer's marks (conversation_script.h). */
#define READING_CLIENT_MARK 0xf0u
#define READING_UPSTREAM_MARK 0xf8u
#define READING_CLIENTS 4u
#define READING_UPSTREAMS 8u

struct reading {
    struct slice stream;
    size_t at;
    const char *violation;  /* null: none */
    struct buf text;        /* a line for each message: "GET /a body", "200 body"; "..." where it is cut short */
    struct buf content;     /* of all bodies, but for answers of the proxy's own */
    unsigned message_count; /* with a whole head; interim responses do not count */
    unsigned head_requests; /* responses: how many of them may answer HEAD */
    bool is_tunnel;         /* what follows the last head is no HTTP */
    bool may_switch;        /* requests: the endpoint has said 101 */
    bool has_proxy_header;  /* requests: a PROXY header comes first */
    const char *via;        /* requests: must be the last member of each Via; null: they come from a client */
    bool ends_in_body;      /* requests: the stream ends inside a body, or right behind a message */
    int8_t client;          /* requests: named by the last head; -1: not known */
    uint32_t clients;       /* requests: mask of all that were named */
    bool has_strange_mark;  /* requests: a mark of another client than the one named */
};

void reading_init(struct reading *r, struct slice stream);
void reading_fini(struct reading *r);
void reading_take_requests(struct reading *r);
void reading_take_responses(struct reading *r);

#endif
