#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/snapshot/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct bench {
    struct stats_region *stats;
    struct endpoint_table *table;
};

static int set_up(void **state)
{
    static struct bench bench;
    int fd = stats_create_fd(1, NULL);
    assert_true(fd >= 0);
    bench.stats = stats_map_writer(fd, 1, NULL);
    assert_non_null(bench.stats);
    close(fd);
    bench.table = endpoint_table_new(bench.stats);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    endpoint_table_free(b->table); /* insists on being empty */
    stats_unmap(b->stats);
    return 0;
}

static struct endpoint *ref(struct bench *b, const char *id, const char *address)
{
    struct error error = { "" };
    struct endpoint *endpoint = endpoint_ref(b->table, id, address, &error);
    if (!endpoint)
        fail_msg("%s %s: %s", id, address, error.text);
    return endpoint;
}

static void addresses_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int family, port;
    } good[] = {
        { "1.2.3.4:80", "1.2.3.4", AF_INET, 80 },
        { "255.255.255.255:65535", "255.255.255.255", AF_INET, 65535 },
        { "127.0.0.1:1", "127.0.0.1", AF_INET, 1 },
        { "[::1]:80", "::1", AF_INET6, 80 },
        { "[2001:db8::7]:8080", "2001:db8::7", AF_INET6, 8080 },
        { "[2001:DB8::7]:8080", "2001:db8::7", AF_INET6, 8080 },
        { "[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", AF_INET6, 80 },
        { "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", AF_INET6, 1 },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        union endpoint_address address;
        char host[INET6_ADDRSTRLEN];
        socklen_t len = 0;
        if (!endpoint_parse_address(good[i].text, &address, &len))
            fail_msg("%s was refused", good[i].text);
        assert_int_equal(address.any.sa_family, good[i].family);
        bool is_v6 = good[i].family == AF_INET6;
        assert_int_equal(len, is_v6 ? sizeof address.v6 : sizeof address.v4);
        assert_int_equal(ntohs(is_v6 ? address.v6.sin6_port : address.v4.sin_port), good[i].port);
        const void *bytes = is_v6 ? (const void *)&address.v6.sin6_addr : (const void *)&address.v4.sin_addr;
        assert_string_equal(inet_ntop(good[i].family, bytes, host, sizeof host), good[i].host);
    }
}

static void what_is_not_exactly_an_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ":",
        "80",
        ":80",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:0",
        "1.2.3.4:080",
        "1.2.3.4:65536",
        "1.2.3.4:4294967376",
        "1.2.3.4:99999999999999999999",
        "1.2.3.4:+80",
        "1.2.3.4:-80",
        "1.2.3.4: 80",
        "1.2.3.4:80 ",
        "1.2.3.4:80x",
        "1.2.3.4:0x50",
        " 1.2.3.4:80",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "1.2.3.256:80",
        "01.2.3.4:80",
        "0x7f.1:80",
        "localhost:80",
        "example.com:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1]:",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[:80",
        "[1.2.3.4]:80",
        "[::1%lo]:80",
        "[::1]]:80",
        "[[::1]]:80",
        "[::g]:80",
        "[fffff::1]:80",
        "unix:/run/x:80",
        "1.2.3.4:80:80",
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:80",
        "1111111111111111111111111111111111111111111111111111111111111111:80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        union endpoint_address address;
        socklen_t len = 0;
        if (endpoint_parse_address(bad[i], &address, &len))
            fail_msg("'%s' was accepted", bad[i]);
    }
}

static void the_same_id_and_address_are_one_endpoint(void **state)
{
    struct bench *b = *state;
    struct endpoint *a = ref(b, "one", "1.2.3.4:80");
    assert_ptr_equal(ref(b, "one", "1.2.3.4:80"), a);
    assert_int_equal(a->refs, 2);
    assert_int_equal(endpoint_table_count(b->table), 1);
    endpoint_unref(b->table, a);
    assert_int_equal(endpoint_table_count(b->table), 1);
    endpoint_unref(b->table, a);
    assert_int_equal(endpoint_table_count(b->table), 0);
}

static void another_id_or_address_is_another_endpoint(void **state)
{
    struct bench *b = *state;
    struct endpoint *all[] = { ref(b, "one", "1.2.3.4:80"), ref(b, "two", "1.2.3.4:80"), ref(b, "one", "1.2.3.4:81") };
    assert_int_equal(endpoint_table_count(b->table), 3);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(all[i]->slot, all[(i + 1) % 3]->slot);
    assert_string_equal(all[0]->address_text, "1.2.3.4:80");
    assert_string_equal(all[2]->address_text, "1.2.3.4:81");
    assert_string_equal(all[2]->key, "one 1.2.3.4:81");
    for (int i = 0; i < 3; i++)
        endpoint_unref(b->table, all[i]);
}

static void one_that_comes_back_finds_its_counters(void **state)
{
    struct bench *b = *state;
    struct endpoint *endpoint = ref(b, "one", "1.2.3.4:80");
    uint32_t slot = endpoint->slot;
    stats_endpoints(b->stats, 0)[slot].requests = 5;
    endpoint_unref(b->table, endpoint);
    endpoint = ref(b, "one", "1.2.3.4:80");
    assert_int_equal(endpoint->slot, slot);
    assert_int_equal(stats_endpoints(b->stats, 0)[slot].requests, 5);
    endpoint_unref(b->table, endpoint);
}

static void bad_ids_and_addresses_leave_nothing_behind(void **state)
{
    struct bench *b = *state;
    struct error error = { "" };
    char long_id[ENDPOINT_ID_MAX + 2];
    memset(long_id, 'i', sizeof long_id);
    long_id[ENDPOINT_ID_MAX + 1] = '\0';
    assert_null(endpoint_ref(b->table, long_id, "1.2.3.4:80", &error));
    assert_non_null(strstr(error.text, "71"));
    assert_null(endpoint_ref(b->table, "", "1.2.3.4:80", &error));
    assert_null(endpoint_ref(b->table, "one", "web:80", &error));
    assert_non_null(strstr(error.text, "'web:80'"));
    assert_null(endpoint_ref(b->table, "one",
                             "1111111111111111111111111111111111111111111111111111111111111111111111111111:1", &error));
    assert_int_equal(endpoint_table_count(b->table), 0);
    long_id[ENDPOINT_ID_MAX] = '\0';
    endpoint_unref(b->table, ref(b, long_id, "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535"));
}

static void when_all_rows_are_taken_the_next_one_is_refused(void **state)
{
    struct bench *b = *state;
    static struct endpoint *all[STATS_ENDPOINTS_MAX];
    struct error error = { "" };
    for (int i = 0; i < STATS_ENDPOINTS_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "id%d", i);
        all[i] = ref(b, id, "1.2.3.4:80");
    }
    assert_null(endpoint_ref(b->table, "one more", "1.2.3.4:80", &error));
    assert_non_null(strstr(error.text, "too many"));
    endpoint_unref(b->table, all[77]);
    all[77] = ref(b, "one more", "1.2.3.4:80");
    for (int i = 0; i < STATS_ENDPOINTS_MAX; i++)
        endpoint_unref(b->table, all[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(what_is_not_exactly_an_address_is_refused),
        TEST(the_same_id_and_address_are_one_endpoint),
        TEST(another_id_or_address_is_another_endpoint),
        TEST(one_that_comes_back_finds_its_counters),
        TEST(bad_ids_and_addresses_leave_nothing_behind),
        TEST(when_all_rows_are_taken_the_next_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
