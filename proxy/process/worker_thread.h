/* worker_thread: the life of a worker: builds what its rooms need, hands connections, snapshots and time to them, and drains.
 *
 *      main thread --hold--> mailbox --> worker.snapshot
 *      listeners -> conns -> exchanges -> upstreams, all on one libevent base without locks */
#ifndef PROXY_PROCESS_WORKER_THREAD_H
#define PROXY_PROCESS_WORKER_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/mailbox.h"
#include "proxy/client/clients.h"
#include "proxy/client/listener.h"
#include "proxy/snapshot/kept_rows.h"
#include "proxy/worker/worker.h"

#define WORKER_RETIRE_MS 3000

struct worker_options {
    uint32_t index, worker_count;
    const int *listen_fds; /* borrowed; this worker's own, those of one listener side by side, as many of each */
    size_t listen_fd_count, listener_count;
    struct stats_region *stats;   /* borrowed */
    struct mailbox *main_mailbox; /* borrowed: takes holds back and notices */
    int access_log_fd;            /* -1: off */
    const char *via;              /* borrowed: this process's pseudonym in Via */
};

struct worker_thread {
    struct worker worker;
    struct clients clients;
    struct loop *loop;
    struct mailbox *mailbox;
    struct timer tick;
    struct listener *listeners;
    size_t listener_count;  /* sockets, that is */
    int64_t left_at_ms;     /* when it ceased to be SERVING */
    bool has_said_drains;   /* to the main thread */
    bool has_retired;       /* a successor serves: tunnels have a limit of their own */
    uint32_t cut_off_count; /* exchanges that were under way when it was told to end */
    uint32_t tick_count;
    size_t trimmed_bytes; /* freed since the allocator was last asked to give pages back */
};

struct worker_thread *worker_thread_new(const struct worker_options *options);
void worker_thread_free(struct worker_thread *t);             /* after worker_thread_run has returned */
void worker_thread_turn(struct worker_thread *t, bool waits); /* one turn of the loop; tests turn it by hand */
void worker_thread_run(struct worker_thread *t);              /* the thread's body: turns until it is OVER */

/* Any thread. */
void worker_post_snapshot(struct worker_thread *t, struct snapshot_hold *hold);
void worker_post_phase(struct worker_thread *t,
                       enum worker_phase phase); /* an earlier one than the present is no order */
void worker_post_ping(struct worker_thread *t);  /* answered by WORKER_TURNS */
/* fd: borrowed; answered by WORKER_TOOK_LOG: the one before is not used any more. */
void worker_post_log(struct worker_thread *t, int fd);
/* What runs on these rows is broken off, if the worker's snapshot does not name them: they are returned like all that are kept. */
void worker_post_rows(struct worker_thread *t, const struct row_set *rows);

/* ---- between worker_*.c only ---- */

void worker_take_snapshot(struct worker_thread *t, struct snapshot_hold *hold);

#endif
