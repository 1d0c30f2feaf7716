#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/due_queue.h"

static void first_in_is_first_out_while_it_grows_and_wraps(void **state)
{
    (void)state;
    struct due_queue q;
    int64_t in = 0, out = 0;
    due_queue_init(&q, 5000);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 37; i++)
            assert_true(due_queue_push(&q, in++));
        for (int i = 0; i < 20; i++) {
            assert_int_equal(due_queue_first(&q), out);
            assert_int_equal(due_queue_pop(&q), out++);
        }
    }
    while (q.count > 0)
        assert_int_equal(due_queue_pop(&q), out++);
    assert_int_equal(out, in);
    assert_int_equal(due_queue_first(&q), INT64_MAX);
    due_queue_fini(&q);
}

static void the_limit_is_exact(void **state)
{
    (void)state;
    struct due_queue q;
    due_queue_init(&q, 300);
    for (int i = 0; i < 300; i++)
        assert_true(due_queue_push(&q, i));
    assert_false(due_queue_push(&q, 300));
    assert_int_equal(due_queue_pop(&q), 0);
    assert_true(due_queue_push(&q, 301));
    assert_false(due_queue_push(&q, 302));
    due_queue_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_is_first_out_while_it_grows_and_wraps),
        cmocka_unit_test(the_limit_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
