/* start_order: in which order the containers of a task are started: each after those that its `dependsOn`, `links` and
 * `volumesFrom` name, else as they are written. They are stopped in the reverse order. Pure. Any thread. */
#ifndef CONFIG_TASK_DEFINITION_START_ORDER_H
#define CONFIG_TASK_DEFINITION_START_ORDER_H

#include "config/task_definition/task_definition.h"

struct start_order {
    size_t containers[TASK_CONTAINERS_MAX]; /* indices */
    size_t count;
};

/* Bit j is set: container i is started after container j. Names that no container has do not count. */
uint32_t start_order_waits(const struct task_definition *definition, size_t i);

/* False when some wait for each other: `out` is then one such circle, each waiting for the next and the last for the first.
 * A definition that was read has none. */
bool start_order_find(const struct task_definition *definition, struct start_order *out);

void start_order_reverse(struct start_order *order);

#endif
