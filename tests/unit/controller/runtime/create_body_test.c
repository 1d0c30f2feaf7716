#include "controller/runtime/create_body.h"

#include "tests/unit/config/task_definition/definition_asserts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"

static const char *const container_names[] = { "t-a", "t-b", "t-c" };
static const char *const volume_names[] = { "t-v", "t-w", "t-x" };

static struct create_order order_of(const struct task_definition *definition, size_t container)
{
    return (struct create_order){ .definition = definition,
                                  .container = container,
                                  .image = definition->containers[container].image,
                                  .container_names = container_names,
                                  .volume_names = volume_names };
}

/* ' for ". */
static void assert_body(const struct create_order *order, const char *expected)
{
    char *json = mem_strdup(expected);
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *wanted = json_loads(json, JSON_REJECT_DUPLICATES, NULL), *body = create_body_write(order);
    assert_non_null(wanted);
    char *text = json_to_text(body), *wanted_text = json_to_text(wanted);
    if (!json_equal(body, wanted))
        assert_string_equal(text, wanted_text);
    free(text);
    free(wanted_text);
    free(json);
    json_decref(wanted);
    json_decref(body);
}

/* One container, `a`, of a definition. */
static void assert_body_of(const char *definition, const char *expected)
{
    struct task_definition *d = read_definition(definition);
    struct create_order order = order_of(d, 0);
    assert_body(&order, expected);
    task_definition_free(d);
}

/* What each body ends with that says nothing else. */
#define REST(body, host)                                                                                        \
    "{'Image':'i','Env':[],'Labels':{},'Healthcheck':{'Test':['NONE']},'StopTimeout':30" body ",'HostConfig':{" \
    "'CpuShares':2,'RestartPolicy':{'Name':'no'}" host "}}"

static void the_least_container_has_ecs_defaults(void **state)
{
    (void)state;
    assert_body_of(CONTAINERS("{'name':'a','image':'i'}", ""), REST("", ""));
}

static void what_the_program_is_started_with(void **state)
{
    (void)state;
    assert_body_of(
        CONTAINER("'entryPoint':['sh','-c'],'command':['x y'],'environment':[{'name':'A','value':'1=2'},{'name':'B'}],"
                  "'workingDirectory':'/w','user':'1:2','hostname':'h','stopTimeout':0,'interactive':true,"
                  "'pseudoTerminal':true,'disableNetworking':true,'dockerLabels':{'k':'v'},'cpu':256"),
        "{'Image':'i','Entrypoint':['sh','-c'],'Cmd':['x y'],'Env':['A=1=2','B='],'Labels':{'k':'v'},"
        "'WorkingDir':'/w','User':'1:2','Hostname':'h','NetworkDisabled':true,'OpenStdin':true,'Tty':true,"
        "'Healthcheck':{'Test':['NONE']},'StopTimeout':0,'HostConfig':{'CpuShares':256,'RestartPolicy':{'Name':'no'}}"
        "}");
}

static void limits_of_memory_and_processes(void **state)
{
    (void)state;
    assert_body_of(CONTAINER("'memory':64,'memoryReservation':32,'linuxParameters':{'maxSwap':16,'swappiness':10},"
                             "'ulimits':[{'name':'nofile','softLimit':10,'hardLimit':-1}]"),
                   REST("", ",'Memory':67108864,'MemoryReservation':33554432,'MemorySwap':83886080,"
                            "'MemorySwappiness':10,'Ulimits':[{'Name':'nofile','Soft':10,'Hard':-1}]"));
    assert_body_of(CONTAINER("'memory':64,'linuxParameters':{'maxSwap':0}"),
                   REST("", ",'Memory':67108864,'MemorySwap':67108864"));
    assert_body_of(CONTAINER("'linuxParameters':{'swappiness':10}"), REST("", ""));
}

static void a_health_check_is_in_nanoseconds(void **state)
{
    (void)state;
    assert_body_of(CONTAINER("'healthCheck':{'command':['CMD-SHELL','true'],'interval':10,'startPeriod':7}"),
                   "{'Image':'i','Env':[],'Labels':{},'Healthcheck':{'Test':['CMD-SHELL','true'],"
                   "'Interval':10000000000,'Timeout':5000000000,'Retries':3,'StartPeriod':7000000000},"
                   "'StopTimeout':30,'HostConfig':{'CpuShares':2,'RestartPolicy':{'Name':'no'}}}");
}

/* Of 0 the Engine would make the image's. */
static void without_a_start_period_it_is_not_the_images_and_a_path_is_a_program(void **state)
{
    (void)state;
    assert_body_of(CONTAINER("'healthCheck':{'command':['/true']}"),
                   "{'Image':'i','Env':[],'Labels':{},'Healthcheck':{'Test':['CMD','/true'],"
                   "'Interval':30000000000,'Timeout':5000000000,'Retries':3,'StartPeriod':1000000},"
                   "'StopTimeout':30,'HostConfig':{'CpuShares':2,'RestartPolicy':{'Name':'no'}}}");
}

#define PORTS "'portMappings':[{'containerPort':80,'hostPort':8080},{'containerPortRange':'90-91','protocol':'udp'}]"

static void ports_are_bound_on_a_bridge_and_nowhere_else(void **state)
{
    (void)state;
    assert_body_of(CONTAINER(PORTS), REST(",'ExposedPorts':{'80/tcp':{},'90/udp':{},'91/udp':{}}",
                                          ",'PortBindings':{'80/tcp':[{'HostPort':'8080'}],'90/udp':[{'HostPort':''}],"
                                          "'91/udp':[{'HostPort':''}]}"));
    assert_body_of(
        CONTAINERS("{'name':'a','image':'i','portMappings':[{'containerPort':80}]}", ",'networkMode':'host'"),
        REST(",'ExposedPorts':{'80/tcp':{}}", ",'NetworkMode':'host'"));
    assert_body_of(CONTAINERS("{'name':'a','image':'i'}", ",'networkMode':'none'"), REST("", ",'NetworkMode':'none'"));
}

static void ports_may_be_exposed_alone_or_published_all(void **state)
{
    (void)state;
    struct task_definition *d = read_definition(CONTAINER("'portMappings':[{'containerPort':80}]"));
    struct create_order order = order_of(d, 0);
    order.ports = CREATE_PORTS_EXPOSED;
    assert_body(&order, REST(",'ExposedPorts':{'80/tcp':{}}", ""));
    order.ports = CREATE_PORTS_PUBLISHED;
    assert_body(&order, REST(",'ExposedPorts':{'80/tcp':{}}", ",'PublishAllPorts':true"));
    task_definition_free(d);
}

static void volumes_are_folders_of_the_host_or_volumes_of_the_engine(void **state)
{
    (void)state;
    assert_body_of(
        CONTAINERS("{'name':'a','image':'i','mountPoints':[{'sourceVolume':'v','containerPath':'/v','readOnly':true},"
                   "{'sourceVolume':'w','containerPath':'/w'},{'sourceVolume':'x','containerPath':'/x'}],"
                   "'volumesFrom':[{'sourceContainer':'b','readOnly':true},{'sourceContainer':'c'}]},"
                   "{'name':'b','image':'i'},{'name':'c','image':'i'}",
                   ",'volumes':[{'name':'v','host':{'sourcePath':'/srv/v'}},{'name':'w','host':{}},"
                   "{'name':'x','dockerVolumeConfiguration':{}}]"),
        REST("", ",'Binds':['/srv/v:/v:ro','t-w:/w','t-x:/x'],'VolumesFrom':['t-b:ro','t-c']"));
}

static void links_are_where_the_engine_has_them_for_the_network(void **state)
{
    (void)state;
    struct task_definition *d =
        read_definition(CONTAINERS("{'name':'a','image':'i','links':['b','c:db']},{'name':'b','image':'i'},"
                                   "{'name':'c','image':'i'}",
                                   ""));
    struct create_order order = order_of(d, 0);
    assert_body(&order, REST("", ",'Links':['t-b:b','t-c:db']"));
    order.network = "bridge";
    assert_body(&order, REST("", ",'NetworkMode':'bridge','Links':['t-b:b','t-c:db']"));
    order.network = "shop";
    assert_body(&order, REST(",'NetworkingConfig':{'EndpointsConfig':{'shop':{'Links':['t-b:b','t-c:db']}}}",
                             ",'NetworkMode':'shop'"));
    task_definition_free(d);
}

static void names_and_addresses_are_the_containers_own(void **state)
{
    (void)state;
    assert_body_of(CONTAINER("'dnsServers':['10.0.0.2'],'dnsSearchDomains':['x'],"
                             "'extraHosts':[{'hostname':'db','ipAddress':'fd00::7'}]"),
                   REST("", ",'Dns':['10.0.0.2'],'DnsSearch':['x'],'ExtraHosts':['db:fd00::7']"));
}

/* The Engine refuses a create that says anything of ports, names or links of a network that is borrowed. */
static void containers_of_one_namespace_borrow_it_from_the_leader(void **state)
{
    (void)state;
    struct task_definition *d =
        read_definition(CONTAINERS("{'name':'a','image':'i','portMappings':[{'containerPort':80}]}",
                                   ",'networkMode':'awsvpc','pidMode':'task','ipcMode':'task'"));
    struct create_order order = order_of(d, 0);
    order.network = "shop";
    assert_body(&order, REST(",'ExposedPorts':{'80/tcp':{}}", ",'NetworkMode':'shop','IpcMode':'shareable'"));
    order.leader = "t-b";
    assert_body(&order, REST("", ",'NetworkMode':'container:t-b','PidMode':'container:t-b','IpcMode':'container:t-b'"));
    task_definition_free(d);
}

static void namespaces_of_the_host_are_asked_for_by_name(void **state)
{
    (void)state;
    assert_body_of(CONTAINERS("{'name':'a','image':'i'}", ",'pidMode':'host','ipcMode':'host'"),
                   REST("", ",'PidMode':'host','IpcMode':'host'"));
    assert_body_of(CONTAINERS("{'name':'a','image':'i'}", ",'ipcMode':'none'"), REST("", ",'IpcMode':'none'"));
}

static void what_linux_has_beyond_that(void **state)
{
    (void)state;
    assert_body_of(
        CONTAINER(
            "'privileged':true,'readonlyRootFilesystem':true,'dockerSecurityOptions':['no-new-privileges'],"
            "'systemControls':[{'namespace':'net.core.somaxconn','value':'9'}],'linuxParameters':{'capabilities':"
            "{'add':['KILL'],'drop':['MKNOD']},'devices':[{'hostPath':'/dev/a'},{'hostPath':'/dev/b',"
            "'containerPath':'/dev/c','permissions':['read','mknod']}],'initProcessEnabled':true,"
            "'sharedMemorySize':2,'tmpfs':[{'containerPath':'/run','size':1,'mountOptions':['noexec','nosuid']}]}"),
        REST("", ",'Privileged':true,'ReadonlyRootfs':true,'SecurityOpt':['no-new-privileges'],"
                 "'Sysctls':{'net.core.somaxconn':'9'},'CapAdd':['KILL'],'CapDrop':['MKNOD'],'Devices':["
                 "{'PathOnHost':'/dev/a','PathInContainer':'/dev/a','CgroupPermissions':'rwm'},"
                 "{'PathOnHost':'/dev/b','PathInContainer':'/dev/c','CgroupPermissions':'rm'}],'Init':true,"
                 "'ShmSize':2097152,'Tmpfs':{'/run':'size=1048576,noexec,nosuid'}"));
}

static void output_goes_to_the_driver_unless_that_is_one_of_aws(void **state)
{
    (void)state;
    assert_body_of(CONTAINER("'logConfiguration':{'logDriver':'json-file','options':{'max-size':'1m'}}"),
                   REST("", ",'LogConfig':{'Type':'json-file','Config':{'max-size':'1m'}}"));
    assert_body_of(CONTAINER("'logConfiguration':{'logDriver':'awslogs'}"), REST("", ""));
    assert_body_of(CONTAINER("'logConfiguration':{'logDriver':'awsfirelens'}"), REST("", ""));
}

static void what_the_caller_adds_is_there(void **state)
{
    (void)state;
    struct task_definition *d =
        read_definition(CONTAINER("'environment':[{'name':'A','value':'1'}],'dockerLabels':{'k':'v'}"));
    char name[] = "S", value[] = "secret";
    struct name_value further = { name, value };
    json_t *labels = json_pack("{s:s}", "portico.service", "web");
    struct create_order order = order_of(d, 0);
    order.image = "sha256:01";
    order.labels = labels;
    order.cgroup_parent = "/portico/t";
    order.environment = &further;
    order.environment_count = 1;
    order.keeps_image_health = true;
    assert_body(&order, "{'Image':'sha256:01','Env':['S=secret','A=1'],'Labels':{'k':'v','portico.service':'web'},"
                        "'StopTimeout':30,'HostConfig':{'CpuShares':2,'CgroupParent':'/portico/t',"
                        "'RestartPolicy':{'Name':'no'}}}");
    json_decref(labels);
    task_definition_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_container_has_ecs_defaults),
        cmocka_unit_test(what_the_program_is_started_with),
        cmocka_unit_test(limits_of_memory_and_processes),
        cmocka_unit_test(a_health_check_is_in_nanoseconds),
        cmocka_unit_test(without_a_start_period_it_is_not_the_images_and_a_path_is_a_program),
        cmocka_unit_test(ports_are_bound_on_a_bridge_and_nowhere_else),
        cmocka_unit_test(ports_may_be_exposed_alone_or_published_all),
        cmocka_unit_test(volumes_are_folders_of_the_host_or_volumes_of_the_engine),
        cmocka_unit_test(links_are_where_the_engine_has_them_for_the_network),
        cmocka_unit_test(names_and_addresses_are_the_containers_own),
        cmocka_unit_test(containers_of_one_namespace_borrow_it_from_the_leader),
        cmocka_unit_test(namespaces_of_the_host_are_asked_for_by_name),
        cmocka_unit_test(what_linux_has_beyond_that),
        cmocka_unit_test(output_goes_to_the_driver_unless_that_is_one_of_aws),
        cmocka_unit_test(what_the_caller_adds_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
