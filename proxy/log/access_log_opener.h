/* access_log_opener: a process of its own that opens the access log anew for a proxy that runs alone, when that proxy is
 * asked for it (SIGUSR1): in its jail it cannot open a file for writing any more. Under a supervisor, which has the
 * rights, there is none. It keeps the rights of the start and nothing else: no socket but the channel, and the one path
 * that it was started with; all that it can be told is "again". It ends with the proxy. */
#ifndef PROXY_LOG_ACCESS_LOG_OPENER_H
#define PROXY_LOG_ACCESS_LOG_OPENER_H

/* Before the jail is entered, and before there are threads. The returned descriptor is one end of a child_channel:
 * CHILD_MESSAGE_REOPEN_LOG asks, CHILD_MESSAGE_LOG brings the descriptor. A failure is logged and brings nothing.
 * -1: see errno. */
int access_log_opener_start(const char *path);

#endif
