/* controller_world: everything around a controller, faked: the clock, a Docker Engine that takes its time, a data plane
 * with a load model, and the real task registry between them. One world at a time, one thread. The world checks by
 * itself what must never happen (see world_on_stop) and fails the test at that moment. */
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
#define WORLD_OPS_MAX 64

enum container_state { CONTAINER_CREATED = 0, CONTAINER_RUNNING, CONTAINER_EXITED, CONTAINER_GONE };

struct world_container {
    char id[TASK_ID_SIZE], name[TASK_NAME_SIZE], service[TASK_NAME_SIZE], revision[TASK_REVISION_SIZE];
    bool is_managed;
    enum container_state state;
    int64_t started_at_ms, left_rotation_at_ms; /* left: -1 while in it */
    int64_t drain_seen_at_ms;                   /* -1 while not draining */
    int64_t dies_at_ms;                         /* -1: never by itself */
    double queue, in_service, spare;            /* fluid model: requests that wait, that are worked on, unused work */
    bool is_stuck;                              /* its requests never end */
    bool is_sick;                               /* its health check fails */
    bool is_stop_asked;
    uint64_t requests;
};

enum op_kind { OP_CREATE = 0, OP_START, OP_STOP, OP_REMOVE };

struct world_op {
    bool is_live;
    enum op_kind kind;
    int64_t due_ms;
    size_t container;
    struct world_container wanted; /* OP_CREATE */
    runtime_start_cb started;
    runtime_done_cb done;
    void *owner;
};

struct world {
    int64_t now_ms, step_ms, last_tick_ms;
    /* engine */
    int64_t create_ms, start_ms, stop_ms, ready_ms; /* ready: from running to healthy */
    bool is_image_missing, is_never_healthy, is_engine_hung;
    int64_t lifetime_ms; /* of new containers; -1: for ever */
    struct world_container containers[WORLD_CONTAINERS_MAX];
    size_t container_count;
    struct world_op ops[WORLD_OPS_MAX];
    struct runtime runtime; /* the engine is reached from it by container_of */
    uint64_t create_calls, stop_calls, remove_calls;
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
};

/* controller_world_load.c */
extern const struct data_plane_ops world_data_plane_ops;
void world_run_load(struct world *w);
struct world_container *world_find_container(struct world *w, const char *id,
                                             size_t *index); /* fails the test if none */

extern struct world world;      /* large; one test at a time */
int world_set_up(void **state); /* cmocka's, for `world` */
int world_tear_down(void **state);
void world_init(struct world *w); /* service "web" of 1 task, no scaling, nothing started */
void world_fini(struct world *w);
void world_scale_by_rate(struct world *w, double target, int64_t min, int64_t max); /* before world_start */

void world_start(struct world *w); /* a controller, config applied, registry not synced */
void world_begin(struct world *w); /* both: start and sync */
void world_sync(struct world *w);  /* the provider's first full list */
void world_kill_control(
    struct world *w); /* what the engine was doing, it finishes; creations are not started any more */
void world_restart_control(struct world *w); /* kill, start, sync */

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
