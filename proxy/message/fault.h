/* fault: what was wrong with a message that is refused, and where in it, for the access log. A worker has one, of the message
 * that it is refusing: written where the fault is found, read where the line is made, within one callback. Pure. */
#ifndef PROXY_MESSAGE_FAULT_H
#define PROXY_MESSAGE_FAULT_H

#include <stdint.h>

#include "base/slice.h"

#define FAULT_LINE_BYTES 48

struct fault {
    const char *why;   /* null: none is known */
    const char *place; /* "request-head", "response-body", ... */
    uint64_t at;       /* bytes from the start of that place */
    struct slice line; /* as received, so hostile: the line that it is in, or the start of it; of heads only */
    char line_bytes[FAULT_LINE_BYTES];
};

/* why: static. head: as received so far; at: in it. The line is copied. */
void fault_in_head(struct fault *fault, const char *place, const char *why, struct slice head, size_t at);
void fault_in_body(struct fault *fault, const char *place, const char *why, uint64_t at);

#endif
