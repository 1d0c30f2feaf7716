#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/local_links.h"

#include <string.h>

static void an_address_is_reached_when_it_is_in_one_of_the_networks(void **state)
{
    struct network networks[2];
    const struct local_links links = { .networks = networks, .count = 2 };
    (void)state;
    assert_true(network_parse("172.18.0.0/16", &networks[0]) && network_parse("fd00:1::/64", &networks[1]));
    assert_true(local_links_reach(&links, "172.18.255.1"));
    assert_true(local_links_reach(&links, "fd00:1::7"));
    assert_false(local_links_reach(&links, "172.19.0.1"));
    assert_false(local_links_reach(&links, "fd00:2::7"));
    assert_false(local_links_reach(&links, "172.18.0.0/16"));
    assert_false(local_links_reach(&links, ""));
    assert_false(local_links_reach(&links, "front"));
    assert_false(local_links_reach(NULL, "172.18.0.1"));
    assert_false(local_links_reach(&(struct local_links){ 0 }, "172.18.0.1"));
}

static void what_the_kernel_tells_is_sorted_and_without_loopback(void **state)
{
    struct local_links links = { 0 }, again = { 0 };
    (void)state;
    assert_true(local_links_read(&links));
    assert_true(local_links_read(&links)); /* frees what it held */
    for (size_t i = 1; i < links.count; i++)
        assert_true(
            memcmp(&links.networks[i - 1].address, &links.networks[i].address, sizeof links.networks->address) <= 0);
    assert_false(local_links_reach(&links, "127.0.0.1"));
    assert_false(local_links_reach(&links, "::1"));
    assert_true(local_links_equal(&links, &links));
    assert_true(local_links_equal(&again, &(struct local_links){ 0 }));
    struct local_links fewer = { .networks = links.networks, .count = links.count > 0 ? links.count - 1 : 0 };
    assert_true(links.count == 0 || !local_links_equal(&links, &fewer));
    local_links_fini(&links);
    local_links_fini(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_reached_when_it_is_in_one_of_the_networks),
        cmocka_unit_test(what_the_kernel_tells_is_sorted_and_without_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
