#include "tests/sim/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint64_t below(uint64_t *random, uint64_t limit)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (*random >> 11) % limit;
}

static struct world_container *any_running(struct world *w, uint64_t *random)
{
    struct world_container *found = NULL;
    uint64_t seen = 0;
    for (size_t i = 0; i < w->container_count; i++)
        if (w->containers[i].state == CONTAINER_RUNNING && below(random, ++seen) == 0)
            found = &w->containers[i];
    return found;
}

static void change_desired(struct world *w, int64_t desired)
{
    struct service_patch patch = { .desired_count = desired, .min = -1, .max = -1 };
    assert_int_equal(controller_patch_service(w->controller, "web", &patch, NULL), CONTROLLER_OK);
}

static void change_definition(struct world *w, uint64_t which)
{
    static char *const images[] = { (char *)"web:1", (char *)"web:2", (char *)"web:3" };
    w->service.image = images[which];
    controller_apply_config(w->controller, &w->config);
}

static void kill_control(struct world *w, uint64_t *random)
{
    w->blind_until_ms = w->now_ms + (int64_t)below(random, 2000);
    world_restart_control(w);
}

static void change_starts(struct world *w, uint64_t *random)
{
    static const int64_t ready_ms[] = { 0, 1000, 5000 };
    w->ready_ms = ready_ms[below(random, 3)];
    w->create_ms = 50 + (int64_t)below(random, 1500);
    w->start_ms = 50 + (int64_t)below(random, 1500);
}

static void change_engine(struct world *w, uint64_t *random)
{
    if (w->is_engine_away)
        world_engine_return(w);
    else
        world_engine_leave(w, below(random, 3) == 0);
}

/* It gets its address back, or its health, the next time that it is drawn. */
static void change_container(struct world *w, uint64_t *random)
{
    struct world_container *c = any_running(w, random);
    if (c == NULL)
        return;
    switch (below(random, 3)) {
    case 0:
        c->is_sick = !c->is_sick;
        break;
    case 1:
        c->dies_at_ms = w->now_ms;
        break;
    default:
        world_set_problem(w, c, c->problem[0] == '\0' ? "it was taken off its network" : "");
    }
}

static int64_t take_step(struct world *w, uint64_t *random, bool is_troubled, int64_t desired)
{
    uint64_t choice = below(random, is_troubled ? 13 : 9);
    if (choice < 4) {
        desired = is_troubled ? (int64_t)below(random, 7) : 1 + (int64_t)below(random, 8);
        change_desired(w, desired);
    } else if (choice < 6) {
        change_definition(w, below(random, 3));
    } else if (choice < 7) {
        kill_control(w, random);
    } else if (choice < 9) {
        change_starts(w, random);
    } else if (choice < 10) {
        w->trouble_percent = w->trouble_percent > 0 ? 0 : 40;
    } else if (choice < 11) {
        change_engine(w, random);
    } else {
        change_container(w, random);
    }
    return desired;
}

void walk_make_peace(struct world *w)
{
    w->trouble_percent = 0;
    w->ready_ms = 200;
    if (w->is_engine_away)
        world_engine_return(w);
    for (size_t i = 0; i < w->container_count; i++)
        w->containers[i].is_sick = false;
}

static void check_end(struct world *w, int64_t desired)
{
    int64_t running = 0, others = 0;
    for (size_t i = 0; i < w->container_count; i++) {
        running += w->containers[i].state == CONTAINER_RUNNING && world_is_up(w, &w->containers[i]);
        others += w->containers[i].state != CONTAINER_GONE && w->containers[i].state != CONTAINER_RUNNING;
    }
    if (!world_is_steady(w))
        world_violated(w, "in peace for %d s, and %s", WALK_PEACE_MS / 1000,
                       service_phase_to_str(world_status(w).phase));
    if (running != desired || others != 0)
        world_violated(w, "%lld tasks serve and %lld others are left over, desired %lld", (long long)running,
                       (long long)others, (long long)desired);
}

uint64_t walk_random(struct world *w, uint64_t limit)
{
    return below(&w->random, limit);
}

void walk_harm_one(struct world *w)
{
    change_container(w, &w->random);
}

const char *walk_run(struct world *w, const struct walk *walk)
{
    uint64_t random = walk->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    int64_t desired = 2;
    world_init(w);
    w->random = random;
    w->is_noting = true;
    w->hides_unusable = walk->hides_unusable;
    w->forgets_unanswered = walk->forgets_unanswered;
    w->service.desired_count = desired;
    w->service.deregistration_delay_ms = 5000;
    world_begin(w);
    for (int i = 0; i < walk->steps && w->violation[0] == '\0'; i++) {
        desired = take_step(w, &random, walk->is_troubled, desired);
        for (int64_t end_ms = w->now_ms + 100 + (int64_t)below(&random, 4900); w->now_ms < end_ms;)
            world_step(w);
        if (world_desired(w) != desired)
            world_violated(w, "desired is %lld, asked for was %lld", (long long)world_desired(w), (long long)desired);
    }
    if (w->violation[0] == '\0') {
        walk_make_peace(w);
        world_run_until(w, world_is_steady, WALK_PEACE_MS);
        world_run(w, 30000);
        check_end(w, desired);
    }
    world_fini(w);
    return w->violation[0] != '\0' ? w->violation : NULL;
}
