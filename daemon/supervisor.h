/* supervisor: the first process. Binds the listening sockets, makes the shared memory, starts `control` and `proxy`,
 * joins them by a link, and starts each again when it dies. Reads no untrusted byte and speaks to no engine. Works as
 * PID 1.
 *
 *   SIGHUP            control reads the configuration again
 *   SIGUSR1           the access log is opened anew
 *   SIGTERM, SIGINT   the proxy drains (at most proxy.timeouts.drain), then control stops, then exit 0
 *   SIGQUIT, or a second SIGTERM or SIGINT: at once
 *
 * When it is killed itself, the children see their channel end and stop on their own. */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

/* Returns the exit code: 2 when the configuration, an address or the first start is refused. */
int supervisor_run(const char *config_path);

#endif
