#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/publish/rotation.h"

static int set_up(void **state)
{
    *state = rotation_new();
    return 0;
}

static int tear_down(void **state)
{
    rotation_free(*state);
    return 0;
}

static void who_was_never_sent_is_out(void **state)
{
    assert_true(rotation_is_out(*state, "a"));
}

static void who_is_in_the_newest_frame_is_not_out_acknowledged_or_not(void **state)
{
    struct rotation *r = *state;
    rotation_enter(r, "a");
    assert_false(rotation_is_out(r, "a"));
    rotation_acknowledge(r, 1);
    assert_false(rotation_is_out(r, "a"));
}

static void who_left_is_out_with_the_acknowledgement_of_that_frame(void **state)
{
    struct rotation *r = *state;
    rotation_enter(r, "a");
    rotation_acknowledge(r, 1);
    rotation_leave(r, "a", 3);
    assert_false(rotation_is_out(r, "a"));
    rotation_acknowledge(r, 2);
    assert_false(rotation_is_out(r, "a"));
    rotation_acknowledge(r, 3);
    assert_true(rotation_is_out(r, "a"));
}

static void a_later_acknowledgement_covers_the_earlier_frames(void **state)
{
    struct rotation *r = *state;
    rotation_enter(r, "a");
    rotation_leave(r, "a", 2);
    rotation_acknowledge(r, 9);
    assert_true(rotation_is_out(r, "a"));
    assert_int_equal(rotation_count(r), 0);
}

static void who_came_back_in_a_pending_frame_is_not_out(void **state)
{
    struct rotation *r = *state;
    rotation_enter(r, "a");
    rotation_leave(r, "a", 2);
    rotation_enter(r, "a"); /* frame 3 */
    rotation_acknowledge(r, 2);
    assert_false(rotation_is_out(r, "a"));
    rotation_leave(r, "a", 4);
    rotation_acknowledge(r, 3);
    assert_false(rotation_is_out(r, "a"));
    rotation_acknowledge(r, 4);
    assert_true(rotation_is_out(r, "a"));
}

static void who_serves_two_services_is_out_when_both_have_let_go(void **state)
{
    struct rotation *r = *state;
    rotation_enter(r, "a");
    rotation_enter(r, "a");
    rotation_leave(r, "a", 2);
    rotation_acknowledge(r, 2);
    assert_false(rotation_is_out(r, "a"));
    rotation_leave(r, "a", 3);
    rotation_acknowledge(r, 3);
    assert_true(rotation_is_out(r, "a"));
}

static void a_fresh_data_plane_sends_to_nobody(void **state)
{
    struct rotation *r = *state;
    rotation_enter(r, "a");
    rotation_enter(r, "b");
    rotation_clear(r);
    assert_true(rotation_is_out(r, "a"));
    assert_true(rotation_is_out(r, "b"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_was_never_sent_is_out),
        TEST(who_is_in_the_newest_frame_is_not_out_acknowledged_or_not),
        TEST(who_left_is_out_with_the_acknowledgement_of_that_frame),
        TEST(a_later_acknowledgement_covers_the_earlier_frames),
        TEST(who_came_back_in_a_pending_frame_is_not_out),
        TEST(who_serves_two_services_is_out_when_both_have_let_go),
        TEST(a_fresh_data_plane_sends_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
