#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/io/deadline.h"

#include <string.h>

#define WAITERS 8

struct waiter {
    struct deadline deadline;
    int expired_count;
    enum deadline_kind kind;
    int64_t restart_at_ms; /* begins to wait again, from inside the callback; 0: no */
};

struct room {
    struct deadline_table table;
    struct waiter waiters[WAITERS];
    int order[64], expired_count;
};

static struct room the_room;

static void on_expire(struct deadline *d, enum deadline_kind kind)
{
    struct room *room = &the_room;
    struct waiter *w = (struct waiter *)d;
    assert_int_equal(d->kind, DEADLINE_NONE); /* it may be started again or freed in here */
    room->order[room->expired_count++] = (int)(w - room->waiters);
    w->expired_count++;
    w->kind = kind;
    if (w->restart_at_ms)
        deadline_start(&room->table, d, kind, w->restart_at_ms);
}

static int set_up(void **state)
{
    struct room *room = &the_room;
    memset(room, 0, sizeof *room);
    deadline_table_init(&room->table);
    for (enum deadline_kind kind = DEADLINE_HEAD; kind < DEADLINE_KIND_COUNT; kind++)
        deadline_table_on(&room->table, kind, on_expire);
    room->table.span_ms[DEADLINE_HEAD] = 100;
    room->table.span_ms[DEADLINE_BODY] = 1000;
    *state = room;
    return 0;
}

static void expire(struct room *room, int64_t now_ms)
{
    deadline_table_expire(&room->table, now_ms);
}

static void start(struct room *room, int waiter, enum deadline_kind kind, int64_t now_ms)
{
    deadline_start(&room->table, &room->waiters[waiter].deadline, kind, now_ms);
}

static void one_expires_when_its_span_is_over_and_only_once(void **state)
{
    struct room *room = *state;
    start(room, 0, DEADLINE_HEAD, 5000);
    expire(room, 5000);
    expire(room, 5099);
    assert_int_equal(room->expired_count, 0);
    expire(room, 5100);
    assert_int_equal(room->waiters[0].expired_count, 1);
    assert_int_equal(room->waiters[0].kind, DEADLINE_HEAD);
    expire(room, 9000);
    assert_int_equal(room->expired_count, 1);
}

static void one_that_is_stopped_does_not_expire(void **state)
{
    struct room *room = *state;
    start(room, 0, DEADLINE_HEAD, 0);
    start(room, 1, DEADLINE_HEAD, 0);
    deadline_stop(&room->table, &room->waiters[0].deadline);
    deadline_stop(&room->table, &room->waiters[0].deadline);
    deadline_stop(&room->table, &room->waiters[2].deadline); /* never started */
    expire(room, 1000);
    assert_int_equal(room->waiters[0].expired_count, 0);
    assert_int_equal(room->waiters[1].expired_count, 1);
}

static void starting_again_waits_for_a_whole_span_more(void **state)
{
    struct room *room = *state;
    start(room, 0, DEADLINE_HEAD, 0);
    start(room, 1, DEADLINE_HEAD, 10);
    start(room, 0, DEADLINE_HEAD, 90);
    expire(room, 150);
    assert_int_equal(room->waiters[0].expired_count, 0);
    assert_int_equal(room->waiters[1].expired_count, 1);
    expire(room, 190);
    assert_int_equal(room->waiters[0].expired_count, 1);
}

static void changing_the_kind_changes_the_span(void **state)
{
    struct room *room = *state;
    start(room, 0, DEADLINE_HEAD, 0);
    start(room, 0, DEADLINE_BODY, 0);
    expire(room, 999);
    assert_int_equal(room->expired_count, 0);
    expire(room, 1000);
    assert_int_equal(room->waiters[0].kind, DEADLINE_BODY);
}

static void all_that_are_due_expire_in_the_order_in_which_they_began(void **state)
{
    struct room *room = *state;
    for (int i = 0; i < WAITERS; i++)
        start(room, WAITERS - 1 - i, DEADLINE_HEAD, i);
    expire(room, 100 + WAITERS - 3); /* two are not due yet */
    assert_int_equal(room->expired_count, WAITERS - 2);
    for (int i = 0; i < WAITERS - 2; i++)
        assert_int_equal(room->order[i], WAITERS - 1 - i);
}

static void a_span_of_zero_is_none(void **state)
{
    struct room *room = *state;
    start(room, 0, DEADLINE_HEAD, 0);
    room->table.span_ms[DEADLINE_HEAD] = 0;
    expire(room, INT64_MAX / 4);
    assert_int_equal(room->expired_count, 0);
    room->table.span_ms[DEADLINE_HEAD] = 10;
    expire(room, INT64_MAX / 4);
    assert_int_equal(room->expired_count, 1);
}

static void a_span_may_change_while_they_wait(void **state)
{
    struct room *room = *state;
    start(room, 0, DEADLINE_HEAD, 0);
    room->table.span_ms[DEADLINE_HEAD] = 10000;
    expire(room, 5000);
    assert_int_equal(room->expired_count, 0);
    room->table.span_ms[DEADLINE_HEAD] = 10;
    expire(room, 5001);
    assert_int_equal(room->expired_count, 1);
}

static int64_t span_of_lane(void *owner, uint32_t lane)
{
    const int64_t *spans = owner;
    return spans[lane];
}

static void start_in_lane(struct room *room, int waiter, uint32_t lane, int64_t now_ms)
{
    deadline_start_in_lane(&room->table, &room->waiters[waiter].deadline, DEADLINE_RESPONSE, lane, now_ms);
}

static void each_lane_of_a_kind_has_a_span_of_its_own(void **state)
{
    struct room *room = *state;
    int64_t spans[] = { 100, 0, 1000 };
    deadline_table_on_lanes(&room->table, span_of_lane, spans);
    start_in_lane(room, 0, 2, 0);
    start_in_lane(room, 1, 1, 0); /* its lane has none: for ever */
    start_in_lane(room, 2, 0, 10);
    start_in_lane(room, 3, 0, 20);
    deadline_stop(&room->table, &room->waiters[3].deadline);
    expire(room, 109);
    assert_int_equal(room->expired_count, 0);
    expire(room, 110);
    assert_int_equal(room->waiters[2].expired_count, 1);
    assert_int_equal(room->waiters[2].kind, DEADLINE_RESPONSE);
    expire(room, 1000000);
    assert_int_equal(room->waiters[0].expired_count, 1);
    assert_int_equal(room->expired_count, 2);
}

static void the_span_of_a_lane_may_change_while_they_wait(void **state)
{
    struct room *room = *state;
    int64_t spans[] = { 100, 100 };
    deadline_table_on_lanes(&room->table, span_of_lane, spans);
    start_in_lane(room, 0, 0, 0);
    start_in_lane(room, 1, 1, 0);
    spans[0] = 10;
    spans[1] = 10000;
    expire(room, 10);
    assert_int_equal(room->waiters[0].expired_count, 1);
    expire(room, 9999);
    assert_int_equal(room->waiters[1].expired_count, 0);
}

static void the_last_lane_is_one_like_the_first(void **state)
{
    struct room *room = *state;
    static int64_t spans[DEADLINE_LANES];
    spans[DEADLINE_LANES - 1] = 5;
    deadline_table_on_lanes(&room->table, span_of_lane, spans);
    start_in_lane(room, 0, DEADLINE_LANES - 1, 0);
    start(room, 0, DEADLINE_HEAD, 0); /* and is left for a kind without lanes */
    expire(room, 50);
    assert_int_equal(room->expired_count, 0);
    start_in_lane(room, 0, DEADLINE_LANES - 1, 50);
    expire(room, 55);
    assert_int_equal(room->waiters[0].expired_count, 1);
}

static void a_callback_may_start_its_own_and_stop_another(void **state)
{
    struct room *room = *state;
    start(room, 0, DEADLINE_HEAD, 0);
    room->waiters[0].restart_at_ms = 100;
    expire(room, 100);
    assert_int_equal(room->waiters[0].expired_count, 1);
    room->waiters[0].restart_at_ms = 0;
    expire(room, 199);
    assert_int_equal(room->waiters[0].expired_count, 1);
    expire(room, 200);
    assert_int_equal(room->waiters[0].expired_count, 2);
}

static void stop_second_waiter(struct deadline *d, enum deadline_kind kind)
{
    struct room *room = &the_room;
    (void)d;
    (void)kind;
    room->expired_count++;
    deadline_stop(&room->table, &room->waiters[1].deadline);
}

static void one_that_a_callback_stops_does_not_expire_any_more(void **state)
{
    struct room *room = *state;
    for (int i = 0; i < 3; i++)
        start(room, i, DEADLINE_HEAD, 0);
    deadline_table_on(&room->table, DEADLINE_HEAD, stop_second_waiter);
    expire(room, 100);
    assert_int_equal(room->expired_count, 2);
}

static void without_a_span_nothing_ever_expires(void **state)
{
    struct room *room = *state;
    start(room, 0, DEADLINE_IDLE, 0);
    expire(room, INT64_MAX / 4);
    assert_int_equal(room->expired_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(one_expires_when_its_span_is_over_and_only_once),
        TEST(one_that_is_stopped_does_not_expire),
        TEST(starting_again_waits_for_a_whole_span_more),
        TEST(changing_the_kind_changes_the_span),
        TEST(all_that_are_due_expire_in_the_order_in_which_they_began),
        TEST(a_span_of_zero_is_none),
        TEST(a_span_may_change_while_they_wait),
        TEST(each_lane_of_a_kind_has_a_span_of_its_own),
        TEST(the_span_of_a_lane_may_change_while_they_wait),
        TEST(the_last_lane_is_one_like_the_first),
        TEST(a_callback_may_start_its_own_and_stop_another),
        TEST(one_that_a_callback_stops_does_not_expire_any_more),
        TEST(without_a_span_nothing_ever_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
