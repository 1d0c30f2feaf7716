#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "discovery/docker/service_name.h"

#include <string.h>

static const char *const configured[] = { "api", "web" };
static const struct joinable_services joinable = { configured, 2 };

static void the_name_follows_the_labels(void **state)
{
    static const struct {
        struct service_labels labels;
        const char *name;
    } rows[] = {
        { { "jobs", NULL, NULL }, "jobs" },
        { { "jobs", "shop", "worker" }, "shop/jobs" },
        { { NULL, "shop", "worker" }, "shop/worker" },
        { { NULL, "my_shop-2", "Work.er_1" }, "my_shop-2/Work.er_1" },
        { { "web", NULL, NULL }, "web" },
        { { "web", "shop", "front" }, "web" },   /* the configuration's */
        { { NULL, "shop", "web" }, "shop/web" }, /* nobody asked to join */
        { { "web-2", "shop", NULL }, "shop/web-2" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[TASK_NAME_SIZE];
        struct error error;
        assert_true(service_name_read(&rows[i].labels, &joinable, name, &error));
        assert_string_equal(name, rows[i].name);
    }
}

static void the_longest_names_fit(void **state)
{
    char part[64], name[TASK_NAME_SIZE];
    struct error error;
    (void)state;
    memset(part, 'a', 63);
    part[63] = '\0';
    const struct service_labels labels = { NULL, part, part };
    assert_true(service_name_read(&labels, &joinable, name, &error));
    assert_int_equal(strlen(name), 127);
}

static void what_is_no_name_is_refused_by_the_label_that_says_it(void **state)
{
    static const struct {
        struct service_labels labels;
        const char *named;
    } rows[] = {
        { { NULL, NULL, NULL }, "portico.service is missing" },
        { { NULL, NULL, "worker" }, "portico.service is missing" },
        { { NULL, "shop", NULL }, "portico.service is missing" },
        { { "Bad", "shop", "worker" }, "portico.service=\"Bad\"" },
        { { "a/b", NULL, NULL }, "portico.service=\"a/b\"" },
        { { NULL, "shop", "a/b" }, "com.docker.compose.service=\"a/b\"" },
        { { "api2", "../x", "b" }, "com.docker.compose.project=\"../x\"" },
        { { "api2", "", "b" }, "com.docker.compose.project=\"\"" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[TASK_NAME_SIZE];
        struct error error;
        assert_false(service_name_read(&rows[i].labels, &joinable, name, &error));
        if (!strstr(error.text, rows[i].named))
            fail_msg("%s", error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_follows_the_labels),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(what_is_no_name_is_refused_by_the_label_that_says_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
