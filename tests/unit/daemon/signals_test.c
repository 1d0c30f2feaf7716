#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/signals.h"

#include <signal.h>

struct heard {
    int term_count, hup_count;
};

static void on_signal(void *owner, int number)
{
    struct heard *heard = owner;
    heard->term_count += number == SIGTERM;
    heard->hup_count += number == SIGHUP;
}

/* A wrapper that sends SIGTERM to its child and then to the child's group does not mean it twice. */
static void a_signal_that_comes_twice_before_the_loop_gets_to_it_is_one(void **state)
{
    static const int numbers[] = { SIGTERM, SIGHUP };
    struct heard heard = { 0 };
    struct signals signals;
    struct loop *loop = loop_new();
    (void)state;
    signals_start(&signals, loop, numbers, 2, on_signal, &heard);
    raise(SIGTERM);
    raise(SIGTERM);
    raise(SIGHUP);
    for (int i = 0; i < 4; i++)
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
    assert_int_equal(heard.term_count, 1);
    assert_int_equal(heard.hup_count, 1);
    raise(SIGTERM);
    for (int i = 0; i < 4; i++)
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
    assert_int_equal(heard.term_count, 2);
    signals_stop(&signals);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_that_comes_twice_before_the_loop_gets_to_it_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
