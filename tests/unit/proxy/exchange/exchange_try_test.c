#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* What tries leave behind: whose fault is counted, which connections are kept, how many retries are under way. A real worker
 * on the conversation rig. */
#include "tests/unit/proxy/exchange/conversation_rig.h"

#include <string.h>

#define ENDPOINT(n) "{\"id\":\"" n "\",\"address\":\"127.0.0.1:" n "\"}"
#define DOCUMENT(settings, of_service, endpoints)                                                         \
    "{\"version\":1,\"serial\":1,\"settings\":{" settings "},\"services\":[{\"name\":\"web\"," of_service \
    "\"endpoints\":[" endpoints "]}],\"routes\":[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"}]}"
#define ONE DOCUMENT("", "", ENDPOINT("1"))
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static int set_up(void **state)
{
    *state = rig_new(ONE);
    rig_begin(*state);
    rig_open_client(*state);
    return 0;
}

static int tear_down(void **state)
{
    rig_end(*state, false);
    rig_forget(*state);
    rig_free(*state);
    return 0;
}

static void put(struct rig *rig, struct rig_peer *peer, const char *text)
{
    rig_put(peer, text, strlen(text));
    rig_settle(rig);
}

static uint64_t failures_of(const struct rig *rig, size_t at)
{
    return rig->worker->endpoints[rig->snapshot->services[0]->endpoints[at].slot].failures;
}

static bool has_answer(struct rig_peer *client, const char *status)
{
    const char *text = buf_text(&client->received);
    return strncmp(text, "HTTP/1.1 ", 9) == 0 && strncmp(text + 9, status, 3) == 0;
}

static void an_endpoint_that_cannot_be_connected_to_in_time_has_failed(void **state)
{
    struct rig *rig = *state;
    rig->connect = RIG_CONNECT_HANGS;
    put(rig, &rig->clients[0], GET);
    rig_pass_time(rig, 2100);
    assert_true(has_answer(&rig->clients[0], "504"));
    assert_int_equal(failures_of(rig, 0), 1);
}

static void an_endpoint_that_does_not_answer_in_time_has_failed(void **state)
{
    struct rig *rig = *state;
    put(rig, &rig->clients[0], GET);
    rig_pass_time(rig, 61000);
    assert_true(has_answer(&rig->clients[0], "504"));
    assert_int_equal(failures_of(rig, 0), 1);
}

static void an_endpoint_that_does_not_answer_within_the_time_of_the_request_has_failed(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, DOCUMENT("\"timeouts\":{\"requestMs\":1000}", "", ENDPOINT("1")));
    put(rig, &rig->clients[0], GET);
    rig_pass_time(rig, 1100);
    assert_true(has_answer(&rig->clients[0], "504"));
    assert_int_equal(failures_of(rig, 0), 1);
}

static void an_endpoint_whose_body_stops_has_failed(void **state)
{
    struct rig *rig = *state;
    put(rig, &rig->clients[0], GET);
    put(rig, &rig->upstreams[0], "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
    rig_pass_time(rig, 600000);
    assert_int_equal(failures_of(rig, 0), 1);
}

static void a_client_whose_body_stops_is_no_failure_of_the_endpoint(void **state)
{
    struct rig *rig = *state;
    put(rig, &rig->clients[0], "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nbegin");
    rig_pass_time(rig, 600000);
    assert_true(has_answer(&rig->clients[0], "408"));
    assert_int_equal(failures_of(rig, 0), 0);
}

static void a_connection_that_named_a_client_serves_no_other_when_that_is_switched_off(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, DOCUMENT("", "\"proxyProtocol\":\"v1\",", ENDPOINT("1")));
    put(rig, &rig->clients[0], GET);
    rig_publish(rig, ONE); /* while the request is under way */
    put(rig, &rig->upstreams[0], OK);
    struct rig_peer *other = rig_open_client(rig);
    put(rig, other, GET);
    assert_int_equal(rig->upstream_count, 2);
    assert_memory_equal(buf_text(&rig->upstreams[0].received), "PROXY ", 6);
    assert_memory_equal(buf_text(&rig->upstreams[1].received), "GET ", 4);
    put(rig, &rig->upstreams[1], OK);
    assert_true(has_answer(other, "200"));
}

static void connections_that_named_their_clients_are_not_kept(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, DOCUMENT("", "\"proxyProtocol\":\"v1\",", ENDPOINT("1")));
    for (size_t i = 0; i < 5; i++) {
        put(rig, &rig->clients[0], GET);
        put(rig, &rig->upstreams[i], OK);
        assert_int_equal(rig->upstreams[i].worker_fd, -1);
    }
    assert_int_equal(rig->worker->stats->upstream_idle, 0);
}

/* The second request has a PROXY header in its head, and the pool a connection without. */
static void a_request_that_names_its_client_begins_a_connection(void **state)
{
    struct rig *rig = *state;
    put(rig, &rig->clients[0], GET);
    put(rig, &rig->upstreams[0], OK);
    rig_publish(rig, DOCUMENT("", "\"proxyProtocol\":\"v1\",", ENDPOINT("1")));
    put(rig, &rig->clients[0], GET);
    assert_int_equal(rig->upstream_count, 2);
    assert_memory_equal(buf_text(&rig->upstreams[1].received), "PROXY ", 6);
}

static struct endpoint_stats *stats_of(const struct rig *rig, size_t at)
{
    return &rig->worker->endpoints[rig->snapshot->services[0]->endpoints[at].slot];
}

/* Its listening socket may still take connections while it dies; one that refused a moment ago may be back. */
static void an_endpoint_whose_pooled_connection_broke_comes_after_one_that_refused_lately(void **state)
{
    struct rig *rig = *state;
    put(rig, &rig->clients[0], GET);
    put(rig, &rig->upstreams[0], OK);
    rig_publish(rig, DOCUMENT("", "", ENDPOINT("1") "," ENDPOINT("2")));
    uint64_t before[2] = { stats_of(rig, 0)->requests, stats_of(rig, 1)->requests };
    upstream_pool_shun(&rig->worker->pools[rig->snapshot->services[0]->endpoints[1].slot], worker_now_ms(rig->worker));
    put(rig, &rig->clients[0], GET);
    assert_int_equal(stats_of(rig, 0)->requests, before[0] + 1);
    rig_close(&rig->upstreams[0]);
    rig_settle(rig);
    assert_int_equal(stats_of(rig, 1)->requests, before[1] + 1);
    put(rig, &rig->upstreams[1], OK);
    assert_true(has_answer(&rig->clients[0], "200"));
}

/* Its first connection breaks; another endpoint gets it. */
static struct rig_peer *ask_twice(struct rig *rig, struct rig_peer *client, const char *request)
{
    size_t before = rig->upstream_count;
    put(rig, client, request);
    rig_close(&rig->upstreams[before]);
    rig_settle(rig);
    assert_int_equal(rig->upstream_count, before + 2);
    assert_int_equal(rig->worker->retry_count, 1);
    return &rig->upstreams[before + 1];
}

/* Streams and tunnels last for hours: those that began with a retry must not use up what others may retry. */
static void a_retry_is_over_when_its_answer_begins(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, DOCUMENT("", "", ENDPOINT("1") "," ENDPOINT("2")));
    struct rig_peer *endpoint = ask_twice(rig, &rig->clients[0], GET);
    put(rig, endpoint, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    assert_true(has_answer(&rig->clients[0], "200"));
    assert_int_equal(rig->worker->exchange_count, 1);
    assert_int_equal(rig->worker->retry_count, 0);
}

static void so_it_is_when_a_tunnel_begins(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, DOCUMENT("", "", ENDPOINT("1") "," ENDPOINT("2")));
    struct rig_peer *endpoint =
        ask_twice(rig, &rig->clients[0], "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
    put(rig, endpoint, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
    assert_true(has_answer(&rig->clients[0], "101"));
    assert_int_equal(rig->worker->exchange_count, 1);
    assert_int_equal(rig->worker->retry_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_endpoint_that_cannot_be_connected_to_in_time_has_failed),
        TEST(an_endpoint_that_does_not_answer_in_time_has_failed),
        TEST(an_endpoint_that_does_not_answer_within_the_time_of_the_request_has_failed),
        TEST(an_endpoint_whose_body_stops_has_failed),
        TEST(a_client_whose_body_stops_is_no_failure_of_the_endpoint),
        TEST(a_connection_that_named_a_client_serves_no_other_when_that_is_switched_off),
        TEST(connections_that_named_their_clients_are_not_kept),
        TEST(a_request_that_names_its_client_begins_a_connection),
        TEST(an_endpoint_whose_pooled_connection_broke_comes_after_one_that_refused_lately),
        TEST(a_retry_is_over_when_its_answer_begins),
        TEST(so_it_is_when_a_tunnel_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
