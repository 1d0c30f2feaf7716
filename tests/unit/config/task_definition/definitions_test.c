/* Definitions as people have them, after the kinds of examples that AWS documents. They are the seeds of the fuzzer too. */
#include "config/task_definition/task_definition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/whole_file.h"
#include "config/load.h"

#define FOLDER "tests/fuzz/seeds/fuzz_task_definition/"

static struct task_definition *read_file(const char *name, struct config_problems *lines)
{
    char path[256];
    struct buf text;
    struct problems problems;
    snprintf(path, sizeof path, FOLDER "%s.json", name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    buf_init(&text, 0);
    assert_true(whole_file_read(fd, &text));
    close(fd);
    problems_init(&problems, NULL);
    struct task_definition *definition = task_definition_read_text((struct slice){ text.at, text.len }, &problems);
    problems_hand_over(&problems, lines);
    buf_fini(&text);
    return definition;
}

static const struct {
    const char *name, *ignored;
    size_t containers, volumes;
} definitions[] = {
    { "web-and-sidecar", "", 2, 0 },
    { "log-router",
      "taskRoleArn containerDefinitions[0].firelensConfiguration containerDefinitions[1].logConfiguration", 2, 0 },
    { "bind-mount", "", 2, 2 },
    { "docker-volumes", "", 1, 2 },
    { "fargate-web", "executionRoleArn ephemeralStorage containerDefinitions[0].logConfiguration", 1, 0 },
    { "health-check", "", 2, 0 },
    { "secrets",
      "containerDefinitions[0].repositoryCredentials containerDefinitions[0].environmentFiles[0] "
      "containerDefinitions[0].secrets[0]",
      1, 0 },
    { "gpu", "containerDefinitions[0].resourceRequirements inferenceAccelerators", 1, 0 },
    { "described", "taskDefinition.executionRoleArn taskDefinition.containerDefinitions[0].logConfiguration", 1, 0 },
    { "init-then-run", "", 3, 0 },
    { "host-network", "placementConstraints", 1, 1 },
    { "mesh", "proxyConfiguration", 2, 0 },
    { "efs", "volumes[0].efsVolumeConfiguration", 1, 1 },
    { "batch-job", "", 1, 0 },
    { "linux-parameters", "", 1, 0 },
    { "limits-and-kernel", "", 1, 0 },
    { "logs", "containerDefinitions[2].logConfiguration.secretOptions[0]", 3, 0 },
    { "port-ranges", "", 1, 0 },
    { "restart-policy", "", 2, 0 },
    { "volumes-from", "", 2, 1 },
};

static void definitions_as_people_have_them_are_read_and_what_has_no_effect_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof definitions / sizeof definitions[0]; i++) {
        struct config_problems lines;
        struct buf ignored;
        buf_init(&ignored, 0);
        struct task_definition *d = read_file(definitions[i].name, &lines);
        if (!d)
            fail_msg("%s: %s", definitions[i].name, lines.lines[0]);
        for (size_t k = 0; k < d->ignored_count; k++)
            buf_printf(&ignored, "%s%s", k > 0 ? " " : "", d->ignored[k].path);
        assert_string_equal(buf_text(&ignored), definitions[i].ignored);
        assert_int_equal(d->container_count, definitions[i].containers);
        assert_int_equal(d->volume_count, definitions[i].volumes);
        buf_fini(&ignored);
        task_definition_free(d);
    }
}

static void a_definition_for_windows_is_refused_for_that_alone(void **state)
{
    (void)state;
    struct config_problems lines;
    assert_null(read_file("windows", &lines));
    assert_int_equal(lines.count, 1);
    assert_string_equal(lines.lines[0], "runtimePlatform.operatingSystemFamily: invalid value: "
                                        "'WINDOWS_SERVER_2022_CORE', allowed: `LINUX`: containers of Windows cannot be "
                                        "run");
    config_problems_fini(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_as_people_have_them_are_read_and_what_has_no_effect_is_named),
        cmocka_unit_test(a_definition_for_windows_is_refused_for_that_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
