#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/readiness_probe.h"

#include <string.h>

static void an_address_is_asked_as_it_stands_and_all_addresses_by_loopback(void **state)
{
    static const struct {
        const char *address, *url;
    } cases[] = { { "127.0.0.1:9900", "http://127.0.0.1:9900/readyz" },
                  { "10.0.0.1:9900", "http://10.0.0.1:9900/readyz" },
                  { "0.0.0.0:9900", "http://127.0.0.1:9900/readyz" },
                  { "[::]:9900", "http://[::1]:9900/readyz" },
                  { "[fd00::2]:9900", "http://[fd00::2]:9900/readyz" } };
    char url[READINESS_PROBE_URL_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(readiness_probe_url(cases[i].address, url));
        assert_string_equal(url, cases[i].url);
    }
}

static void an_address_that_is_too_long_is_not_cut(void **state)
{
    char address[READINESS_PROBE_URL_SIZE + 1], url[READINESS_PROBE_URL_SIZE];
    (void)state;
    memset(address, '1', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    assert_false(readiness_probe_url(address, url));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_asked_as_it_stands_and_all_addresses_by_loopback),
        cmocka_unit_test(an_address_that_is_too_long_is_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
