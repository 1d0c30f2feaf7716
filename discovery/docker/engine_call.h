/* engine_call: how the named calls of discovery/docker/engine.h (engine_calls.c) are handed to the engine's lanes
 * (engine.c). For these two files only. Control thread. */
#ifndef DISCOVERY_DOCKER_ENGINE_CALL_H
#define DISCOVERY_DOCKER_ENGINE_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery/docker/engine.h"

enum docker_lane {
    DOCKER_LANE_LOOK = 0, /* answered from the engine's memory */
    DOCKER_LANE_CREATE,   /* create and start */
    DOCKER_LANE_STOP,     /* waits for a container to end */
    DOCKER_LANE_REMOVE,
    DOCKER_LANE_ENDING, /* looks before a stop or a removal */
    DOCKER_LANE_LOGS,   /* as slow as a logging driver */
    DOCKER_LANE_PULL,   /* as slow as a registry */
    DOCKER_LANE_STREAM, /* never waits, never ends by itself */
    DOCKER_LANE_COUNT
};

struct docker_call_spec {
    enum docker_lane lane;
    const char *party; /* copied; whose call it is: parties take turns in a lane; null: nobody's */
    const char *method;
    char *path;          /* ownership passes; without the version: "/containers/json?all=1" */
    char *what;          /* ownership passes; for messages: "inspect 3f2a..." */
    struct slice body;   /* copied */
    char *header;        /* ownership passes; one more line of the head, a secret; null: none */
    int64_t deadline_ms; /* 0: none (stream) */
    int64_t idle_ms;     /* 0: none */
    size_t answer_bytes_max;
    const char *refusal;    /* static; not null: do not send, answer DOCKER_REFUSED with this */
    http_head_cb on_head;   /* stream only */
    http_piece_cb on_piece; /* of a 2xx answer, which has no limit then; null: it is collected */
    docker_answer_cb done;
    void *owner;
};

struct docker_call *docker_engine_submit(struct docker_engine *engine, const struct docker_call_spec *spec);

/* status and outcome of an exchange as one result. Pure. */
enum docker_result docker_result_of(enum http_outcome outcome, int status);

/* A ping that got no answer in time, while another call was answered after it was sent: the engine is there. Pure. */
bool docker_ping_says_nothing(enum http_outcome outcome, int64_t pinged_at_ms, int64_t answered_at_ms);

/* "what: 409: <message field of the body>" or "what: <cause>". Pure; owned by the caller. */
char *docker_answer_describe(const char *what, const struct http_response *response);

/* min(the engine's, DOCKER_API_NEWEST) into out; false with error for anything below DOCKER_API_OLDEST or not a
 * version. Pure. */
#define DOCKER_VERSION_SIZE 16
bool docker_version_negotiate(const char *engine_version, char out[DOCKER_VERSION_SIZE], struct error *error);

/* 100 ms doubling to 5 s, +- 20 %; attempt counts from 0; random: any number. Pure. */
int64_t docker_backoff_ms(unsigned attempt, uint32_t random);

#endif
