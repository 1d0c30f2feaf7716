#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/stats.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORKERS 2

struct bench {
    int fd;
    struct stats_region *writer, *reader;
};

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    struct error error = { "" };
    b->fd = stats_create_fd(WORKERS, &error);
    assert_true(b->fd >= 0);
    b->writer = stats_map_writer(b->fd, WORKERS, &error);
    b->reader = stats_map_reader(b->fd, &error);
    assert_string_equal(error.text, "");
    assert_non_null(b->writer);
    assert_non_null(b->reader);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    stats_unmap(b->writer);
    stats_unmap(b->reader);
    close(b->fd);
    free(b);
    return 0;
}

static void proxy_restarts(struct bench *b)
{
    stats_unmap(b->writer);
    b->writer = stats_map_writer(b->fd, WORKERS, NULL);
    assert_non_null(b->writer);
}

static void a_reader_sums_a_service_over_workers(void **state)
{
    struct bench *b = *state;
    struct service_stats sum;
    uint32_t slot = stats_claim_service(b->writer, "web");
    for (uint32_t w = 0; w < WORKERS; w++) {
        struct service_stats *s = &stats_services(b->writer, w)[slot];
        s->requests = 10 + w;
        s->in_flight = 3;
        s->statuses[2] = 7;
        s->statuses[5] = 1 + w;
        s->request_bytes = 100;
        histogram_add(&s->latency, 1000);
        histogram_add(&s->duration, 2000);
    }
    assert_true(stats_read_service(b->reader, "web", &sum));
    assert_int_equal(sum.requests, 21);
    assert_int_equal(sum.in_flight, 6);
    assert_int_equal(sum.statuses[2], 14);
    assert_int_equal(sum.statuses[5], 3);
    assert_int_equal(sum.request_bytes, 200);
    assert_int_equal(histogram_count(&sum.latency), 2);
    assert_int_equal(histogram_count(&sum.duration), 2);
}

static void an_unknown_name_is_missing_and_not_zero(void **state)
{
    struct bench *b = *state;
    struct service_stats service;
    struct endpoint_stats endpoint;
    stats_claim_service(b->writer, "web");
    stats_claim_endpoint(b->writer, "abc", "10.0.0.1:80");
    assert_false(stats_read_service(b->reader, "we", &service));
    assert_false(stats_read_service(b->reader, "web2", &service));
    assert_false(stats_read_service(b->reader, "", &service));
    assert_false(stats_read_endpoint(b->reader, "ab", &endpoint));
    assert_false(stats_read_endpoint(b->reader, "abc 10.0.0.1:80", &endpoint));
}

static void an_endpoint_is_summed_over_its_addresses(void **state)
{
    struct bench *b = *state;
    struct endpoint_stats sum;
    uint32_t first = stats_claim_endpoint(b->writer, "abc", "10.0.0.1:80");
    uint32_t second = stats_claim_endpoint(b->writer, "abc", "10.0.0.2:80");
    assert_int_not_equal(first, second);
    stats_endpoints(b->writer, 0)[first].in_flight = 1;
    stats_endpoints(b->writer, 1)[second].in_flight = 2;
    stats_endpoints(b->writer, 1)[second].tunnels = 1;
    stats_endpoints(b->writer, 1)[second].failures = 4;
    assert_true(stats_read_endpoint(b->reader, "abc", &sum));
    assert_int_equal(sum.in_flight, 3);
    assert_int_equal(sum.tunnels, 1);
    assert_int_equal(sum.failures, 4);
}

static void a_claim_of_a_known_name_gives_the_same_row(void **state)
{
    struct bench *b = *state;
    uint32_t slot = stats_claim_service(b->writer, "web");
    assert_int_equal(stats_claim_service(b->writer, "web"), slot);
    assert_int_not_equal(stats_claim_service(b->writer, "api"), slot);
    uint32_t endpoint = stats_claim_endpoint(b->writer, "abc", "10.0.0.1:80");
    assert_int_equal(stats_claim_endpoint(b->writer, "abc", "10.0.0.1:80"), endpoint);
}

static void a_released_row_keeps_its_counters_until_the_room_is_needed(void **state)
{
    struct bench *b = *state;
    struct service_stats sum;
    char name[32];
    uint32_t slot = stats_claim_service(b->writer, "web");
    stats_services(b->writer, 1)[slot].requests = 5;
    stats_release_service(b->writer, slot);
    assert_true(stats_read_service(b->reader, "web", &sum));
    assert_int_equal(stats_claim_service(b->writer, "web"), slot);
    stats_release_service(b->writer, slot);
    for (int i = 1; i < STATS_SERVICES_MAX; i++) {
        snprintf(name, sizeof name, "s%d", i);
        assert_int_not_equal(stats_claim_service(b->writer, name), slot);
    }
    assert_true(stats_read_service(b->reader, "web", &sum));
    assert_int_equal(sum.requests, 5);
    assert_int_equal(stats_claim_service(b->writer, "one more"), slot);
    assert_false(stats_read_service(b->reader, "web", &sum));
    assert_true(stats_read_service(b->reader, "one more", &sum));
    assert_int_equal(sum.requests, 0);
    assert_int_equal(stats_claim_service(b->writer, "too many"), STATS_SLOT_NONE);
}

static void the_row_released_first_is_given_away_first(void **state)
{
    struct bench *b = *state;
    char id[32];
    uint32_t slots[STATS_ENDPOINTS_MAX];
    for (int i = 0; i < STATS_ENDPOINTS_MAX; i++) {
        snprintf(id, sizeof id, "id%d", i);
        slots[i] = stats_claim_endpoint(b->writer, id, "10.0.0.1:80");
        assert_int_not_equal(slots[i], STATS_SLOT_NONE);
    }
    assert_int_equal(stats_claim_endpoint(b->writer, "x", "10.0.0.1:80"), STATS_SLOT_NONE);
    stats_release_endpoint(b->writer, slots[700]);
    stats_release_endpoint(b->writer, slots[30]);
    assert_int_equal(stats_claim_endpoint(b->writer, "x", "10.0.0.1:80"), slots[700]);
    assert_int_equal(stats_claim_endpoint(b->writer, "y", "10.0.0.1:80"), slots[30]);
}

static void rows_are_free_until_they_are_claimed_and_once_they_are_released(void **state)
{
    struct bench *b = *state;
    assert_int_equal(stats_free_endpoints(b->writer), STATS_ENDPOINTS_MAX);
    uint32_t slot = stats_claim_endpoint(b->writer, "abc", "10.0.0.1:80");
    assert_int_equal(stats_claim_endpoint(b->writer, "abc", "10.0.0.1:80"), slot);
    stats_claim_service(b->writer, "web");
    assert_int_equal(stats_free_endpoints(b->writer), STATS_ENDPOINTS_MAX - 1);
    assert_int_equal(stats_free_services(b->writer), STATS_SERVICES_MAX - 1);
    stats_release_endpoint(b->writer, slot);
    stats_release_endpoint(b->writer, slot);
    assert_int_equal(stats_free_endpoints(b->writer), STATS_ENDPOINTS_MAX);
    proxy_restarts(b);
    assert_int_equal(stats_free_services(b->writer), STATS_SERVICES_MAX);
}

static void counters_survive_a_new_writer_and_gauges_start_at_zero(void **state)
{
    struct bench *b = *state;
    struct service_stats sum;
    struct endpoint_stats endpoint;
    struct worker_stats totals;
    uint32_t slot = stats_claim_service(b->writer, "web");
    uint32_t row = stats_claim_endpoint(b->writer, "abc", "10.0.0.1:80");
    stats_services(b->writer, 0)[slot].requests = 9;
    stats_services(b->writer, 0)[slot].in_flight = 4;
    stats_endpoints(b->writer, 1)[row].requests = 8;
    stats_endpoints(b->writer, 1)[row].in_flight = 3;
    stats_endpoints(b->writer, 1)[row].tunnels = 2;
    stats_worker(b->writer, 1)->connections_open = 6;
    stats_worker(b->writer, 1)->connections_accepted = 60;
    proxy_restarts(b);
    assert_true(stats_read_service(b->reader, "web", &sum));
    assert_int_equal(sum.requests, 9);
    assert_int_equal(sum.in_flight, 0);
    assert_true(stats_read_endpoint(b->reader, "abc", &endpoint));
    assert_int_equal(endpoint.requests, 8);
    assert_int_equal(endpoint.in_flight, 0);
    assert_int_equal(endpoint.tunnels, 0);
    stats_read_worker_totals(b->reader, &totals);
    assert_int_equal(totals.connections_open, 0);
    assert_int_equal(totals.connections_accepted, 60);
    assert_int_equal(stats_claim_service(b->writer, "web"), slot);
}

static void worker_totals_are_summed(void **state)
{
    struct bench *b = *state;
    struct worker_stats totals;
    stats_worker(b->writer, 0)->connections_accepted = 5;
    stats_worker(b->writer, 1)->connections_accepted = 6;
    stats_worker(b->writer, 0)->log_lines_dropped = 1;
    stats_read_worker_totals(b->reader, &totals);
    assert_int_equal(totals.connections_accepted, 11);
    assert_int_equal(totals.log_lines_dropped, 1);
}

static void the_beat_is_seen_by_the_reader(void **state)
{
    struct bench *b = *state;
    assert_true(stats_beat_age_ms(b->reader, 12345) == STATS_BEAT_NEVER);
    stats_beat(b->writer, 12345);
    assert_int_equal(stats_beat_age_ms(b->reader, 12345), 0);
    assert_int_equal(stats_beat_age_ms(b->reader, 12400), 55);
    assert_int_equal(stats_beat_age_ms(b->reader, 12340), 0); /* the clock was read before */
}

static void a_beat_that_nobody_can_have_made_yet_is_none(void **state)
{
    struct bench *b = *state;
    static const int64_t lies[] = { INT64_MAX, INT64_MIN, -1, 1000000 };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        stats_beat(b->writer, lies[i]);
        assert_true(stats_beat_age_ms(b->reader, 12345) == STATS_BEAT_NEVER);
    }
}

/* What a proxy that was taken over can leave behind: any bytes at all. */
static void whatever_a_writer_left_the_next_one_begins_and_readers_go_on(void **state)
{
    struct bench *b = *state;
    static const unsigned char fills[] = { 0xff, 0x00, 0x01, 0x41 };
    char *raw = mmap(NULL, stats_region_bytes(WORKERS), PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
    assert_true(raw != MAP_FAILED);
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        struct service_stats service;
        struct endpoint_stats endpoint;
        struct worker_stats totals;
        char id[32];
        memset(raw, fills[i], stats_region_bytes(WORKERS));
        stats_read_service(b->reader, "web", &service);
        stats_read_endpoint(b->reader, "abc", &endpoint);
        stats_read_worker_totals(b->reader, &totals);
        (void)stats_beat_age_ms(b->reader, 12345);
        struct stats_region *again = stats_map_reader(b->fd, NULL);
        assert_non_null(again);
        assert_int_equal(stats_workers(again), WORKERS);
        stats_unmap(again);
        proxy_restarts(b);
        for (int row = 0; row < STATS_ENDPOINTS_MAX; row++) {
            snprintf(id, sizeof id, "id%d", row);
            assert_int_not_equal(stats_claim_endpoint(b->writer, id, "10.0.0.1:80"), STATS_SLOT_NONE);
        }
        for (int row = 0; row < STATS_SERVICES_MAX; row++) {
            snprintf(id, sizeof id, "s%d", row);
            assert_int_not_equal(stats_claim_service(b->writer, id), STATS_SLOT_NONE);
        }
        assert_true(stats_read_service(b->reader, "s7", &service));
        assert_int_equal(service.requests, 0);
        assert_int_equal(service.in_flight, 0);
        assert_true(stats_read_endpoint(b->reader, "id7", &endpoint));
        assert_int_equal(endpoint.in_flight, 0);
    }
    munmap(raw, stats_region_bytes(WORKERS));
}

static void names_that_do_not_fit_get_no_row(void **state)
{
    struct bench *b = *state;
    char name[STATS_NAME_SIZE + 1];
    memset(name, 'n', sizeof name);
    name[STATS_NAME_SIZE] = '\0';
    assert_int_equal(stats_claim_service(b->writer, name), STATS_SLOT_NONE);
    assert_int_equal(stats_claim_service(b->writer, ""), STATS_SLOT_NONE);
    assert_int_equal(stats_claim_endpoint(b->writer, name, "a"), STATS_SLOT_NONE);
    assert_int_equal(stats_claim_endpoint(b->writer, "", "10.0.0.1:80"), STATS_SLOT_NONE);
    name[STATS_NAME_SIZE - 1] = '\0';
    assert_int_not_equal(stats_claim_service(b->writer, name), STATS_SLOT_NONE);
    struct service_stats sum;
    assert_true(stats_read_service(b->reader, name, &sum));
}

static void a_descriptor_of_another_shape_is_refused(void **state)
{
    struct bench *b = *state;
    struct error error;
    assert_null(stats_map_writer(b->fd, WORKERS + 1, &error));
    assert_null(stats_map_writer(b->fd, 0, &error));
    assert_null(stats_map_writer(b->fd, UINT32_MAX, &error));
    int other = memfd_create("other", MFD_CLOEXEC);
    assert_null(stats_map_reader(other, &error));
    assert_int_equal(ftruncate(other, (off_t)stats_region_bytes(WORKERS)), 0); /* but not sealed in it */
    assert_null(stats_map_reader(other, &error));
    assert_null(stats_map_writer(other, WORKERS, &error));
    close(other);
    assert_int_equal(stats_create_fd(0, &error), -1);
    assert_int_equal(stats_create_fd(STATS_WORKERS_MAX + 1, &error), -1);
}

static void neither_side_can_shrink_the_region(void **state)
{
    struct bench *b = *state;
    assert_int_equal(ftruncate(b->fd, 4096), -1);
    assert_int_equal(fcntl(b->fd, F_GETFD) & FD_CLOEXEC, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_reader_sums_a_service_over_workers),
        TEST(an_unknown_name_is_missing_and_not_zero),
        TEST(an_endpoint_is_summed_over_its_addresses),
        TEST(a_claim_of_a_known_name_gives_the_same_row),
        TEST(a_released_row_keeps_its_counters_until_the_room_is_needed),
        TEST(the_row_released_first_is_given_away_first),
        TEST(rows_are_free_until_they_are_claimed_and_once_they_are_released),
        TEST(counters_survive_a_new_writer_and_gauges_start_at_zero),
        TEST(worker_totals_are_summed),
        TEST(the_beat_is_seen_by_the_reader),
        TEST(a_beat_that_nobody_can_have_made_yet_is_none),
        TEST(whatever_a_writer_left_the_next_one_begins_and_readers_go_on),
        TEST(names_that_do_not_fit_get_no_row),
        TEST(a_descriptor_of_another_shape_is_refused),
        TEST(neither_side_can_shrink_the_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
