/* configured_hosts: which hosts the configuration routes, and so keeps to itself: a task may not ask for a path of such a
 * host, or for a host below such a wildcard, unless the service that has it says so (allowTaskRoutes). Else a label could
 * take /admin of somebody's site. `*` is the exception: it is for what nobody names, so that other hosts are free; only
 * `*` itself is kept. Pure; control thread. */
#ifndef DAEMON_PUBLISH_CONFIGURED_HOSTS_H
#define DAEMON_PUBLISH_CONFIGURED_HOSTS_H

#include "config/config.h"

struct configured_hosts;

struct configured_hosts *configured_hosts_new(const struct config *config); /* borrowed for the call */
void configured_hosts_free(struct configured_hosts *hosts);                 /* null is fine */

/* The service that keeps this host (a name, "*.suffix" or "*") from tasks of `service`; null: none does. Borrowed. hosts
 * may be null: there is no configuration yet. */
const char *configured_hosts_find_keeper(const struct configured_hosts *hosts, const char *host, const char *service);

#endif
