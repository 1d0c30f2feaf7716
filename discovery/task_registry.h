/* task_registry: what is out there. Providers say what they see (apply, remove, or a whole list between begin_sync and
 * end_sync); the health checker and the controller add what they know; one listener is told which service changed.
 * Control thread only. The registry owns its tasks; a `const struct task *` is valid until the next call that changes
 * it.
 *
 *   provider --apply/remove/sync--> registry <--set_probe-- health checker
 *                                      | on_change(service)   <--set_admin-- controller
 *                                      v
 *                             publisher, controller
 *
 * What a task is and what may be said of one: discovery/task.h. */
#ifndef DISCOVERY_TASK_REGISTRY_H
#define DISCOVERY_TASK_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/limits.h"
#include "discovery/task.h"

#define TASK_REGISTRY_MAX LIMIT_TASKS_OF_OTHERS /* tasks of others; one more is refused with a warning */
/* Our own, beside those: nobody else's containers take their places. Who creates asks task_registry_managed_room(). */
#define TASK_REGISTRY_MANAGED_MAX LIMIT_TASKS_OWN

struct task_registry;
typedef void (*task_registry_cb)(void *owner, const char *service);

struct task_registry *task_registry_new(void);
void task_registry_free(struct task_registry *r);
void task_registry_set_listener(struct task_registry *r, task_registry_cb on_change, void *owner);
/* More listener slots would be an array of callbacks; there are exactly these four readers. */
void task_registry_set_controller_listener(struct task_registry *r, task_registry_cb on_change, void *owner);
void task_registry_set_health_listener(struct task_registry *r, task_registry_cb on_change, void *owner);
/* Also told, of no service (""), when a list has ended. */
void task_registry_set_memory_listener(struct task_registry *r, task_registry_cb on_change, void *owner);

/* Told of every task whose checks, joined, say something new: UP or DOWN of one that runs. Before the other listeners;
 * it must not change the registry. */
typedef void (*task_registry_health_cb)(void *owner, const struct task *task, enum task_health before);
void task_registry_set_health_reporter(struct task_registry *r, task_registry_health_cb on_health, void *owner);

uint8_t task_registry_add_provider(struct task_registry *r, const char *name);
const char *task_registry_provider_name(const struct task_registry *r, uint8_t provider);
/* False until the provider's first complete list: whoever would create or stop something must wait for it. */
bool task_registry_is_synced(const struct task_registry *r, uint8_t provider);
/* The same, or tasks that an earlier process knew were recalled: enough to go on serving by. */
bool task_registry_is_known(const struct task_registry *r, uint8_t provider);
/* All that an earlier process knew comes now, be it nothing. */
void task_registry_begin_recall(struct task_registry *r, uint8_t provider);
/* A task of an earlier process, with the health and the order that it had. Only its spec and these are read. False: it is
 * there already, there is no room, or the provider's list is complete, which knows better. */
bool task_registry_recall(struct task_registry *r, uint8_t provider, const struct task *earlier);

/* Complete lists count from 1. Something that may have happened unseen is known not to have once a list that was begun
 * afterwards has ended without naming it. */
struct task_lists {
    uint64_t begun, ended; /* the newest that was begun; the newest that has ended, 0: none */
};
struct task_lists task_registry_lists(const struct task_registry *r, uint8_t provider);

/* Adds or updates. A changed address starts probe_health at UNKNOWN again; a task that leaves RUNNING loses it too.
 * What has history (probe health, admin) survives an update. Returns false when the registry is full for its kind
 * (managed or not): whoever applies counts it as refused. */
bool task_registry_apply(struct task_registry *r, uint8_t provider, const struct task_spec *spec);
void task_registry_remove(struct task_registry *r, const char *id);

void task_registry_begin_sync(struct task_registry *r, uint8_t provider);
void task_registry_end_sync(struct task_registry *r, uint8_t provider); /* removes what the list did not name */

/* words: why; what is said again may be said in other words. */
void task_registry_set_probe(struct task_registry *r, const char *id, enum task_health health, const char *words);
void task_registry_set_admin(struct task_registry *r, const char *id, enum task_admin admin);

const struct task *task_registry_find(const struct task_registry *r, const char *id); /* whole id, or null */
typedef void (*task_registry_each_cb)(void *owner, const struct task *task);
void task_registry_each(const struct task_registry *r, task_registry_each_cb each, void *owner);
void task_registry_each_of(const struct task_registry *r, const char *service, task_registry_each_cb each, void *owner);
size_t task_registry_count(const struct task_registry *r);
size_t task_registry_foreign_count(const struct task_registry *r);
size_t task_registry_managed_room(const struct task_registry *r); /* so many more managed tasks can enter */

#endif
