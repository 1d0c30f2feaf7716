/* jail_filter: the system calls that a jailed process may use; everything else answers ENOSYS. Part of proxy/process/jail.h.
 * Calls of the request path carry no argument test, so that the kernel (>= 5.11) decides them from a bitmap. */
#ifndef PROXY_PROCESS_JAIL_FILTER_H
#define PROXY_PROCESS_JAIL_FILTER_H

#include <stdbool.h>

#include "base/error.h"

bool jail_filter_load(struct error *error); /* needs no_new_privs; cannot be undone */

/* Built with a sanitizer, which must start a tracer at the exit and map what it likes: a few calls more are allowed. */
bool jail_filter_is_relaxed(void);

#endif
