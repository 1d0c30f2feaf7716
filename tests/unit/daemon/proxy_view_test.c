#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/proxy_view.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct bench {
    struct loop *loop;
    struct task_registry *registry;
    struct publisher *publisher;
    struct stats_region *writer;
    struct proxy_view view;
    struct data_plane plane;
    int proxy; /* the other end of the link; -1: none */
    int64_t now_ms;
};

static void pass(struct bench *b, int64_t ms)
{
    b->now_ms += ms;
    clock_set_fake(b->now_ms * 1000);
}

static void ask_for_link(void *owner)
{
    (void)owner;
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    pass(b, 1000000);
    b->loop = loop_new();
    b->registry = task_registry_new();
    b->publisher = publisher_new(&(struct publisher_parts){ .loop = b->loop,
                                                            .registry = b->registry,
                                                            .bound_listeners = "http",
                                                            .serial_base = 1000,
                                                            .ask_for_link = ask_for_link });
    /* A first list that never comes: no snapshot is sent that nobody would acknowledge. */
    publisher_add_provider(b->publisher, task_registry_add_provider(b->registry, "test"));
    int fd = stats_create_fd(2, NULL);
    b->writer = stats_map_writer(fd, 2, NULL);
    b->view = (struct proxy_view){ .stats = stats_map_reader(fd, NULL), .publisher = b->publisher };
    close(fd);
    b->plane = proxy_view_data_plane(&b->view);
    b->proxy = -1;
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    publisher_free(b->publisher);
    task_registry_free(b->registry);
    stats_unmap(b->writer);
    stats_unmap((struct stats_region *)b->view.stats);
    loop_free(b->loop);
    if (b->proxy >= 0)
        close(b->proxy);
    free(b);
    clock_set_fake(-1);
    return 0;
}

static void turn(struct bench *b)
{
    for (int i = 0; i < 4; i++)
        event_base_loop(loop_base(b->loop), EVLOOP_NONBLOCK);
}

static void link_up(struct bench *b)
{
    static const char hello[] = "\0\0\0\x29{\"type\":\"hello\",\"workers\":2,\"serial\":5}  ";
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    b->proxy = fds[1];
    publisher_set_link(b->publisher, fds[0]);
    assert_int_equal(write(b->proxy, hello, 4 + 0x29), 4 + 0x29);
    turn(b);
}

static void link_down(struct bench *b)
{
    close(b->proxy);
    b->proxy = -1;
    turn(b);
}

static bool is_fresh(const struct bench *b)
{
    return b->plane.ops->is_fresh(b->plane.owner);
}

static bool is_out(const struct bench *b, const char *id)
{
    return b->plane.ops->is_out_of_rotation(b->plane.owner, id);
}

static void numbers_are_fresh_with_a_link_and_a_heartbeat(void **state)
{
    struct bench *b = *state;
    assert_false(is_fresh(b));
    link_up(b);
    assert_false(is_fresh(b));
    stats_beat(b->writer, b->now_ms);
    assert_true(is_fresh(b));
    pass(b, PROXY_FRESH_MS);
    assert_false(is_fresh(b));
    stats_beat(b->writer, b->now_ms);
    assert_true(is_fresh(b));
    link_down(b);
    assert_false(is_fresh(b));
}

static void numbers_are_stale_while_a_snapshot_is_unanswered_for_long(void **state)
{
    struct bench *b = *state;
    task_registry_begin_sync(b->registry, 0);
    task_registry_end_sync(b->registry, 0);
    link_up(b);
    stats_beat(b->writer, b->now_ms);
    assert_true(is_fresh(b));
    pass(b, PROXY_FRESH_MS);
    stats_beat(b->writer, b->now_ms);
    assert_false(is_fresh(b));
}

static void a_broken_link_with_a_heartbeat_is_not_a_dead_proxy(void **state)
{
    struct bench *b = *state;
    link_up(b);
    stats_beat(b->writer, b->now_ms);
    link_down(b);
    pass(b, PROXY_DEAD_MS + 1);
    stats_beat(b->writer, b->now_ms);
    assert_false(proxy_view_is_dead(&b->view));
    assert_false(is_out(b, "a")); /* it still serves a snapshot that we do not know */
    pass(b, PROXY_DEAD_MS + 1);
    assert_true(proxy_view_is_dead(&b->view));
    assert_true(is_out(b, "a"));
}

static void a_dead_proxy_has_nothing_in_flight(void **state)
{
    struct bench *b = *state;
    struct endpoint_traffic endpoint;
    struct service_traffic service;
    link_up(b);
    stats_beat(b->writer, b->now_ms);
    uint32_t row = stats_claim_endpoint(b->writer, "a", "10.0.0.1:80"), slot = stats_claim_service(b->writer, "web");
    stats_endpoints(b->writer, 1)[row].in_flight = 3;
    stats_endpoints(b->writer, 1)[row].tunnels = 2;
    stats_endpoints(b->writer, 1)[row].requests = 9;
    stats_services(b->writer, 0)[slot].in_flight = 4;
    assert_true(b->plane.ops->endpoint_traffic(b->plane.owner, "a", &endpoint));
    assert_int_equal(endpoint.in_flight, 3);
    assert_int_equal(endpoint.tunnels, 2);
    link_down(b);
    pass(b, PROXY_DEAD_MS + 1);
    assert_true(b->plane.ops->endpoint_traffic(b->plane.owner, "a", &endpoint));
    assert_int_equal(endpoint.in_flight, 0);
    assert_int_equal(endpoint.tunnels, 0);
    assert_int_equal(endpoint.requests, 9);
    assert_true(b->plane.ops->service_traffic(b->plane.owner, "web", &service));
    assert_int_equal(service.in_flight, 0);
}

static void what_the_data_plane_does_not_know_is_missing(void **state)
{
    struct bench *b = *state;
    struct endpoint_traffic endpoint;
    struct service_traffic service;
    assert_false(b->plane.ops->endpoint_traffic(b->plane.owner, "a", &endpoint));
    assert_false(b->plane.ops->service_traffic(b->plane.owner, "web", &service));
}

static void every_number_of_a_service_arrives_in_its_place(void **state)
{
    struct bench *b = *state;
    struct service_traffic t;
    uint32_t slot = stats_claim_service(b->writer, "web");
    struct service_stats *s = &stats_services(b->writer, 0)[slot];
    *s = (struct service_stats){ .requests = 1,
                                 .in_flight = 2,
                                 .statuses = { 3, 4, 5, 6, 7, 8 },
                                 .retries = 9,
                                 .no_endpoint = 10,
                                 .request_bytes = 11,
                                 .response_bytes = 12 };
    histogram_add(&s->latency, 5000);
    histogram_add(&s->duration, 7000);
    histogram_add(&s->duration, 7000);
    stats_beat(b->writer, b->now_ms);
    assert_true(b->plane.ops->service_traffic(b->plane.owner, "web", &t));
    assert_int_equal(t.requests, 1);
    assert_int_equal(t.in_flight, 2);
    assert_int_equal(t.statuses[0], 3);
    assert_int_equal(t.statuses[5], 8);
    assert_int_equal(t.retries, 9);
    assert_int_equal(t.no_endpoint, 10);
    assert_int_equal(t.request_bytes, 11);
    assert_int_equal(t.response_bytes, 12);
    assert_int_equal(histogram_count(&t.latency), 1);
    assert_int_equal(histogram_count(&t.duration), 2);
}

/* A region of a proxy that an upgrade replaced; the test's to unmap. */
static struct stats_region *add_earlier(struct bench *b)
{
    int fd = stats_create_fd(1, NULL);
    struct stats_region *writer = stats_map_writer(fd, 1, NULL);
    b->view.earlier[b->view.earlier_count++] = stats_map_reader(fd, NULL);
    close(fd);
    return writer;
}

static void remove_earlier(struct bench *b, struct stats_region *writer)
{
    stats_unmap((struct stats_region *)b->view.earlier[--b->view.earlier_count]);
    stats_unmap(writer);
}

static void what_earlier_proxies_have_counted_and_have_in_flight_is_added(void **state)
{
    struct bench *b = *state;
    struct stats_region *earlier = add_earlier(b);
    struct service_traffic service;
    struct endpoint_traffic endpoint;
    struct worker_stats totals;
    stats_services(b->writer, 0)[stats_claim_service(b->writer, "web")].requests = 5;
    stats_services(earlier, 0)[stats_claim_service(earlier, "web")].requests = 7;
    stats_endpoints(earlier, 0)[stats_claim_endpoint(earlier, "a", "10.0.0.1:80")].in_flight = 1;
    stats_worker(b->writer, 1)->connections_accepted = 2;
    stats_worker(earlier, 0)->connections_accepted = 3;
    assert_true(b->plane.ops->service_traffic(b->plane.owner, "web", &service));
    assert_int_equal(service.requests, 12);
    assert_true(b->plane.ops->endpoint_traffic(b->plane.owner, "a", &endpoint)); /* our own proxy never heard of it */
    assert_int_equal(endpoint.in_flight, 1);
    proxy_view_worker_totals(&b->view, &totals);
    assert_int_equal(totals.connections_accepted, 5);
    remove_earlier(b, earlier);
}

static void no_task_is_out_while_an_earlier_proxy_may_begin_something(void **state)
{
    struct bench *b = *state;
    link_up(b);
    link_down(b);
    pass(b, PROXY_DEAD_MS + 1);
    assert_true(is_out(b, "a"));
    struct stats_region *earlier = add_earlier(b);
    assert_false(is_out(b, "a"));
    stats_set_ending(earlier);
    assert_true(is_out(b, "a"));
    remove_earlier(b, earlier);
}

static void what_cannot_be_read_counts_as_in_flight_until_its_proxy_has_ended(void **state)
{
    struct bench *b = *state;
    struct endpoint_traffic endpoint;
    b->view.unreadable_count = 1;
    assert_true(b->plane.ops->endpoint_traffic(b->plane.owner, "a", &endpoint));
    assert_int_equal(endpoint.in_flight, 1);
    proxy_view_forget_unreadable(&b->view);
    proxy_view_forget_unreadable(&b->view);
    assert_false(b->plane.ops->endpoint_traffic(b->plane.owner, "a", &endpoint));
    assert_int_equal(endpoint.in_flight, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_fresh_with_a_link_and_a_heartbeat),
        TEST(numbers_are_stale_while_a_snapshot_is_unanswered_for_long),
        TEST(a_broken_link_with_a_heartbeat_is_not_a_dead_proxy),
        TEST(a_dead_proxy_has_nothing_in_flight),
        TEST(what_the_data_plane_does_not_know_is_missing),
        TEST(every_number_of_a_service_arrives_in_its_place),
        TEST(what_earlier_proxies_have_counted_and_have_in_flight_is_added),
        TEST(no_task_is_out_while_an_earlier_proxy_may_begin_something),
        TEST(what_cannot_be_read_counts_as_in_flight_until_its_proxy_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
