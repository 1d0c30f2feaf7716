#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* What passes while a request is under way: what is counted of it, who is waited for, and what becomes of it when the
 * configuration changes or its client leaves. One real worker (conversation_rig.h), whose clock these tests turn. */
#include "tests/unit/proxy/exchange/conversation_steps.h"

static const struct service_stats *counts(const struct rig *rig)
{
    return &rig->worker->services[stats_find_service(rig->stats, "web")];
}

/* A conversation whose client has said this. */
static struct rig *hear(const char *document, const char *text, struct rig_peer **client)
{
    struct rig *rig = begin(document);
    *client = open_client(rig);
    say(rig, *client, text);
    return rig;
}

/* A client's request fails with this status, after that time and not before. */
static void check_gives_up(struct rig *rig, const struct rig_peer *client, int64_t after_ms, const char *status)
{
    size_t before = client->received.len;
    rig_pass_time(rig, after_ms - 100);
    assert_int_equal(client->received.len, before);
    rig_pass_time(rig, 100);
    assert_int_equal(times_received(client, status), 1);
}

/* ---- what is counted ---- */

static void a_stream_is_as_fast_as_its_head_however_long_it_lasts(void **state)
{
    struct rig_peer *client;
    struct rig *rig = hear(DOCUMENT(""), GET, &client);
    (void)state;
    rig_pass_time(rig, 20);
    say(rig, &rig->upstreams[0], "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF CRLF "a");
    assert_int_equal(histogram_count(&counts(rig)->latency), 1);
    rig_pass_time(rig, 10000);
    say(rig, &rig->upstreams[0], "b");
    assert_int_equal(histogram_count(&counts(rig)->latency), 1);
    assert_int_equal(counts(rig)->latency.sum_us, 20000);
    assert_int_equal(histogram_count(&counts(rig)->duration), 1);
    assert_int_equal(counts(rig)->duration.sum_us, 10020000);
    end(rig);
}

static void an_upload_is_not_slow_because_its_client_is(void **state)
{
    struct rig_peer *client;
    struct rig *rig =
        hear(DOCUMENT(""), "POST / HTTP/1.1" CRLF "Host: a" CRLF "Content-Length: 2" CRLF CRLF "a", &client);
    (void)state;
    rig_pass_time(rig, 10000);
    say(rig, client, "b");
    rig_pass_time(rig, 20);
    say(rig, &rig->upstreams[0], "HTTP/1.1 204 No Content" CRLF CRLF);
    assert_int_equal(counts(rig)->latency.sum_us, 20000);
    assert_int_equal(counts(rig)->duration.sum_us, 10020000);
    end(rig);
}

static void a_request_without_an_answer_counts_until_it_was_given_up(void **state)
{
    struct rig_peer *client;
    struct rig *rig = hear(DOCUMENT("\"retries\":0,\"timeouts\":{\"responseMs\":3000}"), GET, &client);
    (void)state;
    rig_pass_time(rig, 3000);
    assert_memory_equal(client->received.at, "HTTP/1.1 504", 12);
    assert_int_equal(histogram_count(&counts(rig)->latency), 1);
    assert_int_equal(counts(rig)->latency.sum_us, 3000000);
    end(rig);
}

/* ---- who is waited for ---- */

#define POST(length) "POST / HTTP/1.1" CRLF "Host: a" CRLF "Content-Length: " length CRLF
#define TIMEOUTS "\"timeouts\":{\"bodyMs\":2000,\"streamMs\":9000,\"responseMs\":5000},\"retries\":0"

static void fill(struct rig *rig, struct rig_peer *peer, size_t bytes)
{
    static char filling[1024 * 1024];
    rig_put(peer, filling, bytes);
    rig_settle(rig);
}

/* Sends so much of an upload of 900000 bytes to an endpoint that reads nothing. */
static struct rig_peer *upload_to_deaf(struct rig *rig, struct rig_peer *client, size_t bytes)
{
    struct rig_peer *endpoint = &rig->upstreams[rig->upstream_count];
    rig->connect = RIG_CONNECT_HANGS; /* until it has been made deaf */
    say(rig, client, POST("900000") CRLF);
    endpoint->is_holding = true;
    rig_finish_connecting(endpoint);
    fill(rig, client, bytes);
    return endpoint;
}

static void read_again(struct rig *rig, struct rig_peer *endpoint)
{
    endpoint->is_holding = false;
    endpoint->has_news = true;
    rig_settle(rig);
}

static void check_timeouts(const struct rig *rig, unsigned of_clients, unsigned of_endpoints)
{
    assert_int_equal(rig->worker->stats->client_timeouts, of_clients);
    assert_int_equal(rig->worker->stats->upstream_timeouts, of_endpoints);
}

static void a_stream_may_be_quiet_for_longer_than_a_body(void **state)
{
    struct rig_peer *client;
    struct rig *rig = hear(DOCUMENT(TIMEOUTS), GET, &client);
    (void)state;
    say(rig, &rig->upstreams[0], "HTTP/1.1 200 OK" CRLF "Transfer-Encoding: chunked" CRLF CRLF "2" CRLF "hi" CRLF);
    for (int i = 0; i < 3; i++) {
        rig_pass_time(rig, 8900);
        say(rig, &rig->upstreams[0], "1" CRLF "!" CRLF);
    }
    assert_int_equal(times_received(client, "!"), 3);
    rig_pass_time(rig, 9000);
    assert_true(client->has_end);
    check_timeouts(rig, 0, 1);
    end(rig);
}

static void with_the_defaults_quiet_streams_and_pausing_endpoints_go_on(void **state)
{
    struct rig_peer *reader, *sender, *endpoint;
    struct rig *rig = hear(DOCUMENT(""), GET, &reader);
    (void)state;
    say(rig, &rig->upstreams[0], "HTTP/1.1 200 OK" CRLF "Transfer-Encoding: chunked" CRLF CRLF "2" CRLF "hi" CRLF);
    rig_pass_time(rig, 50000);
    sender = open_client(rig);
    endpoint = upload_to_deaf(rig, sender, 900000);
    assert_true(endpoint->received.len == 0 && sender->unsent.len > 0);
    rig_pass_time(rig, 55000);
    read_again(rig, endpoint);
    say(rig, endpoint, "HTTP/1.1 204 No Content" CRLF CRLF);
    say(rig, &rig->upstreams[0], "0" CRLF CRLF);
    assert_int_equal(times_received(sender, "HTTP/1.1 204"), 1);
    assert_int_equal(times_received(reader, "0" CRLF CRLF), 1);
    check_timeouts(rig, 0, 0);
    end(rig);
}

static void an_endpoint_that_takes_no_more_of_an_upload_is_the_slow_one(void **state)
{
    struct rig *rig = begin(DOCUMENT(TIMEOUTS));
    struct rig_peer *client = open_client(rig);
    (void)state;
    upload_to_deaf(rig, client, 900000);
    check_gives_up(rig, client, 2000, "HTTP/1.1 504");
    check_timeouts(rig, 0, 1);
    end(rig);
}

/* What the endpoint has used up of the time is not the client's. */
static void a_client_has_its_whole_time_behind_a_pause_of_the_endpoint(void **state)
{
    struct rig *rig = begin(DOCUMENT(TIMEOUTS));
    struct rig_peer *client = open_client(rig), *endpoint;
    (void)state;
    endpoint = upload_to_deaf(rig, client, 899999);
    rig_pass_time(rig, 1900);
    read_again(rig, endpoint);
    check_gives_up(rig, client, 2000, "HTTP/1.1 408");
    check_timeouts(rig, 1, 0);
    end(rig);
}

static void an_endpoint_that_does_not_say_go_on_is_the_silent_one(void **state)
{
    struct rig_peer *client;
    struct rig *rig = hear(DOCUMENT(TIMEOUTS), POST("2") "Expect: 100-continue" CRLF CRLF, &client);
    (void)state;
    check_gives_up(rig, client, 5000, "HTTP/1.1 504");
    check_timeouts(rig, 0, 1);
    end(rig);
}

static void a_client_that_was_told_to_go_on_is_the_silent_one(void **state)
{
    struct rig_peer *client;
    struct rig *rig = hear(DOCUMENT(TIMEOUTS), POST("2") "Expect: 100-continue" CRLF CRLF, &client);
    (void)state;
    rig_pass_time(rig, 1000);
    say(rig, &rig->upstreams[0], "HTTP/1.1 100 Continue" CRLF CRLF);
    check_gives_up(rig, client, 2000, "HTTP/1.1 408");
    check_timeouts(rig, 1, 0);
    end(rig);
}

static void a_client_that_began_without_being_told_is_the_silent_one(void **state)
{
    struct rig_peer *client;
    struct rig *rig = hear(DOCUMENT(TIMEOUTS), POST("2") "Expect: 100-continue" CRLF CRLF "a", &client);
    (void)state;
    check_gives_up(rig, client, 2000, "HTTP/1.1 408");
    check_timeouts(rig, 1, 0);
    end(rig);
}

static void a_client_that_we_hold_back_is_not_slow(void **state)
{
    struct rig_peer *client;
    struct rig *rig = hear(DOCUMENT("\"timeouts\":{\"bodyMs\":2000},\"clients\":{\"bodyBytesPerSecond\":50}"),
                           POST("1002") CRLF "a", &client);
    (void)state;
    fill(rig, client, 1000); /* in one piece: 20 s worth */
    say(rig, client, "~");
    for (int i = 0; i < 18 * 20; i++)
        rig_pass_time(rig, 50);
    assert_int_equal(times_received(&rig->upstreams[0], "~"), 0);
    for (int i = 0; i < 2 * 20; i++)
        rig_pass_time(rig, 50);
    assert_int_equal(times_received(&rig->upstreams[0], "~"), 1);
    say(rig, &rig->upstreams[0], "HTTP/1.1 204 No Content" CRLF CRLF);
    assert_int_equal(times_received(client, "HTTP/1.1 204"), 1);
    check_timeouts(rig, 0, 0);
    end(rig);
}

static void all_tries_together_wait_for_the_client_too(void **state)
{
    struct rig_peer *client;
    struct rig *rig = hear(DOCUMENT("\"timeouts\":{\"requestMs\":1000}"), POST("2") CRLF "a", &client);
    (void)state;
    check_gives_up(rig, client, 1000, "HTTP/1.1 408");
    check_timeouts(rig, 1, 0);
    end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_as_fast_as_its_head_however_long_it_lasts),
        cmocka_unit_test(an_upload_is_not_slow_because_its_client_is),
        cmocka_unit_test(a_request_without_an_answer_counts_until_it_was_given_up),
        cmocka_unit_test(a_stream_may_be_quiet_for_longer_than_a_body),
        cmocka_unit_test(with_the_defaults_quiet_streams_and_pausing_endpoints_go_on),
        cmocka_unit_test(an_endpoint_that_takes_no_more_of_an_upload_is_the_slow_one),
        cmocka_unit_test(a_client_has_its_whole_time_behind_a_pause_of_the_endpoint),
        cmocka_unit_test(an_endpoint_that_does_not_say_go_on_is_the_silent_one),
        cmocka_unit_test(a_client_that_was_told_to_go_on_is_the_silent_one),
        cmocka_unit_test(a_client_that_began_without_being_told_is_the_silent_one),
        cmocka_unit_test(a_client_that_we_hold_back_is_not_slow),
        cmocka_unit_test(all_tries_together_wait_for_the_client_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
