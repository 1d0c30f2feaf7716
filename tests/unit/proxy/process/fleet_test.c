#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* The data plane without its process: real workers, sockets and endpoints on loopback. The workers have threads of
 * their own, so the test itself is the client, and turns the main thread's loop only to wait for acknowledgements. */
#include "proxy/process/fleet.h"

#include "base/mem.h"
#include "tests/unit/proxy/process/tiny_upstream.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define WORKERS 2
#define ANSWER_SECONDS_MAX 20

struct bench {
    struct loop *loop;
    struct stats_region *stats;
    struct fleet *fleet;
    struct tiny_upstream a, b;
    int listen_fds[WORKERS], port;
    uint64_t serial, taken_serial;
    int draining_count;
    bool has_stopped;
};

static void on_taken(void *owner, uint64_t serial)
{
    struct bench *b = owner;
    b->taken_serial = serial;
    loop_stop(b->loop);
}

static void on_stopped(void *owner)
{
    struct bench *b = owner;
    b->has_stopped = true;
    loop_stop(b->loop);
}

static void on_draining(void *owner)
{
    struct bench *b = owner;
    b->draining_count++;
}

static const struct fleet_callbacks callbacks = { on_taken, on_draining, on_stopped };

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    int stats_fd = stats_create_fd(WORKERS, NULL);
    b->loop = loop_new();
    b->stats = stats_map_writer(stats_fd, WORKERS, NULL);
    assert_non_null(b->stats);
    close(stats_fd);
    for (int w = 0; w < WORKERS; w++)
        b->listen_fds[w] = loopback_listen(&b->port);
    tiny_upstream_start(&b->a, 'a');
    tiny_upstream_start(&b->b, 'b');
    b->fleet = fleet_new(&(struct fleet_options){ .loop = b->loop,
                                                  .stats = b->stats,
                                                  .listen_fds = b->listen_fds,
                                                  .listener_count = 1,
                                                  .sockets_per_listener = WORKERS,
                                                  .workers = WORKERS,
                                                  .access_log_fd = -1 },
                         &callbacks, b);
    *state = b;
    return 0;
}

static void drain(struct bench *b)
{
    fleet_drain(b->fleet);
    while (!b->has_stopped)
        loop_run(b->loop);
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    drain(b);
    fleet_free(b->fleet);
    tiny_upstream_stop(&b->a);
    tiny_upstream_stop(&b->b);
    stats_unmap(b->stats);
    loop_free(b->loop);
    free(b);
    return 0;
}

static bool publish(struct bench *b, const char *services, const char *routes, struct error *error)
{
    char *text = mem_printf("{\"version\":1,\"serial\":%llu,\"services\":%s,\"routes\":%s}",
                            (unsigned long long)++b->serial, services, routes);
    json_t *document = json_loads(text, 0, NULL);
    assert_non_null(document);
    bool ok = fleet_publish(b->fleet, document, error);
    json_decref(document);
    free(text);
    return ok;
}

static void wait_until_taken(struct bench *b)
{
    while (b->taken_serial != b->serial)
        loop_run(b->loop);
}

/* All routes lead to "web" with endpoints on these ports; 0: none. */
static void serve(struct bench *b, int first_port, int second_port)
{
    struct error error = { "" };
    char *first = first_port ? mem_printf("{\"id\":\"1\",\"address\":\"127.0.0.1:%d\"}", first_port) : mem_strdup("");
    char *second =
        second_port ? mem_printf(",{\"id\":\"2\",\"address\":\"127.0.0.1:%d\"}", second_port) : mem_strdup("");
    char *services = mem_printf("[{\"name\":\"web\",\"endpoints\":[%s%s]},{\"name\":\"empty\"}]", first, second);
    if (!publish(b, services,
                 "[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"},"
                 "{\"host\":\"*\",\"path\":\"/empty\",\"service\":\"empty\"}]",
                 &error))
        fail_msg("%s", error.text);
    free(first);
    free(second);
    free(services);
    wait_until_taken(b);
}

static int client_connect(struct bench *b)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)b->port) };
    struct timeval patience = { .tv_sec = ANSWER_SECONDS_MAX };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void client_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* One answer with Content-Length; returns its status, and its body in `body`. */
static int client_read(int fd, char *body, size_t size)
{
    char head[2048];
    size_t len = 0, body_len;
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        assert_in_range(len, 0, sizeof head - 2);
        if (recv(fd, head + len, 1, 0) != 1)
            fail_msg("no whole answer: %.*s", (int)len, head);
        len++;
    }
    head[len] = '\0';
    char *length = strstr(head, "Content-Length: ");
    assert_non_null(length);
    body_len = strtoul(length + 16, NULL, 10);
    assert_in_range(body_len, 0, size - 1);
    assert_int_equal(recv(fd, body, body_len, MSG_WAITALL), body_len);
    body[body_len] = '\0';
    return (int)strtol(head + 9, NULL, 10);
}

static void check_answer(int fd, int status, const char *body)
{
    char got[1024];
    assert_int_equal(client_read(fd, got, sizeof got), status);
    if (body)
        assert_string_equal(got, body);
}

static void ask(int fd, const char *target)
{
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    client_send(fd, request);
}

static void assert_closed(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

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

/* ---- requests that outlive their snapshot ---- */

#define GENERATIONS 12          /* more than the table of endpoints has room for, if each were kept whole */
#define TUNNELS_EACH 8          /* on each generation's endpoint; both workers get some */
#define OTHER_ENDPOINTS 1000    /* of each, all different */
#define GENERATION_BYTES 100000 /* of text */

/* One endpoint of "ws" on that port, and a thousand others, all new. False: refused, *error says why. */
static bool serve_generation(struct bench *b, int port, int generation, struct error *error)
{
    char *services = mem_alloc(GENERATION_BYTES);
    size_t len = (size_t)snprintf(services, GENERATION_BYTES,
                                  "[{\"name\":\"ws\",\"endpoints\":[{\"id\":\"%d\",\"address\":\"127.0.0.1:%d\"}]},"
                                  "{\"name\":\"web\",\"endpoints\":[",
                                  generation, port);
    for (int i = 0; i < OTHER_ENDPOINTS; i++)
        len += (size_t)snprintf(services + len, GENERATION_BYTES - len,
                                "%s{\"id\":\"%d-%d\",\"address\":\"127.0.0.1:1\"}", i ? "," : "", generation, i);
    snprintf(services + len, GENERATION_BYTES - len, "]}]");
    bool ok = publish(b, services, "[{\"host\":\"*\",\"path\":\"/\",\"service\":\"ws\"}]", error);
    free(services);
    if (ok)
        wait_until_taken(b);
    return ok;
}

static int accept_patiently(int listen_fd)
{
    struct timeval patience = { .tv_sec = ANSWER_SECONDS_MAX };
    struct pollfd listener = { .fd = listen_fd, .events = POLLIN };
    assert_int_equal(poll(&listener, 1, ANSWER_SECONDS_MAX * 1000), 1);
    int fd = accept(listen_fd, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

static void read_head(int fd)
{
    char head[4096];
    size_t len = 0;
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        assert_true(len < sizeof head);
        assert_int_equal(recv(fd, head + len, 1, 0), 1);
        len++;
    }
}

static void check_carries(int from, int to, char byte)
{
    char got = 0;
    assert_int_equal(send(from, &byte, 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(to, &got, 1, 0), 1);
    assert_int_equal(got, byte);
}

struct tunnel {
    int client, upstream;
};

static struct tunnel open_tunnel(struct bench *b, int listen_fd)
{
    struct tunnel tunnel = { .client = client_connect(b) };
    client_send(tunnel.client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    tunnel.upstream = accept_patiently(listen_fd);
    read_head(tunnel.upstream);
    client_send(tunnel.upstream, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    read_head(tunnel.client);
    return tunnel;
}

static void tunnels_never_hold_up_new_endpoints(void **state)
{
    struct bench *b = *state;
    struct error error = { "" };
    struct tunnel tunnels[GENERATIONS];
    int port = 0, listen_fd = loopback_listen(&port), count = 0;
    while (count < GENERATIONS && serve_generation(b, port, count, &error)) {
        tunnels[count] = open_tunnel(b, listen_fd);
        count++;
    }
    for (int i = 0; i < count; i++) {
        check_carries(tunnels[i].client, tunnels[i].upstream, 'a');
        check_carries(tunnels[i].upstream, tunnels[i].client, 'b');
        close(tunnels[i].client);
        assert_closed(tunnels[i].upstream);
    }
    close(listen_fd);
    assert_string_equal(error.text, "");
    assert_int_equal(count, GENERATIONS);
}

static uint64_t tunnels_on(struct bench *b, int generation)
{
    struct endpoint_stats sum;
    char id[8];
    snprintf(id, sizeof id, "%d", generation);
    assert_true(stats_read_endpoint(b->stats, id, &sum));
    assert_int_equal(sum.tunnels, sum.in_flight);
    return sum.tunnels;
}

/* However long ago it left, whichever worker has them: a container that drains is waited for by this number. Ended, the
 * workers give all back: else the builder of snapshots would not be empty, which it checks. */
static void tunnels_are_counted_where_they_were_opened_until_the_workers_are_ended(void **state)
{
    struct bench *b = *state;
    struct error error = { "" };
    struct tunnel tunnels[GENERATIONS][TUNNELS_EACH];
    int port = 0, listen_fd = loopback_listen(&port);
    for (int g = 0; g < GENERATIONS; g++) {
        assert_true(serve_generation(b, port, g, &error));
        for (int i = 0; i < TUNNELS_EACH; i++)
            tunnels[g][i] = open_tunnel(b, listen_fd);
    }
    serve(b, b->a.port, 0); /* "ws" has gone too */
    for (int g = 0; g < GENERATIONS; g++) {
        assert_int_equal(tunnels_on(b, g), TUNNELS_EACH);
        close(tunnels[g][0].client);
        assert_closed(tunnels[g][0].upstream);
    }
    fleet_end(b->fleet);
    while (!b->has_stopped)
        loop_run(b->loop);
    for (int g = 0; g < GENERATIONS; g++) {
        assert_int_equal(tunnels_on(b, g), 0);
        for (int i = 1; i < TUNNELS_EACH; i++) {
            assert_closed(tunnels[g][i].client);
            close(tunnels[g][i].upstream);
        }
    }
    close(listen_fd);
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
        TEST(pipelined_requests_are_answered_in_order),
        TEST(a_new_snapshot_holds_for_connections_that_are_open_already),
        TEST(a_refused_document_leaves_the_running_snapshot),
        TEST(a_dead_endpoint_costs_no_request_while_another_lives),
        TEST(a_malformed_request_is_refused_and_the_connection_closed),
        TEST(what_was_served_is_counted),
        TEST(tunnels_never_hold_up_new_endpoints),
        TEST(tunnels_are_counted_where_they_were_opened_until_the_workers_are_ended),
        TEST(a_log_that_is_switched_is_closed_when_no_worker_writes_to_it),
        TEST(a_log_for_a_fleet_without_one_is_closed_at_once),
        TEST(draining_closes_idle_connections_and_takes_nothing_new),
        TEST(workers_that_have_nothing_left_say_that_nothing_will_begin),
        TEST(snapshots_may_follow_faster_than_they_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
