/* own_sockets: where we listen ourselves. No endpoint may lead there: a container on the host's network that names the
 * admin API's port would publish it, and one that names a listener's would make a loop. Any address of this host counts,
 * whichever the socket is bound to. Control thread. */
#ifndef DISCOVERY_OWN_SOCKETS_H
#define DISCOVERY_OWN_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define OWN_SOCKETS_MAX (CONFIG_LISTENERS_MAX + 1)

/* Embedded in its owner. */
struct own_sockets {
    uint16_t ports[OWN_SOCKETS_MAX];
    size_t count;
};

/* Of the configuration that the sockets were bound by: a later one does not move them. */
void own_sockets_init(struct own_sockets *own, const struct config *config);

/* address: "127.0.0.1:9900", "[::1]:9900". own may be null: nothing is known, and nothing is ours. */
bool own_sockets_include(const struct own_sockets *own, const char *address);

#endif
