#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Clients that go away before they have their answer. One real worker (conversation_rig.h). */
#include "tests/unit/proxy/exchange/conversation_steps.h"

#define OK "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF CRLF "ok"
#define ANSWERS_HALF_CLOSED "\"answerHalfClosed\":true"
#define UPGRADE "Connection: upgrade" CRLF "Upgrade: websocket" CRLF CRLF

static void end_sending(struct rig *rig, struct rig_peer *peer)
{
    rig_half_close(peer);
    rig_settle(rig);
}

/* The endpoint has its connection closed, and nothing in flight that anybody would scale for. */
static void check_given_up(const struct rig *rig)
{
    const struct worker *w = rig->worker;
    assert_true(rig->upstreams[rig->upstream_count - 1].worker_fd < 0);
    assert_int_equal(w->endpoints[0].in_flight, 0);
    assert_int_equal(w->services[0].in_flight, 0);
    assert_int_equal(w->stats->client_aborts, 1);
}

static void check_goes_on(const struct rig *rig)
{
    assert_true(rig->upstreams[rig->upstream_count - 1].worker_fd >= 0);
    assert_int_equal(rig->worker->stats->client_aborts, 0);
}

static void fill(struct rig *rig, struct rig_peer *peer, size_t bytes)
{
    static char filling[1024 * 1024];
    rig_put(peer, filling, bytes);
    rig_settle(rig);
}

/* The endpoint has the head and reads no more. */
static struct rig_peer *begin_upload_that_blocks(struct rig *rig, const char *head)
{
    struct rig_peer *client = open_client(rig);
    rig->connect = RIG_CONNECT_HANGS;
    say(rig, client, head);
    rig->upstreams[0].is_holding = true;
    rig_finish_connecting(&rig->upstreams[0]);
    fill(rig, client, 900000);
    assert_true(client->unsent.len > 0);
    return client;
}

static void the_request_of_a_client_that_has_ended_is_given_up_at_once(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    end_sending(rig, client);
    check_given_up(rig);
    end(rig);
}

static void so_is_a_stream_that_nobody_reads_any_more(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    say(rig, &rig->upstreams[0], "HTTP/1.1 200 OK" CRLF "Transfer-Encoding: chunked" CRLF CRLF "2" CRLF "hi" CRLF);
    end_sending(rig, client);
    check_given_up(rig);
    end(rig);
}

static void a_client_that_has_ended_gets_its_answer_where_the_settings_say_so(void **state)
{
    struct rig *rig = begin(DOCUMENT(ANSWERS_HALF_CLOSED));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET GET);
    end_sending(rig, client);
    rig_pass_time(rig, 5000);
    check_goes_on(rig);
    say(rig, &rig->upstreams[0], OK);
    rig_pass_time(rig, 5000);
    check_goes_on(rig);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 2);
    assert_true(client->has_end);
    end(rig);
}

static void one_that_resets_its_connection_does_not(void **state)
{
    struct rig *rig = begin(DOCUMENT(ANSWERS_HALF_CLOSED));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    end_sending(rig, client);
    check_goes_on(rig);
    rig_reset(client);
    rig_pass_time(rig, 1000);
    check_given_up(rig);
    end(rig);
}

static void a_next_request_is_no_end(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET GET GET);
    for (int i = 0; i < 3; i++) {
        rig_pass_time(rig, 5000);
        check_goes_on(rig);
        say(rig, &rig->upstreams[0], OK);
    }
    assert_int_equal(times_received(client, "200 OK"), 3);
    end(rig);
}

static void an_end_behind_a_next_request_is_noticed_within_a_second(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET GET);
    rig_close(client);
    rig_settle(rig);
    rig_pass_time(rig, 1000);
    check_given_up(rig);
    end(rig);
}

static void so_is_the_end_of_a_client_that_sends_faster_than_its_endpoint_takes(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client =
        begin_upload_that_blocks(rig, "POST / HTTP/1.1" CRLF "Host: a" CRLF "Content-Length: 900000" CRLF CRLF);
    (void)state;
    rig_close(client);
    rig_pass_time(rig, 1000);
    check_given_up(rig);
    end(rig);
}

static void an_upload_may_end_behind_what_the_endpoint_takes_later(void **state)
{
    struct rig *rig = begin(DOCUMENT(ANSWERS_HALF_CLOSED));
    struct rig_peer *client = open_client(rig), *upstream = &rig->upstreams[0];
    (void)state;
    rig->connect = RIG_CONNECT_HANGS;
    say(rig, client, "POST / HTTP/1.1" CRLF "Host: a" CRLF "Content-Length: 100000" CRLF CRLF);
    fill(rig, client, 100000);
    end_sending(rig, client);
    rig_pass_time(rig, 1000);
    check_goes_on(rig);
    rig_finish_connecting(upstream);
    rig_settle(rig);
    say(rig, upstream, OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    end(rig);
}

static void a_client_that_is_held_back_is_looked_for_too(void **state)
{
    struct rig *rig = begin(DOCUMENT("\"clients\":{\"bodyBytesPerSecond\":10}"));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, "POST / HTTP/1.1" CRLF "Host: a" CRLF "Content-Length: 900000" CRLF CRLF "a");
    fill(rig, client, 100000);
    rig_close(client);
    rig_settle(rig);
    check_goes_on(rig);
    rig_pass_time(rig, 50);
    check_given_up(rig);
    end(rig);
}

static struct rig_peer *begin_tunnel_that_blocks(struct rig *rig)
{
    struct rig_peer *client = open_client(rig);
    rig->connect = RIG_CONNECT_HANGS;
    say(rig, client, "GET / HTTP/1.1" CRLF "Host: a" CRLF UPGRADE);
    rig_finish_connecting(&rig->upstreams[0]);
    rig_settle(rig);
    say(rig, &rig->upstreams[0], "HTTP/1.1 101 Switching" CRLF UPGRADE);
    rig->upstreams[0].is_holding = true;
    fill(rig, client, 900000);
    assert_true(client->unsent.len > 0);
    return client;
}

static void half_of_a_tunnel_may_end(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = begin_tunnel_that_blocks(rig);
    (void)state;
    client->unsent.len = 0;
    end_sending(rig, client);
    rig_pass_time(rig, 5000);
    check_goes_on(rig);
    rig->upstreams[0].is_holding = false;
    rig->upstreams[0].has_news = true;
    rig_settle(rig);
    assert_true(rig->upstreams[0].has_end);
    say(rig, &rig->upstreams[0], "bye");
    assert_int_equal(times_received(client, "bye"), 1);
    end(rig);
}

static void a_tunnel_whose_client_has_reset_it_ends_within_a_second(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = begin_tunnel_that_blocks(rig);
    (void)state;
    rig_reset(client);
    rig_pass_time(rig, 1000);
    check_given_up(rig);
    end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_of_a_client_that_has_ended_is_given_up_at_once),
        cmocka_unit_test(so_is_a_stream_that_nobody_reads_any_more),
        cmocka_unit_test(a_client_that_has_ended_gets_its_answer_where_the_settings_say_so),
        cmocka_unit_test(one_that_resets_its_connection_does_not),
        cmocka_unit_test(a_next_request_is_no_end),
        cmocka_unit_test(an_end_behind_a_next_request_is_noticed_within_a_second),
        cmocka_unit_test(so_is_the_end_of_a_client_that_sends_faster_than_its_endpoint_takes),
        cmocka_unit_test(an_upload_may_end_behind_what_the_endpoint_takes_later),
        cmocka_unit_test(a_client_that_is_held_back_is_looked_for_too),
        cmocka_unit_test(half_of_a_tunnel_may_end),
        cmocka_unit_test(a_tunnel_whose_client_has_reset_it_ends_within_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
