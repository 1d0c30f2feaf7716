/* task_memory: what this process knows of one provider's tasks, kept in the state folder for the process after it. A
 * control process that starts while that provider gives no list (an engine that hangs) goes on with it, instead of
 * holding everybody's changes back until the list comes. It is only for a restart beside a proxy that serves: then what
 * is in it is what the proxy was told. Written a moment after a change, once the provider's list is complete, without
 * fsync: after the machine has gone down it is of no use.
 *
 * Control thread. */
#ifndef DISCOVERY_TASK_MEMORY_H
#define DISCOVERY_TASK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "discovery/task_registry.h"

#define TASK_MEMORY_DELAY_MS 250                /* from a change to its being written; longer where writing is slow */
#define TASK_MEMORY_NAME "tasks.last-seen.json" /* in the state folder, mode 0600 */

struct task_memory;

/* registry: borrowed, must outlive it; its memory listener slot is taken. */
struct task_memory *task_memory_new(struct loop *loop, struct task_registry *registry, uint8_t provider,
                                    const char *state_dir);
void task_memory_free(struct task_memory *memory); /* writes nothing more */

/* Puts what an earlier process wrote into the registry, but for tasks that are there already, and counts it. Their health
 * is what it was; the provider's first list takes away those that it does not name. False: nothing usable was kept. */
bool task_memory_recall(struct task_memory *memory, size_t *count);

#endif
