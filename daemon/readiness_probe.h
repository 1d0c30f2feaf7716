/* readiness_probe: `portico health`: asks the admin API of the Portico that runs with a configuration whether it is ready,
 * for the health check of a container and for scripts. A process of its own. */
#ifndef DAEMON_READINESS_PROBE_H
#define DAEMON_READINESS_PROBE_H

#include "config/config.h"

#define READINESS_PROBE_CONNECT_MS 2000
#define READINESS_PROBE_LIMIT_MS 5000 /* for all of it */
#define READINESS_PROBE_URL_SIZE 128

/* The exit code: 0 ready, with a line that says so on stdout; 1 not ready, or no answer, with the reason on stderr. */
int readiness_probe_run(const struct config_admin *admin);

/* Of GET /readyz, for an admin.address: one that stands for all of this host's ("0.0.0.0:9900", "[::]:9900") is asked by
 * loopback. False: it is too long to be one. Pure. */
bool readiness_probe_url(const char *address, char out[READINESS_PROBE_URL_SIZE]);

#endif
