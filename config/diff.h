/* diff: what of a new configuration a running one cannot take over. Control thread. */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* Compares what needs a restart. Writes up to `size` bytes (NUL included) of a readable list ("listeners,
 * proxy.workers") and returns true when anything differs. */
bool config_restart_needed(const struct config *running, const struct config *wanted, char *out, size_t size);

#endif
