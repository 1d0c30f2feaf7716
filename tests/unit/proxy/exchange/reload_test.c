#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* A new configuration takes effect on what is open, and changes nothing that it does not name. One real worker
 * (conversation_rig.h), whose settings change while connections are open and requests run. */
#include "base/json.h"
#include "proxy/snapshot/snapshot_builder.h"
#include "tests/unit/proxy/exchange/conversation_steps.h"

#define OK "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF CRLF "ok"
#define ASK_AS(client) "GET / HTTP/1.1" CRLF "Host: a" CRLF "X-Forwarded-For: " client CRLF CRLF
#define RIGS_NETWORK "\"trustedProxies\":[\"192.0.2.0/24\"]"
#define PROXY_LISTENER "\"listeners\":[{\"proxyProtocol\":true}]"

static void requests_under_way_outlive_a_time_out_that_is_removed(void **state)
{
    struct rig *rig = begin(DOCUMENT("\"timeouts\":{\"requestMs\":3000}"));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    rig_publish(rig, DOCUMENT(""));
    rig_pass_time(rig, 5000);
    assert_int_equal(client->received.len, 0);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    end(rig);
}

static void a_proxy_that_is_no_longer_trusted_is_not_believed_on_an_open_connection(void **state)
{
    struct rig *rig = begin(DOCUMENT(RIGS_NETWORK));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, ASK_AS("203.0.113.9"));
    assert_int_equal(times_received(&rig->upstreams[0], "203.0.113.9"), 1);
    say(rig, &rig->upstreams[0], OK);
    rig_publish(rig, DOCUMENT(""));
    say(rig, client, ASK_AS("203.0.113.9"));
    assert_int_equal(times_received(&rig->upstreams[0], "203.0.113.9"), 1);
    say(rig, &rig->upstreams[0], OK);
    rig_publish(rig, DOCUMENT(RIGS_NETWORK));
    say(rig, client, ASK_AS("203.0.113.9"));
    assert_int_equal(times_received(&rig->upstreams[0], "203.0.113.9"), 2);
    end(rig);
}

/* The header named the client when its sender was believed. Who is inside a request gets the answer, then the end. */
static void a_proxy_that_is_no_longer_trusted_loses_its_connections(void **state)
{
    struct rig *rig = begin(DOCUMENT(RIGS_NETWORK "," PROXY_LISTENER));
    struct rig_peer *idle = open_client(rig), *asking = open_client(rig), *fresh = open_client(rig);
    (void)state;
    say(rig, idle, "PROXY TCP4 203.0.113.9 198.51.100.1 1000 80" CRLF);
    say(rig, asking, "PROXY TCP4 203.0.113.9 198.51.100.1 1000 80" CRLF GET);
    rig_publish(rig, DOCUMENT("\"trustedProxies\":[\"203.0.113.0/24\"]," PROXY_LISTENER));
    assert_true(idle->worker_fd < 0 && fresh->worker_fd < 0);
    assert_true(asking->worker_fd >= 0);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(asking, "200 OK"), 1);
    assert_true(asking->has_end);
    end(rig);
}

static void a_rate_that_is_switched_on_binds_open_connections(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    say(rig, &rig->upstreams[0], OK);
    rig_publish(rig, DOCUMENT("\"clients\":{\"requestsPerSecond\":1}"));
    say(rig, client, GET);
    say(rig, &rig->upstreams[0], OK);
    say(rig, client, GET);
    assert_int_equal(times_received(client, "200 OK"), 2);
    assert_int_equal(times_received(client, "429"), 2); /* in the status line and in the text */
    rig_publish(rig, DOCUMENT(""));
    say(rig, client, GET);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 3);
    end(rig);
}

static void a_limit_of_connections_that_is_switched_on_closes_what_is_beyond_it(void **state)
{
    struct rig *rig = begin(DOCUMENT(RIGS_NETWORK "," PROXY_LISTENER));
    struct rig_peer *clients[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        clients[i] = open_client(rig);
        say(rig, clients[i], "PROXY TCP4 203.0.113.9 198.51.100.1 1000 80" CRLF);
    }
    say(rig, clients[2], GET);
    rig_publish(rig, DOCUMENT("\"clients\":{\"connections\":1}," RIGS_NETWORK "," PROXY_LISTENER));
    assert_true(clients[0]->worker_fd >= 0 && clients[1]->worker_fd < 0 && clients[2]->worker_fd >= 0);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(clients[2], "200 OK"), 1);
    assert_int_equal(times_received(clients[2], "Connection: close"), 1);
    assert_true(clients[2]->has_end && !clients[0]->has_end);
    end(rig);
}

/* A share of one connection, by the share itself or by what it is a share of. */
static void a_share_that_becomes_smaller_closes_what_is_beyond_it(void **state)
{
    static const char *const smaller[] = {
        DOCUMENT("\"clients\":{\"sharePercent\":1},\"limits\":{\"connectionsPerWorker\":100}," RIGS_NETWORK
                 "," PROXY_LISTENER),
        DOCUMENT("\"limits\":{\"connectionsPerWorker\":2}," RIGS_NETWORK "," PROXY_LISTENER),
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct rig *rig = begin(DOCUMENT("\"limits\":{\"connectionsPerWorker\":100}," RIGS_NETWORK "," PROXY_LISTENER));
        struct rig_peer *first = open_client(rig), *second = open_client(rig);
        say(rig, first, "PROXY TCP4 203.0.113.9 198.51.100.1 1000 80" CRLF);
        say(rig, second, "PROXY TCP4 203.0.113.9 198.51.100.1 1001 80" CRLF);
        rig_publish(rig, smaller[i]);
        assert_true(first->worker_fd >= 0 && second->worker_fd < 0);
        end(rig);
    }
}

#define OTHER_ENDPOINT                                                                          \
    "{\"version\":1,\"serial\":1,\"services\":[{\"name\":\"web\",\"endpoints\":[{\"id\":\"2\"," \
    "\"address\":\"127.0.0.1:2\"}]}],\"routes\":[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"}]}"

#define SWITCH "HTTP/1.1 101 S" CRLF "Connection: upgrade" CRLF "Upgrade: websocket" CRLF CRLF
#define ASK_TO_SWITCH "GET / HTTP/1.1" CRLF "Host: a" CRLF "Connection: upgrade" CRLF "Upgrade: websocket" CRLF CRLF

/* The rig frees an old snapshot as soon as it comes back, and checks at each rest that it has. */
static void a_request_keeps_its_endpoint_and_no_snapshot(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    rig_publish(rig, DOCUMENT(""));
    assert_int_equal(rig->old_snapshots, 0);
    assert_int_equal(rig->kept_rows, 0); /* the newest snapshot has it */
    rig_publish(rig, OTHER_ENDPOINT);
    assert_int_equal(rig->old_snapshots, 0);
    assert_int_equal(rig->kept_rows, 1);
    rig_publish(rig, OTHER_ENDPOINT);
    assert_int_equal(rig->kept_rows, 1);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    assert_int_equal(rig->kept_rows, 0);
    end(rig);
}

static void an_endpoint_is_kept_once_however_many_use_it(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *first = open_client(rig), *second = open_client(rig);
    (void)state;
    say(rig, first, GET);
    say(rig, second, GET);
    rig_publish(rig, OTHER_ENDPOINT);
    assert_int_equal(rig->kept_rows, 1);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(rig->kept_rows, 1);
    say(rig, &rig->upstreams[1], OK);
    assert_int_equal(rig->kept_rows, 0);
    end(rig);
}

static void an_endpoint_that_comes_back_in_use_is_the_same_and_may_leave_again(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig), *other = open_client(rig);
    struct endpoint_stats sum;
    (void)state;
    say(rig, client, ASK_TO_SWITCH);
    say(rig, &rig->upstreams[0], SWITCH);
    for (int i = 0; i < 3; i++) {
        rig_publish(rig, OTHER_ENDPOINT);
        assert_int_equal(rig->kept_rows, 1);
        rig_publish(rig, DOCUMENT(""));
        assert_int_equal(rig->kept_rows, 0);
    }
    say(rig, other, GET);
    assert_true(stats_read_endpoint(rig->stats, "1", &sum));
    assert_int_equal(sum.in_flight, 2);
    assert_int_equal(sum.tunnels, 1);
    rig_publish(rig, OTHER_ENDPOINT);
    assert_int_equal(rig->kept_rows, 1);
    say(rig, &rig->upstreams[1], OK);
    assert_int_equal(rig->kept_rows, 1);
    rig_close(client);
    rig_close(&rig->upstreams[0]); /* both directions of a tunnel */
    rig_settle(rig);
    assert_int_equal(rig->kept_rows, 0);
    end(rig);
}

/* Whoever wants to stop the endpoint's container waits by this number. */
static void what_is_in_flight_on_an_endpoint_that_left_is_told_by_its_id_until_it_ends(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    struct endpoint_stats sum;
    (void)state;
    say(rig, client, ASK_TO_SWITCH);
    say(rig, &rig->upstreams[0], SWITCH);
    rig_publish(rig, OTHER_ENDPOINT);
    rig_publish(rig, "{\"version\":1,\"serial\":1}");
    assert_true(stats_read_endpoint(rig->stats, "1", &sum));
    assert_int_equal(sum.in_flight, 1);
    assert_int_equal(sum.tunnels, 1);
    rig_close(client);
    rig_close(&rig->upstreams[0]); /* both directions of a tunnel */
    rig_settle(rig);
    assert_true(stats_read_endpoint(rig->stats, "1", &sum));
    assert_int_equal(sum.in_flight + sum.tunnels, 0);
    end(rig);
}

static void it_is_tried_again_by_the_newest(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    rig_publish(rig, OTHER_ENDPOINT);
    rig_publish(rig, OTHER_ENDPOINT);
    assert_int_equal(rig->kept_rows, 1);
    rig_close(&rig->upstreams[0]);
    rig_settle(rig);
    assert_int_equal(rig->kept_rows, 0);
    say(rig, &rig->upstreams[1], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    end(rig);
}

static void a_service_that_is_gone_takes_its_rows_along_when_its_last_request_ends(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    for (int i = 0; i < 3; i++)
        rig_publish(rig, "{\"version\":1,\"serial\":1}");
    assert_int_equal(stats_find_service(rig->stats, "web"), 0);
    assert_int_equal(rig->kept_rows, 2); /* its endpoint's too */
    rig_close(&rig->upstreams[0]);
    rig_settle(rig);
    assert_int_equal(times_received(client, "HTTP/1.1 502"), 1);
    assert_int_equal(rig->kept_rows, 0);
    end(rig);
}

static struct endpoint_stats read_row(struct rig *rig, const char *id)
{
    struct endpoint_stats sum;
    assert_true(stats_read_endpoint(rig->stats, id, &sum));
    return sum;
}

static void claim_all_rows(struct rig *rig)
{
    char id[16];
    for (int i = 0; stats_free_endpoints(rig->stats) > 0; i++) {
        snprintf(id, sizeof id, "x%d", i);
        assert_int_not_equal(stats_claim_endpoint(rig->stats, id, "-"), STATS_SLOT_NONE);
    }
}

#define THIRD_ENDPOINT                                                                          \
    "{\"version\":1,\"serial\":1,\"services\":[{\"name\":\"web\",\"endpoints\":[{\"id\":\"3\"," \
    "\"address\":\"127.0.0.1:3\"}]}],\"routes\":[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"}]}"

static void assert_refused_for_want_of_a_row(struct rig *rig, const char *document)
{
    struct error error = { "" };
    json_t *json = json_loads(document, 0, NULL);
    assert_null(snapshot_build(rig->builder, json, rig->snapshot, &error));
    json_decref(json);
    assert_non_null(strstr(error.text, "too many"));
}

/* What waits for an answer gets one of ours, a tunnel ends, and the row of both is another's. */
static void a_change_that_finds_no_row_is_taken_when_what_has_left_made_room(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *tunnel = open_client(rig), *asking = open_client(rig), *other = open_client(rig);
    (void)state;
    say(rig, tunnel, ASK_TO_SWITCH);
    say(rig, &rig->upstreams[0], SWITCH);
    say(rig, asking, GET);
    rig_publish(rig, OTHER_ENDPOINT);
    say(rig, other, GET);
    claim_all_rows(rig);
    assert_refused_for_want_of_a_row(rig, THIRD_ENDPOINT);
    assert_int_equal(read_row(rig, "1").in_flight, 2);
    rig_call_rows_in(rig);
    assert_int_equal(rig->kept_rows, 0);
    assert_int_equal(rig->worker->stats->requests_without_row, 2);
    assert_int_equal(read_row(rig, "1").in_flight + read_row(rig, "1").tunnels, 0);
    assert_true(tunnel->worker_fd < 0 && rig->upstreams[0].worker_fd < 0 && rig->upstreams[1].worker_fd < 0);
    assert_int_equal(times_received(asking, "HTTP/1.1 503"), 1);
    rig_publish(rig, THIRD_ENDPOINT);
    say(rig, asking, GET);
    assert_int_equal(read_row(rig, "3").in_flight, 1);
    say(rig, &rig->upstreams[3], OK);
    assert_int_equal(times_received(asking, "200 OK"), 1);
    say(rig, &rig->upstreams[2], OK); /* its endpoint has left too, but was not called in */
    assert_int_equal(times_received(other, "200 OK"), 1);
    end(rig);
}

/* The next request of whoever was broken off takes the descriptor of an idle client, which stands in front of the tunnel. */
static void all_that_is_called_in_ends_though_a_next_request_sheds_an_idle_client(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *asking = open_client(rig), *idle = open_client(rig), *tunnel = open_client(rig);
    (void)state;
    say(rig, asking, GET GET);
    say(rig, tunnel, ASK_TO_SWITCH);
    say(rig, &rig->upstreams[1], SWITCH);
    rig_publish(rig, OTHER_ENDPOINT);
    claim_all_rows(rig);
    assert_refused_for_want_of_a_row(rig, THIRD_ENDPOINT);
    rig->connect = RIG_CONNECT_NO_DESCRIPTOR;
    rig_call_rows_in(rig);
    assert_true(idle->worker_fd < 0 && tunnel->worker_fd < 0);
    assert_int_equal(rig->worker->stats->requests_without_row, 2);
    assert_int_equal(rig->kept_rows, 0);
    assert_int_equal(times_received(asking, "HTTP/1.1 503"), 2);
    end(rig);
}

static void what_came_back_meanwhile_is_not_broken_off(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    struct row_set all;
    (void)state;
    memset(&all, 0xff, sizeof all);
    say(rig, client, GET);
    rig_publish(rig, OTHER_ENDPOINT);
    rig_publish(rig, DOCUMENT(""));
    worker_post_rows(rig->thread, &all);
    rig_settle(rig);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    end(rig);
}

#define OTHER_SERVICE(name) "{\"version\":1,\"serial\":1,\"services\":[{\"name\":\"" name "\"}]}"

static void services_that_left_make_room_as_endpoints_do(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    char name[16];
    (void)state;
    say(rig, client, ASK_TO_SWITCH);
    say(rig, &rig->upstreams[0], SWITCH);
    rig_publish(rig, OTHER_SERVICE("next"));
    for (int i = 0; stats_free_services(rig->stats) > 0; i++) {
        snprintf(name, sizeof name, "s%d", i);
        assert_int_not_equal(stats_claim_service(rig->stats, name), STATS_SLOT_NONE);
    }
    assert_refused_for_want_of_a_row(rig, OTHER_SERVICE("third"));
    rig_call_rows_in(rig);
    assert_int_equal(rig->kept_rows, 0);
    assert_true(client->worker_fd < 0);
    rig_publish(rig, OTHER_SERVICE("third"));
    end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_under_way_outlive_a_time_out_that_is_removed),
        cmocka_unit_test(a_proxy_that_is_no_longer_trusted_is_not_believed_on_an_open_connection),
        cmocka_unit_test(a_proxy_that_is_no_longer_trusted_loses_its_connections),
        cmocka_unit_test(a_rate_that_is_switched_on_binds_open_connections),
        cmocka_unit_test(a_limit_of_connections_that_is_switched_on_closes_what_is_beyond_it),
        cmocka_unit_test(a_share_that_becomes_smaller_closes_what_is_beyond_it),
        cmocka_unit_test(a_request_keeps_its_endpoint_and_no_snapshot),
        cmocka_unit_test(an_endpoint_is_kept_once_however_many_use_it),
        cmocka_unit_test(an_endpoint_that_comes_back_in_use_is_the_same_and_may_leave_again),
        cmocka_unit_test(what_is_in_flight_on_an_endpoint_that_left_is_told_by_its_id_until_it_ends),
        cmocka_unit_test(it_is_tried_again_by_the_newest),
        cmocka_unit_test(a_service_that_is_gone_takes_its_rows_along_when_its_last_request_ends),
        cmocka_unit_test(a_change_that_finds_no_row_is_taken_when_what_has_left_made_room),
        cmocka_unit_test(all_that_is_called_in_ends_though_a_next_request_sheds_an_idle_client),
        cmocka_unit_test(what_came_back_meanwhile_is_not_broken_off),
        cmocka_unit_test(services_that_left_make_room_as_endpoints_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
