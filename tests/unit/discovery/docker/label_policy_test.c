#include "discovery/docker/label_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_configured_service_is_joined_only_where_it_says_so(void **state)
{
    (void)state;
    struct config_service services[] = { { .name = (char *)"web" },
                                         { .name = (char *)"open", .allow_labels = true },
                                         { .name = (char *)"api" } };
    struct config config = { .services = services, .service_count = 3 };
    struct label_policy policy = { .closed = NULL };
    label_policy_set(&policy, &config);
    assert_false(label_policy_may_join(&policy, "web"));
    assert_false(label_policy_may_join(&policy, "api"));
    assert_true(label_policy_may_join(&policy, "open"));
    assert_true(label_policy_may_join(&policy, "of-its-own"));
    services[0].allow_labels = true; /* the next configuration */
    label_policy_set(&policy, &config);
    assert_true(label_policy_may_join(&policy, "web"));
    config.service_count = 0;
    label_policy_set(&policy, &config);
    assert_true(label_policy_may_join(&policy, "api"));
    assert_true(label_policy_may_join(NULL, "api"));
    label_policy_fini(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configured_service_is_joined_only_where_it_says_so),
    };
    return cmocka_run_group_tests_name("label_policy", tests, NULL, NULL);
}
