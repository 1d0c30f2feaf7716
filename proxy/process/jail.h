/* jail: what a process gives up before it reads untrusted bytes. For good, and for every thread that it starts later.
 * Call it once, from the only thread, after everything that needs a right (listening sockets, log files) is open.
 *
 * - identity: user and group of `user`, no supplementary groups (only when started as root, with the capabilities for it;
 * without them it says so and stays root in name, with no capability)
 * - capabilities: none, in none of the five sets; no_new_privs
 * - system calls: an allow-list (libseccomp). Sockets are IPv4 and IPv6 only, so that no Unix socket (a container
 * engine's) can be reached; no new process, no exec, no listening socket, no other process's memory.
 * - files: none can be written, made, removed or executed (Landlock, where the kernel has it). */
#ifndef PROXY_PROCESS_JAIL_H
#define PROXY_PROCESS_JAIL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

/* user: an account's name, or null to stay who we are. Without root there is no identity to give up: the name is not
 * looked at and the rest is done all the same. False: the process must not go on. */
bool jail_enter(const char *user, struct error *error);

/* From inside: tries what must be refused, one line each to `out`. The number of things that were possible after all.
 */
int jail_self_test(FILE *out);

#endif
