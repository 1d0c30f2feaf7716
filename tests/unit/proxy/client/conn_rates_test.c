#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/client/conn.h"

#include "base/mem.h"
#include "proxy/client/clients.h"
#include "proxy/client/listener.h"
#include "proxy/worker/worker.h"

#include <stdlib.h>

/* Two connections of one client, each on a listener of its own, and one of an unknown client on the first listener. */
struct bench {
    struct worker *worker;
    struct clients clients;
    struct listener limited, free;
    struct conn on_limited, on_free, unknown;
};

static void set_time(struct bench *b, int64_t now_ms)
{
    worker_set_clock(b->worker, now_ms * 1000);
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    struct network network;
    b->worker = mem_alloc(sizeof *b->worker);
    set_time(b, 5000);
    struct token_bucket full = token_bucket_new(5000);
    b->limited = b->free = (struct listener){ .worker = b->worker, .requests = full, .body_bytes = full };
    b->on_limited = b->unknown = (struct conn){ .worker = b->worker, .listener = &b->limited };
    b->on_free = (struct conn){ .worker = b->worker, .listener = &b->free };
    b->worker->clients = &b->clients;
    b->clients.table = client_table_new(4, 1);
    assert_true(network_parse("192.0.2.1", &network));
    assert_int_equal(
        client_table_enter(b->clients.table, &network.address, &b->clients.limits, 5000, &b->on_limited.client),
        CLIENT_ADMITTED);
    b->on_free.client = b->on_limited.client;
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    client_table_free(b->clients.table);
    free(b->worker);
    free(b);
    return 0;
}

static int take_requests(struct conn *c)
{
    int taken = 0;
    while (taken < 1000 && conn_take_request(c))
        taken++;
    return taken;
}

static void connections_of_a_listener_share_its_requests(void **state)
{
    struct bench *b = *state;
    b->limited.requests_per_second = 5;
    assert_true(conn_take_request(&b->on_limited) && conn_take_request(&b->unknown));
    assert_int_equal(take_requests(&b->on_limited), 3);
    assert_int_equal(take_requests(&b->unknown), 0);
    assert_int_equal(take_requests(&b->on_free), 1000);
    set_time(b, 5400);
    assert_int_equal(take_requests(&b->unknown), 2);
    set_time(b, 500000);
    assert_int_equal(take_requests(&b->on_limited), 5);
}

static void a_request_that_the_listener_refuses_takes_nothing_of_the_client(void **state)
{
    struct bench *b = *state;
    b->limited.requests_per_second = 2;
    b->clients.limits.requests_per_second = 5;
    assert_int_equal(take_requests(&b->on_limited), 2);
    for (int i = 0; i < 100; i++)
        assert_false(conn_take_request(&b->on_limited));
    assert_int_equal(take_requests(&b->on_free), 3);
}

static void a_request_that_the_client_refuses_takes_nothing_of_the_listener(void **state)
{
    struct bench *b = *state;
    b->limited.requests_per_second = 5;
    b->clients.limits.requests_per_second = 2;
    assert_int_equal(take_requests(&b->on_limited), 2);
    for (int i = 0; i < 100; i++)
        assert_false(conn_take_request(&b->on_limited));
    assert_int_equal(take_requests(&b->unknown), 3);
}

static void body_bytes_are_counted_where_a_limit_holds(void **state)
{
    struct bench *b = *state;
    assert_false(conn_counts_body_bytes(&b->on_limited) || conn_counts_body_bytes(&b->on_free));
    b->limited.body_bytes_per_second = 1;
    assert_true(conn_counts_body_bytes(&b->on_limited) && conn_counts_body_bytes(&b->unknown));
    assert_false(conn_counts_body_bytes(&b->on_free));
    b->limited.body_bytes_per_second = 0;
    b->clients.limits.body_bytes_per_second = 1;
    assert_true(conn_counts_body_bytes(&b->on_limited) && conn_counts_body_bytes(&b->on_free));
    assert_false(conn_counts_body_bytes(&b->unknown));
}

static void connections_of_a_listener_share_its_body_bytes(void **state)
{
    struct bench *b = *state;
    b->limited.body_bytes_per_second = 1000;
    assert_true(conn_may_read_body(&b->on_limited));
    conn_take_body_bytes(&b->on_limited, 1500); /* what came at once: half a second too many */
    assert_false(conn_may_read_body(&b->on_limited) || conn_may_read_body(&b->unknown));
    assert_true(conn_may_read_body(&b->on_free));
    set_time(b, 5500);
    assert_false(conn_may_read_body(&b->unknown));
    set_time(b, 5501);
    assert_true(conn_may_read_body(&b->unknown));
}

static void body_bytes_are_taken_of_both_and_either_makes_them_wait(void **state)
{
    struct bench *b = *state;
    b->limited.body_bytes_per_second = 1000;
    b->clients.limits.body_bytes_per_second = 2000;
    conn_take_body_bytes(&b->on_limited, 1000);
    assert_false(conn_may_read_body(&b->on_limited));
    assert_true(conn_may_read_body(&b->on_free));
    conn_take_body_bytes(&b->on_free, 1000);
    assert_false(conn_may_read_body(&b->on_free));
    b->limited.body_bytes_per_second = 0; /* the client's limit still holds */
    assert_false(conn_may_read_body(&b->on_limited));
    assert_true(conn_may_read_body(&b->unknown));
}

static void a_limit_that_goes_and_comes_again_does_not_start_with_a_debt(void **state)
{
    struct bench *b = *state;
    b->limited.requests_per_second = 3;
    assert_int_equal(take_requests(&b->on_limited), 3);
    b->limited.requests_per_second = 0;
    assert_int_equal(take_requests(&b->on_limited), 1000);
    set_time(b, 6000);
    b->limited.requests_per_second = 4;
    assert_int_equal(take_requests(&b->on_limited), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connections_of_a_listener_share_its_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_that_the_listener_refuses_takes_nothing_of_the_client, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_request_that_the_client_refuses_takes_nothing_of_the_listener, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(body_bytes_are_counted_where_a_limit_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_of_a_listener_share_its_body_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(body_bytes_are_taken_of_both_and_either_makes_them_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_limit_that_goes_and_comes_again_does_not_start_with_a_debt, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
