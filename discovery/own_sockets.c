#include "discovery/own_sockets.h"

#include "base/local_address.h"
#include "config/listen_address.h"

static void add(struct own_sockets *own, const char *address)
{
    struct listen_address parsed;
    if (address && own->count < OWN_SOCKETS_MAX && listen_address_parse(address, &parsed))
        own->ports[own->count++] = parsed.port;
}

void own_sockets_init(struct own_sockets *own, const struct config *config)
{
    *own = (struct own_sockets){ .count = 0 };
    for (size_t i = 0; i < config->listener_count; i++)
        add(own, config->listeners[i].address);
    add(own, config->admin.address);
}

bool own_sockets_include(const struct own_sockets *own, const char *address)
{
    struct listen_address parsed;
    if (!own || !listen_address_parse(address, &parsed))
        return false;
    for (size_t i = 0; i < own->count; i++) {
        if (own->ports[i] == parsed.port)
            return local_address_is_ours(parsed.is_ipv6, parsed.ip);
    }
    return false;
}
