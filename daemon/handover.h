/* handover: what one program of the supervisor's process leaves to the next when it executes it in its own place: the
 * descriptors that stay open, the processes that stay its children, and the way back. As a JSON document in a memfd, which
 * both versions of the program must understand: unknown keys are ignored, known ones keep their meaning. Supervisor only.
 *
 *   the old program --document--> the new one --as it was, if the new one does not get to serve--> the old one */
#ifndef DAEMON_HANDOVER_H
#define DAEMON_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "daemon/socket_book.h"

#define HANDOVER_PROXIES_MAX 17 /* the one that serves, and those that have retired */

/* A proxy and its region of counters; pid 0: it has ended, and the region is free for another one. */
struct handover_proxy {
    pid_t pid;
    int channel_fd; /* -1: it has closed its side, or there is none */
    int stats_fd;
};

struct handover {
    char *program;     /* owned; the path that was executed last */
    char *config_text; /* owned; what the old program runs by, secrets included */
    int program_fd;    /* the old program itself, whatever has become of its path */
    int presence_fd;   /* daemon/presence.h; -1: none */
    int64_t drain_ms;
    uint32_t workers;
    uint32_t upgrade_count, refusal_count;
    uint32_t control_starts, proxy_starts;
    struct socket_book sockets;
    bool is_served; /* proxies[0] is the one that serves: it has not been told to retire */
    struct handover_proxy proxies[HANDOVER_PROXIES_MAX];
    size_t proxy_count;
};

/* A memfd that an exec keeps. -1: see the error. */
int handover_write(const struct handover *h, struct error *error);

/* Whatever is named in it and is open is close-on-exec afterwards. False: it is of another format, or not what it says; then
 * out is empty. */
bool handover_read(int fd, struct handover *out, struct error *error);

void handover_keep(const struct handover *h, bool on); /* over an exec: all descriptors that it names */
void handover_fini(struct handover *h);                /* memory; descriptors stay as they are */

#endif
