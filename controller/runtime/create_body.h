/* create_body: the body of POST /containers/create (Engine API 1.24 and later) of one container of a task. The only writer of such
 * bodies. Pure: names, labels and networks are the caller's. Any thread.
 *
 *   cpu -> CpuShares, below 2 is 2      memory, memoryReservation -> Memory, MemoryReservation in bytes
 *   linuxParameters.maxSwap -> MemorySwap, which counts memory too
 *   healthCheck -> Healthcheck in nanoseconds; without one the image's own is turned off,
 *   as is its start period where there is none
 *   portMappings -> ExposedPorts, and with `bridge` PortBindings; host port 0 is one that the Engine chooses
 *   volumes -> Binds, which make a folder of the host that is missing
 *   pidMode, ipcMode, awsvpc -> the namespaces of the task's leader */
#ifndef CONTROLLER_RUNTIME_CREATE_BODY_H
#define CONTROLLER_RUNTIME_CREATE_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/task_definition/task_definition.h"

#define CREATE_BODY_STOP_TIMEOUT_S 30 /* ECS's, where none is written */

enum create_ports {
    CREATE_PORTS_MAPPED = 0, /* as portMappings say */
    CREATE_PORTS_EXPOSED,    /* the container is reached by its own address */
    CREATE_PORTS_PUBLISHED,  /* each on some port of the host: containers of another host have no address for us */
    CREATE_PORTS_COUNT
};

/* Everything is borrowed; nothing is kept. */
struct create_order {
    const struct task_definition *definition;
    size_t container;
    const char *image;         /* what to ask for: the id of an image, or a name */
    const json_t *labels;      /* ours, names to texts, beside dockerLabels; null: none */
    const char *network;       /* of `bridge`, and of the leader of an `awsvpc` task; null: the Engine's own */
    const char *leader;        /* the container whose namespaces are shared; null: this is the one */
    const char *cgroup_parent; /* of the whole task; null: the Engine's own */
    const char *const
        *container_names; /* of all containers of the definition, as the Engine has them; null without links */
    const char *const *volume_names;      /* the same of its volumes; null where each has a folder of the host */
    const struct name_value *environment; /* what environmentFiles and secrets have come to */
    size_t environment_count;
    enum create_ports ports;
    bool keeps_image_health; /* without a healthCheck, the image's own counts */
};

json_t *create_body_write(const struct create_order *order); /* the caller's, to json_decref() */

#endif
