#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/network.h"

static struct network_address address_of(const char *text)
{
    struct network network;
    assert_true(network_parse(text, &network));
    return network.address;
}

static bool lies_in(const char *address_text, const char *network_text)
{
    struct network network;
    struct network_address address = address_of(address_text);
    assert_true(network_parse(network_text, &network));
    return network_contains(&network, &address);
}

static void a_prefix_holds_its_addresses_and_no_others(void **state)
{
    (void)state;
    assert_true(lies_in("10.1.2.3", "10.0.0.0/8"));
    assert_false(lies_in("11.0.0.0", "10.0.0.0/8"));
    assert_true(lies_in("192.168.1.127", "192.168.1.64/26"));
    assert_false(lies_in("192.168.1.128", "192.168.1.64/26"));
    assert_true(lies_in("1.2.3.4", "0.0.0.0/0"));
    assert_false(lies_in("2001:db8::1", "0.0.0.0/0"));
    assert_true(lies_in("2001:db8::1", "2001:db8::/32"));
    assert_false(lies_in("2001:db9::1", "2001:db8::/32"));
    assert_true(lies_in("1.2.3.4", "::/0"));
    assert_true(lies_in("127.0.0.1", "127.0.0.1"));
    assert_false(lies_in("127.0.0.2", "127.0.0.1"));
}

static void an_ipv4_client_of_a_dual_stack_socket_is_the_same_client(void **state)
{
    (void)state;
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct network_address from_v4, from_v6;
    inet_pton(AF_INET6, "::ffff:10.0.0.1", &v6.sin6_addr);
    assert_true(network_address_of((struct sockaddr *)&v4, &from_v4));
    assert_true(network_address_of((struct sockaddr *)&v6, &from_v6));
    assert_memory_equal(&from_v4, &from_v6, sizeof from_v4);
}

static void what_is_no_prefix_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "10.0.0.0/",      "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08",  "10.0.0.1/8",  "10.0.0/8",
        "::/129", "2001:db8::1/32", "host",        "10.0.0.0/8 ", "10.0.0.0/8/8", " 10.0.0.0/8", "1.2.3.4.5"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct network network;
        if (network_parse(bad[i], &network))
            fail_msg("'%s' was taken", bad[i]);
    }
}

static void other_families_have_no_address(void **state)
{
    (void)state;
    struct sockaddr other = { .sa_family = AF_UNIX };
    struct network_address address;
    assert_false(network_address_of(&other, &address));
}

static void a_list_holds_what_one_of_its_networks_holds(void **state)
{
    (void)state;
    struct network networks[2];
    struct network_address in = address_of("::1"), out = address_of("::2");
    assert_true(network_parse("10.0.0.0/8", &networks[0]) && network_parse("::1", &networks[1]));
    assert_true(network_list_contains(networks, 2, &in));
    assert_false(network_list_contains(networks, 2, &out));
    assert_false(network_list_contains(networks, 0, &in));
}

/* Each byte in each place, against the C library's. */
static void an_address_is_written_as_everybody_writes_it(void **state)
{
    (void)state;
    char text[NETWORK_ADDRESS_TEXT_SIZE], expected[NETWORK_ADDRESS_TEXT_SIZE];
    for (uint32_t i = 0; i < 4 * 256; i++) {
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl((i & 255) << (i >> 8) * 8) };
        struct network_address address;
        assert_true(network_address_of((struct sockaddr *)&v4, &address));
        inet_ntop(AF_INET, &v4.sin_addr, expected, sizeof expected);
        assert_int_equal(network_address_to_text(&address, text), strlen(expected));
        assert_string_equal(text, expected);
    }
    static const char *const others[] = { "::", "::1", "2001:db8::10:0:1", "1111:2222:3333:4444:5555:6666:7777:8888",
                                          "::fffe:102:304" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct network_address address = address_of(others[i]);
        assert_int_equal(network_address_to_text(&address, text), strlen(others[i]));
        assert_string_equal(text, others[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_holds_its_addresses_and_no_others),
        cmocka_unit_test(an_ipv4_client_of_a_dual_stack_socket_is_the_same_client),
        cmocka_unit_test(what_is_no_prefix_is_refused),
        cmocka_unit_test(other_families_have_no_address),
        cmocka_unit_test(a_list_holds_what_one_of_its_networks_holds),
        cmocka_unit_test(an_address_is_written_as_everybody_writes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
