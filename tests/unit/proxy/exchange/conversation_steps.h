/* conversation_steps: a conversation written out as a test in C, where a script (conversation_script.h) says too little. One
 * service with one endpoint, and a rig that lives as long as the test. */
#ifndef TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_STEPS_H
#define TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_STEPS_H

#include <string.h>

#include "tests/unit/proxy/exchange/conversation_rig.h"

#define CRLF "\r\n"
#define GET "GET / HTTP/1.1" CRLF "Host: a" CRLF CRLF
#define DOCUMENT(settings)                                                                                     \
    "{\"version\":1,\"serial\":1,\"settings\":{" settings "},\"services\":[{\"name\":\"web\",\"endpoints\":[{" \
    "\"id\":\"1\",\"address\":\"127.0.0.1:1\"}]}],\"routes\":[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"}]}"

static inline struct rig *begin(const char *document)
{
    struct rig *rig = rig_new(document);
    rig_begin(rig);
    return rig;
}

static inline void end(struct rig *rig)
{
    rig_end(rig, false);
    rig_forget(rig);
    rig_free(rig);
}

static inline struct rig_peer *open_client(struct rig *rig)
{
    struct rig_peer *client = rig_open_client(rig);
    rig_settle(rig);
    return client;
}

static inline void say(struct rig *rig, struct rig_peer *peer, const char *text)
{
    rig_put(peer, text, strlen(text));
    rig_settle(rig);
}

/* How often the peer has got the text. */
/* Not by memmem(): a sanitizer looks at all that is left of the text at each call. */
static inline size_t times_received(const struct rig_peer *peer, const char *text)
{
    size_t count = 0, len = strlen(text), at = 0;
    while (at + len <= peer->received.len) {
        bool is_here = memcmp(peer->received.at + at, text, len) == 0;
        count += is_here;
        at += is_here ? len : 1;
    }
    return count;
}

#endif
