#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Connections that come with their request and end with its answer. One real worker (conversation_rig.h). */
#include "tests/unit/proxy/exchange/conversation_steps.h"

#include "proxy/client/clients.h"
#include "proxy/client/conn.h"

#define OK "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF CRLF "ok"
#define LAST_GET "GET / HTTP/1.1" CRLF "Host: a" CRLF "Connection: close" CRLF CRLF
#define TICK_MS 50

static bool is_watched(const struct rig *rig)
{
    return TAILQ_FIRST(&rig->worker->clients->conns)->side.channel.is_reading;
}

static uint64_t in_flight(const struct rig *rig)
{
    return rig->worker->endpoints[0].in_flight;
}

/* ---- read at once ---- */

static void a_request_that_is_there_is_not_waited_for(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, GET);
    (void)state;
    assert_int_equal(rig->upstream_count, 1); /* before any event */
    rig_settle(rig);
    assert_false(is_watched(rig));
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    assert_true(is_watched(rig)); /* for the next one */
    say(rig, client, GET);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 2);
    end(rig);
}

static void so_is_one_behind_a_proxy_header(void **state)
{
    struct rig *rig = begin(DOCUMENT("\"trustedProxies\":[\"192.0.2.0/24\"],\"listeners\":[{\"proxyProtocol\":true}]"));
    struct rig_peer *client = rig_open_client_with(rig, "PROXY TCP4 203.0.113.9 198.51.100.1 4000 80" CRLF GET);
    (void)state;
    assert_int_equal(rig->upstream_count, 1);
    rig_settle(rig);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    end(rig);
}

static void the_rest_of_one_is_waited_for(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, "GET / HTTP/1.1" CRLF);
    (void)state;
    assert_true(is_watched(rig));
    say(rig, client, "Host: a" CRLF CRLF);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    end(rig);
}

static void so_is_the_rest_of_its_body(void **state)
{
    static char body[100000];
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client =
        rig_open_client_with(rig, "POST / HTTP/1.1" CRLF "Host: a" CRLF "Content-Length: 100000" CRLF CRLF);
    (void)state;
    memset(body, '#', sizeof body);
    rig_settle(rig);
    rig_put(client, body, sizeof body);
    rig_settle(rig);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(&rig->upstreams[0], "#"), sizeof body);
    assert_int_equal(times_received(client, "200 OK"), 1);
    end(rig);
}

static void a_malformed_one_is_refused_at_once(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, "GET / HTTP/1.1" CRLF "Host : a" CRLF CRLF);
    (void)state;
    rig_settle(rig);
    assert_int_equal(times_received(client, "HTTP/1.1 400 "), 1);
    assert_true(client->has_end);
    rig_close(client);
    rig_settle(rig);
    assert_true(client->worker_fd < 0);
    end(rig);
}

/* ---- watched when it is worth it ---- */

static void a_client_is_watched_when_its_request_has_lasted_for_a_tick(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, GET);
    (void)state;
    rig_settle(rig);
    rig_pass_time(rig, TICK_MS - 1);
    assert_false(is_watched(rig)); /* a tick came, but it has hardly waited */
    rig_pass_time(rig, 1);
    assert_true(is_watched(rig));
    assert_int_equal(in_flight(rig), 1);
    rig_half_close(client);
    rig_settle(rig);
    assert_int_equal(in_flight(rig), 0);
    assert_int_equal(rig->worker->stats->client_aborts, 1);
    end(rig);
}

static void one_that_has_gone_before_is_given_up_then(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, GET);
    (void)state;
    rig_settle(rig);
    rig_close(client);
    rig_settle(rig);
    assert_int_equal(in_flight(rig), 1);
    rig_pass_time(rig, TICK_MS);
    assert_int_equal(in_flight(rig), 0);
    assert_int_equal(rig->worker->stats->client_aborts, 1);
    end(rig);
}

static void one_that_has_asked_on_is_looked_for(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, GET GET);
    (void)state;
    rig_pass_time(rig, TICK_MS);
    assert_false(is_watched(rig)); /* it would only be told of what has no use */
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    rig_pass_time(rig, TICK_MS);
    assert_true(is_watched(rig));
    rig_close(client);
    rig_settle(rig);
    assert_int_equal(in_flight(rig), 0);
    end(rig);
}

/* ---- closed at once ---- */

static void the_answer_to_the_last_request_is_the_end(void **state)
{
    static const char *const last[] = { LAST_GET, "GET / HTTP/1.0" CRLF "Host: a" CRLF CRLF };
    (void)state;
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        struct rig *rig = begin(DOCUMENT(""));
        struct rig_peer *client = rig_open_client_with(rig, last[i]);
        rig_settle(rig);
        say(rig, &rig->upstreams[0], OK);
        assert_int_equal(times_received(client, "200 OK"), 1);
        assert_true(client->worker_fd < 0);
        end(rig);
    }
}

/* It has its answer and its end, and the connection is still there for what it may yet send. */
static void check_is_lingered_for(const struct rig_peer *client)
{
    assert_int_equal(times_received(client, "200 OK"), 1);
    assert_true(client->has_end);
    assert_true(client->worker_fd >= 0);
}

static void check_ends_with(struct rig *rig, struct rig_peer *client)
{
    rig_half_close(client);
    rig_settle(rig);
    assert_true(client->worker_fd < 0);
    end(rig);
}

/* Bytes that nobody has read make a reset of the end, which can destroy the answer. */
static void who_says_more_than_that_is_read_to_the_end(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, LAST_GET "more");
    (void)state;
    rig_settle(rig);
    say(rig, &rig->upstreams[0], OK);
    check_is_lingered_for(client);
    check_ends_with(rig, client);
}

/* Old clients do so (RFC 9112 2.2), and it may come after all else has been read. */
static void so_is_who_sends_a_line_end_behind_its_body(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, "POST / HTTP/1.1" CRLF "Host: a" CRLF "Connection: close" CRLF
                                                        "Content-Length: 4" CRLF CRLF "body");
    (void)state;
    rig_settle(rig);
    say(rig, client, CRLF);
    say(rig, &rig->upstreams[0], OK);
    check_is_lingered_for(client);
    check_ends_with(rig, client);
}

static void so_is_who_was_answered_early(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, "POST / HTTP/1.1" CRLF "Host: a" CRLF "Connection: close" CRLF
                                                        "Content-Length: 9" CRLF CRLF "half");
    (void)state;
    rig_settle(rig);
    say(rig, &rig->upstreams[0], OK);
    check_is_lingered_for(client);
    say(rig, client, " more");
    assert_true(client->worker_fd >= 0);
    check_ends_with(rig, client);
}

static void so_is_who_did_not_know_that_it_was_the_last(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = rig_open_client_with(rig, GET);
    (void)state;
    rig_settle(rig);
    rig_drain(rig);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "Connection: close"), 1);
    assert_true(client->has_end);
    assert_true(client->worker_fd >= 0);
    end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_is_there_is_not_waited_for),
        cmocka_unit_test(so_is_one_behind_a_proxy_header),
        cmocka_unit_test(the_rest_of_one_is_waited_for),
        cmocka_unit_test(so_is_the_rest_of_its_body),
        cmocka_unit_test(a_malformed_one_is_refused_at_once),
        cmocka_unit_test(a_client_is_watched_when_its_request_has_lasted_for_a_tick),
        cmocka_unit_test(one_that_has_gone_before_is_given_up_then),
        cmocka_unit_test(one_that_has_asked_on_is_looked_for),
        cmocka_unit_test(the_answer_to_the_last_request_is_the_end),
        cmocka_unit_test(who_says_more_than_that_is_read_to_the_end),
        cmocka_unit_test(so_is_who_sends_a_line_end_behind_its_body),
        cmocka_unit_test(so_is_who_was_answered_early),
        cmocka_unit_test(so_is_who_did_not_know_that_it_was_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
