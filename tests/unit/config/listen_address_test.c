#include "config/listen_address.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct listen_address parse(const char *text)
{
    struct listen_address address;
    if (!listen_address_parse(text, &address))
        fail_msg("'%s' was refused", text);
    return address;
}

static bool is_loopback(const char *text)
{
    struct listen_address address = parse(text);
    return listen_address_is_loopback(&address);
}

static bool overlap(const char *a, const char *b)
{
    struct listen_address x = parse(a), y = parse(b);
    assert_int_equal(listen_address_overlaps(&x, &y), listen_address_overlaps(&y, &x));
    return listen_address_overlaps(&x, &y);
}

static void loopback_is_127_and_1(void **state)
{
    (void)state;
    assert_true(is_loopback("127.0.0.1:1"));
    assert_true(is_loopback("127.255.255.255:1"));
    assert_true(is_loopback("[::1]:1"));
    assert_true(is_loopback("[::ffff:127.0.0.1]:1"));
    assert_false(is_loopback("0.0.0.0:1"));
    assert_false(is_loopback("*:1"));
    assert_false(is_loopback("128.0.0.1:1"));
    assert_false(is_loopback("[::]:1"));
    assert_false(is_loopback("[7f00::1]:1"));
    assert_false(is_loopback("[::127.0.0.1]:1"));
    assert_false(is_loopback("[::ffff:10.0.0.1]:1"));
}

static void all_addresses_of_a_family_overlap_each_of_it(void **state)
{
    (void)state;
    assert_true(overlap("*:1", "127.0.0.1:1"));
    assert_true(overlap("[::]:1", "[::1]:1"));
    assert_true(overlap("1.2.3.4:1", "1.2.3.4:1"));
    assert_false(overlap("1.2.3.4:1", "1.2.3.4:2"));
    assert_false(overlap("1.2.3.4:1", "1.2.3.5:1"));
    assert_false(overlap("0.0.0.0:1", "[::]:1"));
    assert_false(overlap("*:1", "127.0.0.1:2"));
}

static void ports_are_decimal_and_not_zero(void **state)
{
    (void)state;
    assert_int_equal(listen_address_parse_port("1"), 1);
    assert_int_equal(listen_address_parse_port("65535"), 65535);
    static const char *const bad[] = { "", "0", "65536", "99999", "100000", "01", "-1", "1x", " 1", "0x1" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(listen_address_parse_port(bad[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_127_and_1),
        cmocka_unit_test(all_addresses_of_a_family_overlap_each_of_it),
        cmocka_unit_test(ports_are_decimal_and_not_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
