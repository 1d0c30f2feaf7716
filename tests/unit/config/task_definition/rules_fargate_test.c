#include "config/task_definition/rules.h"

#include "tests/unit/config/task_definition/definition_asserts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "config/load.h"

#define SIZE ",'networkMode':'awsvpc','requiresCompatibilities':['EC2','FARGATE'],'cpu':'256','memory':'512'"
#define FARGATE(fields) CONTAINERS("{'name':'a','image':'i'," fields "}", SIZE)

static bool is_size(int cpu, int memory_mib)
{
    char text[512];
    struct problems problems;
    snprintf(text, sizeof text,
             "{\"family\":\"f\",\"networkMode\":\"awsvpc\",\"requiresCompatibilities\":[\"FARGATE\"],\"cpu\":%d,"
             "\"memory\":%d,\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"i\"}]}",
             cpu, memory_mib);
    problems_init(&problems, NULL);
    struct task_definition *definition = task_definition_read_text(slice_of(text), &problems);
    bool is_good = definition != NULL;
    task_definition_free(definition);
    problems_fini(&problems);
    return is_good;
}

/* AWS: Amazon ECS task size. */
static void exactly_the_sizes_of_fargate_are_taken(void **state)
{
    (void)state;
    static const struct {
        int cpu, least_gib, most_gib, step_gib;
    } sizes[] = { { 512, 1, 4, 1 },   { 1024, 2, 8, 1 },   { 2048, 4, 16, 1 },
                  { 4096, 8, 30, 1 }, { 8192, 16, 60, 4 }, { 16384, 32, 120, 8 } };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int gib = 1; gib <= 128; gib++) {
            bool is_one = gib >= sizes[i].least_gib && gib <= sizes[i].most_gib && gib % sizes[i].step_gib == 0;
            assert_int_equal(is_size(sizes[i].cpu, gib * 1024), is_one);
        }
        assert_false(is_size(sizes[i].cpu, sizes[i].least_gib * 1024 + 1));
    }
    assert_true(is_size(256, 512) && is_size(256, 1024) && is_size(256, 2048));
    assert_false(is_size(256, 1536) || is_size(256, 3072) || is_size(256, 511));
    assert_false(is_size(128, 512) || is_size(300, 1024) || is_size(32768, 122880));
}

static void its_size_and_network_must_be_written(void **state)
{
    (void)state;
    assert_definition_wrong_twice(TASK("'requiresCompatibilities':['FARGATE'],'networkMode':'awsvpc'"),
                                  "cpu: Fargate requires that 'cpu' be defined at the task level",
                                  "memory: Fargate requires that 'memory' be defined at the task level");
    assert_definition_wrong(TASK("'requiresCompatibilities':['FARGATE'],'cpu':'1 vCPU','memory':'2 GB'"),
                            "networkMode: Fargate only supports network mode 'awsvpc'");
    assert_definition_wrong(
        TASK("'requiresCompatibilities':['FARGATE'],'networkMode':'awsvpc','cpu':'1 vCPU','memory':'9 GB'"),
        "memory: Fargate has no task with 1024 CPU units and 9216 MiB: from 2048 to 8192 in steps of 1024");
    assert_definition_good(TASK("'requiresCompatibilities':['EC2']"));
}

static void what_fargate_does_not_do_is_refused(void **state)
{
    (void)state;
#define LINUX "containerDefinitions[0].linuxParameters."
#define NOT ": is not supported for FARGATE"
    assert_definition_wrong(FARGATE("'privileged':true"), "containerDefinitions[0].privileged" NOT);
    assert_definition_wrong(FARGATE("'dockerSecurityOptions':['x']"),
                            "containerDefinitions[0].dockerSecurityOptions" NOT);
    assert_definition_wrong(FARGATE("'stopTimeout':121"),
                            "containerDefinitions[0].stopTimeout: 121 is more than Fargate's 120 seconds");
    assert_definition_wrong(FARGATE("'startTimeout':121"),
                            "containerDefinitions[0].startTimeout: 121 is not from 2 to 120 seconds, as Fargate's are");
    assert_definition_wrong(FARGATE("'startTimeout':1"),
                            "containerDefinitions[0].startTimeout: 1 is not from 2 to 120 seconds, as Fargate's are");
    assert_definition_good(FARGATE("'startTimeout':2"));
    assert_definition_wrong(FARGATE("'linuxParameters':{'devices':[{'hostPath':'/dev/x'}]}"), LINUX "devices" NOT);
    assert_definition_wrong(FARGATE("'linuxParameters':{'sharedMemorySize':1}"), LINUX "sharedMemorySize" NOT);
    assert_definition_wrong(FARGATE("'linuxParameters':{'swappiness':1}"), LINUX "swappiness" NOT);
    assert_definition_wrong(FARGATE("'memory':64,'linuxParameters':{'maxSwap':1}"), LINUX "maxSwap" NOT);
    assert_definition_wrong(FARGATE("'linuxParameters':{'capabilities':{'add':['SYS_PTRACE','KILL']}}"),
                            LINUX "capabilities.add[1]: 'KILL' cannot be added, Fargate only supports SYS_PTRACE");
    assert_definition_wrong(
        FARGATE("'logConfiguration':{'logDriver':'gelf'}"),
        "containerDefinitions[0].logConfiguration.logDriver: 'gelf' is not supported for FARGATE, must "
        "be one of: awslogs, splunk, awsfirelens");
    assert_definition_wrong(CONTAINERS("{'name':'a','image':'i'}", SIZE ",'pidMode':'host'"),
                            "pidMode: Fargate only supports 'task'");
    assert_definition_wrong(CONTAINERS("{'name':'a','image':'i'}", SIZE ",'ipcMode':'task'"), "ipcMode" NOT);
    assert_definition_wrong(
        CONTAINERS("{'name':'a','image':'i'}", SIZE ",'volumes':[{'name':'v','dockerVolumeConfiguration':{}}]"),
        "volumes[0].dockerVolumeConfiguration" NOT);
    assert_definition_wrong(
        CONTAINERS("{'name':'a','image':'i'}", SIZE ",'volumes':[{'name':'v','host':{'sourcePath':'/x'}}]"),
        "volumes[0].host.sourcePath" NOT);
    assert_definition_good(CONTAINERS("{'name':'a','image':'i'}", SIZE ",'volumes':[{'name':'v','host':{}}]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_sizes_of_fargate_are_taken),
        cmocka_unit_test(its_size_and_network_must_be_written),
        cmocka_unit_test(what_fargate_does_not_do_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
