/* docker provider: containers of one Docker Engine -> task registry. A full list when the event stream (re)opens,
 * afterwards only the container that an event names is inspected. While the engine is away, what was known stays: the
 * proxy serves on. A list ends when all that it names were looked at, but for those over which the engine hangs
 * (docs/decisions/0025-a-look-that-hangs-holds-up-nobody.md). Control thread only. Started through provider_docker_ops
 * (discovery/provider.h). */
#ifndef DISCOVERY_DOCKER_PROVIDER_H
#define DISCOVERY_DOCKER_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct provider;

struct docker_provider_status {
    bool stream_open;
    bool syncing;             /* a full list is being taken in */
    uint64_t events_count;    /* understood and acted on or not */
    uint64_t bad_lines_count; /* of the stream: too long or not an event */
    uint64_t stream_opened_count, syncs_count, inspects_count;
    size_t ignored_count; /* containers whose labels were refused, or without room, now */
};

/* All zero while the provider is stopped. */
void docker_provider_status(const struct provider *provider, struct docker_provider_status *out);

#endif
