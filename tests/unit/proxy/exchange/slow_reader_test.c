#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Clients that take their answers slowly: how soon the endpoint is free of them, and how long they have. One real worker
 * (conversation_rig.h). */
#include "proxy/client/conn.h"
#include "proxy/exchange/exchange_parts.h"
#include "tests/unit/proxy/exchange/conversation_steps.h"

#include <stdio.h>

#define OK "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF CRLF "ok"
#define LENGTH(text) "HTTP/1.1 200 OK" CRLF "Content-Length: " text CRLF CRLF
#define CHUNKED "HTTP/1.1 200 OK" CRLF "Transfer-Encoding: chunked" CRLF CRLF
#define CHUNK(hex) hex CRLF /* its bytes follow, then CRLF */

static void fill(struct rig *rig, struct rig_peer *peer, size_t bytes)
{
    static char filling[1024 * 1024];
    memset(filling, '#', sizeof filling);
    rig_put(peer, filling, bytes);
    rig_settle(rig);
}

/* Its socket takes a few KiB, and then nothing more. */
static struct rig_peer *ask_without_reading(struct rig *rig, const char *request)
{
    rig->has_small_sockets = true;
    struct rig_peer *client = open_client(rig);
    rig->has_small_sockets = false;
    client->is_holding = true;
    say(rig, client, request);
    return client;
}

static void read_on(struct rig *rig, struct rig_peer *client)
{
    client->is_holding = false;
    client->has_news = true;
    rig_settle(rig);
}

static struct exchange *exchange_of_first_client(const struct rig *rig)
{
    return TAILQ_FIRST(&rig->worker->clients->conns)->side.exchange;
}

/* Its connection, if it may carry another request, serves the next client while the first still reads. */
static void check_endpoint_is_free(struct rig *rig, const struct rig_peer *slow)
{
    const struct worker *w = rig->worker;
    assert_true(slow->worker_fd >= 0 && !slow->has_end);
    assert_non_null(exchange_of_first_client(rig));
    assert_int_equal(w->endpoints[0].in_flight, 0);
    assert_int_equal(w->services[0].in_flight, 0);
    assert_int_equal(w->services[0].requests, 1);
}

static void check_serves_others(struct rig *rig)
{
    struct rig_peer *other = open_client(rig);
    size_t connections = rig->upstream_count;
    assert_int_equal(rig->worker->stats->upstream_idle, 1);
    say(rig, other, GET);
    assert_int_equal(rig->upstream_count, connections);
    say(rig, &rig->upstreams[connections - 1], OK);
    assert_int_equal(times_received(other, "200 OK"), 1);
}

static void check_endpoint_is_held(const struct rig *rig)
{
    assert_int_equal(rig->worker->endpoints[0].in_flight, 1);
    assert_int_equal(rig->worker->services[0].in_flight, 1);
    assert_int_equal(rig->worker->stats->upstream_idle, 0);
}

/* ---- the endpoint is free ---- */

static void the_last_byte_of_a_length_frees_the_endpoint(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = ask_without_reading(rig, GET);
    (void)state;
    say(rig, &rig->upstreams[0], LENGTH("30000"));
    fill(rig, &rig->upstreams[0], 30000);
    check_endpoint_is_free(rig, client);
    check_serves_others(rig);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 30000);
    assert_int_equal(rig->worker->services[0].response_bytes, 30002);
    say(rig, client, GET); /* and its connection goes on as ever */
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 2);
    assert_int_equal(rig->worker->services[0].requests, 3);
    end(rig);
}

/* The client takes nothing from the first byte of its head on. */
static void so_does_one_of_which_nothing_could_be_sent(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = ask_without_reading(rig, GET);
    (void)state;
    rig->send_bytes_max = 1; /* each is a packet of its own: soon there is no room */
    rig->limited_calls = 1000;
    say(rig, &rig->upstreams[0], LENGTH("30000"));
    fill(rig, &rig->upstreams[0], 30000);
    check_endpoint_is_free(rig, client);
    rig->send_bytes_max = 0;
    read_on(rig, client);
    assert_int_equal(times_received(client, "200 OK"), 1);
    assert_int_equal(times_received(client, "#"), 30000);
    end(rig);
}

static void the_rest_of_a_length_comes_in_though_the_client_takes_nothing(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = ask_without_reading(rig, GET);
    (void)state;
    say(rig, &rig->upstreams[0], LENGTH("30000"));
    fill(rig, &rig->upstreams[0], 20000);
    check_endpoint_is_held(rig);
    fill(rig, &rig->upstreams[0], 9999);
    check_endpoint_is_held(rig);
    fill(rig, &rig->upstreams[0], 1);
    check_endpoint_is_free(rig, client);
    check_serves_others(rig);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 30000);
    end(rig);
}

static void so_does_the_last_chunk(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = ask_without_reading(rig, GET);
    (void)state;
    say(rig, &rig->upstreams[0], CHUNKED CHUNK("4e20"));
    fill(rig, &rig->upstreams[0], 20000);
    say(rig, &rig->upstreams[0], CRLF);
    check_endpoint_is_held(rig);
    say(rig, &rig->upstreams[0], CHUNK("2") "##" CRLF);
    check_endpoint_is_held(rig);
    say(rig, &rig->upstreams[0], "0" CRLF CRLF);
    check_endpoint_is_free(rig, client);
    check_serves_others(rig);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 20002);
    assert_int_equal(times_received(client, CRLF "0" CRLF CRLF), 1);
    end(rig);
}

static void so_does_the_end_of_a_connection_that_ends_the_body(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = ask_without_reading(rig, GET);
    (void)state;
    say(rig, &rig->upstreams[0], "HTTP/1.0 200 OK" CRLF CRLF);
    fill(rig, &rig->upstreams[0], 20000);
    check_endpoint_is_held(rig);
    rig_half_close(&rig->upstreams[0]);
    rig_settle(rig);
    check_endpoint_is_free(rig, client);
    assert_true(rig->upstreams[0].worker_fd < 0);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 20000);
    assert_int_equal(times_received(client, CRLF "0" CRLF CRLF), 1);
    end(rig);
}

static void a_connection_that_names_its_client_is_closed_then(void **state)
{
    struct rig *rig =
        begin("{\"version\":1,\"serial\":1,\"settings\":{},\"services\":[{\"name\":\"web\",\"proxyProtocol\":\"v1\","
              "\"endpoints\":[{\"id\":\"1\",\"address\":\"127.0.0.1:1\"}]}],"
              "\"routes\":[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"}]}");
    struct rig_peer *client = ask_without_reading(rig, GET);
    (void)state;
    say(rig, &rig->upstreams[0], LENGTH("30000"));
    fill(rig, &rig->upstreams[0], 30000);
    check_endpoint_is_free(rig, client);
    assert_true(rig->upstreams[0].worker_fd < 0);
    assert_int_equal(rig->worker->stats->upstream_idle, 0);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 30000);
    end(rig);
}

/* ---- it is not ---- */

static void a_rest_that_has_no_room_waits_at_the_endpoint(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = ask_without_reading(rig, GET);
    (void)state;
    say(rig, &rig->upstreams[0], LENGTH("900000"));
    fill(rig, &rig->upstreams[0], 900000);
    check_endpoint_is_held(rig);
    assert_true(rig->upstreams[0].unsent.len > 400000);
    assert_true(rig->worker->buffers.used_bytes <= BUFFER_LARGE_BYTES);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 900000);
    end(rig);
}

static void neither_do_chunks_pile_up(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = ask_without_reading(rig, GET);
    (void)state;
    say(rig, &rig->upstreams[0], CHUNKED CHUNK("DBBA0"));
    fill(rig, &rig->upstreams[0], 900000);
    say(rig, &rig->upstreams[0], CRLF "0" CRLF CRLF);
    check_endpoint_is_held(rig);
    assert_true(rig->upstreams[0].unsent.len > 400000);
    assert_true(rig->worker->buffers.used_bytes <= 2 * BUFFER_LARGE_BYTES);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 900000);
    end(rig);
}

static void an_answer_to_half_a_request_waits_for_the_other_half(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client =
        ask_without_reading(rig, "POST / HTTP/1.1" CRLF "Host: a" CRLF "Content-Length: 5" CRLF CRLF "1");
    (void)state;
    say(rig, &rig->upstreams[0], LENGTH("30000"));
    fill(rig, &rig->upstreams[0], 30000);
    check_endpoint_is_held(rig);
    say(rig, client, "2345");
    assert_int_equal(times_received(&rig->upstreams[0], "12345"), 1);
    check_endpoint_is_free(rig, client);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 30000);
    end(rig);
}

/* At the ceiling too: what cannot come in waits, nothing is broken off. */
static void without_a_buffer_the_rest_waits_at_the_endpoint(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = ask_without_reading(rig, GET);
    (void)state;
    say(rig, &rig->upstreams[0], CHUNKED CHUNK("3a98"));
    fill(rig, &rig->upstreams[0], 15000);
    rig->worker->buffers.limit_bytes = rig->worker->buffers.used_bytes;
    say(rig, &rig->upstreams[0], CRLF "0" CRLF CRLF);
    check_endpoint_is_held(rig);
    rig->worker->buffers.limit_bytes = UINT64_MAX;
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 15000);
    assert_int_equal(times_received(client, CRLF "0" CRLF CRLF), 1);
    end(rig);
}

/* ---- how it ends ---- */

static struct rig_peer *begin_with_a_free_endpoint(struct rig *rig, const char *request)
{
    struct rig_peer *client = ask_without_reading(rig, request);
    say(rig, &rig->upstreams[0], CHUNKED CHUNK("7530"));
    fill(rig, &rig->upstreams[0], 30000);
    say(rig, &rig->upstreams[0], CRLF "0" CRLF CRLF);
    check_endpoint_is_free(rig, client);
    return client;
}

static void a_client_that_leaves_then_takes_nothing_with_it(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = begin_with_a_free_endpoint(rig, GET);
    (void)state;
    rig_reset(client);
    rig_pass_time(rig, 1000);
    assert_int_equal(rig->worker->stats->client_aborts, 1);
    assert_int_equal(rig->worker->endpoints[0].failures, 0);
    assert_int_equal(rig->worker->services[0].requests, 1);
    assert_true(rig->worker->services[0].response_bytes < 20000); /* the rest has not gone */
    check_serves_others(rig);
    end(rig);
}

static void one_that_ends_its_side_gets_the_rest(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = begin_with_a_free_endpoint(rig, GET);
    (void)state;
    rig_half_close(client);
    rig_pass_time(rig, 1000);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 30000);
    assert_int_equal(rig->worker->stats->client_aborts, 0);
    end(rig);
}

static void the_next_request_waits_for_its_turn(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = begin_with_a_free_endpoint(rig, GET GET);
    (void)state;
    assert_int_equal(times_received(&rig->upstreams[0], "GET /"), 1);
    read_on(rig, client);
    assert_int_equal(times_received(&rig->upstreams[0], "GET /"), 2);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 2);
    end(rig);
}

static void the_endpoint_may_go_meanwhile(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = begin_with_a_free_endpoint(rig, GET);
    (void)state;
    rig_reset(&rig->upstreams[0]);
    rig_settle(rig);
    rig_publish(rig, "{\"version\":1,\"serial\":2,\"settings\":{},\"services\":[],\"routes\":[]}");
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 30000);
    assert_int_equal(rig->worker->stats->upstream_failures, 0);
    end(rig);
}

static void a_proxy_that_drains_lets_it_read_to_the_end(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = begin_with_a_free_endpoint(rig, GET);
    (void)state;
    rig_drain(rig);
    rig_pass_time(rig, 1000);
    assert_false(client->has_end);
    read_on(rig, client);
    assert_int_equal(times_received(client, "#"), 30000);
    assert_int_equal(times_received(client, CRLF "0" CRLF CRLF), 1);
    assert_true(client->has_end);
    end(rig);
}

/* HTTP/1.0 takes the end of the connection for the end of the body. */
static void one_that_would_take_the_end_for_the_whole_must_not_see_it(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    begin_with_a_free_endpoint(rig, "GET / HTTP/1.0" CRLF CRLF);
    (void)state;
    assert_true(exchange_leaves_end_open(exchange_of_first_client(rig)));
    end(rig);
}

/* ---- how long it has ---- */

#define TIMEOUTS "\"timeouts\":{\"bodyMs\":2000},\"limits\":{\"bodyBytesPerSecondMin\":500}"

/* What the client's machine took of an earlier answer is no progress with this one. */
static void who_takes_nothing_has_one_time_out_also_behind_another_answer(void **state)
{
    struct rig *rig = begin(DOCUMENT(TIMEOUTS));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    say(rig, &rig->upstreams[0], LENGTH("90000"));
    fill(rig, &rig->upstreams[0], 90000);
    assert_int_equal(times_received(client, "#"), 90000);
    client->is_holding = true;
    say(rig, client, GET);
    say(rig, &rig->upstreams[0], LENGTH("900000"));
    fill(rig, &rig->upstreams[0], 900000);
    rig_pass_time(rig, 1900);
    assert_true(client->worker_fd >= 0);
    rig_pass_time(rig, 100);
    assert_true(client->worker_fd < 0);
    assert_int_equal(rig->worker->stats->client_timeouts, 1);
    end(rig);
}

/* What comes in meanwhile and waits in memory is no progress of the client's either. */
static void check_held_chunks_give_no_time(const char *document)
{
    struct rig *rig = begin(document);
    struct rig_peer *client = ask_without_reading(rig, GET);
    say(rig, &rig->upstreams[0], CHUNKED CHUNK("4e20"));
    fill(rig, &rig->upstreams[0], 20000);
    for (int i = 0; i < 19; i++) {
        rig_pass_time(rig, 100);
        say(rig, &rig->upstreams[0], CRLF CHUNK("100"));
        fill(rig, &rig->upstreams[0], 256);
    }
    assert_true(client->worker_fd >= 0);
    assert_int_equal(rig->upstreams[0].unsent.len, 0);
    rig_pass_time(rig, 100);
    assert_true(client->worker_fd < 0);
    assert_int_equal(rig->worker->stats->client_timeouts, 1);
    assert_int_equal(rig->worker->endpoints[0].failures, 0);
    end(rig);
}

static void who_takes_nothing_has_one_time_out_also_while_chunks_come_in(void **state)
{
    (void)state;
    check_held_chunks_give_no_time(DOCUMENT(TIMEOUTS));
}

static void so_it_is_without_a_least_rate(void **state)
{
    (void)state;
    check_held_chunks_give_no_time(DOCUMENT("\"timeouts\":{\"bodyMs\":2000},\"limits\":{\"bodyBytesPerSecondMin\":0}"));
}

static void read_bytes(struct rig *rig, struct rig_peer *client, size_t len)
{
    for (size_t got = 0; got < len; rig_settle(rig)) {
        size_t taken = rig_read(client, len - got);
        assert_true(taken > 0);
        got += taken;
    }
}

static void who_keeps_up_the_least_rate_is_not_cut_off(void **state)
{
    struct rig *rig = begin(DOCUMENT(TIMEOUTS));
    struct rig_peer *client = begin_with_a_free_endpoint(rig, GET);
    (void)state;
    for (int i = 0; i < 10; i++) {
        read_bytes(rig, client, 1000);
        rig_pass_time(rig, 1900);
    }
    assert_true(client->worker_fd >= 0);
    rig_pass_time(rig, 4000);
    assert_true(client->worker_fd < 0);
    assert_int_equal(rig->worker->stats->client_timeouts, 1);
    assert_int_equal(rig->worker->endpoints[0].failures, 0);
    end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_byte_of_a_length_frees_the_endpoint),
        cmocka_unit_test(so_does_one_of_which_nothing_could_be_sent),
        cmocka_unit_test(the_rest_of_a_length_comes_in_though_the_client_takes_nothing),
        cmocka_unit_test(so_does_the_last_chunk),
        cmocka_unit_test(so_does_the_end_of_a_connection_that_ends_the_body),
        cmocka_unit_test(a_connection_that_names_its_client_is_closed_then),
        cmocka_unit_test(a_rest_that_has_no_room_waits_at_the_endpoint),
        cmocka_unit_test(neither_do_chunks_pile_up),
        cmocka_unit_test(an_answer_to_half_a_request_waits_for_the_other_half),
        cmocka_unit_test(without_a_buffer_the_rest_waits_at_the_endpoint),
        cmocka_unit_test(a_client_that_leaves_then_takes_nothing_with_it),
        cmocka_unit_test(one_that_ends_its_side_gets_the_rest),
        cmocka_unit_test(the_next_request_waits_for_its_turn),
        cmocka_unit_test(the_endpoint_may_go_meanwhile),
        cmocka_unit_test(a_proxy_that_drains_lets_it_read_to_the_end),
        cmocka_unit_test(one_that_would_take_the_end_for_the_whole_must_not_see_it),
        cmocka_unit_test(who_takes_nothing_has_one_time_out_also_behind_another_answer),
        cmocka_unit_test(who_takes_nothing_has_one_time_out_also_while_chunks_come_in),
        cmocka_unit_test(so_it_is_without_a_least_rate),
        cmocka_unit_test(who_keeps_up_the_least_rate_is_not_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
