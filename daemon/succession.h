/* succession: the supervisor's programs, one after the other in one process (daemon/upgrade.h), and who is told of it. The
 * old one hands its crew over; the new one takes its place beside it, and either commits or goes back. Supervisor only. */
#ifndef DAEMON_SUCCESSION_H
#define DAEMON_SUCCESSION_H

#include <stdbool.h>

#include "daemon/crew.h"
#include "daemon/handover.h"
#include "daemon/presence.h"
#include "daemon/upgrade.h"

enum succession_role {
    SUCCESSION_FIRST = 0, /* nobody was before */
    SUCCESSION_NEW,       /* until the commit there is a way back */
    SUCCESSION_OLD_AGAIN  /* the new one was refused */
};

/* Embedded in its owner. */
struct succession {
    enum succession_role role;         /* at the beginning */
    const char *program, *config_path; /* borrowed */
    struct upgrade upgrade;
    struct handover inherited; /* the way back, until the commit; else empty */
    int presence_fd;           /* owned; -1: no command finds us */
    struct presence presence;
};

void succession_init(struct succession *n, struct loop *loop, const char *program, const char *config_path);
void succession_fini(struct succession *n);

/* Fills crew with what the program begins with: its configuration, sockets, counters, and what lives already. A new program
 * for which something is missing goes back here. False: problems of the configuration are on stderr, any other in error. */
bool succession_begin(struct succession *n, struct crew *crew, int handover_fd, const char *refused, int64_t *drain_ms,
                      struct error *error);

/* The trial: would a new program get to serve? Likewise. */
bool succession_is_possible(const char *config_path, int handover_fd, struct error *error);

/* ---- the old program ---- */

/* False: nothing has happened, and the refusal has been told. */
bool succession_try(struct succession *n, struct crew *crew, int64_t drain_ms);
bool succession_end_trial(struct succession *n, int wait_status);
void succession_hand_over(struct succession *n, struct crew *crew, int64_t drain_ms); /* returns when refused */

/* ---- the new program ---- */

void succession_commit(struct succession *n, struct crew *crew);
__attribute__((noreturn)) void succession_go_back(struct succession *n, struct crew *crew, const char *why);

#endif
