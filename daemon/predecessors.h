/* predecessors: the proxies of earlier programs and configurations, which an upgrade replaced and which finish what they
 * have, and the regions of counters that they leave: what they counted still counts, and the proxy of the next upgrade goes
 * on in a region that is free. So there are never more regions than proxies lived at one time. Supervisor only. */
#ifndef DAEMON_PREDECESSORS_H
#define DAEMON_PREDECESSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "daemon/child.h"

#define PREDECESSORS_MAX 16

/* A living one, or the region of one that has ended (no pid). */
struct predecessor {
    struct child child;
    int stats_fd; /* owned */
};

/* Embedded in its owner; oldest first. */
struct predecessors {
    struct loop *loop;                          /* borrowed */
    struct predecessor *rows[PREDECESSORS_MAX]; /* owned */
    size_t count;
};

size_t predecessors_living_count(const struct predecessors *p);

/* When all places are taken, the region that has been free for longest is given up. False: all live. */
bool predecessors_make_room(struct predecessors *p);

/* Takes the descriptors. There must be a place. pid 0: a free region. */
void predecessors_add(struct predecessors *p, pid_t pid, int channel_fd, int stats_fd);

const struct predecessor *predecessors_find(const struct predecessors *p, pid_t pid); /* null: none of them */
bool predecessors_has_region(const struct predecessors *p, int stats_fd);

/* After waitpid. False: it is none of them. */
bool predecessors_end(struct predecessors *p, pid_t pid);

/* A region that nobody writes any more, for so many workers; the caller's from then on. -1: there is none. */
int predecessors_take_region(struct predecessors *p, uint32_t workers);

size_t predecessors_unreadable_count(const struct predecessors *p); /* living, with a region of another version */

void predecessors_send(struct predecessors *p, enum child_message message, int fd); /* to all that live */
void predecessors_kill(const struct predecessors *p, int signal_number);
void predecessors_fini(struct predecessors *p); /* processes are left alone */

#endif
