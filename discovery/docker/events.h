/* events: the engine's event stream as lines, and a line as an event. Pure; any thread. discovery/docker/event_stream.h
 * keeps the connection. One JSON object a line; a line beyond DOCKER_EVENT_LINE_BYTES_MAX is dropped up to its end and
 * counted, so that the next one is understood again. */
#ifndef DISCOVERY_DOCKER_EVENTS_H
#define DISCOVERY_DOCKER_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "discovery/task_registry.h"

#define DOCKER_EVENT_LINE_BYTES_MAX (1u << 20)

enum docker_event_action {
    DOCKER_EVENT_OTHER = 0, /* understood, and nothing to us: exec_create, attach, image events, ... */
    DOCKER_EVENT_CREATE,
    DOCKER_EVENT_START,
    DOCKER_EVENT_KILL, /* `signal` was sent; on `docker stop` it comes after the signal, then die, then stop */
    DOCKER_EVENT_DIE,  /* `exit_code` */
    DOCKER_EVENT_STOP,
    DOCKER_EVENT_DESTROY,
    DOCKER_EVENT_PAUSE,
    DOCKER_EVENT_UNPAUSE,
    DOCKER_EVENT_HEALTH,  /* `health` */
    DOCKER_EVENT_CHANGED, /* rename, update, network connect or disconnect: look again */
    DOCKER_EVENT_ACTION_COUNT
};
const char *docker_event_action_to_str(enum docker_event_action action);

struct docker_event {
    enum docker_event_action action;
    char id[TASK_ID_SIZE]; /* container; empty for DOCKER_EVENT_OTHER */
    int64_t time_nano;     /* since 1970; 0: unknown */
    int signal;            /* 0: unknown */
    int32_t exit_code;
    enum task_health health;
    bool has_our_label;     /* portico.enable or portico.managed-by is among the attributes */
    bool has_managed_label; /* portico.managed-by is */
    bool has_labels;        /* the event carries the container's labels at all (network events do not) */
};

/* False, with the reason, when the line is not an event of the API; *out is then zero. */
bool docker_event_parse(struct slice line, struct docker_event *out, struct error *error);

struct docker_lines {
    struct buf partial;     /* owned */
    bool skipping;          /* inside a line that is too long */
    uint64_t dropped_count; /* lines that were too long */
};

typedef void (*docker_line_cb)(void *owner,
                               struct slice line); /* without its end; never empty; valid during the call */

void docker_lines_init(struct docker_lines *lines);
void docker_lines_fini(struct docker_lines *lines);
void docker_lines_clear(struct docker_lines *lines); /* a new stream begins */
void docker_lines_feed(struct docker_lines *lines, struct slice piece, docker_line_cb on_line, void *owner);

#endif
