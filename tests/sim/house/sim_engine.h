/* sim_engine: a Docker Engine with the containers that Portico asks it for. What it is asked takes time, and may fail; what
 * happens to a container is told to the registry of a control that lives, as its provider and its health checks would. */
#ifndef TESTS_SIM_HOUSE_SIM_ENGINE_H
#define TESTS_SIM_HOUSE_SIM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/runtime/runtime.h"
#include "discovery/task_registry.h"

#define CONTAINERS_MAX 48
#define CONTAINER_PORT 8080

enum container_state { CONTAINER_GONE = 0, CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED };

struct container {
    enum container_state state;
    char id[TASK_ID_SIZE], name[TASK_NAME_SIZE], revision[TASK_REVISION_SIZE], image_id[TASK_IMAGE_ID_SIZE];
    size_t service; /* s0, s1, ... */
    uint32_t address;
    int64_t started_at_ms, ready_at_ms;
    int64_t probe_at_ms; /* the next one */
    int64_t up_since_ms; /* the registry has known it to be up since then; 0: it is not */
    bool is_sick;        /* its health check fails */
    bool is_leaving;     /* its removal is asked for, or its creation was cancelled */
    bool is_stop_asked;
    int64_t draining_since_ms; /* 0: it is not */
};

void engine_reset(void);
struct runtime *engine_runtime(void);

/* The one registry that is told of everything; null: control is dead. The first list is there some time later. */
void engine_attach(struct task_registry *registry, uint8_t provider);
void engine_pass_time(void);         /* what is due, happens */
void engine_note_drains(void);       /* control has had a turn */
void engine_set_failing(bool fails); /* some of what is asked goes wrong */

struct container *engine_at(size_t index);
struct container *engine_find_address(uint32_t address);
struct container *engine_any_running(void);        /* at random; null: none runs */
bool container_answers(const struct container *c); /* it runs, and listens */

void engine_kill_container(struct container *c); /* it dies by itself */
void engine_set_sick(struct container *c, bool is_sick);
void engine_heal_all(void);
/* A task of the service has been routable for so long, undisturbed. */
bool engine_has_steady_task(size_t service, int64_t for_ms);
/* Running, or on their way to it, from the order on, and not on their way out. */
size_t engine_count_active(size_t service);
bool engine_is_idle(void); /* nothing that was asked for is under way, and no container is there that does not run */

#endif
