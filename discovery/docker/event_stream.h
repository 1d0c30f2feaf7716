/* event_stream: keeps the engine's event stream open: reconnects with `since=` the last event's time, after 100 ms
 * doubling to 5 s with jitter, at once when the engine becomes reachable again. What was missed beyond the engine's
 * short memory is found by the full list that on_open asks for. Control thread only. */
#ifndef DISCOVERY_DOCKER_EVENT_STREAM_H
#define DISCOVERY_DOCKER_EVENT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "discovery/docker/engine.h"
#include "discovery/docker/events.h"

struct docker_event_stream;

struct docker_event_stream_callbacks {
    void (*on_gap)(void *owner); /* the stream is open, and something may have been missed: list all */
    void (*on_event)(void *owner, const struct docker_event *event); /* never DOCKER_EVENT_OTHER */
    void *owner;                                                     /* borrowed */
};

struct docker_event_stream *docker_event_stream_new(struct loop *loop, struct docker_engine *engine,
                                                    const struct docker_event_stream_callbacks *callbacks);
void docker_event_stream_free(struct docker_event_stream *stream);
void docker_event_stream_start(struct docker_event_stream *stream);

/* The engine became reachable: do not wait for the back-off. */
void docker_event_stream_retry_now(struct docker_event_stream *stream);

bool docker_event_stream_is_open(const struct docker_event_stream *stream);

struct docker_event_stream_status {
    bool open;
    uint64_t opened_count, events_count, bad_lines_count, dropped_lines_count;
    int64_t last_event_at_ms; /* monotonic; 0: none yet */
};
void docker_event_stream_status(const struct docker_event_stream *stream, struct docker_event_stream_status *out);

#endif
