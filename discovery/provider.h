/* provider: where tasks come from. To add one: write its file with `const struct provider_ops provider_<name>_ops`, add
 * one X() below. A provider calls task_registry_apply/remove/begin_sync/end_sync for ever after its start. Control
 * thread only. */
#ifndef DISCOVERY_PROVIDER_H
#define DISCOVERY_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "config/config.h"
#include "discovery/task_registry.h"

struct docker_engine; /* discovery/docker/engine.h */
struct ownership;     /* discovery/docker/ownership.h */
struct own_sockets;   /* discovery/own_sockets.h */

#define PROVIDER_LIST(X) X(docker) X(file)

/* What a provider may use; all borrowed, must outlive it. */
struct provider_parts {
    struct loop *loop;
    struct task_registry *registry;
    struct docker_engine *engine;          /* null unless docker.enabled */
    const struct ownership *ownership;     /* null: the durable state is missing (discovery/docker/ownership.h) */
    const struct own_sockets *own_sockets; /* null: none are known */
    /* A container or endpoint is not taken, once for each reason. service: "" when it is not known. May be null. */
    void (*on_refusal)(void *owner, const char *service, const char *text);
    void *owner;
};

#define PROVIDER_REFUSAL_SIZE 256

struct provider {
    const struct provider_ops *ops;
    struct provider_parts parts;
    uint8_t index;                       /* in the registry */
    void *state;                         /* owned by the implementation; null while stopped */
    size_t refused_count;                /* containers or endpoints that are not taken now */
    char refusal[PROVIDER_REFUSAL_SIZE]; /* about one of them; stale when there are none */
};

struct provider_ops {
    const char *name, *summary;
    bool (*is_configured)(const struct config *config);
    /* Never blocks; false with error when it can never work as configured. config is borrowed for the call. */
    bool (*start)(struct provider *provider, const struct config *config, struct error *error);
    /* New configuration, or the operator asked to read again. False with error: what was known stays. */
    bool (*reload)(struct provider *provider, const struct config *config, struct error *error);
    void (*stop)(struct provider *provider); /* idempotent; its tasks stay in the registry */
    /* Why the list may be out of date, for /readyz; null when all is well. Borrowed until the next turn. */
    const char *(*find_problem)(const struct provider *provider);
};

#define X(name) extern const struct provider_ops provider_##name##_ops;
PROVIDER_LIST(X)
#undef X

size_t provider_kinds_count(void);
const struct provider_ops *provider_kind(size_t i);              /* i < provider_kinds_count() */
const struct provider_ops *provider_find_kind(const char *name); /* null: none of that name */

/* For the implementations: not taken, and why. Tells on_refusal; the log line is theirs. */
void provider_tell_refusal(struct provider *provider, const char *service, const char *text);

/* Registers it with the registry under its name; start, reload and stop go through ops. */
void provider_init(struct provider *provider, const struct provider_ops *ops, const struct provider_parts *parts);

#endif
