/* listener: one listening socket of one worker (SO_REUSEPORT gives each worker its own; more than one after an upgrade to
 * fewer workers, which then share the limits of the first). Accepts in small batches; makes room when there is no place or
 * no descriptor (proxy/client/shedding.h), or else pauses, and the worker's tick tries again. One worker. */
#ifndef PROXY_CLIENT_LISTENER_H
#define PROXY_CLIENT_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event_struct.h>

#include "proxy/client/token_bucket.h"

struct worker;

struct listener {
    struct worker *worker;  /* borrowed */
    int fd;                 /* owned once opened; -1 when closed */
    uint32_t index;         /* in the settings' list of listeners */
    struct listener *first; /* of this index in this worker, borrowed: connections and limits are counted there */
    uint8_t port_len;
    char port[6];        /* text of the port that it is bound to; empty: not known */
    uint32_t conn_count; /* open connections that came here */
    bool is_paused, is_closed;
    struct event acceptable;

    /* What all its connections together may have in this worker. Rates: 0, no limit. */
    int64_t requests_per_second, body_bytes_per_second;
    struct token_bucket requests, body_bytes;
};

void listener_init(struct listener *l, struct worker *worker, int fd, uint32_t index, struct listener *first);
void listener_open(struct listener *l);
void listener_resume(struct listener *l); /* when paused */
/* Takes what is queued already, not what keeps coming, then stops listening for good. */
void listener_close(struct listener *l);

#endif
