/* docker_runtime: tasks as containers of one Docker Engine. The create body is built from the validated definition and
 * from nothing else: no privileges, no host paths, no host namespaces. A container is stopped or removed only after an
 * inspect of exactly that id has proven that it is ours (discovery/docker/ownership.h). Control thread only. Units as
 * the Engine wants them: bytes, seconds. */
#ifndef CONTROLLER_RUNTIME_DOCKER_RUNTIME_H
#define CONTROLLER_RUNTIME_DOCKER_RUNTIME_H

#include "base/slice.h"
#include "controller/runtime/runtime.h"
#include "discovery/docker/ownership.h"

struct docker_engine; /* discovery/docker/engine.h */
struct loop;          /* base/loop.h */

/* loop, engine and ownership are borrowed and must outlive the runtime, config until the next docker_runtime_reconfigure();
 * cluster and the network (null: the Engine's default) are copied. Freed with ops->close(). */
struct runtime *docker_runtime_new(struct loop *loop, struct docker_engine *engine, const char *cluster,
                                   const struct ownership *ownership, const struct config_docker *config);
void docker_runtime_reconfigure(struct runtime *runtime, const struct config_docker *config); /* for pulls to come */

/* The body of POST /containers/create as JSON text, the caller's to free(). Pure. publish: map the port to a free one
 * of the host, because containers of another host have no address that we could reach. */
char *docker_runtime_body(const struct task_order *order, const char *cluster, const struct ownership *ownership,
                          const char *network, bool publish);

/* An inspect answer shows a container of this cluster with this id, or this name, that Portico provably created. */
bool docker_runtime_is_ours(struct slice inspect_text, const char *id_or_name, const char *cluster,
                            const struct ownership *ownership);

#endif
