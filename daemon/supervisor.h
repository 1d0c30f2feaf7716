/* supervisor: the first process. Binds the listening sockets, makes the shared memory, starts `control` and `proxy`,
 * joins them by a link, and starts each again when it dies: within a second whoever served or was killed, ever more slowly
 * only whose starts fail one after the other (child_restart_delay_ms()). Reads no untrusted byte and speaks to no engine.
 * Works as PID 1.
 *
 *   SIGHUP            control reads the configuration again
 *   SIGUSR1           the access log is opened anew
 *   SIGUSR2           upgrade: what stands at the program's path now takes over, with the configuration as it is now
 *   SIGTERM, SIGINT   the proxies drain (at most proxy.timeouts.drain), then control stops, then exit 0
 *   SIGQUIT, or a second SIGTERM or SIGINT: at once
 *
 * When it is killed itself, the children see their channel end and stop on their own. */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include <stdbool.h>

struct supervisor_options {
    const char *config_path;
    const char *program; /* path to execute at an upgrade */
    int handover_fd;     /* daemon/handover.h; -1: a start from nothing */
    const char *refused; /* with a handover: we are the old program again, because; null: we are the new one */
};

/* Returns the exit code: 2 when the configuration, an address or the first start is refused, PROXY_EXIT_CUT_OFF when
 * requests were cut off at the end. */
int supervisor_run(const struct supervisor_options *options);

/* Would it get to serve, with what a handover gives? 0, or 2 after it has said on stderr why not. */
int supervisor_try(const struct supervisor_options *options);

#endif
