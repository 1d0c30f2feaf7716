#include "proxy/process/worker_thread.h"

#include "base/mem.h"
#include "proxy/exchange/exchange.h"
#include "proxy/upstream/pool.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/random.h>

#define TRIM_TICKS (1000 / DEADLINE_TICK_MS)
#define TRIM_BYTES_MIN (1u << 20) /* for less, the allocator is not asked to give pages back */

struct phase_order {
    struct worker_mail mail;
    enum worker_phase phase;
};

struct log_order {
    struct worker_mail mail;
    int fd; /* borrowed */
};

struct rows_order {
    struct worker_mail mail;
    struct row_set rows;
};

static void close_listeners(struct worker_thread *t)
{
    for (size_t i = 0; t->worker.snapshot && i < t->listener_count; i++)
        listener_close(&t->listeners[i]);
}

/* Once. */
static void say_drains(struct worker_thread *t)
{
    if (!t->has_said_drains)
        worker_notify(&t->worker, WORKER_DRAINS, NULL);
    t->has_said_drains = true;
}

static void set_phase(struct worker_thread *t, enum worker_phase phase)
{
    struct worker *w = &t->worker;
    enum worker_phase before = w->phase;
    if (phase <= before)
        return;
    w->phase = phase; /* first: who is accepted in closing is read at once, and has to hear that it is leaving */
    if (before == WORKER_SERVING) {
        close_listeners(t);
        t->left_at_ms = worker_now_ms(w);
    }
    if (phase == WORKER_OVER)
        say_drains(t);
    t->has_retired |= phase == WORKER_RETIRING;
}

/* One step of leaving, at each tick. */
static void go_on_leaving(struct worker_thread *t)
{
    struct worker *w = &t->worker;
    int64_t since_ms = worker_now_ms(w) - t->left_at_ms;
    if (w->phase == WORKER_RETIRING && since_ms >= WORKER_RETIRE_MS)
        set_phase(t, WORKER_DRAINING);
    if (w->phase == WORKER_DRAINING && clients_drain(w))
        say_drains(t);
    if (t->has_retired && w->snapshot && since_ms >= worker_snapshot(w)->settings.retired_tunnel_ms)
        clients_end_tunnels(w);
    if (t->clients.conn_count == 0)
        set_phase(t, WORKER_OVER);
}

static void on_mail(void *owner, struct mail *mail)
{
    struct worker_thread *t = owner;
    struct worker *w = &t->worker;
    worker_enter(w);
    switch (((struct worker_mail *)mail)->kind) {
    case WORKER_MAIL_SNAPSHOT:
        worker_take_snapshot(t, (struct snapshot_hold *)mail);
        break;
    case WORKER_MAIL_PHASE:
        set_phase(t, ((struct phase_order *)mail)->phase);
        free(mail);
        go_on_leaving(t);
        break;
    case WORKER_MAIL_PING:
        free(mail);
        worker_notify(w, WORKER_TURNS, NULL);
        break;
    case WORKER_MAIL_LOG:
        access_log_switch(&w->access_log, ((struct log_order *)mail)->fd);
        free(mail);
        worker_notify(w, WORKER_TOOK_LOG, NULL);
        break;
    case WORKER_MAIL_ROWS:
        clients_leave_rows(w, &((struct rows_order *)mail)->rows);
        free(mail);
        break;
    }
}

/* What a flood has left behind. The allocator keeps what is freed: once no more comes, it is asked to give that back too. */
static void trim_memory(struct worker_thread *t)
{
    struct worker *w = &t->worker;
    size_t bytes = clients_trim(w) + exchange_trim(w) + upstream_trim(w) + buffer_pool_trim(&w->buffers);
    t->trimmed_bytes += bytes;
    if (bytes >= TRIM_BYTES_MIN || t->trimmed_bytes < TRIM_BYTES_MIN)
        return;
    malloc_trim(0);
    t->trimmed_bytes = 0;
}

static void on_tick(void *owner)
{
    struct worker_thread *t = owner;
    struct worker *w = &t->worker;
    worker_enter(w);
    http_date_set(&w->date, clock_wall_us());
    deadline_table_expire(&w->deadlines, worker_now_ms(w));
    for (size_t i = 0; i < t->listener_count; i++)
        listener_resume(&t->listeners[i]);
    if (access_log_is_on(&w->access_log))
        access_log_flush(&w->access_log);
    if (worker_is_leaving(w))
        go_on_leaving(t);
    if (++t->tick_count % TRIM_TICKS == 0)
        trim_memory(t);
}

static void init_stats(struct worker *w, const struct worker_options *options)
{
    w->region = options->stats;
    w->stats = stats_worker(options->stats, options->index);
    w->services = stats_services(options->stats, options->index);
    w->endpoints = stats_endpoints(options->stats, options->index);
    w->loads.worker_count = options->worker_count;
    for (uint32_t i = 0; i < options->worker_count; i++)
        w->loads.by_worker[i] = stats_endpoints(options->stats, i);
}

static void init_listeners(struct worker_thread *t, const struct worker_options *options)
{
    t->listeners = mem_alloc_array(options->listen_fd_count, sizeof *t->listeners);
    t->listener_count = options->listen_fd_count;
    for (size_t i = 0; i < t->listener_count; i++) {
        size_t each = options->listen_fd_count / options->listener_count, index = i / each;
        listener_init(&t->listeners[i], &t->worker, options->listen_fds[i], (uint32_t)index,
                      &t->listeners[index * each]);
    }
}

static void init_floor(struct worker *w, const struct worker_options *options)
{
    w->index = options->index;
    w->main_mailbox = options->main_mailbox;
    forward_via_init(&w->via, slice_of(options->via));
    init_stats(w, options);
    buffer_pool_init(&w->buffers, UINT64_MAX, w->stats);
    deadline_table_init(&w->deadlines);
    grave_list_init(&w->dead);
    access_log_init(&w->access_log, options->access_log_fd, w->stats);
    http_date_set(&w->date, clock_wall_us());
    w->cursors = mem_alloc_array(STATS_SERVICES_MAX, sizeof *w->cursors);
    w->service_uses = mem_alloc_array(STATS_SERVICES_MAX, sizeof *w->service_uses);
    if (getrandom(&w->random_state, sizeof w->random_state, 0) != sizeof w->random_state || w->random_state == 0)
        w->random_state = (uint64_t)clock_wall_us() | 1;
}

struct worker_thread *worker_thread_new(const struct worker_options *options)
{
    struct worker_thread *t = mem_alloc(sizeof *t);
    struct worker *w = &t->worker;
    t->loop = loop_new();
    t->mailbox = mailbox_new(t->loop, on_mail, t);
    init_floor(w, options);
    w->base = loop_base(t->loop);
    w->clients = &t->clients;
    clients_set_up(w);
    exchange_set_up(w);
    upstream_set_up(w);
    init_listeners(t, options);
    timer_init(&t->tick, t->loop, on_tick, t);
    timer_start_every(&t->tick, DEADLINE_TICK_MS);
    return t;
}

static void close_all(struct worker_thread *t)
{
    struct worker *w = &t->worker;
    worker_read_clock(w);
    t->cut_off_count += clients_cut_off(w);
    upstream_close_all_idle(w);
    grave_list_empty(&w->dead);
}

void worker_thread_turn(struct worker_thread *t, bool waits)
{
    struct worker *w = &t->worker;
    event_base_loop(w->base, EVLOOP_ONCE | (waits ? 0 : EVLOOP_NONBLOCK));
    exchange_send_due(w);
    grave_list_empty(&w->dead);
    w->is_clock_read = false;
}

void worker_thread_run(struct worker_thread *t)
{
    struct worker *w = &t->worker;
    while (w->phase != WORKER_OVER)
        worker_thread_turn(t, true);
    close_all(t);
    timer_stop(&t->tick);
    access_log_flush(&w->access_log);
    worker_notify(w, WORKER_STOPPED, NULL);
}

void worker_thread_free(struct worker_thread *t)
{
    struct worker *w = &t->worker;
    clients_tear_down(w);
    exchange_tear_down(w);
    upstream_tear_down(w);
    mailbox_free(t->mailbox);
    access_log_fini(&w->access_log);
    buffer_pool_fini(&w->buffers);
    loop_free(t->loop);
    free(w->cursors);
    free(w->service_uses);
    free(t->listeners);
    free(t);
}

void worker_post_snapshot(struct worker_thread *t, struct snapshot_hold *hold)
{
    hold->mail.kind = WORKER_MAIL_SNAPSHOT;
    mailbox_post(t->mailbox, &hold->mail.mail);
}

void worker_post_phase(struct worker_thread *t, enum worker_phase phase)
{
    struct phase_order *order = mem_alloc(sizeof *order);
    order->mail.kind = WORKER_MAIL_PHASE;
    order->phase = phase;
    mailbox_post(t->mailbox, &order->mail.mail);
}

void worker_post_ping(struct worker_thread *t)
{
    struct worker_mail *order = mem_alloc(sizeof *order);
    order->kind = WORKER_MAIL_PING;
    mailbox_post(t->mailbox, &order->mail);
}

void worker_post_log(struct worker_thread *t, int fd)
{
    struct log_order *order = mem_alloc(sizeof *order);
    order->mail.kind = WORKER_MAIL_LOG;
    order->fd = fd;
    mailbox_post(t->mailbox, &order->mail.mail);
}

void worker_post_rows(struct worker_thread *t, const struct row_set *rows)
{
    struct rows_order *order = mem_alloc(sizeof *order);
    order->mail.kind = WORKER_MAIL_ROWS;
    order->rows = *rows;
    mailbox_post(t->mailbox, &order->mail.mail);
}
