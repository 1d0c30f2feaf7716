/* The whole house on random walks, and planted faults that the walks must find.
 *
 *   HOUSE_SEED=7 ...        replays one walk; a failing one prints how. With HOUSE_LOG=1 it tells what happens
 *   HOUSE_STEPS=50000000 ...  walks so many steps in all instead of those of `make unit` (see tests/soak) */
#include "tests/sim/house/house_walk.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sim/house/house_faults.h"

#define WALK_STEPS 10000 /* of one walk */
/* Of all walks together: a million take 9 s of one processor. The address sanitizer takes four times as long for a step, the
 * thread sanitizer, for which there is only one thread to look at, thirty times: that one does not look for faults. */
#if defined(__SANITIZE_THREAD__)
#define STEPS 50000
#define LAST_FAULT HOUSE_FAULT_NONE
#elif defined(__SANITIZE_ADDRESS__)
#define STEPS 200000
#define LAST_FAULT (HOUSE_FAULT_COUNT - 1)
#else
#define STEPS 1000000
#define LAST_FAULT (HOUSE_FAULT_COUNT - 1)
#endif
#define FAULT_WALKS 20 /* a fault that so many walks do not find is not found */
#define NOT_FOUND 42   /* exit code */
#define HANGS_SECONDS \
    240 /* of a processor: a fault that goes round in circles for so long is not found: no rule says so */

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void whatever_happens_no_rule_is_broken(void **state)
{
    (void)state;
    struct house_sum sum = { 0 };
    uint64_t first = number_from("HOUSE_SEED", 1), steps = number_from("HOUSE_STEPS", STEPS);
    if (getenv("HOUSE_SEED") != NULL)
        steps = WALK_STEPS;
    for (uint64_t seed = first; sum.steps < steps; seed++) {
        const char *violation = house_walk(seed, WALK_STEPS, &sum);
        if (violation != NULL)
            fail_msg("seed %llu: %s; again: HOUSE_SEED=%llu %s", (unsigned long long)seed, violation,
                     (unsigned long long)seed, program_invocation_name);
    }
    print_message("%llu steps, %llu turns, %llu s, %llu requests (%llu answered, %llu of them without "
                  "any excuse, %llu tunnels, %llu refused, %llu cut off), "
                  "%llu reloads, %llu kills\n",
                  (unsigned long long)sum.steps, (unsigned long long)sum.turns, (unsigned long long)sum.fake_ms / 1000,
                  (unsigned long long)sum.requests, (unsigned long long)sum.answered, (unsigned long long)sum.owed,
                  (unsigned long long)sum.tunnels, (unsigned long long)sum.refused, (unsigned long long)sum.cut,
                  (unsigned long long)sum.reloads, (unsigned long long)sum.kills);
}

/* In a process of its own: what it breaks may also be found by a check() of the real code, or by a sanitizer, which ends the
 * process. */
static void look_for(enum house_fault fault)
{
    struct house_sum sum = { 0 };
    const char *violation = NULL;
    uint64_t seed = 0;
    setrlimit(RLIMIT_CPU, &(struct rlimit){ HANGS_SECONDS, HANGS_SECONDS + 60 });
    house_plant(fault);
    while (!violation && seed < FAULT_WALKS)
        violation = house_walk(++seed, WALK_STEPS, &sum);
    printf("%s: ", house_fault_to_str(fault));
    if (violation)
        printf("found by seed %llu %s\n", (unsigned long long)seed, violation);
    else
        printf("not found in %llu steps\n", (unsigned long long)sum.steps);
    fflush(stdout);
    _exit(violation ? 0 : NOT_FOUND);
}

static void the_walks_find_every_planted_fault(void **state)
{
    (void)state;
    for (enum house_fault fault = HOUSE_FAULT_NONE + 1; fault <= LAST_FAULT; fault++) {
        int status = 0;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            look_for(fault);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
            fail_msg("%d walks did not find: %s", FAULT_WALKS, house_fault_to_str(fault));
        else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
            fail_msg("after %d s nothing is found: %s", HANGS_SECONDS, house_fault_to_str(fault));
        else if (status != 0)
            printf("%s: found by a check of the real code\n", house_fault_to_str(fault));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_no_rule_is_broken),
        cmocka_unit_test(the_walks_find_every_planted_fault),
    };
    return cmocka_run_group_tests_name("the whole house", tests, NULL, NULL);
}
