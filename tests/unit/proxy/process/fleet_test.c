#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* The data plane without its process: real workers, sockets and endpoints on loopback. */
#include "tests/unit/proxy/process/fleet_bench.h"

#include <fcntl.h>
#include <netinet/tcp.h>

static void requests_reach_the_endpoint_of_their_route(void **state)
{
    struct bench *b = *state;
    serve(b, b->a.port, 0);
    for (int i = 0; i < 10; i++) { /* several connections: both workers get some */
        int fd = client_connect(b);
        ask(fd, "/hello?x=1");
        check_answer(fd, 200, "a /hello?x=1");
        ask(fd, "/empty/x");
        check_answer(fd, 503, NULL);
        ask(fd, "/again");
        check_answer(fd, 200, "a /again");
        close(fd);
    }
}

static void a_connection_made_before_the_first_snapshot_waits_for_it(void **state)
{
    struct bench *b = *state;
    int fd = client_connect(b);
    ask(fd, "/early");
    serve(b, b->a.port, 0);
    check_answer(fd, 200, "a /early");
    close(fd);
}

/* The worker's end of a connection of this process to itself. */
static int other_end(int fd)
{
    struct sockaddr_in here, peer;
    socklen_t len = sizeof here;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    for (int other = 0; other < 1024; other++) {
        len = sizeof peer;
        if (getpeername(other, (struct sockaddr *)&peer, &len) == 0 && len == sizeof peer &&
            peer.sin_family == AF_INET && peer.sin_port == here.sin_port)
            return other;
    }
    fail_msg("nobody has accepted it");
    return -1;
}

static void what_is_sent_to_a_client_leaves_at_once(void **state)
{
    struct bench *b = *state;
    serve(b, b->a.port, 0);
    int fd = client_connect(b), is_at_once = 0;
    socklen_t len = sizeof is_at_once;
    ask(fd, "/");
    check_answer(fd, 200, "a /"); /* by now it has been accepted */
    assert_int_equal(getsockopt(other_end(fd), IPPROTO_TCP, TCP_NODELAY, &is_at_once, &len), 0);
    assert_true(is_at_once);
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct bench *b = *state;
    serve(b, b->a.port, b->b.port);
    int fd = client_connect(b);
    client_send(fd,
                "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n0\r\n\r\nGET /empty HTTP/1.1\r\nHost: x\r\n\r\nGET /4 HTTP/1.1\r\nHost: x\r\n\r\n");
    static const char *const targets[] = { " /1", " /2", NULL, " /4" };
    for (int i = 0; i < 4; i++) {
        char body[256];
        assert_int_equal(client_read(fd, body, sizeof body), targets[i] ? 200 : 503);
        if (targets[i])
            assert_string_equal(body + 1, targets[i]);
    }
    close(fd);
}

static void a_new_snapshot_holds_for_connections_that_are_open_already(void **state)
{
    struct bench *b = *state;
    int fds[8];
    serve(b, b->a.port, 0);
    for (int i = 0; i < 8; i++) {
        fds[i] = client_connect(b);
        ask(fds[i], "/");
        check_answer(fds[i], 200, "a /");
    }
    serve(b, b->b.port, 0); /* acknowledged: nothing that it left out gets a new request */
    for (int i = 0; i < 8; i++) {
        ask(fds[i], "/");
        check_answer(fds[i], 200, "b /");
    }
    serve(b, 0, 0);
    for (int i = 0; i < 8; i++) {
        ask(fds[i], "/");
        check_answer(fds[i], 503, NULL);
        close(fds[i]);
    }
}

static void a_refused_document_leaves_the_running_snapshot(void **state)
{
    struct bench *b = *state;
    struct error error = { "" };
    serve(b, b->a.port, 0);
    assert_false(publish(b, "[{\"name\":\"web\",\"endpoints\":[{\"id\":\"1\",\"address\":\"x\"}]}]", "[]", &error));
    assert_non_null(strstr(error.text, "services[0].endpoints[0].address"));
    assert_int_equal(fleet_serial(b->fleet), 1);
    int fd = client_connect(b);
    ask(fd, "/");
    check_answer(fd, 200, "a /");
    close(fd);
}

static void a_dead_endpoint_costs_no_request_while_another_lives(void **state)
{
    struct bench *b = *state;
    int dead_port = 0;
    close(loopback_listen(&dead_port));
    serve(b, dead_port, b->a.port);
    for (int i = 0; i < 20; i++) {
        int fd = client_connect(b);
        ask(fd, "/");
        check_answer(fd, 200, "a /");
        close(fd);
    }
}

static void a_malformed_request_is_refused_and_the_connection_closed(void **state)
{
    struct bench *b = *state;
    serve(b, b->a.port, 0);
    int fd = client_connect(b);
    client_send(fd, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_answer(fd, 400, NULL);
    assert_closed(fd);
}

static void what_was_served_is_counted(void **state)
{
    struct bench *b = *state;
    struct service_stats service;
    struct endpoint_stats endpoint;
    struct worker_stats totals;
    serve(b, b->a.port, 0);
    for (int i = 0; i < 5; i++) {
        int fd = client_connect(b);
        ask(fd, "/");
        check_answer(fd, 200, NULL);
        ask(fd, "/");
        check_answer(fd, 200, NULL);
        close(fd);
    }
    drain(b); /* so that nothing is being counted any more */
    assert_true(stats_read_service(b->stats, "web", &service));
    assert_int_equal(service.requests, 10);
    assert_int_equal(service.statuses[2], 10);
    assert_int_equal(service.in_flight, 0);
    assert_int_equal(histogram_count(&service.latency), 10);
    assert_int_equal(histogram_count(&service.duration), 10);
    assert_int_equal(service.response_bytes, 30);
    assert_true(stats_read_endpoint(b->stats, "1", &endpoint));
    assert_int_equal(endpoint.requests, 10);
    assert_int_equal(endpoint.in_flight, 0);
    stats_read_worker_totals(b->stats, &totals);
    assert_int_equal(totals.connections_accepted, 5);
    assert_int_equal(totals.connections_open, 0);
    assert_int_equal(totals.upstream_idle, 0);
    assert_int_equal(totals.buffer_bytes, 0);
    assert_int_equal(totals.upstream_connects + totals.upstream_reuses, 10);
}
static size_t count_open(const char *path)
{
    size_t count = 0;
    char link[64], target[256];
    for (int fd = 0; fd < 256; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, target, sizeof target - 1);
        count += len > 0 && strncmp(target, path, (size_t)len) == 0 && path[len] == '\0';
    }
    return count;
}

/* The fleet of the fixture has no log: one of its own, whose workers never get a snapshot. */
static void a_log_that_is_switched_is_closed_when_no_worker_writes_to_it(void **state)
{
    struct bench *b = *state;
    struct bench own = { .loop = loop_new() };
    char paths[4][40];
    int fds[4];
    for (int i = 0; i < 4; i++) {
        strcpy(paths[i], "/tmp/fleet-test-XXXXXX");
        fds[i] = mkstemp(paths[i]);
        assert_true(fds[i] >= 0);
    }
    struct fleet *fleet = fleet_new(&(struct fleet_options){ .loop = own.loop,
                                                             .stats = b->stats,
                                                             .listen_fds = b->listen_fds,
                                                             .listener_count = 0,
                                                             .sockets_per_listener = WORKERS,
                                                             .workers = WORKERS,
                                                             .access_log_fd = fds[0] },
                                    &callbacks, &own);
    fleet_switch_access_log(fleet, fds[1]);
    fleet_switch_access_log(fleet, fds[2]); /* nobody has seen it when the next one comes */
    fleet_switch_access_log(fleet, fds[3]);
    assert_int_equal(count_open(paths[2]), 0);
    while (count_open(paths[0]) + count_open(paths[1]) > 0)
        event_base_loop(loop_base(own.loop), EVLOOP_ONCE);
    assert_int_equal(count_open(paths[3]), 1);
    fleet_drain(fleet);
    fleet_switch_access_log(fleet, dup(STDERR_FILENO)); /* a worker may stop before it hears of it */
    while (!own.has_stopped)
        loop_run(own.loop);
    assert_int_equal(count_open(paths[3]), 0);
    fleet_switch_access_log(fleet, dup(STDERR_FILENO)); /* too late for the workers, but nothing is leaked */
    fleet_free(fleet);
    loop_free(own.loop);
    for (int i = 0; i < 4; i++)
        unlink(paths[i]);
}

static void a_log_for_a_fleet_without_one_is_closed_at_once(void **state)
{
    struct bench *b = *state;
    int fd = dup(STDERR_FILENO);
    fleet_switch_access_log(b->fleet, fd);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void draining_closes_idle_connections_and_takes_nothing_new(void **state)
{
    struct bench *b = *state;
    struct error error = { "" };
    int fds[4];
    serve(b, b->a.port, 0);
    for (int i = 0; i < 4; i++) {
        fds[i] = client_connect(b);
        ask(fds[i], "/");
        check_answer(fds[i], 200, "a /");
    }
    drain(b);
    for (int i = 0; i < 4; i++)
        assert_closed(fds[i]);
    assert_false(publish(b, "[]", "[]", &error));
    assert_string_equal(error.text, "draining");
}

static void workers_that_have_nothing_left_say_that_nothing_will_begin(void **state)
{
    struct bench *b = *state;
    serve(b, b->a.port, 0);
    fleet_retire(b->fleet);
    while (!b->has_stopped)
        loop_run(b->loop);
    assert_int_equal(b->draining_count, 1);
}

static void snapshots_may_follow_faster_than_they_are_taken(void **state)
{
    struct bench *b = *state;
    int fd = client_connect(b);
    for (int i = 0; i < 200; i++) {
        char *services = mem_printf("[{\"name\":\"web\",\"endpoints\":[{\"id\":\"%d\",\"address\":\"127.0.0.1:%d\"}]}]",
                                    i % 7, i % 2 ? b->a.port : b->b.port);
        assert_true(publish(b, services, "[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"}]", NULL));
        free(services);
        if (i % 20 == 0) {
            ask(fd, "/");
            check_answer(fd, 200, NULL);
        }
    }
    wait_until_taken(b);
    ask(fd, "/");
    check_answer(fd, 200, "a /");
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(requests_reach_the_endpoint_of_their_route),
        TEST(a_connection_made_before_the_first_snapshot_waits_for_it),
        TEST(what_is_sent_to_a_client_leaves_at_once),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(a_new_snapshot_holds_for_connections_that_are_open_already),
        TEST(a_refused_document_leaves_the_running_snapshot),
        TEST(a_dead_endpoint_costs_no_request_while_another_lives),
        TEST(a_malformed_request_is_refused_and_the_connection_closed),
        TEST(what_was_served_is_counted),
        TEST(a_log_that_is_switched_is_closed_when_no_worker_writes_to_it),
        TEST(a_log_for_a_fleet_without_one_is_closed_at_once),
        TEST(draining_closes_idle_connections_and_takes_nothing_new),
        TEST(workers_that_have_nothing_left_say_that_nothing_will_begin),
        TEST(snapshots_may_follow_faster_than_they_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
