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
    char allow[64];  /* of a 405 */
    bool must_close; /* what follows on the connection cannot be trusted */
};

void admin_reply_init(struct admin_reply *reply);
void admin_reply_fini(struct admin_reply *reply);

void admin_reply_json(struct admin_reply *reply, int status, json_t *document); /* takes the reference */

/* field: null for none. */
void admin_reply_error(struct admin_reply *reply, int status, const char *code, const char *field, const char *format,
                       ...) __attribute__((format(printf, 5, 6)));

#endif
