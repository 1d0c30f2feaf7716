#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/client/shedding.h"

#include "base/mem.h"
#include "proxy/client/conn.h"
#include "proxy/client/clients.h"
#include "proxy/client/listener.h"
#include "proxy/worker/worker.h"

#include <stdio.h>
#include <stdlib.h>

#define CONNS_MAX 256

/* Connections in the states that shedding looks at, without sockets. */
struct bench {
    struct worker worker;
    struct clients clients;
    struct worker_stats stats;
    struct listener listeners[2];
    struct conn conns[CONNS_MAX];
    size_t count;
};

static int set_up(void **state)
{
    struct bench *b = mem_alloc_aligned(64, sizeof *b);
    struct worker *w = &b->worker;
    w->stats = &b->stats;
    worker_set_clock(w, 1000000000);
    w->clients = &b->clients;
    deadline_table_init(&w->deadlines);
    grave_list_init(&w->dead);
    clients_set_up(w);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    clients_tear_down(&b->worker);
    free(b);
    return 0;
}

/* waited_ms: in its state. client: last number of an address; 0: not in the table. Those of one kind must be added in
 * the order of their waiting. */
static struct conn *add(struct bench *b, unsigned client, enum conn_state state, bool has_served, int64_t waited_ms)
{
    static const struct client_limits limits = { .share = 1000 };
    struct worker *w = &b->worker;
    struct conn *c = &b->conns[b->count++];
    enum deadline_kind kind = state == CONN_READING_HEAD ? DEADLINE_HEAD : has_served ? DEADLINE_IDLE : DEADLINE_FRESH;
    *c = (struct conn){ .worker = w, .listener = &b->listeners[0], .state = state, .has_served = has_served };
    c->side.channel.fd = -1;
    b->listeners[0].conn_count++;
    b->clients.conn_count++;
    TAILQ_INSERT_TAIL(&b->clients.conns, c, link);
    deadline_start(&w->deadlines, &c->deadline, kind, worker_now_ms(w) - waited_ms);
    if (client > 0) {
        char text[32];
        struct network network;
        snprintf(text, sizeof text, "192.0.2.%u", client);
        assert_true(network_parse(text, &network));
        assert_int_equal(client_table_enter(b->clients.table, &network.address, &limits, 0, &c->client),
                         CLIENT_ADMITTED);
        TAILQ_INSERT_TAIL(client_entry_conns(c->client), c, client_link);
    }
    return c;
}

static void add_many(struct bench *b, size_t count, unsigned client, enum conn_state state, bool has_served,
                     int64_t waited_ms)
{
    for (size_t i = 0; i < count; i++)
        add(b, client, state, has_served, waited_ms);
}

/* The one that has gone; null: none. */
static struct conn *gone(struct bench *b)
{
    struct grave **last = &b->worker.dead.first;
    if (!*last)
        return NULL;
    while ((*last)->next)
        last = &(*last)->next;
    struct conn *c = (struct conn *)((char *)*last - offsetof(struct conn, grave));
    *last = NULL;
    b->worker.dead.end = last;
    return c;
}

static struct conn *shed(struct bench *b)
{
    return shedding_make_place(&b->worker, NULL) == SHED_DONE ? gone(b) : NULL;
}

static void those_that_asked_nothing_go_before_those_between_two_requests_the_longest_idle_first(void **state)
{
    struct bench *b = *state;
    struct conn *idle[2] = { add(b, 1, CONN_IDLE, true, 9000), add(b, 2, CONN_IDLE, true, 8000) };
    struct conn *fresh[2] = { add(b, 3, CONN_IDLE, false, 400), add(b, 4, CONN_IDLE, false, 300) };
    assert_ptr_equal(shed(b), fresh[0]);
    assert_ptr_equal(shed(b), fresh[1]);
    assert_ptr_equal(shed(b), idle[0]);
    assert_ptr_equal(shed(b), idle[1]);
    assert_int_equal(shedding_make_place(&b->worker, NULL), SHED_NONE);
    assert_int_equal(b->stats.connections_shed, 4);
}

static void what_has_just_come_is_left_alone(void **state)
{
    struct bench *b = *state;
    struct conn *idle = add(b, 1, CONN_IDLE, true, 199), *fresh = add(b, 2, CONN_IDLE, false, 199);
    assert_int_equal(shedding_make_place(&b->worker, NULL), SHED_SOON);
    worker_set_clock(&b->worker, b->worker.now_us + 1000);
    assert_ptr_equal(shed(b), fresh);
    assert_ptr_equal(shed(b), idle);
}

static void a_request_that_is_there_may_cost_what_has_just_come(void **state)
{
    struct bench *b = *state;
    struct conn *fresh = add(b, 2, CONN_IDLE, false, 1), *idle = add(b, 1, CONN_IDLE, true, 1);
    assert_true(shedding_free_descriptor_for_request(&b->worker));
    assert_ptr_equal(gone(b), idle);
    assert_true(shedding_free_descriptor_for_request(&b->worker));
    assert_ptr_equal(gone(b), fresh);
    assert_false(shedding_free_descriptor_for_request(&b->worker));
}

static void who_is_busy_is_never_given_up(void **state)
{
    struct bench *b = *state;
    add_many(b, 20, 1, CONN_IN_EXCHANGE, true, 9000);
    add_many(b, 20, 1, CONN_REPLYING, false, 9000);
    assert_int_equal(shedding_make_place(&b->worker, NULL), SHED_NONE);
    assert_false(shedding_free_descriptors(&b->worker));
}

static void an_answer_that_has_not_left_yet_keeps_its_connection(void **state)
{
    struct bench *b = *state;
    struct buffer answer;
    struct conn *c = add(b, 1, CONN_IDLE, true, 9000);
    c->side.channel.out = &answer;
    assert_null(shed(b));
    c->side.channel.out = NULL;
    assert_ptr_equal(shed(b), c);
}

static void a_crowd_pays_before_others_that_have_waited_longer(void **state)
{
    struct bench *b = *state;
    add(b, 9, CONN_IDLE, true, 70000);
    add(b, 8, CONN_IDLE, false, 60000);
    add_many(b, 20, 1, CONN_IDLE, true, 1000);
    add_many(b, 5, 1, CONN_IDLE, false, 500);
    add_many(b, 30, 2, CONN_IDLE, true, 400);
    const struct client_entry *first = b->conns[2].client, *second = b->conns[27].client;
    for (int i = 0; i < 8; i++) /* 30 of the second until it has no more than the first, then of both */
        assert_non_null(shed(b));
    assert_int_equal(b->clients.conn_count, 49);
    assert_int_equal(b->conns[0].state, CONN_IDLE);
    assert_int_equal(b->conns[1].state, CONN_IDLE);
    assert_in_range(client_entry_connection_count(first), 22, 25);
    assert_in_range(client_entry_connection_count(second), 22, 25);
}

static void a_crowd_that_has_just_come_is_waited_for(void **state)
{
    struct bench *b = *state;
    struct conn *idle = add(b, 9, CONN_IDLE, true, 70000), *fresh = add(b, 8, CONN_IDLE, false, 60000);
    add_many(b, 20, 1, CONN_IDLE, false, 100);
    assert_int_equal(shedding_make_place(&b->worker, NULL), SHED_SOON);
    assert_false(shedding_free_descriptors(&b->worker));
    worker_set_clock(&b->worker, b->worker.now_us + 100000);
    assert_non_null(shed(b));
    assert_true(idle->state == CONN_IDLE && fresh->state == CONN_IDLE);
}

/* They are users like others, however many there are. */
static void one_whose_connections_are_busy_or_between_two_requests_is_not(void **state)
{
    struct bench *b = *state;
    struct conn *fresh = add(b, 8, CONN_IDLE, false, 60000);
    add_many(b, 20, 1, CONN_IDLE, true, 100);
    add_many(b, 20, 1, CONN_READING_HEAD, false, 100);
    assert_ptr_equal(shed(b), fresh);
}

static void of_a_crowd_those_that_asked_nothing_go_first_and_half_heads_last(void **state)
{
    struct bench *b = *state;
    add_many(b, 8, 1, CONN_READING_HEAD, false, 1500);
    add_many(b, 8, 1, CONN_IDLE, true, 1000);
    add_many(b, 8, 1, CONN_IDLE, false, 500);
    for (int i = 0; i < 8; i++)
        assert_false(shed(b)->has_served);
    struct conn *c = shed(b); /* while it is a crowd: 16 left */
    assert_true(c->has_served);
}

static void half_heads_of_a_crowd_go_when_they_are_all_there_is(void **state)
{
    struct bench *b = *state;
    add_many(b, 40, 1, CONN_READING_HEAD, false, 999);
    add(b, 2, CONN_READING_HEAD, false, 9000); /* no crowd: its time-out will do */
    assert_int_equal(shedding_make_place(&b->worker, NULL), SHED_NONE);
    worker_set_clock(&b->worker, b->worker.now_us + 1000);
    struct conn *c = shed(b);
    assert_non_null(c);
    assert_ptr_equal(c->state == CONN_CLOSED ? c->listener : NULL, &b->listeners[0]);
    assert_int_equal(b->clients.conn_count, 40);
}

static void a_crowd_of_which_most_are_busy_is_looked_through_bit_by_bit(void **state)
{
    struct bench *b = *state;
    add_many(b, 100, 1, CONN_IN_EXCHANGE, true, 9000);
    struct conn *c = add(b, 1, CONN_IDLE, true, 500), *gone_one = NULL;
    for (int i = 0; i < 4 && !gone_one; i++)
        gone_one = shed(b);
    assert_ptr_equal(gone_one, c);
}

static void a_place_at_a_listener_is_made_by_its_own_connections(void **state)
{
    struct bench *b = *state;
    add_many(b, 5, 1, CONN_IDLE, false, 9000);
    struct conn *c = add(b, 2, CONN_IDLE, false, 500);
    c->listener = &b->listeners[1];
    b->listeners[1].conn_count++;
    assert_int_equal(shedding_make_place(&b->worker, &b->listeners[1]), SHED_DONE);
    assert_ptr_equal(gone(b), c);
    assert_int_equal(shedding_make_place(&b->worker, &b->listeners[1]), SHED_NONE);
}

static void a_place_of_a_client_is_made_by_its_own_connections(void **state)
{
    struct bench *b = *state;
    add(b, 1, CONN_IDLE, false, 9000);
    struct conn *busy = add(b, 2, CONN_IN_EXCHANGE, false, 500), *idle = add(b, 2, CONN_IDLE, true, 300);
    assert_true(shedding_make_place_of_client(&b->worker, busy->client));
    assert_ptr_equal(gone(b), idle);
    assert_false(shedding_make_place_of_client(&b->worker, busy->client));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(those_that_asked_nothing_go_before_those_between_two_requests_the_longest_idle_first),
        TEST(what_has_just_come_is_left_alone),
        TEST(a_request_that_is_there_may_cost_what_has_just_come),
        TEST(who_is_busy_is_never_given_up),
        TEST(an_answer_that_has_not_left_yet_keeps_its_connection),
        TEST(a_crowd_pays_before_others_that_have_waited_longer),
        TEST(a_crowd_that_has_just_come_is_waited_for),
        TEST(one_whose_connections_are_busy_or_between_two_requests_is_not),
        TEST(of_a_crowd_those_that_asked_nothing_go_first_and_half_heads_last),
        TEST(half_heads_of_a_crowd_go_when_they_are_all_there_is),
        TEST(a_crowd_of_which_most_are_busy_is_looked_through_bit_by_bit),
        TEST(a_place_at_a_listener_is_made_by_its_own_connections),
        TEST(a_place_of_a_client_is_made_by_its_own_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
