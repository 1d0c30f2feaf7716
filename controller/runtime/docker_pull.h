/* docker_pull: pulls by one Docker Engine, each given up when it makes no progress. Control thread only. Part of
 * docker_runtime, which embeds it. */
#ifndef CONTROLLER_RUNTIME_DOCKER_PULL_H
#define CONTROLLER_RUNTIME_DOCKER_PULL_H

#include "config/config.h"
#include "controller/runtime/runtime.h"

struct docker_engine; /* discovery/docker/engine.h */
struct docker_pull;

struct docker_pulls {
    struct docker_engine *engine;       /* borrowed */
    const struct config_docker *config; /* borrowed: logins and the time-out */
    struct docker_pull *list;           /* owned; under way */
};

/* As of runtime_ops. */
void docker_pulls_begin(struct docker_pulls *pulls, const char *image, runtime_pull_cb on_progress,
                        runtime_start_cb done, void *owner);
void docker_pulls_cancel(struct docker_pulls *pulls, const void *owner);
void docker_pulls_abandon(struct docker_pulls *pulls);

#endif
