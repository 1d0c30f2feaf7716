#include "tests/unit/proxy/exchange/conversation_rig.h"

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"
#include "proxy/client/conn.h"
#include "proxy/exchange/exchange_parts.h"
#include "proxy/snapshot/snapshot_builder.h"
#include "tests/unit/proxy/exchange/conversation_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_US INT64_C(1000000000000)
#define TURNS_MAX 20000           /* of a conversation; a worker that needs more goes round in circles */
#define LONGER_THAN_ALL_MS 700000 /* every time-out of every document */
#define TIME_OUTS_IN_A_ROW 1000   /* each of the pipelined requests may run into several */
#define LOWEST_FREE_FD_MAX 600
#define RANDOM_SEED 0x9e3779b97f4a7c15u

void rig_fail(const char *why, const char *detail)
{
    fprintf(stderr, "conversation: %s%s%s\n", why, detail ? ": " : "", detail ? detail : "");
    abort();
}

static void promise(bool is_kept, const char *what)
{
    if (!is_kept)
        rig_fail("not kept", what);
}

/* ---- life of the rig ---- */

static void on_notice(void *owner, struct mail *mail)
{
    struct rig *rig = owner;
    struct worker_notice *notice = (struct worker_notice *)mail;
    if (notice->kind == WORKER_RETURNED_SNAPSHOT) {
        snapshot_free(rig->builder, notice->snapshot);
        rig->old_snapshots--;
    } else if (notice->kind == WORKER_KEPT_ROW) {
        check(rig->old_snapshots > 0); /* that which names it */
        snapshot_keep_row(rig->builder, notice->row);
        rig->kept_rows++;
    } else if (notice->kind == WORKER_RETURNED_ROW) {
        snapshot_return_row(rig->builder, notice->row);
        rig->kept_rows--;
    } else if (notice->kind == WORKER_DRAINS) {
        rig->drains_said++;
    }
    free(notice);
}

static void take_notices(struct rig *rig)
{
    if (rig->old_snapshots > 0 || rig->kept_rows > 0 || worker_is_leaving(rig->worker))
        event_base_loop(loop_base(rig->main_loop), EVLOOP_NONBLOCK);
}

static bool is_epoll(int fd)
{
    char path[64], target[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return readlink(path, target, sizeof target - 1) > 0 && strcmp(target, "anon_inode:[eventpoll]") == 0;
}

/* Of the loop that is made last: libevent does not tell. */
static int newest_epoll_fd(void)
{
    int newest = -1;
    for (int fd = 0; fd < 1024; fd++)
        newest = is_epoll(fd) ? fd : newest;
    check(newest >= 0);
    return newest;
}

static void build_snapshot(struct rig *rig, const char *document)
{
    struct error error = { "" };
    json_t *json = json_loads(document, 0, NULL);
    if (!json)
        rig_fail("the document is no JSON", document);
    rig->snapshot = snapshot_build(rig->builder, json, rig->snapshot, &error);
    json_decref(json);
    if (!rig->snapshot)
        rig_fail("the document is refused", error.text);
}

void rig_publish(struct rig *rig, const char *document)
{
    wire_use(rig);
    build_snapshot(rig, document);
    rig->old_snapshots++;
    worker_post_snapshot(rig->thread, &rig->snapshot->holds[0]);
    rig_settle(rig);
}

void rig_call_rows_in(struct rig *rig)
{
    struct row_set rows;
    promise(snapshot_call_rows_in(rig->builder, false, &rows), "rows are wanted");
    worker_post_rows(rig->thread, &rows);
    rig_settle(rig);
}

struct rig *rig_new(const char *document)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    int stats_fd = stats_create_fd(1, NULL);
    signal(SIGPIPE, SIG_IGN); /* as the proxy does */
    rig->stats = stats_map_writer(stats_fd, 1, NULL);
    check(rig->stats != NULL);
    close(stats_fd);
    rig->main_loop = loop_new();
    rig->main_mailbox = mailbox_new(rig->main_loop, on_notice, rig);
    rig->builder = snapshot_builder_new(rig->stats, 1);
    build_snapshot(rig, document);
    rig->listen_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); /* never readable */
    rig->log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    rig->now_us = START_US;
    clock_set_fake(rig->now_us);
    rig->thread = worker_thread_new(&(struct worker_options){ .worker_count = 1,
                                                              .listen_fds = &rig->listen_fd,
                                                              .listener_count = 1,
                                                              .listen_fd_count = 1,
                                                              .stats = rig->stats,
                                                              .main_mailbox = rig->main_mailbox,
                                                              .access_log_fd = rig->log_fd,
                                                              .via = RIG_VIA });
    rig->worker = &rig->thread->worker;
    rig->epoll_fd = newest_epoll_fd();
    timer_stop(&rig->thread->tick);
    worker_post_snapshot(rig->thread, &rig->snapshot->holds[0]);
    worker_thread_turn(rig->thread, false);
    check(worker_snapshot(rig->worker) != NULL);
    return rig;
}

void rig_free(struct rig *rig)
{
    worker_post_phase(rig->thread, WORKER_DRAINING);
    worker_thread_run(rig->thread);
    worker_thread_free(rig->thread);
    mailbox_free(rig->main_mailbox);
    snapshot_free(rig->builder, rig->snapshot);
    snapshot_builder_free(rig->builder);
    stats_unmap(rig->stats);
    loop_free(rig->main_loop);
    close(rig->listen_fd);
    close(rig->log_fd);
    free(rig);
}

/* ---- the peers ---- */

/* Null: all places are taken. */
static struct rig_peer *meet_client(struct rig *rig)
{
    if (rig->client_count == RIG_CLIENTS_MAX)
        return NULL;
    struct rig_peer *peer = &rig->clients[rig->client_count++];
    wire_use(rig); /* it is read at once */
    wire_open(rig, peer);
    return peer;
}

static void let_client_in(struct rig *rig, struct rig_peer *peer)
{
    union endpoint_address address = { .v4 = { .sin_family = AF_INET, .sin_port = htons(40000) } };
    address.v4.sin_addr.s_addr = htonl(0xc0000201u + (uint32_t)(peer - rig->clients)); /* 192.0.2.1 and so on */
    conn_open(&rig->thread->listeners[0], peer->worker_fd, &address);
}

struct rig_peer *rig_open_client(struct rig *rig)
{
    struct rig_peer *peer = meet_client(rig);
    if (peer)
        let_client_in(rig, peer);
    return peer;
}

static void push(struct rig_peer *peer)
{
    while (peer->fd >= 0 && !peer->is_hanging && peer->unsent.len > 0) {
        ssize_t put = send(peer->fd, peer->unsent.at, peer->unsent.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno != EAGAIN)
            buf_clear(&peer->unsent); /* the worker has closed */
        if (put <= 0)
            return;
        buf_consume(&peer->unsent, (size_t)put);
    }
    if (peer->fd >= 0 && peer->is_ending && peer->unsent.len == 0) {
        peer->is_ending = false;
        shutdown(peer->fd, SHUT_WR);
    }
}

void rig_put(struct rig_peer *peer, const void *bytes, size_t len)
{
    if (peer->fd < 0 || peer->is_ending)
        return;
    check(buf_append(&peer->sent, bytes, len) && buf_append(&peer->unsent, bytes, len));
    push(peer);
}

struct rig_peer *rig_open_client_with(struct rig *rig, const char *text)
{
    struct rig_peer *peer = meet_client(rig);
    check(peer != NULL);
    rig_put(peer, text, strlen(text));
    let_client_in(rig, peer);
    return peer;
}

size_t rig_read(struct rig_peer *peer, size_t len)
{
    char bytes[1024];
    size_t taken = 0;
    ssize_t got = 1;
    while (got > 0 && taken < len) {
        size_t wanted = len - taken < sizeof bytes ? len - taken : sizeof bytes;
        got = recv(peer->fd, bytes, wanted, MSG_DONTWAIT);
        if (got > 0)
            check(buf_append(&peer->received, bytes, (size_t)got));
        taken += got > 0 ? (size_t)got : 0;
    }
    return taken;
}

void rig_half_close(struct rig_peer *peer)
{
    peer->is_ending = peer->fd >= 0;
    push(peer);
}

/* True when something came. */
static bool pull(struct rig_peer *peer)
{
    static char bytes[65536];
    ssize_t got = 0;
    if (peer->fd < 0 || peer->is_holding || peer->is_hanging || !peer->has_news)
        return false;
    peer->has_news = false;
    bool any = false;
    while ((got = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        check(buf_append(&peer->received, bytes, (size_t)got));
        any = true;
        if ((size_t)got < sizeof bytes)
            return true;
    }
    return any;
}

void rig_close(struct rig_peer *peer)
{
    if (peer->fd < 0)
        return;
    peer->is_holding = false;
    peer->has_news = true;
    pull(peer); /* unread bytes would make a reset of it */
    close(peer->fd);
    peer->fd = -1;
    buf_clear(&peer->unsent);
}

void rig_reset(struct rig_peer *peer)
{
    peer->is_reset = true;
    rig_close(peer);
}

void rig_finish_connecting(struct rig_peer *peer)
{
    char bytes[4096];
    if (!peer->is_hanging || peer->fd < 0)
        return;
    peer->is_hanging = false;
    while (recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    push(peer);
}

/* ---- what must hold ---- */

static void check_conn_waits(const struct conn *c)
{
    const struct exchange *x = c->side.exchange;
    promise((c->state == CONN_IN_EXCHANGE) == (x != NULL), "an exchange exactly while the state says so");
    bool is_looked_for = c->deadline.kind == DEADLINE_LOOK || c->deadline.kind == DEADLINE_WATCH;
    promise(!is_looked_for || x != NULL, "a client is looked for while its request runs");
    if (c->deadline.kind != DEADLINE_NONE && !is_looked_for)
        return;
    promise(x != NULL, "a connection that waits has a deadline");
    promise(x->deadline.kind != DEADLINE_NONE || x->request_deadline.kind != DEADLINE_NONE,
            "an exchange that waits has a deadline");
}

/* What an endpoint says unasked must not be there when the next request takes the connection. */
static void check_pools(const struct worker *w)
{
    const struct upstream *u;
    for (uint32_t slot = 0; slot < RIG_SLOTS; slot++) {
        LIST_FOREACH (u, &w->pools[slot].idle, link)
            promise(u->state == UPSTREAM_IDLE && !u->channel.in && !u->channel.out && u->channel.is_reading,
                    "idle connections are clean and watched");
    }
}

/* Each request uses its service and its endpoint; what it uses and the snapshot has not is kept. */
static void check_uses(const struct rig *rig)
{
    const struct worker *w = rig->worker;
    uint32_t services[RIG_SLOTS] = { 0 }, endpoints[RIG_SLOTS] = { 0 };
    unsigned kept = 0;
    const struct conn *c;
    TAILQ_FOREACH (c, &w->clients->conns, link) {
        const struct exchange *x = c->side.exchange;
        if (x && x->service_slot != UINT32_MAX)
            services[x->service_slot]++;
        if (x && x->endpoint)
            endpoints[x->endpoint->slot]++;
    }
    for (uint32_t slot = 0; slot < RIG_SLOTS; slot++) {
        const struct row_use *service = &w->service_uses[slot], *endpoint = &w->pools[slot].use;
        promise(service->count == services[slot], "a request uses its service");
        promise(endpoint->count == endpoints[slot], "a request uses its endpoint");
        kept += (service->is_gone && service->count > 0) + (endpoint->is_gone && endpoint->count > 0);
    }
    promise(rig->kept_rows == kept, "what is in use and has left the snapshot is kept");
}

/* Whatever is open waits for something that will end. */
static void check_rest(struct rig *rig)
{
    struct worker *w = rig->worker;
    struct conn *c;
    uint32_t conn_count = 0, exchange_count = 0;
    TAILQ_FOREACH (c, &w->clients->conns, link) {
        check_conn_waits(c);
        conn_count++;
        exchange_count += c->side.exchange != NULL;
    }
    promise(w->clients->conn_count == conn_count && w->stats->connections_open == conn_count, "count of connections");
    promise(w->exchange_count == exchange_count, "count of exchanges");
    promise(rig->old_snapshots == 0, "old snapshots are given back, whatever is open");
    check_uses(rig);
    promise(w->retry_count <= exchange_count, "count of retries");
    promise(!w->dead.first, "the dead are buried");
    check_pools(w);
}

static void check_nothing_is_left(struct rig *rig)
{
    struct worker *w = rig->worker;
    promise(w->clients->conn_count == 0 && w->exchange_count == 0 && w->retry_count == 0, "no connection is left");
    promise(rig->old_snapshots == 0 && rig->kept_rows == 0, "no snapshot is held, and no row is kept");
    promise(rig->thread->listeners[0].conn_count == 0, "no connection of the listener is left");
    promise(w->buffers.used_bytes == 0 && w->stats->buffer_bytes == 0, "no buffer is left");
    promise(w->stats->upstream_idle == 0 && w->stats->tunnels_open == 0, "no upstream connection is left");
    for (uint32_t slot = 0; slot < RIG_SLOTS; slot++) {
        promise(w->services[slot].in_flight == 0, "no request is in flight in a service");
        promise(w->endpoints[slot].in_flight == 0, "no request is in flight at an endpoint");
        promise(w->endpoints[slot].tunnels == 0, "no tunnel is open to an endpoint");
        promise(LIST_EMPTY(&w->pools[slot].idle) && w->pools[slot].idle_count == 0, "no pool holds a connection");
    }
    for (enum deadline_kind kind = DEADLINE_HEAD; kind < DEADLINE_KIND_COUNT; kind++)
        promise(TAILQ_EMPTY(&w->deadlines.lists[kind]), "no deadline is left");
    for (uint32_t lane = 0; lane < w->deadlines.lane_count; lane++)
        promise(TAILQ_EMPTY(&w->deadlines.lists[DEADLINE_KIND_COUNT + lane]), "no deadline is left in a lane");
    for (size_t i = 0; i < rig->client_count; i++)
        promise(rig->clients[i].worker_fd < 0, "no client's socket is left");
    for (size_t i = 0; i < rig->upstream_count; i++)
        promise(rig->upstreams[i].worker_fd < 0, "no endpoint's socket is left");
    int fd = dup(rig->listen_fd);
    close(fd);
    promise(fd < LOWEST_FREE_FD_MAX, "no other descriptors pile up");
}

/* ---- the course of things ---- */

/* True when anything moved. */
static bool serve_peers(struct rig *rig)
{
    bool any = false;
    for (size_t i = 0; i < rig->client_count; i++)
        any |= pull(&rig->clients[i]);
    for (size_t i = 0; i < rig->upstream_count; i++)
        any |= pull(&rig->upstreams[i]);
    for (size_t i = 0; i < rig->client_count; i++)
        push(&rig->clients[i]);
    for (size_t i = 0; i < rig->upstream_count; i++)
        push(&rig->upstreams[i]);
    return any;
}

/* Asks the kernel, not the loop: an event that nobody handles shows as one that stays ready. */
static bool is_ready(const struct rig *rig)
{
    struct pollfd loop = { .fd = rig->epoll_fd, .events = POLLIN };
    return poll(&loop, 1, 0) > 0;
}

/* A client that is refused when it comes has come outside a turn. */
void rig_settle(struct rig *rig)
{
    wire_use(rig);
    for (;;) {
        bool any = serve_peers(rig);
        if (is_ready(rig) || rig->worker->dead.first)
            worker_thread_turn(rig->thread, false);
        else if (!any)
            break;
        take_notices(rig); /* early: who uses what is freed here does not say so */
        promise(++rig->turn_count < TURNS_MAX, "the worker comes to rest");
    }
    take_notices(rig);
    check_rest(rig);
}

void rig_pass_time(struct rig *rig, int64_t ms)
{
    wire_use(rig);
    rig->now_us += ms * 1000;
    clock_set_fake(rig->now_us);
    rig->thread->tick.fire(rig->thread->tick.owner);
    worker_thread_turn(rig->thread, false); /* buries what the tick has closed */
    rig_settle(rig);
}

/* The rig keeps the listening socket. */
static void leave(struct rig *rig, enum worker_phase phase)
{
    rig->worker->phase = phase;
    rig->thread->has_retired = phase == WORKER_RETIRING;
    rig->thread->left_at_ms = worker_now_ms(rig->worker);
    rig_pass_time(rig, 0);
}

void rig_drain(struct rig *rig)
{
    leave(rig, WORKER_DRAINING);
}

void rig_retire(struct rig *rig)
{
    leave(rig, WORKER_RETIRING);
}

static uint64_t count_tries(const struct rig *rig)
{
    uint64_t tries = 0;
    for (uint32_t slot = 0; slot < RIG_SLOTS; slot++)
        tries += rig->worker->endpoints[slot].requests;
    return tries;
}

uint64_t rig_tries(const struct rig *rig)
{
    return count_tries(rig) - rig->tries_before;
}

void rig_begin(struct rig *rig)
{
    struct worker *w = rig->worker;
    wire_use(rig);
    rig->client_count = rig->upstream_count = 0;
    rig->send_bytes_max = rig->receive_bytes_max = 0;
    rig->limited_calls = 0;
    rig->has_small_sockets = false;
    rig->connect = RIG_CONNECT_WORKS;
    rig->turn_count = rig->drains_said = 0;
    rig->tries_before = count_tries(rig);
    clock_set_fake(rig->now_us);
    worker_read_clock(w);
    w->random_state = RANDOM_SEED;
    w->buffers.limit_bytes = (uint64_t)rig->snapshot->settings.buffer_bytes_per_worker;
    for (uint32_t slot = 0; slot < RIG_SLOTS; slot++) {
        w->pools[slot].shunned_until_ms = 0;
        w->cursors[slot] = 0;
    }
}

static void close_everything(struct rig *rig)
{
    for (size_t i = 0; i < rig->client_count; i++)
        rig_close(&rig->clients[i]);
    for (size_t i = 0; i < rig->upstream_count; i++)
        rig_close(&rig->upstreams[i]);
}

void rig_end(struct rig *rig, bool leaves_it_to_time)
{
    if (!leaves_it_to_time)
        close_everything(rig);
    rig_settle(rig);
    for (int i = 0; i < TIME_OUTS_IN_A_ROW && (i < 1 || rig->thread->clients.conn_count > 0); i++)
        rig_pass_time(rig, LONGER_THAN_ALL_MS);
    promise(rig->thread->clients.conn_count == 0, "time ends everything");
    close_everything(rig);
    rig_settle(rig);
    rig->worker->phase = WORKER_SERVING;
    rig->thread->has_retired = false;
    rig->thread->has_said_drains = false;
    check_nothing_is_left(rig);
}

static void forget(struct rig_peer *peers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_fini(&peers[i].unsent);
        buf_fini(&peers[i].sent);
        buf_fini(&peers[i].received);
    }
}

void rig_forget(struct rig *rig)
{
    forget(rig->clients, rig->client_count);
    forget(rig->upstreams, rig->upstream_count);
    rig->client_count = rig->upstream_count = 0;
}
