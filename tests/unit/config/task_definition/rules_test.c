#include "config/task_definition/rules.h"

#include "tests/unit/config/task_definition/definition_asserts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define A "{'name':'a','image':'i'"
#define B "{'name':'b','image':'i'"
#define TWO(of_a, of_b) CONTAINERS(A of_a "}," B of_b "}", "")

static void container_volume_and_tag_names_are_unique(void **state)
{
    (void)state;
    assert_definition_wrong(
        CONTAINERS(A "}," B "}," A "}", ""),
        "containerDefinitions[2].name: 'a' is the name of containerDefinitions[0] too, container names "
        "must be unique");
    assert_definition_wrong(TASK("'volumes':[{'name':'v'},{'name':'v'}]"),
                            "volumes[1].name: 'v' is the name of volumes[0] too, volume names must be unique");
    assert_definition_wrong(TASK("'tags':[{'key':'k'},{'key':'k'}]"),
                            "tags[1].key: is the key of tags[0] too, tag keys must be unique");
}

static void one_container_is_essential(void **state)
{
    (void)state;
    assert_definition_wrong(TWO(",'essential':false", ",'essential':false"),
                            "containerDefinitions: at least one container must be essential: leave out `essential` of "
                            "one, or write true");
    assert_definition_good(TWO(",'essential':false", ""));
}

static void a_volume_is_of_one_kind(void **state)
{
    (void)state;
    assert_definition_wrong(TASK("'volumes':[{'name':'v','host':{'sourcePath':'/x'},'dockerVolumeConfiguration':{}}]"),
                            "volumes[0]: only one of host and dockerVolumeConfiguration may be specified");
    assert_definition_good(TASK("'volumes':[{'name':'v','host':{},'dockerVolumeConfiguration':{}}]"));
    assert_definition_wrong(TASK("'volumes':[{'name':'v','dockerVolumeConfiguration':{'autoprovision':true}}]"),
                            "volumes[0].dockerVolumeConfiguration.autoprovision: is only for volumes with `scope: "
                            "shared`, leave it out");
}

static void containers_fit_into_their_task(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINERS(A ",'cpu':200}," B ",'cpu':57}", ",'cpu':256"),
                            "cpu: the sum of all container 'cpu' values, 257, is greater than the task's, 256");
    assert_definition_good(CONTAINERS(A ",'cpu':200}," B ",'cpu':56}", ",'cpu':'256'"));
    assert_definition_wrong_twice(
        CONTAINERS(A ",'memory':513}", ",'memory':512"),
        "containerDefinitions[0].memory: 513 is more than the task's memory, 512",
        "memory: the sum of what the containers reserve, 513, is greater than the task's, 512");
    assert_definition_good(
        CONTAINERS(A ",'memory':512,'memoryReservation':256}," B ",'memory':256}", ",'memory':'512'"));
}

static void memory_is_not_below_its_reservation_and_swap_needs_it(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINER("'memory':64,'memoryReservation':65"),
                            "containerDefinitions[0].memoryReservation: 65 is more than memory, 64");
    assert_definition_good(CONTAINER("'memory':64,'memoryReservation':64"));
    assert_definition_wrong(CONTAINER("'linuxParameters':{'maxSwap':0}"),
                            "containerDefinitions[0].linuxParameters.maxSwap: needs the container's memory");
}

static void dependencies_name_other_containers_once(void **state)
{
    (void)state;
    assert_definition_wrong(
        TWO("", ",'dependsOn':[{'containerName':'c','condition':'START'}]"),
        "containerDefinitions[1].dependsOn[0].containerName: no container of the task is called 'c'");
    assert_definition_wrong(TWO("", ",'dependsOn':[{'containerName':'b','condition':'START'}]"),
                            "containerDefinitions[1].dependsOn[0].containerName: names its own container, 'b'");
    assert_definition_wrong(TWO("", ",'dependsOn':[{'containerName':'a','condition':'START'},"
                                    "{'containerName':'a','condition':'START'}]"),
                            "containerDefinitions[1].dependsOn[1].containerName: 'a' is named by dependsOn[0] too");
}

static void a_condition_must_be_one_that_can_come_true(void **state)
{
    (void)state;
    assert_definition_wrong(
        TWO("", ",'dependsOn':[{'containerName':'a','condition':'HEALTHY'}]"),
        "containerDefinitions[1].dependsOn[0].condition: HEALTHY needs a healthCheck of container 'a'");
    assert_definition_good(
        TWO(",'healthCheck':{'command':['CMD','true']}", ",'dependsOn':[{'containerName':'a','condition':'HEALTHY'}]"));
    assert_definition_wrong(
        TWO("", ",'dependsOn':[{'containerName':'a','condition':'SUCCESS'}]"),
        "containerDefinitions[1].dependsOn[0].condition: a dependency with SUCCESS or COMPLETE cannot "
        "be an essential container, and 'a' is");
    assert_definition_wrong(
        TWO("", ",'dependsOn':[{'containerName':'a','condition':'COMPLETE'}]"),
        "containerDefinitions[1].dependsOn[0].condition: a dependency with SUCCESS or COMPLETE cannot "
        "be an essential container, and 'a' is");
    assert_definition_good(TWO(",'essential':false", ",'dependsOn':[{'containerName':'a','condition':'COMPLETE'}]"));
}

static void containers_do_not_wait_for_each_other_in_a_circle(void **state)
{
    (void)state;
    assert_definition_wrong(
        TWO(",'links':['b']", ",'dependsOn':[{'containerName':'a','condition':'START'}]"),
        "containerDefinitions[0]: containers wait for each other by dependsOn, links or volumesFrom: "
        "a -> b -> a");
    assert_definition_wrong(
        CONTAINERS(A ",'links':['b']}," B ",'volumesFrom':[{'sourceContainer':'c'}]},"
                     "{'name':'c','image':'i','links':['b']}",
                   ""),
        "containerDefinitions[1]: containers wait for each other by dependsOn, links or volumesFrom: "
        "b -> c -> b");
}

static void links_are_for_bridge_and_name_other_containers(void **state)
{
    (void)state;
    assert_definition_good(TWO("", ",'links':['a','a:alias']"));
    assert_definition_wrong(TWO("", ",'links':['c:a']"),
                            "containerDefinitions[1].links[0]: no container of the task is called 'c'");
    assert_definition_wrong(CONTAINERS(A "}," B ",'links':['a']}", ",'networkMode':'awsvpc'"),
                            "containerDefinitions[1].links: links are only supported when networkMode is bridge");
}

static void mounts_are_of_volumes_that_exist_and_do_not_cover_each_other(void **state)
{
    (void)state;
    assert_definition_wrong(
        CONTAINER("'mountPoints':[{'sourceVolume':'v','containerPath':'/v'}]"),
        "containerDefinitions[0].mountPoints[0].sourceVolume: unknown volume 'v', volumes of the task "
        "are in `volumes`");
    assert_definition_wrong(CONTAINERS(A ",'mountPoints':[{'sourceVolume':'v','containerPath':'/v'},"
                                         "{'sourceVolume':'v','containerPath':'/v'}]}",
                                       ",'volumes':[{'name':'v'}]"),
                            "containerDefinitions[0].mountPoints[1].containerPath: '/v' is taken by mountPoints[0]");
    assert_definition_wrong(
        CONTAINERS(A ",'mountPoints':[{'sourceVolume':'v','containerPath':'/v'}],"
                     "'linuxParameters':{'tmpfs':[{'containerPath':'/v','size':1}]}}",
                   ",'volumes':[{'name':'v'}]"),
        "containerDefinitions[0].linuxParameters.tmpfs[0].containerPath: '/v' is taken by another mount");
    assert_definition_wrong(
        TWO("", ",'volumesFrom':[{'sourceContainer':'x'}]"),
        "containerDefinitions[1].volumesFrom[0].sourceContainer: no container of the task is called "
        "'x'");
}

static void secrets_have_names_of_their_own(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINER("'environment':[{'name':'A'}],'secrets':[{'name':'A','valueFrom':'x'}]"),
                            "containerDefinitions[0].secrets[0].name: 'A' must be unique, and not the name of an "
                            "environment variable");
    assert_definition_wrong(CONTAINER("'secrets':[{'name':'A','valueFrom':'x'},{'name':'A','valueFrom':'y'}]"),
                            "containerDefinitions[0].secrets[1].name: 'A' must be unique, and not the name of an "
                            "environment variable");
}

static void a_health_check_starts_with_how_it_is_run(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINER("'healthCheck':{'command':['curl','x']}"),
                            "containerDefinitions[0].healthCheck.command: must start with CMD or CMD-SHELL");
    assert_definition_good(CONTAINER("'healthCheck':{'command':['/healthcheck']}"));
    assert_definition_wrong(CONTAINER("'healthCheck':{'command':['CMD']}"),
                            "containerDefinitions[0].healthCheck.command: CMD needs a program behind it");
    assert_definition_wrong(
        CONTAINER("'healthCheck':{'command':['CMD-SHELL','a','b']}"),
        "containerDefinitions[0].healthCheck.command: CMD-SHELL needs one line for the shell behind it");
}

static void limits_of_processes_are_set_once_and_soft_ones_are_below_hard_ones(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINER("'ulimits':[{'name':'core','softLimit':2,'hardLimit':1}]"),
                            "containerDefinitions[0].ulimits[0].softLimit: 2 is more than hardLimit, 1");
    assert_definition_wrong(CONTAINER("'ulimits':[{'name':'core','softLimit':-1,'hardLimit':1}]"),
                            "containerDefinitions[0].ulimits[0].softLimit: -1 is more than hardLimit, 1");
    assert_definition_good(CONTAINER("'ulimits':[{'name':'core','softLimit':5,'hardLimit':-1}]"));
    assert_definition_wrong(CONTAINER("'ulimits':[{'name':'core','softLimit':1,'hardLimit':1},"
                                      "{'name':'core','softLimit':1,'hardLimit':1}]"),
                            "containerDefinitions[0].ulimits[1].name: 'core' is set by ulimits[0] too");
}

static void kernel_parameters_are_the_containers_own_and_set_once(void **state)
{
    (void)state;
#define NET "'systemControls':[{'namespace':'net.core.somaxconn','value':'1'}"
    assert_definition_wrong(
        CONTAINERS(A "," NET "]}", ",'networkMode':'host'"),
        "containerDefinitions[0].systemControls[0].namespace: net.* is the host's when networkMode is "
        "host");
    assert_definition_wrong(
        CONTAINERS(A ",'systemControls':[{'namespace':'kernel.sem','value':'1'}]}", ",'ipcMode':'host'"),
        "containerDefinitions[0].systemControls[0].namespace: 'kernel.sem' is the host's when ipcMode "
        "is host");
    assert_definition_wrong(CONTAINER(NET ",{'namespace':'net.core.somaxconn','value':'2'}]"),
                            "containerDefinitions[0].systemControls[1].namespace: 'net.core.somaxconn' is set by "
                            "systemControls[0] too");
}

static void containers_of_one_namespace_have_no_names_of_their_own(void **state)
{
    (void)state;
    assert_definition_wrong_twice(CONTAINERS(A
                                             ",'hostname':'h','extraHosts':[{'hostname':'x','ipAddress':'10.0.0.1'}]}",
                                             ",'networkMode':'awsvpc'"),
                                  "containerDefinitions[0].hostname: is not supported when networkMode is awsvpc",
                                  "containerDefinitions[0].extraHosts: is not supported when networkMode is awsvpc");
    assert_definition_wrong(CONTAINERS(A ",'dnsServers':['10.0.0.2']}", ",'networkMode':'awsvpc'"),
                            "containerDefinitions[0].dnsServers: is not supported when networkMode is awsvpc");
    assert_definition_wrong(CONTAINERS(A ",'dnsSearchDomains':['x']}", ",'networkMode':'awsvpc'"),
                            "containerDefinitions[0].dnsSearchDomains: is not supported when networkMode is awsvpc");
    assert_definition_wrong(CONTAINERS(A ",'disableNetworking':true}", ",'networkMode':'awsvpc'"),
                            "containerDefinitions[0].disableNetworking: is not supported when networkMode is awsvpc");
}

static void a_wrong_name_does_not_cause_further_problems(void **state)
{
    (void)state;
    assert_definition_wrong(
        CONTAINERS("{'name':'a b','image':'i'}," B ",'dependsOn':[{'containerName':'x','condition':"
                   "'HEALTHY'}],'mountPoints':[{'sourceVolume':'v','containerPath':'/v'}]}",
                   ",'volumes':[{'name':'v'}]"),
        "containerDefinitions[0].name: invalid value: 'a b', allowed: 1 to 255 letters, digits, `_` "
        "and `-`");
}

static void a_value_that_cannot_be_read_does_not_cause_further_problems(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINER("'ulimits':[{'name':'core','softLimit':'1','hardLimit':1}]"),
                            "containerDefinitions[0].ulimits[0].softLimit: invalid type: string, valid type: integer");
    assert_definition_wrong(TWO(",'essential':'false'", ",'dependsOn':[{'containerName':'a','condition':'COMPLETE'}]"),
                            "containerDefinitions[0].essential: invalid type: string, valid type: boolean");
    assert_definition_wrong(
        TASK("'volumes':[{'name':'v','dockerVolumeConfiguration':{'autoprovision':true,'scope':'all'}}]"),
        "volumes[0].dockerVolumeConfiguration.scope: invalid value: 'all', must be one of: task, shared");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(container_volume_and_tag_names_are_unique),
        cmocka_unit_test(one_container_is_essential),
        cmocka_unit_test(a_volume_is_of_one_kind),
        cmocka_unit_test(containers_fit_into_their_task),
        cmocka_unit_test(memory_is_not_below_its_reservation_and_swap_needs_it),
        cmocka_unit_test(dependencies_name_other_containers_once),
        cmocka_unit_test(a_condition_must_be_one_that_can_come_true),
        cmocka_unit_test(containers_do_not_wait_for_each_other_in_a_circle),
        cmocka_unit_test(links_are_for_bridge_and_name_other_containers),
        cmocka_unit_test(mounts_are_of_volumes_that_exist_and_do_not_cover_each_other),
        cmocka_unit_test(secrets_have_names_of_their_own),
        cmocka_unit_test(a_health_check_starts_with_how_it_is_run),
        cmocka_unit_test(limits_of_processes_are_set_once_and_soft_ones_are_below_hard_ones),
        cmocka_unit_test(kernel_parameters_are_the_containers_own_and_set_once),
        cmocka_unit_test(containers_of_one_namespace_have_no_names_of_their_own),
        cmocka_unit_test(a_wrong_name_does_not_cause_further_problems),
        cmocka_unit_test(a_value_that_cannot_be_read_does_not_cause_further_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
