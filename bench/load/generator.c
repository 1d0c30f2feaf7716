#include "bench/load/generator.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "bench/load/due_queue.h"
#include "bench/load/lane.h"

#define SECOND_US 1000000
#define TICK_US 20000           /* timeouts and ends of seconds are looked at this often */
#define SPIN_US 50              /* before a due time, with --spin */
#define CLOSING_US 200000       /* for a server to close after its last answer */
#define STOP_GRACE_US 1000000   /* for answers when the run was interrupted */
#define CONNECT_WAIT_US 5000000 /* for all connections before the start */
#define DUE_BATCH 64            /* due requests in a row before answers are looked at again */
#define NEVER INT64_MAX

struct generator {
    struct generator_setup setup;
    struct loop *loop;
    struct event timer;
    int timer_fd;
    int64_t armed_us; /* what timer_fd is set to */

    struct lane_group group;
    struct lane *lanes;
    size_t lane_count;
    struct lane_list idle, closed, connecting, busy, closing, resting; /* busy and closing: oldest first */

    struct schedule schedule;
    struct due_queue queue;
    bool is_closed_loop;
    int64_t closed_left; /* requests the closed loop may still send */
    int64_t start_us, next_due_us, next_tick_us;
    int64_t stop_us;        /* the closed loop sends nothing from then on */
    int64_t interrupted_us; /* NEVER: not */

    struct tally *tally;
    struct interval *interval;
};

/* The part of a total that falls to this thread. */
static int64_t own_part(const struct generator_setup *setup, int64_t total)
{
    int64_t threads = setup->options->threads;
    return total / threads + (setup->index < total % threads ? 1 : 0);
}

static void move_lane(struct lane *lane, struct lane_list *to)
{
    TAILQ_REMOVE(lane->list, lane, link);
    TAILQ_INSERT_TAIL(to, lane, link);
    lane->list = to;
}

static void next_due(struct generator *g)
{
    g->next_due_us = schedule_next(&g->schedule, &g->next_due_us) ? g->next_due_us + g->start_us : NEVER;
}

static void fail_request(struct generator *g, int64_t now_us, const struct lane_outcome *outcome)
{
    tally_add_failure(g->tally, now_us - g->start_us, outcome->failure, outcome->status, outcome->why);
    g->interval->failed++;
}

static void end_seconds_before(struct generator *g, int64_t second)
{
    while (g->interval->second < second)
        g->interval = series_post(g->setup.series, g->interval, g->interval->second + 1);
}

/* ---- sending ---- */

/* A connection that is there, or one that has to be made; null: all have a request. */
static struct lane *find_free_lane(struct generator *g)
{
    struct lane *lane = TAILQ_FIRST(&g->idle);
    return lane ? lane : TAILQ_FIRST(&g->closed);
}

static void start_lane(struct generator *g, struct lane *lane, int64_t due_us, int64_t now_us)
{
    struct lane_outcome outcome;
    lane->due_at_us = due_us;
    lane->sent_at_us = now_us;
    g->tally->sent++;
    g->interval->sent++;
    if (lane_start(lane, &outcome)) {
        move_lane(lane, &g->busy);
        return;
    }
    fail_request(g, now_us, &outcome);
    /* A closed loop would try again at once, for ever, where nobody listens. */
    move_lane(lane, g->is_closed_loop ? &g->resting : &g->closed);
}

static void dispatch_closed_loop(struct generator *g, int64_t now_us)
{
    struct lane *lane;
    while (g->closed_left > 0 && now_us < g->stop_us && (lane = find_free_lane(g))) {
        g->closed_left--;
        g->tally->scheduled++;
        g->interval->offered++;
        start_lane(g, lane, now_us, now_us);
    }
}

static void dispatch(struct generator *g, int64_t now_us)
{
    struct lane *lane;
    if (g->is_closed_loop)
        dispatch_closed_loop(g, now_us);
    while (g->queue.count > 0 && (lane = find_free_lane(g)))
        start_lane(g, lane, due_queue_pop(&g->queue), now_us);
}

/* Each due request on its own: what the one before has cost is part of the lateness of the next. */
static void take_due(struct generator *g, int64_t now_us)
{
    static const struct lane_outcome overrun = { FAILURE_OVERRUN, 0, "the queue is full" };
    for (int i = 0; i < DUE_BATCH && g->next_due_us <= now_us; i++, now_us = clock_now_us()) {
        end_seconds_before(g, (g->next_due_us - g->start_us) / SECOND_US);
        hdr_add(&g->tally->lateness, now_us - g->next_due_us);
        g->tally->scheduled++;
        g->interval->offered++;
        if (!due_queue_push(&g->queue, g->next_due_us))
            fail_request(g, now_us, &overrun);
        next_due(g);
        dispatch(g, now_us);
    }
}

/* ---- what comes back ---- */

static struct lane_list *list_of_state(struct generator *g, enum lane_state state)
{
    switch (state) {
    case LANE_IDLE:
        return &g->idle;
    case LANE_CONNECTING:
        return &g->connecting;
    case LANE_BUSY:
        return &g->busy;
    case LANE_CLOSING:
        return &g->closing;
    case LANE_CLOSED:
        break;
    }
    return &g->closed;
}

static void count_outcome(struct generator *g, struct lane *lane, int64_t now_us, const struct lane_outcome *outcome)
{
    g->tally->statuses[outcome->status]++;
    if (outcome->failure != FAILURE_NONE) {
        fail_request(g, now_us, outcome);
        return;
    }
    int64_t from_sent_us = now_us - lane->sent_at_us, from_due_us = now_us - lane->due_at_us;
    g->tally->ok++;
    g->interval->ok++;
    g->tally->last_answer_us = now_us - g->start_us;
    hdr_add(&g->tally->from_sent, from_sent_us);
    if (!g->is_closed_loop)
        hdr_add(&g->tally->from_intended, from_due_us);
    hdr_add(&g->interval->latency, from_due_us); /* equal in the closed loop */
}

static void on_lane_change(struct lane *lane, const struct lane_outcome *outcome)
{
    struct generator *g = lane->group->owner;
    int64_t now_us = clock_now_us();
    bool has_failed_to_connect = outcome && outcome->failure == FAILURE_CONNECT;
    lane->closing_at_us = now_us;
    move_lane(lane, has_failed_to_connect && g->is_closed_loop ? &g->resting : list_of_state(g, lane->state));
    if (outcome)
        count_outcome(g, lane, now_us, outcome);
    if (now_us < g->start_us)
        return;
    if (g->next_due_us <= now_us)
        take_due(g, now_us);
    dispatch(g, now_us);
}

/* ---- ticks ---- */

static void end_timeouts(struct generator *g, int64_t now_us, int64_t timeout_us)
{
    static const struct lane_outcome unanswered = { FAILURE_TIMEOUT, 0, "no answer in time" };
    static const struct lane_outcome unsent = { FAILURE_TIMEOUT, 0, "no connection was free in time" };
    struct lane *lane;
    while ((lane = TAILQ_FIRST(&g->busy)) && lane->sent_at_us + timeout_us <= now_us) {
        lane_close(lane);
        move_lane(lane, &g->closed);
        fail_request(g, now_us, &unanswered);
    }
    while (g->queue.count > 0 && due_queue_first(&g->queue) + timeout_us <= now_us) {
        due_queue_pop(&g->queue);
        fail_request(g, now_us, &unsent);
    }
    while ((lane = TAILQ_FIRST(&g->closing)) && lane->closing_at_us + CLOSING_US <= now_us) {
        lane_close(lane);
        move_lane(lane, &g->closed);
    }
    while ((lane = TAILQ_FIRST(&g->resting)))
        move_lane(lane, &g->closed);
}

static void tick(struct generator *g, int64_t now_us)
{
    if (g->interrupted_us == NEVER && __atomic_load_n(g->setup.stop_flag, __ATOMIC_RELAXED)) {
        g->interrupted_us = now_us;
        g->stop_us = now_us;
        g->next_due_us = NEVER;
    }
    bool gives_up = g->interrupted_us != NEVER && now_us - g->interrupted_us >= STOP_GRACE_US;
    end_timeouts(g, now_us, gives_up ? 0 : g->setup.options->timeout_us);
    end_seconds_before(g, (now_us - g->start_us) / SECOND_US);
    g->next_tick_us = now_us - (now_us - g->start_us) % TICK_US + TICK_US;
    dispatch(g, now_us);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    /* It has only to end the wait: edge-triggered, so it need not even be read. */
    (void)fd;
    (void)what;
    (void)arg;
}

static void arm_timer(struct generator *g, int64_t at_us)
{
    struct itimerspec when = { .it_value = { .tv_sec = at_us / SECOND_US, .tv_nsec = at_us % SECOND_US * 1000 } };
    if (at_us == g->armed_us)
        return;
    g->armed_us = at_us;
    check(timerfd_settime(g->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

static bool is_over(const struct generator *g, int64_t now_us)
{
    bool has_more = g->is_closed_loop ? g->closed_left > 0 && now_us < g->stop_us : g->next_due_us != NEVER;
    return !has_more && g->queue.count == 0 && TAILQ_EMPTY(&g->busy);
}

/* ---- set-up ---- */

static void init_lanes(struct generator *g)
{
    const struct options *o = g->setup.options;
    struct lane_list *lists[] = { &g->idle, &g->closed, &g->connecting, &g->busy, &g->closing, &g->resting };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        TAILQ_INIT(lists[i]);
    g->group = (struct lane_group){ .base = loop_base(g->loop),
                                    .address = g->setup.address,
                                    .request = g->setup.request,
                                    .one_per_connection = o->one_per_connection,
                                    .buffer = mem_alloc(LANE_BUFFER_BYTES),
                                    .on_change = on_lane_change,
                                    .owner = g };
    g->group.reader.expectation = &o->expectation;
    g->group.reader.method = strcmp(o->method, "HEAD") == 0 ? HTTP_METHOD_HEAD : HTTP_METHOD_OTHER;
    g->lane_count = (size_t)own_part(&g->setup, o->connections);
    g->lanes = mem_alloc_array(g->lane_count, sizeof *g->lanes);
    for (size_t i = 0; i < g->lane_count; i++) {
        lane_init(&g->lanes[i], &g->group);
        g->lanes[i].list = &g->closed;
        TAILQ_INSERT_TAIL(&g->closed, &g->lanes[i], link);
    }
}

struct generator *generator_new(const struct generator_setup *setup)
{
    const struct options *o = setup->options;
    struct generator *g = mem_alloc(sizeof *g);
    g->setup = *setup;
    g->loop = loop_new();
    g->start_us = g->next_due_us = g->stop_us = g->interrupted_us = NEVER;
    g->is_closed_loop = o->load == LOAD_CLOSED;
    g->closed_left = o->requests_max > 0 ? own_part(setup, o->requests_max) : NEVER;
    g->tally = mem_alloc(sizeof *g->tally);
    due_queue_init(&g->queue, (size_t)own_part(setup, o->queue_max));
    if (!g->is_closed_loop)
        schedule_init(&g->schedule, &setup->plan->schedule, setup->index, (unsigned)o->threads);
    g->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    check(g->timer_fd >= 0);
    event_assign(&g->timer, loop_base(g->loop), g->timer_fd, EV_READ | EV_PERSIST | EV_ET, on_timer, NULL);
    check(event_add(&g->timer, NULL) == 0);
    init_lanes(g);
    return g;
}

void generator_free(struct generator *g)
{
    for (size_t i = 0; i < g->lane_count; i++)
        lane_fini(&g->lanes[i]);
    event_del(&g->timer);
    close(g->timer_fd);
    loop_free(g->loop);
    due_queue_fini(&g->queue);
    free(g->group.buffer);
    free(g->lanes);
    free(g->tally);
    free(g);
}

void generator_connect(struct generator *g)
{
    int64_t end_us = clock_now_us() + CONNECT_WAIT_US;
    if (g->setup.options->one_per_connection)
        return;
    for (size_t i = 0; i < g->lane_count; i++) {
        if (!lane_connect(&g->lanes[i]))
            break;
        move_lane(&g->lanes[i], &g->connecting);
    }
    arm_timer(g, end_us);
    while (!TAILQ_EMPTY(&g->connecting) && clock_now_us() < end_us)
        event_base_loop(loop_base(g->loop), EVLOOP_ONCE);
    struct lane *lane;
    while ((lane = TAILQ_FIRST(&g->connecting))) {
        lane_close(lane);
        move_lane(lane, &g->closed);
    }
}

void generator_run(struct generator *g, int64_t start_us)
{
    const struct options *o = g->setup.options;
    g->start_us = g->next_tick_us = start_us;
    g->stop_us = o->load == LOAD_CLOSED && o->duration_us > 0 ? start_us + o->duration_us : NEVER;
    g->interval = series_post(g->setup.series, NULL, 0);
    if (!g->is_closed_loop)
        next_due(g);
    for (int64_t now_us = clock_now_us(); now_us < start_us || !is_over(g, now_us); now_us = clock_now_us()) {
        int64_t next_us = g->next_due_us < g->next_tick_us ? g->next_due_us : g->next_tick_us;
        int64_t spin_us = o->spins && next_us == g->next_due_us ? SPIN_US : 0;
        arm_timer(g, next_us - spin_us);
        event_base_loop(loop_base(g->loop), next_us - spin_us <= now_us ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
        now_us = clock_now_us();
        if (g->next_due_us <= now_us)
            take_due(g, now_us);
        if (g->next_tick_us <= now_us)
            tick(g, now_us);
    }
    g->tally->connections_opened = g->group.opened_count;
    g->tally->sent_bytes = g->group.sent_bytes;
    g->tally->received_bytes = g->group.received_bytes;
    series_end(g->setup.series, g->interval);
}

const struct tally *generator_tally(const struct generator *g)
{
    return g->tally;
}
