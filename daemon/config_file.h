/* config_file: where a process of ours gets its configuration from: the file, or, when that has been broken since, the
 * copy of the last one that was good. Supervisor and control. */
#ifndef DAEMON_CONFIG_FILE_H
#define DAEMON_CONFIG_FILE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "config/load.h"

#define CONFIG_COPY_NAME "config.last-good.yaml" /* in stateDir, mode 0600: it holds the secrets */

/* Null after every problem was printed to stderr, one line each. The caller owns the result. */
struct config *config_file_load_or_complain(const char *path);

void config_file_log_problems(const struct config_problems *problems);
enum log_level config_file_log_level(const char *name); /* logLevel; LOG_LEVEL_INFO for what is none */

/* Replaces the copy (write, fsync, rename). The folder is made when it is missing. */
bool config_file_save_copy(const struct config *config, const char *state_dir, struct error *error);
struct config *config_file_load_copy(const char *state_dir, struct config_problems *problems);

#endif
