#include "proxy/process/fleet.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/snapshot/snapshot_builder.h"
#include "proxy/process/worker_thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

struct fleet_worker {
    struct worker_thread *worker;
    pthread_t thread;
    int *listen_fds; /* owned array */
    bool has_stopped;
    bool owes_log; /* ordered to switch its access log, and has not said that it did */
};

/* One switch at a time; of those ordered meanwhile only the last one counts. */
struct access_log_switch {
    int fd;      /* what workers write to, or shall; -1: off */
    int old_fd;  /* -1: none. Open until no worker writes to it */
    int next_fd; /* -1: none */
    uint32_t acks_missing;
};

struct fleet {
    struct fleet_worker *workers;
    uint32_t worker_count, running_count, draining_count, pings_missing;
    struct mailbox *mailbox;
    struct snapshot_builder *builder;
    struct snapshot *newest;
    uint32_t living_snapshots;
    enum worker_phase phase; /* of the last order to all */
    struct access_log_switch access_log;
    char via[24];
    struct fleet_callbacks callbacks;
    void *owner;
};

static void call_rows_in(struct fleet *fleet)
{
    struct row_set rows;
    if (!snapshot_call_rows_in(fleet->builder, fleet->living_snapshots > 1, &rows))
        return;
    log_info("rows of counters are short: what is open on endpoints or services that left longest ago is ended");
    for (uint32_t w = 0; w < fleet->worker_count; w++)
        worker_post_rows(fleet->workers[w].worker, &rows);
}

static void free_if_returned(struct fleet *fleet, struct snapshot *snapshot)
{
    if (snapshot->holds_out > 0 || snapshot == fleet->newest)
        return;
    fleet->living_snapshots--;
    snapshot_free(fleet->builder, snapshot);
    call_rows_in(fleet);
}

static void close_log(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void begin_log_switch(struct fleet *fleet, int fd)
{
    struct access_log_switch *log = &fleet->access_log;
    log->old_fd = log->fd;
    log->fd = fd;
    log->acks_missing = fleet->running_count;
    for (uint32_t w = 0; w < fleet->worker_count; w++) {
        struct fleet_worker *fw = &fleet->workers[w];
        fw->owes_log = !fw->has_stopped;
        if (fw->owes_log)
            worker_post_log(fw->worker, fd);
    }
}

/* Or it has stopped, and writes to none. */
static void worker_took_log(struct fleet *fleet, struct fleet_worker *fw)
{
    struct access_log_switch *log = &fleet->access_log;
    if (!fw->owes_log)
        return;
    fw->owes_log = false;
    if (--log->acks_missing > 0)
        return;
    close_log(&log->old_fd);
    log_info("access log: opened anew");
    int next_fd = log->next_fd;
    log->next_fd = -1;
    if (next_fd >= 0 && fleet->running_count > 0)
        begin_log_switch(fleet, next_fd);
    else
        close_log(&next_fd);
}

static void worker_has_stopped(struct fleet *fleet, struct fleet_worker *fw)
{
    fw->has_stopped = true;
    fleet->running_count--;
    worker_took_log(fleet, fw);
    if (fleet->running_count > 0)
        return;
    for (uint32_t w = 0; w < fleet->worker_count; w++)
        check(pthread_join(fleet->workers[w].thread, NULL) == 0);
    fleet->callbacks.on_stopped(fleet->owner);
}

static void fleet_on_mail(void *owner, struct mail *mail)
{
    struct fleet *fleet = owner;
    struct worker_notice *notice = (struct worker_notice *)mail;
    struct snapshot *snapshot = notice->snapshot;
    struct snapshot_row row = notice->row;
    enum worker_notice_kind kind = notice->kind;
    struct fleet_worker *sender = &fleet->workers[notice->worker];
    free(notice);
    switch (kind) {
    case WORKER_TOOK_SNAPSHOT:
        if (--snapshot->acks_missing == 0)
            fleet->callbacks.on_taken(fleet->owner, snapshot->serial);
        break;
    case WORKER_RETURNED_SNAPSHOT:
        snapshot->holds_out--;
        free_if_returned(fleet, snapshot);
        break;
    case WORKER_KEPT_ROW:
        snapshot_keep_row(fleet->builder, row);
        break;
    case WORKER_RETURNED_ROW:
        snapshot_return_row(fleet->builder, row);
        break;
    case WORKER_TOOK_LOG:
        worker_took_log(fleet, sender);
        break;
    case WORKER_TURNS:
        fleet->pings_missing--;
        break;
    case WORKER_DRAINS:
        if (++fleet->draining_count == fleet->worker_count)
            fleet->callbacks.on_draining(fleet->owner);
        break;
    case WORKER_STOPPED:
        worker_has_stopped(fleet, sender);
        break;
    }
}

static void *run_worker(void *arg)
{
    worker_thread_run(arg);
    return NULL;
}

/* Signals are the main thread's: workers start with all of them blocked. */
static void start_thread(struct fleet_worker *fw)
{
    sigset_t all, before;
    sigfillset(&all);
    check(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    check(pthread_create(&fw->thread, NULL, run_worker, fw->worker) == 0);
    check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static void start_worker(struct fleet *fleet, uint32_t index, const struct fleet_options *options)
{
    struct fleet_worker *fw = &fleet->workers[index];
    size_t count = 0;
    fw->listen_fds = mem_alloc_array(options->listener_count * options->sockets_per_listener, sizeof *fw->listen_fds);
    for (size_t l = 0; l < options->listener_count; l++) {
        for (size_t i = index; i < options->sockets_per_listener; i += options->workers)
            fw->listen_fds[count++] = options->listen_fds[l * options->sockets_per_listener + i];
    }
    fw->worker = worker_thread_new(&(struct worker_options){ .index = index,
                                                             .worker_count = options->workers,
                                                             .listen_fds = fw->listen_fds,
                                                             .listen_fd_count = count,
                                                             .listener_count = options->listener_count,
                                                             .stats = options->stats,
                                                             .main_mailbox = fleet->mailbox,
                                                             .access_log_fd = options->access_log_fd,
                                                             .via = fleet->via });
    start_thread(fw);
    fleet->running_count++;
}

/* Differs from that of every other proxy on a request's way, another Portico's too: else it would not tell a loop. */
static void make_pseudonym(char out[24])
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint32_t)clock_wall_us();
    snprintf(out, 24, "portico-%08x", random);
}

struct fleet *fleet_new(const struct fleet_options *options, const struct fleet_callbacks *callbacks, void *owner)
{
    struct fleet *fleet = mem_alloc(sizeof *fleet);
    fleet->callbacks = *callbacks;
    fleet->owner = owner;
    fleet->access_log = (struct access_log_switch){ .fd = options->access_log_fd, .old_fd = -1, .next_fd = -1 };
    fleet->worker_count = options->workers;
    make_pseudonym(fleet->via);
    fleet->workers = mem_alloc_array(options->workers, sizeof *fleet->workers);
    fleet->mailbox = mailbox_new(options->loop, fleet_on_mail, fleet);
    fleet->builder = snapshot_builder_new(options->stats, options->workers);
    for (uint32_t w = 0; w < options->workers; w++)
        start_worker(fleet, w, options);
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    check(fleet->running_count == 0);
    for (uint32_t w = 0; w < fleet->worker_count; w++) {
        worker_thread_free(fleet->workers[w].worker);
        free(fleet->workers[w].listen_fds);
    }
    mailbox_free(fleet->mailbox);
    close_log(&fleet->access_log.fd);
    close_log(&fleet->access_log.old_fd);
    close_log(&fleet->access_log.next_fd);
    if (fleet->newest)
        snapshot_free(fleet->builder, fleet->newest);
    snapshot_builder_free(fleet->builder);
    free(fleet->workers);
    free(fleet);
}

static bool publish(struct fleet *fleet, struct snapshot *snapshot)
{
    struct snapshot *old = fleet->newest;
    if (!snapshot) {
        call_rows_in(fleet); /* it may have been for want of one, and is sent again */
        return false;
    }
    fleet->newest = snapshot;
    fleet->living_snapshots++;
    snapshot->holds_out = snapshot->acks_missing = fleet->worker_count;
    for (uint32_t w = 0; w < fleet->worker_count; w++)
        worker_post_snapshot(fleet->workers[w].worker, &snapshot->holds[w]);
    if (old)
        free_if_returned(fleet, old);
    log_debug("snapshot %llu published, %u alive", (unsigned long long)snapshot->serial, fleet->living_snapshots);
    return true;
}

bool fleet_publish(struct fleet *fleet, json_t *document, struct error *error)
{
    if (fleet->phase != WORKER_SERVING)
        return error_set(error, "draining");
    return publish(fleet, snapshot_build(fleet->builder, document, fleet->newest, error));
}

bool fleet_publish_patch(struct fleet *fleet, json_t *patch, struct error *error)
{
    if (fleet->phase != WORKER_SERVING)
        return error_set(error, "draining");
    return publish(fleet, snapshot_build_patch(fleet->builder, patch, fleet->newest, error));
}

uint64_t fleet_serial(const struct fleet *fleet)
{
    return fleet->newest ? fleet->newest->serial : 0;
}

int64_t fleet_drain_ms(const struct fleet *fleet)
{
    return fleet->newest ? fleet->newest->settings.drain_ms : 0;
}

static void order_phase(struct fleet *fleet, enum worker_phase phase)
{
    if (phase <= fleet->phase)
        return;
    fleet->phase = phase;
    for (uint32_t w = 0; w < fleet->worker_count; w++)
        worker_post_phase(fleet->workers[w].worker, phase);
}

bool fleet_ping(struct fleet *fleet)
{
    if (fleet->phase != WORKER_SERVING)
        return true;
    if (fleet->pings_missing > 0)
        return false;
    fleet->pings_missing = fleet->worker_count;
    for (uint32_t w = 0; w < fleet->worker_count; w++)
        worker_post_ping(fleet->workers[w].worker);
    return true;
}

void fleet_retire(struct fleet *fleet)
{
    order_phase(fleet, WORKER_RETIRING);
}

void fleet_drain(struct fleet *fleet)
{
    order_phase(fleet, WORKER_DRAINING);
}

void fleet_end(struct fleet *fleet)
{
    order_phase(fleet, WORKER_OVER);
}

uint32_t fleet_cut_off_count(const struct fleet *fleet)
{
    uint32_t sum = 0;
    for (uint32_t w = 0; w < fleet->worker_count; w++)
        sum += fleet->workers[w].worker->cut_off_count;
    return sum;
}

void fleet_switch_access_log(struct fleet *fleet, int fd)
{
    struct access_log_switch *log = &fleet->access_log;
    if (log->fd < 0 || fleet->running_count == 0) {
        close_log(&fd);
    } else if (log->acks_missing > 0) {
        close_log(&log->next_fd);
        log->next_fd = fd;
    } else {
        begin_log_switch(fleet, fd);
    }
}
