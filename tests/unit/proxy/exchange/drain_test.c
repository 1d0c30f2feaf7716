#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* When a worker that drains says that no request begins any more: a task that has left the rotation may then be stopped as
 * soon as nothing is in flight there; and how long tunnels may outlive the proxy that they are in. One real worker (conversation_rig.h). */
#include "tests/unit/proxy/exchange/conversation_steps.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define OK "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF CRLF "ok"
#define TRACE "TRACE / HTTP/1.1" CRLF "Host: a" CRLF CRLF
#define HALF_OF_GET "GET / HTTP/1.1" CRLF "Ho"
#define OTHER_HALF "st: a" CRLF CRLF
#define PROXY_LISTENER "\"trustedProxies\":[\"192.0.2.0/24\"],\"listeners\":[{\"proxyProtocol\":true}]"

static void without_connections_it_is_said_at_once(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    (void)state;
    rig_drain(rig);
    assert_int_equal(rig->drains_said, 1);
    rig_pass_time(rig, 1000);
    assert_int_equal(rig->drains_said, 1);
    end(rig);
}

static void connections_between_two_requests_are_closed_before(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    say(rig, &rig->upstreams[0], OK);
    rig_drain(rig);
    assert_true(client->has_end);
    assert_int_equal(rig->drains_said, 1);
    end(rig);
}

static void a_head_that_has_begun_to_come_may_still_become_a_request(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, HALF_OF_GET);
    rig_drain(rig);
    rig_pass_time(rig, 1000);
    assert_int_equal(rig->drains_said, 0);
    say(rig, client, OTHER_HALF);
    assert_int_equal(rig->worker->endpoints[0].in_flight, 1);
    rig_pass_time(rig, 50);
    assert_int_equal(rig->drains_said, 1);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    assert_true(client->has_end);
    end(rig);
}

static void one_that_never_ends_is_waited_for_as_long_as_heads_are(void **state)
{
    struct rig *rig = begin(DOCUMENT("\"timeouts\":{\"headMs\":5000}"));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, HALF_OF_GET);
    rig_drain(rig);
    rig_pass_time(rig, 4900);
    assert_int_equal(rig->drains_said, 0);
    rig_pass_time(rig, 100);
    assert_int_equal(rig->drains_said, 1);
    end(rig);
}

static void so_is_a_connection_that_has_only_just_come(void **state)
{
    struct rig *rig = begin(DOCUMENT(PROXY_LISTENER));
    struct rig_peer *unnamed = open_client(rig), *silent = open_client(rig);
    (void)state;
    say(rig, silent, "PROXY TCP4 203.0.113.9 198.51.100.1 1000 80" CRLF);
    rig_drain(rig);
    assert_int_equal(rig->drains_said, 0);
    rig_pass_time(rig, 2000);
    assert_true(silent->has_end && !unnamed->has_end);
    assert_int_equal(rig->drains_said, 0);
    rig_pass_time(rig, 600000);
    assert_int_equal(rig->drains_said, 1);
    end(rig);
}

static void requests_under_way_begin_no_other(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET GET);
    rig_drain(rig);
    assert_int_equal(rig->drains_said, 1);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(rig->worker->services[0].requests, 1);
    assert_int_equal(rig->worker->services[0].in_flight, 0);
    assert_true(client->has_end);
    end(rig);
}

/* Not one of the rig's, which makes pairs of all: a real queue. */
static int open_socket(void)
{
    int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

/* Returns a client that waits in the queue of the worker's listener, and has asked what is answered without an endpoint. */
static int queue_client(struct rig *rig)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    socklen_t len = sizeof name;
    int listening = open_socket(), client = open_socket();
    assert_int_equal(bind(listening, (struct sockaddr *)&name, sizeof name.sun_family), 0); /* any that is free */
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&name, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, len), 0);
    assert_int_equal(send(client, TRACE, sizeof TRACE - 1, MSG_NOSIGNAL), sizeof TRACE - 1);
    rig->thread->listeners[0].fd = listening; /* which the worker closes */
    return client;
}

/* It is read as soon as it is accepted, and closed behind this answer. */
static void who_is_accepted_last_hears_that_it_ends(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    int client = queue_client(rig);
    char answer[1024] = "";
    (void)state;
    worker_post_phase(rig->thread, WORKER_DRAINING);
    rig_settle(rig);
    assert_true(recv(client, answer, sizeof answer - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(answer, "HTTP/1.1 405 "));
    assert_non_null(strstr(answer, "Connection: close" CRLF));
    close(client);
    end(rig);
}

/* ---- tunnels of a proxy that was replaced ---- */

#define ASK_TO_SWITCH "GET / HTTP/1.1" CRLF "Host: a" CRLF "Connection: upgrade" CRLF "Upgrade: x" CRLF CRLF
#define SWITCH "HTTP/1.1 101 S" CRLF "Connection: upgrade" CRLF "Upgrade: x" CRLF CRLF
#define RETIRED_TUNNEL_30_S DOCUMENT("\"timeouts\":{\"retiredTunnelMs\":30000}")

static struct rig_peer *begin_tunnel(struct rig *rig)
{
    struct rig_peer *client = open_client(rig);
    say(rig, client, ASK_TO_SWITCH);
    say(rig, &rig->upstreams[0], SWITCH);
    assert_int_equal(rig->worker->stats->tunnels_open, 1);
    return client;
}

/* Not from when they began, nor from their last byte. */
static void tunnels_end_so_long_after_another_proxy_took_over(void **state)
{
    struct rig *rig = begin(RETIRED_TUNNEL_30_S);
    struct rig_peer *client = begin_tunnel(rig);
    (void)state;
    rig_pass_time(rig, 40000);
    rig_retire(rig);
    rig_pass_time(rig, 29000);
    say(rig, client, "still here");
    assert_int_equal(times_received(&rig->upstreams[0], "still here"), 1);
    rig_pass_time(rig, 900);
    assert_int_equal(rig->worker->stats->tunnels_open, 1);
    rig_pass_time(rig, 100);
    assert_int_equal(rig->worker->stats->tunnels_open, 0);
    assert_true(client->has_end && rig->upstreams[0].has_end);
    assert_int_equal(rig->drains_said, 1);
    end(rig);
}

static void a_request_that_lasts_longer_than_tunnels_may_is_not_one(void **state)
{
    struct rig *rig = begin(RETIRED_TUNNEL_30_S);
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    rig_retire(rig);
    rig_pass_time(rig, 40000);
    say(rig, &rig->upstreams[0], OK);
    assert_int_equal(times_received(client, "200 OK"), 1);
    end(rig);
}

/* Whoever stops for good has the time-out of a drain instead. */
static void without_another_proxy_no_tunnel_is_ended(void **state)
{
    struct rig *rig = begin(RETIRED_TUNNEL_30_S);
    struct rig_peer *client = begin_tunnel(rig);
    (void)state;
    rig_drain(rig);
    rig_pass_time(rig, 40000);
    assert_int_equal(rig->worker->stats->tunnels_open, 1);
    rig_close(client);
    rig_close(&rig->upstreams[0]);
    rig_settle(rig);
    end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_connections_it_is_said_at_once),
        cmocka_unit_test(connections_between_two_requests_are_closed_before),
        cmocka_unit_test(a_head_that_has_begun_to_come_may_still_become_a_request),
        cmocka_unit_test(one_that_never_ends_is_waited_for_as_long_as_heads_are),
        cmocka_unit_test(so_is_a_connection_that_has_only_just_come),
        cmocka_unit_test(requests_under_way_begin_no_other),
        cmocka_unit_test(who_is_accepted_last_hears_that_it_ends),
        cmocka_unit_test(tunnels_end_so_long_after_another_proxy_took_over),
        cmocka_unit_test(a_request_that_lasts_longer_than_tunnels_may_is_not_one),
        cmocka_unit_test(without_another_proxy_no_tunnel_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
