/* address: where a container can be reached from here, read from its inspect document. Pure; any thread. */
#ifndef DISCOVERY_DOCKER_ADDRESS_H
#define DISCOVERY_DOCKER_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "discovery/docker/labels.h"
#include "discovery/task_registry.h"

/* In this order: host networking -> the host itself; an engine elsewhere -> the published port there; the configured
 * network; the first bridge network (one with a gateway); the published port; any network with an address. False with
 * the reason when there is none. port: inside the container, 1..65535. */
bool docker_address_find(const json_t *inspected, const struct docker_label_scope *scope, uint16_t port,
                         char out[TASK_ADDRESS_SIZE], struct error *error);

/* It has no network of its own but the host's, so that its address is known before it runs. */
bool docker_address_is_of_host(const json_t *inspected);

/* "10.0.0.1" or "fd00::1", and a port -> "10.0.0.1:80", "[fd00::1]:80"; false when it is no IP address. */
bool docker_address_format(const char *ip, uint16_t port, char out[TASK_ADDRESS_SIZE]);

#endif
