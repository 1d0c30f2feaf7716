#include "controller/runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char *command[] = { (char *)"serve", (char *)"--fast" };
static struct config_env environment[] = { { (char *)"MODE", (char *)"a" }, { (char *)"LEVEL", (char *)"1" } };

static struct config_service service_of(void)
{
    return (struct config_service){ .name = (char *)"web",
                                    .image = (char *)"web:1",
                                    .command = command,
                                    .command_count = 2,
                                    .environment = environment,
                                    .environment_count = 2,
                                    .port = 8080,
                                    .cpu = 256,
                                    .memory_mib = 64 };
}

static bool is_same_revision(const struct config_service *a, const struct config_service *b)
{
    char x[TASK_REVISION_SIZE], y[TASK_REVISION_SIZE];
    runtime_definition_of(a, x);
    runtime_definition_of(b, y);
    return strcmp(x, y) == 0;
}

static void what_a_task_is_made_of_changes_its_revision(void **state)
{
    (void)state;
    struct config_service a = service_of(), b;
    b = service_of(), b.image = (char *)"web:2";
    assert_false(is_same_revision(&a, &b));
    b = service_of(), b.command_count = 1;
    assert_false(is_same_revision(&a, &b));
    b = service_of(), b.environment_count = 1;
    assert_false(is_same_revision(&a, &b));
    b = service_of(), b.port = 8081;
    assert_false(is_same_revision(&a, &b));
    b = service_of(), b.cpu = 0;
    assert_false(is_same_revision(&a, &b));
    b = service_of(), b.memory_mib = 65;
    assert_false(is_same_revision(&a, &b));
    struct config_env other[] = { { (char *)"MODE", (char *)"a" }, { (char *)"LEVEL1", (char *)"" } };
    b = service_of(), b.environment = other;
    assert_false(is_same_revision(&a, &b));
    char *split[] = { (char *)"serve-", (char *)"-fast" };
    b = service_of(), b.command = split;
    assert_false(is_same_revision(&a, &b));
}

static void how_many_and_how_they_are_reached_does_not(void **state)
{
    (void)state;
    struct config_service a = service_of(), b = service_of();
    b.desired_count = 9;
    b.stop_timeout_ms = 5;
    b.deregistration_delay_ms = 5;
    b.host = (char *)"example.org";
    b.path = (char *)"/api";
    b.scaling.enabled = true;
    b.health_check.interval_ms = 7;
    assert_true(is_same_revision(&a, &b));
    char revision[TASK_REVISION_SIZE];
    runtime_definition_of(&a, revision);
    assert_int_equal(strlen(revision), 16);
}

static void every_result_and_runtime_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < RUNTIME_RESULT_COUNT; i++)
        assert_true(strlen(runtime_result_to_str((enum runtime_result)i)) > 0);
    for (size_t i = 0; i < runtime_list_count; i++)
        assert_true(strlen(runtime_list[i]->name) > 0 && strlen(runtime_list[i]->summary) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_task_is_made_of_changes_its_revision),
        cmocka_unit_test(how_many_and_how_they_are_reached_does_not),
        cmocka_unit_test(every_result_and_runtime_has_a_name),
    };
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
