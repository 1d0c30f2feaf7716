#include "tests/sim/house/house_life.h"

#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/house_control.h"
#include "tests/sim/house/house_proxy.h"
#include "tests/sim/house/house_rules.h"
#include "tests/sim/house/house_walk.h"
#include "tests/sim/house/sim_clients.h"
#include "tests/sim/house/sim_engine.h"
#include "tests/sim/house/sim_loop.h"
#include "tests/sim/house/sim_net.h"
#include "tests/sim/house/sim_tasks.h"

#define NO_TURN_MS_MAX 50 /* a thread that runs has one at least so often */
#define REST_US 10000
#define STEPS_PER_REST 40
#define SETTLE_MS 500 /* quiet for so long: at rest */

enum thread { THREAD_CONTROL = 0, THREAD_PROXY, THREAD_WORKER };
#define THREADS (THREAD_WORKER + HOUSE_WORKERS)

static struct {
    int64_t turned_at_ms[THREADS];
    int64_t control_start_at_ms; /* 0: not to be started */
    int64_t opened_at_ms;
    uint64_t turn_count;
} life;

void house_life_open(uint64_t seed)
{
    memset(&life, 0, sizeof life);
    house_reset(seed);
    life.opened_at_ms = house_now_ms();
    net_reset();
    rules_reset();
    engine_reset();
    tasks_reset();
    clients_reset();
    house_supervisor_open();
    house_control_reset();
}

void house_life_close(struct house_sum *sum)
{
    house_control_close();
    house_supervisor_close();
    if (sim_loop_count() > 0)
        house_violated("%zu loops are left", sim_loop_count());
    sum->turns += life.turn_count;
    sum->fake_ms += (uint64_t)(house_now_ms() - life.opened_at_ms);
    clients_reset();
    tasks_reset();
}

void house_life_restart_control_in(int64_t delay_ms)
{
    life.control_start_at_ms = house_now_ms() + delay_ms;
}

static void start_control_if_due(void)
{
    if (house_control_is_alive() || life.control_start_at_ms == 0 || house_now_ms() < life.control_start_at_ms)
        return;
    life.control_start_at_ms = 0;
    house_control_start(house_supervisor_stats_fd());
    house_supervisor_relink();
}

void house_life_pass_time(int64_t us)
{
    house_pass_time(us);
    engine_pass_time();
    start_control_if_due();
}

/* ---- threads ---- */

static void turn(size_t thread)
{
    life.turned_at_ms[thread] = house_now_ms();
    life.turn_count++;
    if (thread == THREAD_CONTROL && house_control_is_alive())
        house_control_turn();
    else if (thread == THREAD_PROXY && house_proxy_is_alive())
        house_proxy_turn_main();
    else if (thread >= THREAD_WORKER && house_proxy_is_alive())
        house_proxy_turn_worker(thread - THREAD_WORKER);
}

void house_life_turn_some(void)
{
    static const uint64_t percent[] = { 8, 8, 40, 40 };
    _Static_assert(sizeof percent / sizeof *percent == THREADS, "for each thread");
    uint64_t chances = house_random(UINT64_C(100000000));
    for (size_t thread = 0; thread < THREADS; thread++, chances /= 100) {
        bool is_late = house_now_ms() - life.turned_at_ms[thread] > NO_TURN_MS_MAX;
        if (is_late || chances % 100 < percent[thread])
            turn(thread);
    }
}

/* ---- peace ---- */

void house_life_make_peace(void)
{
    engine_set_failing(false);
    engine_heal_all();
    tasks_set_silent(false);
    clients_set_hostile(false);
    clients_set_quiet(true);
    rules_note_trouble();
}

static void go_on(void)
{
    for (int i = 0; i < STEPS_PER_REST; i++) {
        clients_step();
        tasks_step();
    }
    house_life_pass_time(REST_US);
    for (size_t thread = 0; thread < THREADS; thread++)
        turn(thread);
    rules_check_step();
}

void house_life_run(int64_t ms)
{
    int64_t end_ms = house_now_ms() + ms;
    while (house_now_ms() < end_ms && !house_violation())
        go_on();
}

void house_life_rest(int64_t limit_ms)
{
    int64_t end_ms = house_now_ms() + limit_ms, quiet_since_ms = house_now_ms();
    while (house_now_ms() < end_ms && house_now_ms() - quiet_since_ms < SETTLE_MS && !house_violation()) {
        go_on();
        if (!rules_are_quiet())
            quiet_since_ms = house_now_ms();
    }
}
