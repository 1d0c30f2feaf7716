#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/child.h"

#include <signal.h>

/* The child starts, lives for a while and dies: how long until the next start? */
static int64_t dies_after(struct child *child, enum child_end end, int64_t *now_ms, int64_t life_ms)
{
    child->started_at_ms = *now_ms;
    *now_ms += life_ms;
    int64_t delay_ms = child_restart_delay_ms(child, end, *now_ms);
    *now_ms += delay_ms;
    return delay_ms;
}

static void the_first_death_is_followed_by_a_start_at_once(void **state)
{
    struct child child = { .name = "c" };
    int64_t now_ms = 5000;
    (void)state;
    assert_int_equal(dies_after(&child, CHILD_FAILED, &now_ms, 3), 0);
    assert_int_equal(dies_after(&child, CHILD_SERVED, &now_ms, 3), 0);
}

static void starts_that_fail_make_it_wait_longer_up_to_five_seconds(void **state)
{
    static const int64_t expected[] = { 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };
    struct child child = { .name = "c" };
    int64_t now_ms = 5000;
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(dies_after(&child, CHILD_FAILED, &now_ms, 10), expected[i]);
}

static void one_that_served_or_was_killed_is_back_soon_however_often_it_dies(void **state)
{
    static const int64_t expected[] = { 0, 100, 200, 250, 250, 250, 250 };
    struct child child = { .name = "c" };
    int64_t now_ms = 5000;
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(dies_after(&child, i % 2 ? CHILD_KILLED : CHILD_SERVED, &now_ms, 10), expected[i]);
    assert_int_equal(dies_after(&child, CHILD_FAILED, &now_ms, 10), 0); /* no start has failed before */
}

static void a_kill_among_starts_that_fail_does_not_wait_for_their_delay_nor_end_it(void **state)
{
    struct child child = { .name = "c" };
    int64_t now_ms = 5000;
    (void)state;
    for (int i = 0; i < 6; i++)
        dies_after(&child, CHILD_FAILED, &now_ms, 10);
    assert_int_equal(dies_after(&child, CHILD_KILLED, &now_ms, 10), 0);
    assert_int_equal(dies_after(&child, CHILD_FAILED, &now_ms, 10), 3200);
    dies_after(&child, CHILD_SERVED, &now_ms, 10);
    assert_int_equal(dies_after(&child, CHILD_FAILED, &now_ms, 10), 0);
}

static void its_end_says_whether_the_next_start_would_fail_too(void **state)
{
    static const int crashes[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP };
    struct child starting = { .name = "c" }, serving = { .name = "c", .is_ready = true };
    (void)state;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        assert_int_equal(child_end_of(&starting, crashes[i]), CHILD_FAILED);
        assert_int_equal(child_end_of(&serving, crashes[i]), CHILD_SERVED);
    }
    assert_int_equal(child_end_of(&starting, SIGKILL), CHILD_KILLED);
    assert_int_equal(child_end_of(&starting, SIGTERM), CHILD_KILLED);
    assert_int_equal(child_end_of(&starting, 0), CHILD_KILLED);
    assert_int_equal(child_end_of(&starting, 1 << 8), CHILD_FAILED);
    assert_int_equal(child_end_of(&serving, 1 << 8), CHILD_SERVED);
    starting.was_stuck = serving.was_stuck = true; /* the supervisor itself has killed it */
    assert_int_equal(child_end_of(&starting, SIGKILL), CHILD_FAILED);
    assert_int_equal(child_end_of(&serving, SIGKILL), CHILD_SERVED);
}

static void a_life_of_ten_seconds_is_forgiven(void **state)
{
    struct child child = { .name = "c" };
    int64_t now_ms = 5000;
    (void)state;
    for (int i = 0; i < 5; i++)
        dies_after(&child, CHILD_SERVED, &now_ms, 10);
    assert_int_equal(dies_after(&child, CHILD_SERVED, &now_ms, CHILD_STABLE_MS), 0);
    assert_int_equal(dies_after(&child, CHILD_SERVED, &now_ms, CHILD_STABLE_MS - 1), 100);
    dies_after(&child, CHILD_FAILED, &now_ms, CHILD_STABLE_MS);
    assert_int_equal(dies_after(&child, CHILD_FAILED, &now_ms, CHILD_STABLE_MS), 100); /* it took long to fail */
}

static void the_end_of_a_process_is_told_in_words(void **state)
{
    char text[64];
    (void)state;
    child_describe_end(9, text, sizeof text);
    assert_string_equal(text, "signal 9 (Killed)");
    child_describe_end(3 << 8, text, sizeof text);
    assert_string_equal(text, "exit code 3");
}

static void a_command_line_takes_long_texts(void **state)
{
    struct child_command command = { .fd_count = 0 };
    (void)state;
    child_command_add(&command, "%s", "portico");
    child_command_add(&command, "%05000d", 7);
    assert_string_equal(command.arguments[0], "portico");
    assert_int_equal(command.arguments[1][4999], '7');
    assert_null(command.arguments[2]);
    child_command_fini(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_death_is_followed_by_a_start_at_once),
        cmocka_unit_test(starts_that_fail_make_it_wait_longer_up_to_five_seconds),
        cmocka_unit_test(one_that_served_or_was_killed_is_back_soon_however_often_it_dies),
        cmocka_unit_test(a_kill_among_starts_that_fail_does_not_wait_for_their_delay_nor_end_it),
        cmocka_unit_test(its_end_says_whether_the_next_start_would_fail_too),
        cmocka_unit_test(a_life_of_ten_seconds_is_forgiven),
        cmocka_unit_test(the_end_of_a_process_is_told_in_words),
        cmocka_unit_test(a_command_line_takes_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
