/* address: where a container can be reached from here, read from its inspect document. Pure; any thread. */
#ifndef DISCOVERY_DOCKER_ADDRESS_H
#define DISCOVERY_DOCKER_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "discovery/docker/labels.h"
#include "discovery/task_registry.h"

/* What is looked for; all borrowed. */
struct docker_address_query {
    const json_t *inspected; /* of the container, or of the one whose network it uses (docker_address_find_lender) */
    uint16_t port;           /* inside the container, 1..65535 */
    const char *network;     /* label portico.network, null: not set */
    const char *compose_project; /* null: none; its networks may be named without it */
};

/* In this order:
 *   host networking                                             the host itself
 *   an engine elsewhere                                         the published port there
 *   the network of label portico.network                        its address there, or none at all
 *   docker.network, when it has an address there
 *   the first network, by name, whose address is on one of our links (scope->links)
 *   the first with a gateway: a bridge
 *   the published port
 *   the first with an address
 * False with the reason when there is none. On success error says, when it is not "", why the address may be out of
 * reach. */
bool docker_address_find(const struct docker_address_query *query, const struct docker_label_scope *scope,
                         char out[TASK_ADDRESS_SIZE], struct error *error);

/* It has no network of its own but the host's, so that its address is known before it runs. */
bool docker_address_is_of_host(const json_t *inspected);

/* Id or name of the container whose network this one uses ("container:<id>"); null: it has its own. Borrowed. */
const char *docker_address_find_lender(const json_t *inspected);

/* "10.0.0.1" or "fd00::1", and a port -> "10.0.0.1:80", "[fd00::1]:80"; false when it is no IP address. */
bool docker_address_format(const char *ip, uint16_t port, char out[TASK_ADDRESS_SIZE]);

#endif
