/* crew: what one generation of the installation consists of: the sockets, the shared memory, the two processes and the
 * link between them, and the proxies of earlier generations. Starts the processes; when and why is the supervisor's
 * business. Supervisor only. */
#ifndef DAEMON_CREW_H
#define DAEMON_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "config/config.h"
#include "daemon/child.h"
#include "daemon/predecessors.h"
#include "daemon/socket_book.h"

/* Embedded in its owner. */
struct crew {
    struct loop *loop;       /* borrowed */
    const char *config_path; /* borrowed */
    struct config *config;   /* owned; of the start of the generation: what a reload cannot change */
    uint32_t workers;
    uint32_t upgrade_count;     /* up to this generation */
    struct socket_book sockets; /* owned */
    int stats_fd;               /* owned; -1: none */
    struct predecessors predecessors;
    bool succeeds;       /* one of these serves until our proxy does */
    bool is_provisional; /* a refusal goes back to the program before, which is to find all files as it left them */
    struct child control, proxy;
    const struct child_channel_callbacks *control_callbacks, *proxy_callbacks; /* borrowed, static */
    void *owner;
};

uint32_t crew_count_workers(const struct config *config);

/* False: no process, or no descriptor, to be had. The one that starts is linked with the other, if that one lives. */
bool crew_start_control(struct crew *crew);
bool crew_start_proxy(struct crew *crew);

void crew_link(struct crew *crew); /* a new link for both */
void crew_kill(const struct crew *crew, int signal_number);
bool crew_has_proxies(const struct crew *crew); /* that live, predecessors too */

#endif
