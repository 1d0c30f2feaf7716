/* Random walks over changes of mind, revisions, kills and troubles, and planted faults that the walks must find.
 *
 *   WALK_SEED=7 [WALK_KIND=minds|troubles] ...   replays one walk; a failing one prints how
 *   WALK_COUNT=10000 ...                         walks so often instead of the few of `make unit` (see tests/soak)
 *   WALK_HOURS=24 ...                            hours of trouble at 100 services instead of a few minutes at 20 */
#include "tests/sim/walk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/actuator.h"
#include "controller/reconciler.h"
#include "controller/record_book.h"

#define WALKS 150      /* of each kind */
#define WALK_STEPS 40  /* changes in each */
#define FAULT_WALKS 60 /* a fault that so many walks do not find is not found */

/* What is planted; the wrapped functions below do it (ld --wrap). */
enum fault {
    FAULT_NONE = 0,
    FAULT_HEALTHY_BEFORE_STARTING,
    FAULT_CREATIONS_FORGOTTEN,
    FAULT_INHERITED_COUNTS_AS_STARTING,
    FAULT_AWAY_ENGINE_IS_TRIED,
    FAULT_OLD_GOES_BEFORE_NEW_IS_HEALTHY,
    FAULT_ORPHANS_STAY,
    FAULT_DESIRED_IS_FORGOTTEN,
    FAULT_SURGE_OF_TWO,
    FAULT_NO_FLOOR,
    FAULT_UNUSABLE_IS_HIDDEN,
    FAULT_LOST_ANSWER_MEANS_NOTHING_CREATED,
    FAULT_COUNT
};

static const char *const fault_names[] = {
    "none",
    "a healthy task goes before one that is being created",
    "creations under way are not counted",
    "tasks that ran before a restart count as starting until they are probed",
    "an engine that is away is tried",
    "the old task goes when the new one exists",
    "what was never started is not removed",
    "what was asked for is not in the store",
    "two more than desired while replacing",
    "healthy tasks go down to none while replacing",
    "the registry is not told of unusable containers",
    "no answer to a create counts as nothing created",
};
_Static_assert(sizeof fault_names / sizeof *fault_names == FAULT_COUNT, "a name for every fault");

static enum fault planted;

/* ---- the planted faults ---- */

void __real_reconciler_plan(const struct desired_service *desired, const struct observed_task *tasks, size_t n,
                            int64_t now_ms, struct plan *plan);
void __wrap_reconciler_plan(const struct desired_service *desired, const struct observed_task *tasks, size_t n,
                            int64_t now_ms, struct plan *plan);

static const struct observed_task *any_healthy(const struct observed_task *tasks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (tasks[i].is_healthy && tasks[i].task->admin == TASK_ADMIN_READY)
            return &tasks[i];
    return NULL;
}

static void drain_instead(struct action *action, const struct observed_task *task)
{
    action->kind = ACTION_START_DRAIN;
    snprintf(action->task_id, sizeof action->task_id, "%s", task->task->spec.id);
}

static void distort_plan(struct plan *plan, const struct observed_task *tasks, size_t n)
{
    const struct observed_task *healthy = any_healthy(tasks, n);
    for (size_t i = 0; i < plan->action_count; i++) {
        struct action *action = &plan->actions[i];
        bool is_chosen = (planted == FAULT_HEALTHY_BEFORE_STARTING && action->kind == ACTION_CANCEL) ||
                         (planted == FAULT_NO_FLOOR && plan->replace_count > 0 && action->kind == ACTION_CREATE);
        if (is_chosen && healthy != NULL)
            drain_instead(action, healthy);
        if (planted == FAULT_ORPHANS_STAY && action->kind == ACTION_REMOVE)
            *action = plan->actions[--plan->action_count];
    }
}

void __wrap_reconciler_plan(const struct desired_service *desired, const struct observed_task *tasks, size_t n,
                            int64_t now_ms, struct plan *plan)
{
    static struct observed_task seen[WORLD_CONTAINERS_MAX];
    struct desired_service wanted = *desired;
    assert_true(n <= WORLD_CONTAINERS_MAX);
    for (size_t i = 0; i < n; i++) {
        seen[i] = tasks[i];
        if (planted == FAULT_INHERITED_COUNTS_AS_STARTING)
            seen[i].is_inherited = false;
        if (planted == FAULT_OLD_GOES_BEFORE_NEW_IS_HEALTHY && tasks[i].task->spec.state == TASK_RUNNING)
            seen[i].is_healthy = seen[i].was_healthy = true;
    }
    if (planted == FAULT_AWAY_ENGINE_IS_TRIED)
        wanted.is_unreachable = false;
    if (planted == FAULT_SURGE_OF_TWO)
        wanted.count += wanted.count > 0;
    __real_reconciler_plan(&wanted, seen, n, now_ms, plan);
    distort_plan(plan, tasks, n);
}

struct creating_count __real_actuator_creating(const struct actuator *a, const char *service, const char *revision);
struct creating_count __wrap_actuator_creating(const struct actuator *a, const char *service, const char *revision);

struct creating_count __wrap_actuator_creating(const struct actuator *a, const char *service, const char *revision)
{
    if (planted == FAULT_CREATIONS_FORGOTTEN)
        return (struct creating_count){ 0 };
    return __real_actuator_creating(a, service, revision);
}

bool __real_record_book_take(struct record_book *book, const char *service, struct store_record *out);
bool __wrap_record_book_take(struct record_book *book, const char *service, struct store_record *out);

bool __wrap_record_book_take(struct record_book *book, const char *service, struct store_record *out)
{
    return __real_record_book_take(book, service, out) && planted != FAULT_DESIRED_IS_FORGOTTEN;
}

/* ---- walks ---- */

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static const char *walk(uint64_t seed, bool is_troubled)
{
    struct walk one = { .seed = seed, .steps = WALK_STEPS, .is_troubled = is_troubled };
    one.hides_unusable = planted == FAULT_UNUSABLE_IS_HIDDEN;
    one.forgets_unanswered = planted == FAULT_LOST_ANSWER_MEANS_NOTHING_CREATED;
    return walk_run(&world, &one);
}

static void walk_often(bool is_troubled)
{
    const char *kind = is_troubled ? "troubles" : "minds", *only = getenv("WALK_KIND");
    uint64_t first = number_from("WALK_SEED", 1);
    uint64_t count = getenv("WALK_SEED") != NULL ? 1 : number_from("WALK_COUNT", WALKS);
    if (only != NULL && strcmp(only, kind) != 0)
        return;
    planted = FAULT_NONE;
    for (uint64_t seed = first; seed < first + count; seed++) {
        const char *violation = walk(seed, is_troubled);
        if (violation != NULL)
            fail_msg("seed %llu: %s; again: WALK_SEED=%llu WALK_KIND=%s %s", (unsigned long long)seed, violation,
                     (unsigned long long)seed, kind, program_invocation_name);
    }
}

static void changes_of_mind_never_take_the_healthy_before_the_starting(void **state)
{
    (void)state;
    walk_often(false);
}

static void whatever_goes_wrong_what_exists_counts_and_the_end_is_what_was_asked_for(void **state)
{
    (void)state;
    walk_often(true);
}

static void the_walks_find_every_planted_fault(void **state)
{
    (void)state;
    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        const char *violation = NULL;
        uint64_t seed = 0;
        planted = fault;
        while (violation == NULL && seed < FAULT_WALKS) {
            seed++;
            violation = walk(seed, false);
            if (violation == NULL)
                violation = walk(seed, true);
        }
        planted = FAULT_NONE;
        if (violation == NULL)
            fail_msg("%d walks did not find: %s", FAULT_WALKS, fault_names[fault]);
        print_message("%s: found by seed %llu: %s\n", fault_names[fault], (unsigned long long)seed, violation);
    }
}

/* ---- many services, for long ---- */

static void trouble_for_a_while(struct world *w, int64_t duration_ms)
{
    for (int64_t end_ms = w->now_ms + duration_ms; w->now_ms < end_ms;) {
        uint64_t choice = walk_random(w, 400);
        if (choice == 0 && !w->is_engine_away)
            world_engine_leave(w, walk_random(w, 2) == 0);
        else if (choice < 40 && w->is_engine_away)
            world_engine_return(w);
        else if (choice == 40)
            world_restart_control(w);
        else if (choice > 380)
            walk_harm_one(w);
        world_step(w);
    }
}

static void what_exists_counts_through_hours_of_trouble_at_many_services(void **state)
{
    (void)state;
    uint64_t hours = number_from("WALK_HOURS", 0);
    struct world *w = &world;
    planted = FAULT_NONE;
    world_init(w);
    w->step_ms = 500;
    w->trouble_percent = 20;
    w->random = number_from("WALK_SEED", 1) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->service.desired_count = 2;
    w->service.deregistration_delay_ms = 5000;
    world_add_services(w, hours > 0 ? 100 : 20);
    world_begin(w);
    trouble_for_a_while(w, hours > 0 ? (int64_t)hours * 3600 * 1000 : 900 * 1000);
    walk_make_peace(w);
    world_run(w, WALK_PEACE_MS);
    size_t running = 0;
    for (size_t i = 0; i < w->container_count; i++) {
        assert_true(w->containers[i].state == CONTAINER_GONE || w->containers[i].state == CONTAINER_RUNNING);
        running += w->containers[i].state == CONTAINER_RUNNING;
    }
    assert_int_equal(running, 2 * w->config.service_count);
    print_message("%llu containers were made\n", (unsigned long long)w->made_count);
    world_fini(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_of_mind_never_take_the_healthy_before_the_starting),
        cmocka_unit_test(whatever_goes_wrong_what_exists_counts_and_the_end_is_what_was_asked_for),
        cmocka_unit_test(the_walks_find_every_planted_fault),
        cmocka_unit_test(what_exists_counts_through_hours_of_trouble_at_many_services),
    };
    return cmocka_run_group_tests_name("random walks", tests, NULL, NULL);
}
