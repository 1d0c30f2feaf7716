#include "daemon/publish/configured_hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct config_service services[] = {
    { .name = (char *)"shop", .host = (char *)"www.shop.test,shop.test", .path = (char *)"/" },
    { .name = (char *)"blog", .host = (char *)"www.shop.test", .path = (char *)"/blog" },
    { .name = (char *)"wild", .host = (char *)"*.wild.test", .path = (char *)"/" },
    { .name = (char *)"open", .host = (char *)"open.test", .path = (char *)"/", .allow_task_routes = true },
    { .name = (char *)"rest", .host = (char *)"*", .path = (char *)"/" },
};
static const struct config config = { .services = services, .service_count = 5 };

struct row {
    const char *host, *service, *keeper;
};

static void a_host_of_the_configuration_is_kept_from_tasks_of_others(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "www.shop.test", "evil", "shop" },
        { "shop.test", "evil", "shop" },
        { "shop.test", "shop", NULL },       /* its own */
        { "www.shop.test", "shop", "blog" }, /* two keep it: neither may take from the other */
        { "www.shop.test", "blog", "shop" },
        { "api.shop.test", "evil", NULL }, /* another host */
        { "notshop.test", "evil", NULL },
        { "*.shop.test", "evil", NULL }, /* the exact names beat it */
        { "open.test", "evil", NULL },
        { "*.wild.test", "evil", "wild" },
        { "a.wild.test", "evil", "wild" },
        { "a.b.wild.test", "evil", "wild" },
        { "*.b.wild.test", "evil", "wild" },
        { "a.wild.test", "wild", NULL },
        { "wild.test", "evil", NULL },
        { "*", "evil", "rest" },
        { "free.test", "evil", NULL }, /* the service of what nobody names keeps no names */
        { "", "evil", NULL },
    };
    struct configured_hosts *hosts = configured_hosts_new(&config);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *keeper = configured_hosts_find_keeper(hosts, rows[i].host, rows[i].service);
        if ((keeper == NULL) != (rows[i].keeper == NULL) || (keeper && strcmp(keeper, rows[i].keeper) != 0))
            fail_msg("%s for %s: %s", rows[i].host, rows[i].service, keeper ? keeper : "nobody");
    }
    configured_hosts_free(hosts);
    assert_null(configured_hosts_find_keeper(NULL, "www.shop.test", "evil"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_of_the_configuration_is_kept_from_tasks_of_others),
    };
    return cmocka_run_group_tests_name("configured_hosts", tests, NULL, NULL);
}
