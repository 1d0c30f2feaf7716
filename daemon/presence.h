/* presence: a supervisor says in its state directory that it runs, and what came of its upgrades, so that a command can
 * find it: a locked file (F_OFD_SETLK, fcntl(2): kept over an exec) whose text is "PID UPGRADES REFUSALS\nlast refusal\n". */
#ifndef DAEMON_PRESENCE_H
#define DAEMON_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct presence {
    pid_t pid;
    uint32_t upgrade_count, refusal_count;
    char last_refusal[512]; /* empty: none */
};

/* The locked descriptor, close-on-exec. -1: see the error; is_taken: another supervisor uses the directory. */
int presence_open(const char *state_dir, bool *is_taken, struct error *error);
bool presence_write(int fd, const struct presence *presence);

/* False: no supervisor runs with that directory. */
bool presence_find(const char *state_dir, struct presence *out, struct error *error);

#endif
