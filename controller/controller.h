/* controller: what should be out there. Keeps the desired number of tasks of each service running, decides that number
 * from traffic, and drains before it stops. It observes (task registry, traffic), plans with pure functions
 * (controller/reconciler.h, controller/policy/policy.h) and acts through a runtime (controller/runtime/runtime.h).
 * Control thread only. Never acts before the registry's first full list of the runtime's provider. */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "config/config.h"
#include "controller/traffic.h"
#include "discovery/task_registry.h"

struct controller;
struct runtime;      /* controller/runtime/runtime.h */
struct store;        /* controller/store/store.h */
struct stopped_book; /* controller/stopped_book.h */

struct controller_parts {
    struct loop *loop;
    struct task_registry *registry; /* all borrowed, must outlive the controller */
    uint8_t runtime_provider;       /* whose first full list to wait for */
    struct runtime *runtime;        /* null: discovery only, nothing is created */
    struct store *store;            /* null: nothing survives a restart (tests); see store_unavailable() */
    struct data_plane data_plane;
};

struct controller *controller_new(const struct controller_parts *parts);
void controller_free(struct controller *c); /* stops no task */

/* Takes over services from a new configuration (borrowed until the next call). A service that left the configuration
 * has its tasks drained and stopped. */
void controller_apply_config(struct controller *c, const struct config *config);

void controller_start(struct controller *c); /* decides every 250 ms from then on */
void controller_tick(struct controller *c,
                     int64_t now_ms); /* one turn; what the timer calls; for tests and simulation */

/* ---- what the admin API reads and orders ---- */

enum service_phase { SERVICE_STEADY = 0, SERVICE_CONVERGING, SERVICE_IMPAIRED, SERVICE_PHASE_COUNT };
const char *service_phase_to_str(enum service_phase phase);

struct service_status {
    const char *name, *host, *path, *image, *image_id,
        *policy;  /* borrowed until the next controller call; image, image_id, policy null if none */
    bool managed; /* has a configuration; else discovered by labels or file only */
    int64_t desired_count, min, max;
    int64_t running_count, pending_count, healthy_count, draining_count;
    enum service_phase phase;
    double requests_per_second, in_flight, latency_p99_ms; /* over the last seconds, as the policy saw them */
    bool has_traffic;                                      /* false: the three above are unknown */
    const char *last_decision; /* "scale out 1 -> 3: 182 requests/s, target 60 per task"; empty if none yet */
    int64_t last_decision_at_wall_us;
    uint64_t scale_out_count, scale_in_count, start_failure_count;
};

typedef void (*controller_service_cb)(void *owner, const struct service_status *status);
void controller_each_service(const struct controller *c, controller_service_cb each, void *owner);
/* name: whole, or without its project while that is unique. */
bool controller_find_service(const struct controller *c, const char *name, struct service_status *out);

struct controller_event {
    int64_t at_wall_us;
    char service[TASK_NAME_SIZE];
    char text[512];
};
/* Newest first; the last 128 of each service are kept. Null service: the newest 256 of all. */
typedef void (*controller_event_cb)(void *owner, const struct controller_event *event);
void controller_each_event(const struct controller *c, const char *service, controller_event_cb each, void *owner);

/* Its own; to read in. */
const struct stopped_book *controller_stopped_tasks(const struct controller *c);

/* Nothing is decided, started, stopped or stored while it is on, but by order; what runs is seen. Off at first. */
void controller_hold(struct controller *c, bool on);

/* What others than the controller have to say about a service; they have logged it themselves. */
void controller_note_event(struct controller *c, const char *service, const char *text);

enum controller_result {
    CONTROLLER_OK = 0,
    CONTROLLER_NOT_FOUND,
    CONTROLLER_INVALID,    /* the error names the field */
    CONTROLLER_CONFLICT,   /* e.g. desiredCount of a service that is not managed */
    CONTROLLER_NOT_DURABLE /* the store refused: nothing was changed */
};

/* -1 leaves a value alone. Durable before it returns CONTROLLER_OK. */
struct service_patch {
    int64_t desired_count, min, max;
};
enum controller_result controller_patch_service(struct controller *c, const char *name,
                                                const struct service_patch *patch, struct error *error);

/* Out of rotation, in-flight to zero, then stop if the task is ours (a foreign container is only taken out of
 * rotation). A managed service replaces it. Durable before it returns CONTROLLER_OK: the order outlives this process and
 * ends with the task. task_id: whole id or a unique prefix of at least 12 characters. */
enum controller_result controller_drain_task(struct controller *c, const char *task_id, struct error *error);

#endif
