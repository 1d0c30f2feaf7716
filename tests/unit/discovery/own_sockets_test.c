#include "discovery/own_sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_address_of_this_host_with_one_of_our_ports_is_ours(void **state)
{
    (void)state;
    struct config_listener listeners[] = { { .address = (char *)"192.0.2.1:8080" }, { .address = (char *)"[::]:81" } };
    struct config config = { .listeners = listeners,
                             .listener_count = 2,
                             .admin = { .address = (char *)"127.0.0.1:9900" } };
    struct own_sockets own;
    own_sockets_init(&own, &config);
    static const char *const ours[] = {
        "127.0.0.1:9900", "127.7.7.7:9900", "0.0.0.0:9900",          "[::1]:9900",
        "[::]:9900",      "127.0.0.1:8080", "[::ffff:127.0.0.1]:81", "[::ffff:0.0.0.0]:81"
    };
    static const char *const others[] = { "127.0.0.1:9901",
                                          "192.0.2.1:8080",
                                          "198.51.100.1:9900",
                                          "[2001:db8::1]:9900",
                                          "[::ffff:192.0.2.1]:8080",
                                          "web:9900",
                                          "" };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (!own_sockets_include(&own, ours[i]))
            fail_msg("%s is ours", ours[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (own_sockets_include(&own, others[i]))
            fail_msg("%s is not ours", others[i]);
    assert_false(own_sockets_include(NULL, "127.0.0.1:9900"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_of_this_host_with_one_of_our_ports_is_ours),
    };
    return cmocka_run_group_tests_name("own_sockets", tests, NULL, NULL);
}
