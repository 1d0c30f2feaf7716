/* fake_engine: a Docker Engine of a few containers on the test's own loop, for what a real one cannot be made to do: to
 * answer late, to break, to lie. Everything the client asked is kept as text. */
#ifndef TESTS_UNIT_DISCOVERY_DOCKER_FAKE_ENGINE_H
#define TESTS_UNIT_DISCOVERY_DOCKER_FAKE_ENGINE_H

#include "tests/unit/base/scripted_server.h"

#define FAKE_CONTAINERS_MAX 16

struct fake_container {
    char id[65];
    const char *labels; /* members of the object, without braces; null: no such container */
    const char *status; /* "running" */
    const char *started_at;
    const char *ip;
    int exit_code;
    const char *restart_policy; /* "always"; null: none */
    const char *network_mode;   /* "container:<id>": it has no address of its own then; null: its own network */
    bool hangs;                 /* an inspect of it waits in `held` */
    const char *config;         /* more members of Config, each with a comma behind it; null: none */
};

#define FAKE_HELD_MAX 128

struct fake_engine {
    struct scripted_server server;
    struct fake_container containers[FAKE_CONTAINERS_MAX];
    const char *api_version; /* null: no such field */
    bool holds_inspects;     /* they wait in `held` until fake_engine_release() */
    bool holds_lists, holds_stops, holds_logs;
    const char *list_answer;    /* null: the containers */
    int inspect_status;         /* 0: answer as it should */
    const char *inspect_answer; /* null: the container */
    struct scripted_conn *held[FAKE_HELD_MAX];
    char *held_answers[FAKE_HELD_MAX];
    size_t held_count;
    struct scripted_conn *stream; /* of events; null: none is open */
    size_t ping_count, list_count, inspect_count, stream_count;
    char last_target[1100];
    char last_body[256];
    char last_events_target[1024];
    const char *next_answer; /* for anything else than the above; default "{}" */
    int next_status;         /* default 200 */
};

void fake_engine_start(struct fake_engine *fake, struct loop *loop);
void fake_engine_stop(struct fake_engine *fake);
/* Index i becomes a container with an id made of the digit i; running, 172.17.0.<i>, started in second 0. */
struct fake_container *fake_engine_add(struct fake_engine *fake, int i, const char *labels);
void fake_engine_release(struct fake_engine *fake); /* sends what was held, as it was when it was asked */
/* attributes: members without braces, or "". */
void fake_engine_emit(struct fake_engine *fake, int i, const char *action, const char *attributes);
void fake_engine_break_stream(struct fake_engine *fake);

#endif
