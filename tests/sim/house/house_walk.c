#include "tests/sim/house/house_walk.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/house_config.h"
#include "tests/sim/house/house_control.h"
#include "tests/sim/house/house_life.h"
#include "tests/sim/house/house_proxy.h"
#include "tests/sim/house/house_rules.h"
#include "tests/sim/house/sim_clients.h"
#include "tests/sim/house/sim_engine.h"
#include "tests/sim/house/sim_tasks.h"

#define WEATHER_STEPS 1500 /* on average */
#define TICK_US_MAX 50000
#define DEAD_MS_MAX 1500 /* control */
#define STORM_SHARE 40   /* percent */

static struct {
    struct house_config config;
    uint64_t steps_left;
    bool is_stormy;
    struct house_sum *sum;
} walk;

/* ---- people change their minds; false: there was nobody to tell ---- */

static bool reload(void)
{
    if (!house_control_is_alive())
        return false;
    house_config_change(&walk.config);
    house_config_apply(&walk.config);
    walk.sum->reloads++;
    return true;
}

static bool scale(void)
{
    size_t service = house_random(HOUSE_SERVICES);
    int64_t desired = house_config_some_desired();
    if (service == HOUSE_SCALED || !house_control_is_alive() || !house_control_scale(service, desired))
        return false;
    rules_note_asked(service, desired);
    return true;
}

static bool drain_one(void)
{
    const struct container *c = engine_any_running();
    return c && house_control_is_alive() && house_control_drain(c->id);
}

static bool kill_control(void)
{
    if (!house_control_is_alive())
        return false;
    house_control_kill();
    house_life_restart_control_in((int64_t)house_random(DEAD_MS_MAX));
    walk.sum->kills++;
    return true;
}

/* ---- things go wrong ---- */

static bool kill_proxy(void)
{
    if (!house_proxy_is_alive())
        return false;
    rules_note_killed_proxy();
    house_proxy_kill();
    walk.sum->kills++;
    return true;
}

static bool harm_container(void)
{
    struct container *c = engine_any_running();
    if (!c)
        return false;
    rules_note_trouble();
    if (house_chance(40))
        engine_kill_container(c);
    else
        engine_set_sick(c, !c->is_sick);
    return true;
}

static bool storm(void)
{
    rules_note_trouble();
    switch (house_random(5)) {
    case 0:
        return kill_proxy();
    case 1:
    case 2:
        return harm_container();
    default:
        return tasks_close_idle();
    }
}

static void change_weather(void)
{
    walk.is_stormy = house_chance(STORM_SHARE);
    rules_note_trouble();
    engine_set_failing(walk.is_stormy);
    clients_set_hostile(walk.is_stormy);
    tasks_set_silent(walk.is_stormy);
    if (!walk.is_stormy)
        engine_heal_all();
}

/* ---- steps ---- */

static bool seldom(void)
{
    switch (house_random(9)) {
    case 0:
    case 1:
    case 2:
        return reload();
    case 3:
    case 4:
        return scale();
    case 5:
        return drain_one();
    case 6:
        return kill_control();
    default:
        return clients_give_up();
    }
}

/* False: what was drawn was not possible. */
static bool happens(void)
{
    uint64_t choice = house_random(1000);
    if (choice < 420)
        return clients_step();
    if (choice < 760)
        return tasks_step();
    if (choice < 985) {
        house_life_pass_time(100 + (int64_t)house_random(TICK_US_MAX));
        return true;
    }
    if (choice < 993)
        return seldom();
    return walk.is_stormy && storm();
}

static bool goes_on(void)
{
    return walk.steps_left > 0 && !house_violation();
}

static void go(void)
{
    if (happens()) {
        walk.steps_left--;
        walk.sum->steps++;
    } else {
        house_life_pass_time(1 + (int64_t)house_random(100)); /* no step of its own */
    }
    if (house_random(WEATHER_STEPS) == 0)
        change_weather();
    house_life_turn_some();
    rules_check_step();
}

static void make_peace(void)
{
    walk.is_stormy = false;
    house_life_make_peace();
    if (!house_violation())
        house_life_rest(HOUSE_PEACE_MS);
}

/* What happens while a proxy lives: until it is killed, or the walk is over. */
static void walk_with_proxy(void)
{
    while (goes_on() && !house_proxy_is_over())
        go();
    if (house_proxy_is_over())
        return;
    if (!house_violation())
        make_peace();
    if (!house_violation())
        rules_check_quiet();
    house_proxy_kill();
}

/* And while there is none: the supervisor is about to start one. */
static void walk_without_proxy(void)
{
    for (uint64_t steps = house_random(20); steps > 0 && goes_on(); steps--)
        go();
}

const char *house_walk(uint64_t seed, uint64_t steps, struct house_sum *sum)
{
    house_life_open(seed);
    walk.sum = sum;
    walk.steps_left = steps;
    walk.is_stormy = false;
    walk.config = house_config_first();
    house_config_apply(&walk.config);
    house_life_restart_control_in(0);
    do {
        house_proxy_live(walk_with_proxy);
        walk_without_proxy();
    } while (goes_on());
    struct clients_sum clients = clients_sum();
    sum->requests += clients.asked;
    sum->answered += clients.answered;
    sum->tunnels += clients.tunnels;
    sum->refused += clients.refused;
    sum->cut += clients.cut;
    sum->owed += clients.owed;
    house_life_close(sum);
    return house_violation();
}
