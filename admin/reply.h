/* reply: one answer being made, before it is given to evhttp. Control thread only. Embedded in place: init, fill once,
 * fini. Errors have one shape: {"error":{"code":"...","message":"...","field":"desiredCount"}}, `field` only where one
 * is to blame. */
#ifndef ADMIN_REPLY_H
#define ADMIN_REPLY_H

#include <stdbool.h>

#include <jansson.h>

#include "base/buf.h"

#define REPLY_BODY_BYTES_MAX (32u << 20)

struct admin_reply {
    int status;
    const char *content_type; /* static */
    struct buf body;
    char allow[64];                               /* of a 405 */
    char etag[32];                                /* with its quotes; empty: none */
    bool waits;                                   /* the answer comes later, by admin_reply_finish() */
    void (*on_finish)(struct admin_reply *reply); /* null where nothing can wait */
    bool must_close;                              /* what follows on the connection cannot be trusted */
};

void admin_reply_init(struct admin_reply *reply);
void admin_reply_fini(struct admin_reply *reply);

void admin_reply_json(struct admin_reply *reply, int status, json_t *document); /* takes the reference */

void admin_reply_not_modified(struct admin_reply *reply); /* the client has what was to be answered */

/* The handler returns, and somebody fills the reply and finishes it from the loop, once, whether the client is still there or
 * not: until then the reply stays where it is. */
void admin_reply_wait(struct admin_reply *reply);
void admin_reply_finish(struct admin_reply *reply);

/* field: null for none. */
void admin_reply_error(struct admin_reply *reply, int status, const char *code, const char *field, const char *format,
                       ...) __attribute__((format(printf, 5, 6)));

#endif
