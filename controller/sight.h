/* sight: what can be seen of a service's tasks in a turn: as the registry has them, what the actuator is about with them,
 * and what the data plane still sends them. Control thread only; all borrowed. */
#ifndef CONTROLLER_SIGHT_H
#define CONTROLLER_SIGHT_H

#include <stdint.h>

#include "controller/actuator.h"
#include "controller/drain_book.h"
#include "controller/service.h"
#include "controller/traffic.h"
#include "discovery/task_registry.h"

struct sight {
    const struct task_registry *registry;
    struct actuator *actuator; /* null without runtime */
    const struct drain_book *ordered;
    const struct data_plane *data_plane;
};

/* Begins the service's turn. Between actuator_begin_turn() and actuator_end_turn(). */
void sight_look_at(const struct sight *sight, struct service *service, int64_t now_ms);

#endif
