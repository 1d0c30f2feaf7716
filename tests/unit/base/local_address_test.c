#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/local_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

static bool is_ours(const char *text)
{
    uint8_t ip[16];
    bool is_ipv6 = strchr(text, ':') != NULL;
    assert_int_equal(inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, ip), 1);
    return local_address_is_ours(is_ipv6, ip);
}

static void every_address_of_an_interface_is_ours(void **state)
{
    struct ifaddrs *all = NULL;
    char text[INET6_ADDRSTRLEN];
    (void)state;
    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
        const struct sockaddr *address = one->ifa_addr;
        if (!address || address->sa_family != AF_INET)
            continue; /* an IPv6 address may be tentative, and then is not there yet */
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, sizeof text);
        if (!is_ours(text))
            fail_msg("%s of %s is ours", text, one->ifa_name);
    }
    freeifaddrs(all);
}

static void loopback_and_any_are_ours_in_each_spelling(void **state)
{
    static const char *const ours[] = { "127.0.0.1", "127.9.8.7",        "0.0.0.0",       "::1",
                                        "::",        "::ffff:127.0.0.1", "::ffff:0.0.0.0" };
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_true(is_ours(ours[i]));
}

/* Reserved: RFC 1112, RFC 3849. No interface has one, as it may have 192.0.2.1 in a laboratory. With or without a route that
 * leads there. */
static void addresses_of_others_are_not(void **state)
{
    static const char *const others[] = { "240.0.0.1", "255.255.255.254", "2001:db8:ffff::1", "::ffff:240.0.0.1" };
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(is_ours(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_of_an_interface_is_ours),
        cmocka_unit_test(loopback_and_any_are_ours_in_each_spelling),
        cmocka_unit_test(addresses_of_others_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
