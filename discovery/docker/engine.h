/* engine: client of one Docker Engine (https://docs.docker.com/engine/api/): used by discovery and by the controller's
 * runtime. Control thread only. It speaks min(the engine's API version, DOCKER_API_NEWEST), read from /_ping again each
 * time, because an engine refuses versions below its own minimum and may be upgraded under us.
 *
 * Calls wait until the version is known; they fail at once, with the last error, while the engine is unreachable. Every
 * call has a deadline and a response limit. Looks, creations, stops, removals, looks before these two, logs and pulls have lanes
 * of their own, so that what hangs in one holds up nothing else; in a lane the services (the `party` of a call; null:
 * nobody's) take turns. When DOCKER_CALLS_MAX calls wait in a lane, a new one is refused. Callbacks come from the loop,
 * never from inside the function that made the call; they may call and cancel. */
#ifndef DISCOVERY_DOCKER_ENGINE_H
#define DISCOVERY_DOCKER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/http_client.h"
#include "base/loop.h"
#include "base/slice.h"
#include "config/config.h"

#define DOCKER_API_OLDEST "1.24"
#define DOCKER_API_NEWEST "1.47"
#define DOCKER_ANSWER_BYTES_MAX (1u << 20)
#define DOCKER_CALLS_MAX 4096
#define DOCKER_ID_SIZE 72
#define DOCKER_PULLS_MAX 4               /* at once, half of them of one registry: one that hangs holds up no other */
#define DOCKER_INSPECT_DEADLINE_MS 10000 /* far beyond what a healthy engine needs, so that only a stuck one meets it */

enum docker_engine_state {
    DOCKER_ENGINE_UNKNOWN = 0,
    DOCKER_ENGINE_REACHABLE,
    DOCKER_ENGINE_UNREACHABLE,
    DOCKER_ENGINE_STATE_COUNT
};
const char *docker_engine_state_to_str(enum docker_engine_state state);

enum docker_result {
    DOCKER_OK = 0,
    DOCKER_ALREADY,     /* 304: it was started or stopped before; as good as OK */
    DOCKER_NOT_FOUND,   /* 404: container or image */
    DOCKER_CONFLICT,    /* 409: name in use, removal in progress */
    DOCKER_REFUSED,     /* any other 4xx, or an argument that was not sent because it is malformed */
    DOCKER_FAILED,      /* 5xx: the engine tried and could not */
    DOCKER_TIMEOUT,     /* no answer in time: it may or may not have happened */
    DOCKER_UNREACHABLE, /* not sent, or the connection broke: it may or may not have happened */
    DOCKER_BAD_ANSWER,  /* too large, or not what the API promises */
    DOCKER_RESULT_COUNT
};
const char *docker_result_to_str(enum docker_result result);

struct docker_answer {
    enum docker_result result;
    int status;        /* HTTP status; 0: none */
    struct slice body; /* valid during the callback */
    const char *text;  /* never null: the call, the engine's own words and status: "start 3f2a...: 409: ..."; during the
                          callback */
};
typedef void (*docker_answer_cb)(void *owner, const struct docker_answer *answer);

bool docker_answer_is_ok(const struct docker_answer *answer); /* OK or ALREADY */
/* The engine's message, of a long one without its middle: the point is at its end. The caller's, to free(). */
char *docker_shorten_message(const char *message);
/* The container id in the answer to a create; false when there is none. */
bool docker_answer_find_id(const struct docker_answer *answer, char id[DOCKER_ID_SIZE]);

struct docker_engine;
struct docker_call; /* owned by the engine; gone when its callback is called or it is cancelled */

/* Null with error when the endpoint is malformed or tcp:// without all three TLS files. http and loop are borrowed,
 * config is copied. Starts asking for the version at once. */
struct docker_engine *docker_engine_new(struct loop *loop, struct http_client *http, const struct config_docker *config,
                                        struct error *error);
void docker_engine_free(struct docker_engine *engine); /* drops all calls without callback; not from a callback */

struct docker_engine_status {
    enum docker_engine_state state;
    const char *error;                    /* why it is not reachable; "" otherwise; borrowed until the next turn */
    int64_t since_ms;                     /* monotonic time of the last state change */
    bool is_doubted;                      /* nothing is created or started before a fresh connection has answered */
    const char *api_version;              /* negotiated; "" before */
    uint64_t calls_count, failures_count; /* finished calls, and those that were not OK */
    size_t waiting_count, in_flight_count;
};
void docker_engine_status(const struct docker_engine *engine, struct docker_engine_status *out);
/* It may be going: a container of ours is ending, or a call has failed (which the engine notices by itself). An engine that
 * shuts down goes on answering on the connections that it has, and would start what it then leaves behind; so nothing
 * is created or started until a new connection has been answered. That takes a round trip. */
void docker_engine_doubt(struct docker_engine *engine);
/* Null when the engine is on this host (unix socket), else its host name: where its published ports are. */
const char *docker_engine_remote_host(const struct docker_engine *engine);
/* One reader: the provider, which reconnects its event stream. */
typedef void (*docker_engine_state_cb)(void *owner, enum docker_engine_state state);
void docker_engine_set_listener(struct docker_engine *engine, docker_engine_state_cb on_change, void *owner);

/* Names and ids: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 128; anything else is DOCKER_REFUSED without being sent. All
 * return the call, never null, for docker_engine_cancel(). Cancelling does not undo what the engine has begun. */

/* All containers, running or not, with this label ("name" or "name=value"; null: all). A JSON array, in pieces of any
 * size and of no limited length in all, since strangers' labels are in it: discovery/docker/id_list.h. An on_piece that
 * returns false makes it DOCKER_BAD_ANSWER. */
struct docker_call *docker_engine_list(struct docker_engine *e, const char *label, http_piece_cb on_piece,
                                       docker_answer_cb done, void *owner);
/* deadline_ms: at most DOCKER_INSPECT_DEADLINE_MS. */
struct docker_call *docker_engine_inspect(struct docker_engine *e, const char *id, int64_t deadline_ms,
                                          docker_answer_cb done, void *owner);
/* The same, before it is stopped or removed. */
struct docker_call *docker_engine_inspect_ending(struct docker_engine *e, const char *id, docker_answer_cb done,
                                                 void *owner);
/* body: JSON, copied. name: null lets the engine choose. */
struct docker_call *docker_engine_create(struct docker_engine *e, const char *party, const char *name,
                                         struct slice body, docker_answer_cb done, void *owner);
struct docker_call *docker_engine_start(struct docker_engine *e, const char *party, const char *id,
                                        docker_answer_cb done, void *owner);
/* The stop signal, then SIGKILL after timeout_s; answered when the container has ended. */
struct docker_call *docker_engine_stop(struct docker_engine *e, const char *party, const char *id, int64_t timeout_s,
                                       docker_answer_cb done, void *owner);
struct docker_call *docker_engine_kill(struct docker_engine *e, const char *id, const char *signal,
                                       docker_answer_cb done, void *owner); /* "SIGTERM" */
/* With its anonymous volumes. force: kills it when it still runs. */
struct docker_call *docker_engine_remove(struct docker_engine *e, const char *party, const char *id, bool force,
                                         docker_answer_cb done, void *owner);
/* The last lines of its output, as the engine frames them, in pieces of any size and of no limited length in all, since
 * a line has no limit. DOCKER_FAILED, 501: its logging driver gives back nothing. */
struct docker_call *docker_engine_logs(struct docker_engine *e, const char *party, const char *id, int64_t line_count,
                                       http_piece_cb on_piece, docker_answer_cb done, void *owner);
struct docker_call *docker_engine_inspect_image(struct docker_engine *e, const char *image, docker_answer_cb done,
                                                void *owner);
/* The engine's words about the pull as they come, lines of JSON, in pieces of any size and of no limited length in all; an
 * OK says only that it was begun and came to an end. image: discovery/docker/image_reference.h. auth: value of
 * X-Registry-Auth, copied; "" for none. silence_ms: without a byte it is given up; there is no other deadline. Cancelling
 * ends it. */
struct image_reference;
struct docker_call *docker_engine_pull(struct docker_engine *e, const struct image_reference *image, const char *auth,
                                       int64_t silence_ms, http_piece_cb on_piece, docker_answer_cb done, void *owner);
void docker_engine_cancel(struct docker_engine *e, struct docker_call *call);

/* The event stream of containers and networks. since: "" or "seconds.nanoseconds". Not queued: fails at once when the
 * engine is not REACHABLE. done comes when the stream ends, whatever the reason. */
struct docker_call *docker_engine_watch(struct docker_engine *e, const char *since, http_head_cb on_head,
                                        http_piece_cb on_piece, docker_answer_cb done, void *owner);

#endif
