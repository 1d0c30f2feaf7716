#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/fair_queue.h"

#include <stdio.h>
#include <string.h>

struct person {
    struct fair_item item; /* first */
    char name;
};

static struct person people[26];
static struct fair_queue queue;

static int set_up(void **state)
{
    (void)state;
    memset(people, 0, sizeof people);
    for (size_t i = 0; i < 26; i++)
        people[i].name = (char)('a' + i);
    return 0;
}

/* Letters join the party of their capital: "A:abc B:d". */
static void put(const char *party, const char *names)
{
    for (; *names; names++)
        fair_queue_put(&queue, &people[*names - 'a'].item, party);
}

static void leave(const char *names)
{
    for (; *names; names++)
        fair_queue_leave(&queue, &people[*names - 'a'].item);
}

static void assert_next(const char *expected)
{
    char taken[27] = "";
    struct fair_item *item;
    for (size_t i = 0; i < 26 && (item = fair_queue_take(&queue)); i++)
        taken[i] = ((struct person *)item)->name;
    assert_string_equal(taken, expected);
}

static void one_party_is_served_in_order_as_long_as_there_are_places(void **state)
{
    (void)state;
    fair_queue_init(&queue, 2, 2, FAIR_OLDEST_FIRST);
    put("A", "abcd");
    assert_next("ab");
    assert_int_equal(queue.waiting_count, 2);
    assert_int_equal(queue.out_count, 2);
    leave("a");
    assert_next("c");
    leave("bcd");
    fair_queue_fini(&queue);
}

static void parties_take_turns(void **state)
{
    (void)state;
    fair_queue_init(&queue, 26, 26, FAIR_OLDEST_FIRST);
    put("A", "abcde");
    put("B", "xy");
    put("C", "z");
    assert_next("axzbycde");
    leave("abcdexyz");
    fair_queue_fini(&queue);
}

static void a_party_that_has_its_share_leaves_room_for_others(void **state)
{
    (void)state;
    fair_queue_init(&queue, 4, 3, FAIR_OLDEST_FIRST);
    put("A", "abcdef");
    assert_next("abc");
    put("B", "xy");
    assert_next("x");
    leave("x");
    assert_next("y");
    leave("a");
    assert_next("d");
    leave("bcdefy");
    fair_queue_fini(&queue);
}

static void the_newest_goes_first_where_that_is_wanted(void **state)
{
    (void)state;
    fair_queue_init(&queue, 2, 2, FAIR_NEWEST_FIRST);
    put("A", "abcd");
    assert_next("dc");
    put("B", "xy");
    leave("d");
    assert_next("y");
    leave("c");
    put("C", "z");
    assert_next("z");
    leave("abxyz");
    fair_queue_fini(&queue);
}

static void whoever_waits_or_is_idle_may_leave_too(void **state)
{
    (void)state;
    fair_queue_init(&queue, 1, 1, FAIR_OLDEST_FIRST);
    put("A", "ab");
    put("B", "x");
    leave("a");
    assert_next("b");
    leave("ab");
    assert_next("x");
    leave("x");
    assert_int_equal(queue.waiting_count + queue.out_count, 0);
    assert_null(queue.parties);
    assert_next("");
    fair_queue_fini(&queue);
}

/* Whatever happens: never too many out, never idle places while somebody who may go waits. */
static void random_comings_and_goings_keep_the_limits(void **state)
{
    (void)state;
    uint32_t random = 12345;
    fair_queue_init(&queue, 5, 2, FAIR_OLDEST_FIRST);
    for (int i = 0; i < 20000; i++) {
        random = random * 1664525 + 1013904223;
        size_t who = (random >> 16) % 26;
        char party[2] = { (char)('A' + who % 4), 0 };
        if (people[who].item.state == FAIR_IDLE)
            fair_queue_put(&queue, &people[who].item, party);
        else
            fair_queue_leave(&queue, &people[who].item);
        while (fair_queue_take(&queue))
            ;
        size_t out[4] = { 0 }, waiting[4] = { 0 }, all_out = 0, all_waiting = 0;
        for (size_t p = 0; p < 26; p++) {
            out[p % 4] += people[p].item.state == FAIR_OUT;
            waiting[p % 4] += people[p].item.state == FAIR_WAITING;
        }
        for (size_t p = 0; p < 4; p++) {
            assert_true(out[p] <= 2);
            all_out += out[p];
            all_waiting += waiting[p];
        }
        assert_true(all_out <= 5);
        for (size_t p = 0; p < 4; p++)
            assert_true(waiting[p] == 0 || out[p] == 2 || all_out == 5);
        assert_int_equal(queue.out_count, all_out);
        assert_int_equal(queue.waiting_count, all_waiting);
    }
    for (size_t p = 0; p < 26; p++)
        fair_queue_leave(&queue, &people[p].item);
    fair_queue_fini(&queue);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_party_is_served_in_order_as_long_as_there_are_places),
        TEST(parties_take_turns),
        TEST(a_party_that_has_its_share_leaves_room_for_others),
        TEST(the_newest_goes_first_where_that_is_wanted),
        TEST(whoever_waits_or_is_idle_may_leave_too),
        TEST(random_comings_and_goings_keep_the_limits),
    };
    return cmocka_run_group_tests_name("fair_queue", tests, NULL, NULL);
}
