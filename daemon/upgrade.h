/* upgrade: replaces the program that this process runs by what stands at its path now, in place: the process keeps its id,
 * its children and its descriptors, which also holds for process 1 of a container. First the new program looks at
 * everything in a process of its own, where it can fail without harm. Supervisor only.
 *
 *   trial --exit code 0--> execute --its proxy serves--> done
 *     |                      +--its proxy does not----> go back: the old program, by its descriptor
 *     +--anything else--> nothing has happened */
#ifndef DAEMON_UPGRADE_H
#define DAEMON_UPGRADE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"
#include "daemon/handover.h"

/* One trial at a time; embedded in its owner. */
struct upgrade {
    pid_t trial_pid; /* 0: none */
    int output_fd;   /* a memfd with what it says */
    struct timer limit;
};

void upgrade_init(struct upgrade *u, struct loop *loop);
void upgrade_fini(struct upgrade *u); /* a trial under way is killed */

/* The path of this program, from the first word of its command line; owned by the caller. */
char *upgrade_find_program(const char *first_word);

/* Runs `portico run --config PATH --handover-fd N --trial` from h->program. It ends within UPGRADE_TRIAL_MS. */
#define UPGRADE_TRIAL_MS 30000
bool upgrade_start_trial(struct upgrade *u, const char *config_path, const struct handover *h, struct error *error);
/* After waitpid. False: the new program or configuration is refused, why. What it said is in the log. */
bool upgrade_end_trial(struct upgrade *u, int wait_status, struct error *why);

/* These return only when there is no executing, with all signals as they were. */
void upgrade_execute(const char *config_path, const struct handover *h, struct error *error);
void upgrade_go_back(const char *config_path, const struct handover *h, const char *why, struct error *error);

#endif
