/* controller_world: everything around a controller, faked: the clock, a Docker Engine that takes its time, a data plane
 * with a load model, and the real task registry between them. One world at a time, one thread. The world checks by
 * itself what must never happen (world_on_stop, tests/sim/world_invariants.h) and fails the test at that moment. */
#ifndef TESTS_SIM_CONTROLLER_WORLD_H
#define TESTS_SIM_CONTROLLER_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "controller/controller.h"
#include "controller/runtime/runtime.h"
#include "controller/store/store.h"

#define WORLD_CONTAINERS_MAX 512
#define WORLD_OPS_MAX 512
#define WORLD_SERVICES_MAX 100

enum container_state { CONTAINER_CREATED = 0, CONTAINER_RUNNING, CONTAINER_EXITED, CONTAINER_GONE };

struct world_container {
    char id[TASK_ID_SIZE], name[TASK_NAME_SIZE], service[TASK_NAME_SIZE], revision[TASK_REVISION_SIZE];
    char image_id[TASK_IMAGE_ID_SIZE];
    bool is_managed;
    size_t service_index; /* in the configuration of then; WORLD_SERVICES_MAX: not in it */
    enum container_state state;
    int64_t started_at_ms, left_rotation_at_ms; /* left: -1 while in it */
    int64_t drain_seen_at_ms;                   /* -1 while not draining */
    int64_t dies_at_ms;                         /* -1: never by itself */
    int64_t ready_ms;                           /* from running to healthy */
    bool was_routable;                          /* the data plane has sent it requests */
    bool is_unlisted;                           /* the registry was never told of it */
    bool is_leaving;                            /* its creation is cancelled, or its removal is asked for */
    char problem[TASK_PROBLEM_SIZE];            /* why it is UNUSABLE */
    double queue, in_service, spare;            /* fluid model: requests that wait, that are worked on, unused work */
    bool is_stuck;                              /* its requests never end */
    uint64_t tunnels;                           /* open to it, beside its requests */
    bool is_sick;                               /* its health check fails */
    bool is_stop_asked;
    int32_t exit_code; /* that it ends with */
    uint64_t requests;
};

/* What can go wrong with a creation. */
enum trouble {
    TROUBLE_NONE = 0,
    TROUBLE_UNLISTED,   /* created and started, and the registry is not told (a lost event, a full registry) */
    TROUBLE_NO_ADDRESS, /* runs, and nothing can be sent to it */
    TROUBLE_CREATE_FAILS,
    TROUBLE_CREATE_TIMED_OUT, /* no answer, and it was created all the same */
    TROUBLE_CREATE_LOST,      /* the same, and the registry is not told either */
    TROUBLE_START_FAILS,
    TROUBLE_START_TIMED_OUT, /* no answer, and it runs */
    TROUBLE_VANISHES,        /* gone as soon as it was started */
    TROUBLE_DIES_YOUNG,
    TROUBLE_COUNT
};

enum op_kind { OP_CREATE = 0, OP_START, OP_STOP, OP_REMOVE, OP_RESOLVE, OP_PULL };

struct world_op {
    bool is_live, is_cancelled;
    enum op_kind kind;
    int64_t due_ms;
    size_t container;
    char named[TASK_ID_SIZE];      /* OP_STOP, OP_REMOVE: what was asked for */
    struct world_container wanted; /* OP_CREATE */
    enum trouble trouble;
    runtime_start_cb started;
    runtime_done_cb done;
    void *owner;
};

struct world {
    int64_t now_ms, step_ms, last_tick_ms;
    /* engine */
    int64_t create_ms, start_ms, stop_ms, ready_ms; /* ready: of new containers */
    int64_t trouble_percent;                        /* of the creations */
    int64_t blind_until_ms;                         /* no probe answers before */
    bool is_image_missing, is_never_healthy, is_engine_hung;
    char image_id[TASK_IMAGE_ID_SIZE];  /* what every image's name stands for */
    enum runtime_result resolve_result; /* OK: it can be asked */
    int64_t pull_ms;
    char registry_digit; /* the image that a pull brings, of 64 such digits; 0: there is none */
    bool is_engine_away; /* cannot be reached */
    int64_t lifetime_ms; /* of new containers; -1: for ever */
    struct world_container containers[WORLD_CONTAINERS_MAX];
    size_t container_count;
    struct world_op ops[WORLD_OPS_MAX];
    size_t op_count;        /* places that were ever used: the live ones are among them */
    struct runtime runtime; /* the engine is reached from it by container_of */
    uint64_t create_calls, stop_calls, remove_calls, resolve_calls, pull_calls, pull_cancels, made_count;
    bool hides_unusable;     /* a planted fault: the registry is not told of UNUSABLE containers */
    bool forgets_unanswered; /* a planted fault: a create without answer is told as one that failed */
    /* data plane */
    bool is_fresh, has_service_traffic;
    double rate;     /* requests per second that arrive */
    double capacity; /* requests per second that one task can do */
    double noise;    /* share of the rate, uniform */
    double arrival_rest, base_latency_ms;
    struct service_traffic traffic;
    int64_t rotation_ms; /* from "not routable" to "every worker knows" */
    uint64_t random;
    /* what is tested */
    struct task_registry *registry;
    uint8_t provider;
    struct store *store;
    struct controller *controller;
    struct config config;
    struct config_service service;
    struct config_service services[WORLD_SERVICES_MAX]; /* instead of `service`, after world_add_services() */
    /* what went wrong */
    bool is_noting;      /* violations are noted, not failed */
    char violation[200]; /* the first one */
};

/* Fails the test, or notes it. */
void world_violated(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* controller_world_load.c */
extern const struct data_plane_ops world_data_plane_ops;
void world_run_load(struct world *w);
/* By id or by name; fails the test if there never was one. */
struct world_container *world_find_container(struct world *w, const char *id, size_t *index);

extern struct world world;      /* large; one test at a time */
int world_set_up(void **state); /* cmocka's, for `world` */
int world_tear_down(void **state);
void world_init(struct world *w); /* service "web" of 1 task, no scaling, nothing started */
void world_fini(struct world *w);
void world_scale_by_rate(struct world *w, double target, int64_t min, int64_t max); /* before world_start */

void world_move_image(struct world *w, char digit); /* every name stands for the image of 64 such digits from now on */
void world_add_services(struct world *w, size_t count); /* s0, s1, ... like `service`, instead of it */
bool world_is_up(const struct world *w, const struct world_container *c); /* it would answer requests */

void world_set_problem(struct world *w, struct world_container *c, const char *problem); /* "": it is usable again */
void world_engine_leave(struct world *w, bool kills); /* what is under way is cut off; kills: all containers end */
void world_engine_return(struct world *w);            /* with a full list */

void world_start(struct world *w); /* a controller, config applied, registry not synced */
void world_begin(struct world *w); /* both: start and sync */
void world_sync(struct world *w);  /* the provider's first full list */
/* What the engine was doing, it finishes; creations are not started any more. */
void world_kill_control(struct world *w);
void world_restart_control(struct world *w); /* kill, start, sync unless the engine is away */

void world_step(struct world *w);
void world_run(struct world *w, int64_t duration_ms);
/* Steps until the condition holds; false when it does not within limit_ms. */
bool world_run_until(struct world *w, bool (*condition)(struct world *w), int64_t limit_ms);

size_t world_add_container(struct world *w, const char *service, bool is_managed,
                           const char *revision); /* running, healthy soon */
int64_t world_alive_count(const struct world *w); /* managed, created or running, not draining */
int64_t world_routable_count(const struct world *w);
int64_t world_desired(const struct world *w);
struct service_status world_status(const struct world *w);
bool world_is_steady(struct world *w);
bool world_has_event(const struct world *w, const char *part);

#endif
