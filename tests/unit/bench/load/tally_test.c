#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/tally.h"

#include <stdlib.h>

#include "base/mem.h"

static void the_first_failure_of_all_threads_is_told(void **state)
{
    (void)state;
    struct tally *sum = mem_alloc(sizeof *sum), *late = mem_alloc(sizeof *late), *early = mem_alloc(sizeof *early);
    tally_add_failure(late, 900, FAILURE_STATUS_5XX, 503, NULL);
    tally_add_failure(late, 950, FAILURE_TIMEOUT, 0, NULL);
    tally_add_failure(early, 200, FAILURE_CONNECT, 0, "Connection refused");
    tally_merge(sum, late);
    assert_string_equal(sum->first_failure, "status_5xx: 503");
    tally_merge(sum, early);
    assert_string_equal(sum->first_failure, "connect: Connection refused");
    assert_int_equal(sum->failed, 3);
    assert_int_equal(sum->failures[FAILURE_TIMEOUT], 1);
    assert_int_equal(sum->last_answer_us, 950);
    free(sum);
    free(late);
    free(early);
}

static void each_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < FAILURE_COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(failure_to_str((enum failure)i), failure_to_str((enum failure)j));
    assert_string_equal(failure_to_str(FAILURE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_of_all_threads_is_told),
        cmocka_unit_test(each_kind_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
