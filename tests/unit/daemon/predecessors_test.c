#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/predecessors.h"

#include "base/log.h"
#include "base/mem.h"
#include "proxy/stats.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int set_up(void **state)
{
    struct predecessors *p = mem_alloc(sizeof *p);
    log_init("test", LOG_LEVEL_ERROR);
    *p = (struct predecessors){ .loop = loop_new() };
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct predecessors *p = *state;
    predecessors_fini(p);
    loop_free(p->loop);
    free(p);
    return 0;
}

static void a_region_is_free_when_its_proxy_has_ended_and_nothing_is_in_flight_in_it(void **state)
{
    struct predecessors *p = *state;
    int fd = stats_create_fd(2, NULL);
    struct stats_region *writer = stats_map_writer(fd, 2, NULL);
    uint32_t row = stats_claim_endpoint(writer, "a", "10.0.0.1:80");
    stats_endpoints(writer, 1)[row].in_flight = 3;
    stats_endpoints(writer, 1)[row].requests = 9;
    predecessors_add(p, 4711, -1, fd);
    assert_int_equal(predecessors_take_region(p, 2), -1); /* somebody writes it */
    assert_false(predecessors_end(p, 4712));
    assert_non_null(predecessors_find(p, 4711));
    assert_true(predecessors_end(p, 4711));
    assert_null(predecessors_find(p, 4711));
    assert_int_equal(predecessors_living_count(p), 0);
    assert_int_equal(stats_endpoints(writer, 1)[row].in_flight, 0);
    assert_int_equal(stats_endpoints(writer, 1)[row].requests, 9);
    assert_true(stats_is_ending(writer));
    assert_int_equal(predecessors_take_region(p, 3), -1); /* for another number of workers */
    assert_int_equal(predecessors_take_region(p, 2), fd);
    assert_int_equal(p->count, 0);
    stats_unmap(writer);
    close(fd);
}

static void a_region_of_another_version_is_counted_while_its_proxy_lives_and_then_given_up(void **state)
{
    struct predecessors *p = *state;
    int fd = memfd_create("other", MFD_CLOEXEC);
    predecessors_add(p, 1, -1, fd);
    predecessors_add(p, 2, -1, stats_create_fd(1, NULL));
    assert_int_equal(predecessors_unreadable_count(p), 1);
    assert_true(predecessors_has_region(p, fd));
    assert_true(predecessors_end(p, 1));
    assert_false(predecessors_has_region(p, fd)); /* closed: it must not be handed on */
    assert_int_equal(predecessors_unreadable_count(p), 0);
    assert_int_equal(p->count, 1);
}

static void room_is_made_by_giving_up_the_oldest_free_region_and_never_a_living_proxy(void **state)
{
    struct predecessors *p = *state;
    for (int i = 1; i <= PREDECESSORS_MAX; i++) {
        assert_true(predecessors_make_room(p));
        predecessors_add(p, i, -1, stats_create_fd(1, NULL));
    }
    assert_false(predecessors_make_room(p));
    assert_true(predecessors_end(p, 5));
    assert_true(predecessors_end(p, 3));
    assert_true(predecessors_make_room(p));
    assert_int_equal(p->count, PREDECESSORS_MAX - 1);
    assert_int_equal(predecessors_living_count(p), PREDECESSORS_MAX - 2);
    assert_true(predecessors_find(p, 1) && predecessors_find(p, PREDECESSORS_MAX));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_region_is_free_when_its_proxy_has_ended_and_nothing_is_in_flight_in_it),
        TEST(a_region_of_another_version_is_counted_while_its_proxy_lives_and_then_given_up),
        TEST(room_is_made_by_giving_up_the_oldest_free_region_and_never_a_living_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
