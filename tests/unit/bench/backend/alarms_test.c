#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/backend/alarms.h"

#include <stdlib.h>

#include "tests/unit/base/random_source.h"

#define ALARMS 600

static void the_soonest_comes_first(void **state)
{
    (void)state;
    static struct alarm all[ALARMS];
    struct alarms alarms = { 0 };
    uint64_t random = 5;
    for (int i = 0; i < ALARMS; i++)
        alarms_set(&alarms, &all[i], (int64_t)random_below(&random, 1000));
    for (int i = 0; i < ALARMS; i += 3)
        alarms_unset(&alarms, &all[i]);
    for (int i = 1; i < ALARMS; i += 3)
        alarms_set(&alarms, &all[i], (int64_t)random_below(&random, 1000)); /* moves it */
    int64_t last_us = -1;
    int count = 0;
    for (struct alarm *first; (first = alarms_first(&alarms)); count++) {
        assert_true(first->due_us >= last_us);
        last_us = first->due_us;
        alarms_unset(&alarms, first);
    }
    assert_int_equal(count, ALARMS * 2 / 3);
    free(alarms.at);
}

static void equal_times_keep_their_order(void **state)
{
    (void)state;
    static struct alarm all[50];
    struct alarms alarms = { 0 };
    for (int i = 0; i < 50; i++)
        alarms_set(&alarms, &all[i], 100);
    for (int i = 0; i < 50; i++) {
        assert_ptr_equal(alarms_first(&alarms), &all[i]);
        alarms_unset(&alarms, &all[i]);
    }
    free(alarms.at);
}

static void unsetting_what_is_not_set_changes_nothing(void **state)
{
    (void)state;
    struct alarms alarms = { 0 };
    struct alarm one = { 0 }, other = { 0 };
    alarms_unset(&alarms, &one);
    alarms_set(&alarms, &one, 5);
    alarms_unset(&alarms, &other);
    assert_ptr_equal(alarms_first(&alarms), &one);
    alarms_unset(&alarms, &one);
    alarms_unset(&alarms, &one);
    assert_null(alarms_first(&alarms));
    free(alarms.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soonest_comes_first),
        cmocka_unit_test(equal_times_keep_their_order),
        cmocka_unit_test(unsetting_what_is_not_set_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
