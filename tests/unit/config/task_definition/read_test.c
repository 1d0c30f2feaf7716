#include "config/task_definition/task_definition.h"

#include "tests/unit/config/task_definition/definition_asserts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"

static void the_least_definition_gets_the_defaults_of_ecs(void **state)
{
    (void)state;
    struct task_definition *d = read_definition(CONTAINERS("{'name':'a','image':'i'}", ""));
    assert_string_equal(d->family, "f");
    assert_int_equal(d->network_mode, NETWORK_MODE_BRIDGE);
    assert_int_equal(d->cpu, DEFINITION_UNSET);
    assert_int_equal(d->memory_mib, DEFINITION_UNSET);
    assert_int_equal(d->container_count, 1);
    const struct container_definition *c = &d->containers[0];
    assert_true(c->is_essential);
    assert_int_equal(c->cpu, 0);
    assert_int_equal(c->memory_mib, DEFINITION_UNSET);
    assert_int_equal(c->stop_timeout_s, DEFINITION_UNSET);
    assert_null(c->health_check);
    assert_null(c->linux_parameters);
    assert_null(c->user);
    assert_int_equal(d->ignored_count, 0);
    task_definition_free(d);
}

static void every_field_of_a_container_is_read(void **state)
{
    (void)state;
    struct task_definition *d = read_definition(
        CONTAINERS("{'name':'a','image':'i:1','cpu':10,'memory':64,'memoryReservation':32,'essential':true,"
                   "'portMappings':[{'containerPort':80,'hostPort':8080,'protocol':'udp','name':'p'}],"
                   "'entryPoint':['sh'],'command':['-c','x'],'environment':[{'name':'A','value':'1'},{'name':'B'}],"
                   "'workingDirectory':'/w','user':'1:2','hostname':'h','startTimeout':5,'stopTimeout':6,"
                   "'healthCheck':{'command':['CMD','true']},'mountPoints':[{'sourceVolume':'v','containerPath':'/v'}],"
                   "'ulimits':[{'name':'nofile','softLimit':1,'hardLimit':2}],'dockerLabels':{'k':'v'},"
                   "'logConfiguration':{'logDriver':'gelf','options':{'o':'p'}},'privileged':true,"
                   "'linuxParameters':{'initProcessEnabled':true,'tmpfs':[{'containerPath':'/t','size':3}]},"
                   "'restartPolicy':{'enabled':true,'ignoredExitCodes':[0,255]},'interactive':true,"
                   "'dnsServers':['::1'],'extraHosts':[{'hostname':'x','ipAddress':'10.0.0.1'}],"
                   "'systemControls':[{'namespace':'net.core.somaxconn','value':'1'}],'pseudoTerminal':true}",
                   ",'volumes':[{'name':'v','dockerVolumeConfiguration':{'scope':'shared','autoprovision':true}}],"
                   "'pidMode':'task','ipcMode':'none','cpu':'1 vCPU','memory':'0.5 GB'"));
    const struct container_definition *c = &d->containers[0];
    assert_int_equal(c->port_mappings[0].host_port, 8080);
    assert_int_equal(c->port_mappings[0].protocol, TRANSPORT_UDP);
    assert_string_equal(c->command[1], "x");
    assert_string_equal(c->environment[1].value, "");
    assert_int_equal(c->health_check->interval_s, 30);
    assert_int_equal(c->health_check->timeout_s, 5);
    assert_int_equal(c->health_check->retries, 3);
    assert_int_equal(c->linux_parameters->swappiness, DEFINITION_UNSET);
    assert_int_equal(c->linux_parameters->tmpfs[0].size_mib, 3);
    assert_int_equal(c->restart_policy->ignored_exit_codes[1], 255);
    assert_int_equal(c->restart_policy->restart_attempt_period_s, 300);
    assert_string_equal(c->docker_labels[0].value, "v");
    assert_string_equal(c->log_configuration->options[0].name, "o");
    assert_true(c->is_privileged && c->is_interactive && c->has_terminal && !c->has_read_only_root);
    assert_int_equal(d->volumes[0].docker->scope, VOLUME_SCOPE_SHARED);
    assert_int_equal(d->pid_mode, PID_MODE_TASK);
    assert_int_equal(d->ipc_mode, IPC_MODE_NONE);
    assert_int_equal(d->cpu, 1024);
    assert_int_equal(d->memory_mib, 512);
    task_definition_free(d);
}

static void a_wrong_type_names_its_path_and_the_right_one(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINER("'memory':'256'"),
                            "containerDefinitions[0].memory: invalid type: string, valid type: integer");
    assert_definition_wrong(CONTAINER("'memory':256.5"),
                            "containerDefinitions[0].memory: invalid type: real, valid type: integer");
    assert_definition_wrong(CONTAINER("'essential':'true'"),
                            "containerDefinitions[0].essential: invalid type: string, valid type: boolean");
    assert_definition_wrong(CONTAINER("'user':7"),
                            "containerDefinitions[0].user: invalid type: integer, valid type: string");
    assert_definition_wrong(CONTAINER("'command':'x'"),
                            "containerDefinitions[0].command: invalid type: string, valid type: list");
    assert_definition_wrong(CONTAINER("'command':['x',null]"),
                            "containerDefinitions[0].command[1]: invalid type: null, valid type: string");
    assert_definition_wrong(CONTAINER("'dockerLabels':[]"),
                            "containerDefinitions[0].dockerLabels: invalid type: list, valid type: object");
    assert_definition_wrong(CONTAINER("'dockerLabels':{'k':1}"),
                            "containerDefinitions[0].dockerLabels.k: invalid type: integer, valid type: string");
    assert_definition_wrong(CONTAINER("'healthCheck':[]"),
                            "containerDefinitions[0].healthCheck: invalid type: list, valid type: object");
    assert_definition_wrong(CONTAINER("'portMappings':[7]"),
                            "containerDefinitions[0].portMappings[0]: invalid type: integer, valid type: object");
    assert_definition_wrong(TASK("'cpu':true"), "cpu: invalid type: boolean, valid type: string or integer");
    assert_definition_wrong(TASK("'taskRoleArn':1"), "taskRoleArn: invalid type: integer, valid type: string");
    assert_definition_wrong("[]", "document: invalid type: list, valid type: object");
}

static void what_is_out_of_range_or_not_a_word_says_what_is_allowed(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINER("'memory':5"),
                            "containerDefinitions[0].memory: invalid value: 5, valid range: 6-16777216");
    assert_definition_wrong(CONTAINER("'cpu':-1"),
                            "containerDefinitions[0].cpu: invalid value: -1, valid range: 0-262144");
    assert_definition_wrong(
        CONTAINER("'portMappings':[{'containerPort':0}]"),
        "containerDefinitions[0].portMappings[0].containerPort: invalid value: 0, valid range: 1-65535");
    assert_definition_wrong(TASK("'networkMode':'nat'"),
                            "networkMode: invalid value: 'nat', must be one of: bridge, host, awsvpc, none");
    assert_definition_wrong(TASK("'pidMode':'x'"), "pidMode: invalid value: 'x', must be one of: host, task");
    assert_definition_wrong(
        CONTAINER("'linuxParameters':{'capabilities':{'drop':['NET_ADMIN','net_raw']}}") "",
        "containerDefinitions[0].linuxParameters.capabilities.drop[1]: invalid value: 'net_raw', must be one "
        "of: ALL, AUDIT_CONTROL, AUDIT_WRITE, BLOCK_SUSPEND, CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, "
        "FSETID, IPC_LOCK, IPC_OWNER, KILL, LEASE, LINUX_IMMUTABLE, MAC_ADMIN, MAC_OVERRIDE, MKNOD, "
        "NET_ADMIN, NET_BIND_SERVICE, NET_BROADCAST, NET_RAW, SETFCAP, SETGID, SETPCAP, SETUID, SYS_ADMIN, "
        "SYS_BOOT, SYS_CHROOT, SYS_MODULE, SYS_NICE, SYS_PACCT, SYS_PTRACE, SYS_RAWIO, SYS_RESOURCE, "
        "SYS_TIME, SYS_TTY_CONFIG, SYSLOG, WAKE_ALARM");
    assert_definition_wrong(
        CONTAINER("'ulimits':[{'name':'files','softLimit':1,'hardLimit':1}]"),
        "containerDefinitions[0].ulimits[0].name: invalid value: 'files', must be one of: core, cpu, data, "
        "fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack");
    assert_definition_wrong(TASK("'cpu':'two'"), "cpu: invalid value: 'two', valid range: 128-196608, or as '1 vCPU'");
    assert_definition_wrong(TASK("'memory':'0.001 GB'"),
                            "memory: invalid value: '0.001 GB', valid range: 6-16777216, or as '2 GB'");
    assert_definition_wrong(TASK("'cpu':'127'"), "cpu: invalid value: 127, valid range: 128-196608");
    assert_definition_wrong("{'family':'f g','containerDefinitions':[{'name':'a','image':'i'}]}",
                            "family: invalid value: 'f g', allowed: 1 to 255 letters, digits, `_` and `-`");
    assert_definition_wrong(
        CONTAINER("'restartPolicy':{'enabled':true,'ignoredExitCodes':[256]}"),
        "containerDefinitions[0].restartPolicy.ignoredExitCodes[0]: invalid value: 256, valid range: 0-255");
    assert_definition_wrong(TASK("'volumes':[{'name':'v','host':{'sourcePath':'/a:ro'}}]"),
                            "volumes[0].host.sourcePath: invalid value: '/a:ro', allowed: absolute path of up to 4095 "
                            "bytes without `:` and control characters, or empty");
}

static void forms_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "'image':'a b'",
        "'image':''",
        "'image':'a@sha256:12'",
        "'user':'a:b:c'",
        "'user':''",
        "'hostname':'a b'",
        "'workingDirectory':'w'",
        "'links':['a b']",
        "'links':['b:']",
        "'dnsServers':['ten']",
        "'dnsSearchDomains':['a..b']",
        "'extraHosts':[{'hostname':'x','ipAddress':'10.0.0'}]",
        "'environment':[{'name':'A=B'}]",
        "'environment':[{'name':''}]",
        "'dockerLabels':{'portico.service':'x'}",
        "'dockerLabels':{'':'x'}",
        "'systemControls':[{'namespace':'vm.swappiness','value':'1'}]",
        "'portMappings':[{'containerPortRange':'9-8'}]",
        "'portMappings':[{'containerPortRange':'0-8'}]",
        "'portMappings':[{'containerPortRange':'1-65536'}]",
        "'portMappings':[{'containerPort':1,'name':'-a'}]",
        "'environmentFiles':[{'value':'x','type':'file'}]",
        "'linuxParameters':{'tmpfs':[{'containerPath':'t','size':1}]}",
        "'linuxParameters':{'tmpfs':[{'containerPath':'/t','size':1,'mountOptions':['mode=']}]}",
        "'linuxParameters':{'tmpfs':[{'containerPath':'/t','size':1,'mountOptions':['mode']}]}",
        "'linuxParameters':{'tmpfs':[{'containerPath':'/t','size':1,'mountOptions':['size=1']}]}",
        "'linuxParameters':{'tmpfs':[{'containerPath':'/t','size':1,'mountOptions':['noexec=1']}]}",
        "'linuxParameters':{'tmpfs':[{'containerPath':'/t','size':1,'mountOptions':['uid=1,size=9g']}]}",
        "'logConfiguration':{'logDriver':'none'}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[512];
        struct problems problems;
        snprintf(text, sizeof text, "{\"family\":\"f\",\"containerDefinitions\":[{\"name\":\"a\",%s%s}]}", wrong[i],
                 strncmp(wrong[i], "'image'", 7) == 0 ? "" : ",'image':'i'");
        for (char *c = text; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        problems_init(&problems, NULL);
        struct task_definition *definition = task_definition_read_text(slice_of(text), &problems);
        if (definition || problems.count != 1)
            fail_msg("%s: %zu problems", wrong[i], problems.count);
        problems_fini(&problems);
    }
}

static void options_of_tmpfs_itself_have_a_value(void **state)
{
    (void)state;
    struct task_definition *d =
        read_definition(CONTAINER("'linuxParameters':{'tmpfs':[{'containerPath':'/t','size':1,'mountOptions':"
                                  "['noexec','mode=1777','uid=101','mpol=bind:0-3']}]}"));
    assert_string_equal(d->containers[0].linux_parameters->tmpfs[0].mount_options[1], "mode=1777");
    task_definition_free(d);
}

static void unknown_fields_are_refused_with_what_may_have_been_meant(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINER("'imgae':'x'"),
                            "containerDefinitions[0].imgae: unknown parameter, did you mean 'image'?");
    assert_definition_wrong(TASK("'ContainerDefinitions':[]"),
                            "ContainerDefinitions: unknown parameter, did you mean 'containerDefinitions'?");
    assert_definition_wrong(CONTAINER("'restartPolicy':{'enabled':true,'always':1}"),
                            "containerDefinitions[0].restartPolicy.always: unknown parameter, must be one of: enabled, "
                            "ignoredExitCodes, restartAttemptPeriod");
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_definition_wrong_twice("{}", "family: missing required parameter: 1 to 255 letters, digits, `_` and `-`",
                                  "containerDefinitions: missing required parameter: list of 1 to 10");
    assert_definition_wrong(CONTAINERS("{'name':'a','image':null}", ""),
                            "containerDefinitions[0].image: missing required parameter: image reference of up to 255 "
                            "characters, as `name:tag` or `name@sha256:` and 64 hex digits");
    assert_definition_wrong(CONTAINERS("", ""), "containerDefinitions: invalid length: 0, valid range: 1-10");
    assert_definition_wrong(
        CONTAINER("'healthCheck':{}"),
        "containerDefinitions[0].healthCheck.command: missing required parameter: list of 1 to 256");
}

static void lists_and_documents_have_limits(void **state)
{
    (void)state;
    struct buf text;
    struct problems problems;
    buf_init(&text, 0);
    buf_append_text(&text, "{\"family\":\"f\",\"containerDefinitions\":[");
    for (int i = 0; i < TASK_CONTAINERS_MAX + 1; i++)
        buf_printf(&text, "%s{\"name\":\"c%d\",\"image\":\"i\"}", i > 0 ? "," : "", i);
    buf_append_text(&text, "]}");
    assert_definition_wrong(buf_text(&text), "containerDefinitions: invalid length: 11, valid range: 1-10");
    buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        buf_append_text(&text, "[[[");
    problems_init(&problems, NULL);
    assert_null(task_definition_read_text((struct slice){ text.at, text.len }, &problems));
    assert_int_equal(problems.count, 1);
    problems_fini(&problems);
    buf_fini(&text);
    assert_definition_unreadable("{'family':'f','family':'g'}", "duplicate object key");
    assert_definition_unreadable(TASK("'cpu':99999999999999999999"), "too big integer");
    assert_definition_unreadable("{'family':'\xff'}", "unable to decode byte 0xff");
    assert_definition_unreadable("{'family':'a\\u0000b'}", "not allowed");
    assert_definition_unreadable("{'family':'a'", "expected near end of file");
}

static void null_is_as_good_as_no_field(void **state)
{
    (void)state;
    assert_definition_good(CONTAINER("'memory':null,'healthCheck':null,'portMappings':null,'dockerLabels':{'a':null}"));
    assert_definition_good(TASK("'networkMode':null,'taskRoleArn':null,'volumes':null"));
}

static void what_aws_answers_is_taken_as_it_is(void **state)
{
    (void)state;
    assert_definition_ignores(
        "{'taskDefinition':" TASK("'taskDefinitionArn':'arn:x','revision':3,'status':'ACTIVE',"
                                  "'requiresAttributes':[{}],'compatibilities':['EC2'],'registeredAt':1.5,"
                                  "'registeredBy':'x','executionRoleArn':'arn:y'") ",'tags':[]}",
        "taskDefinition.executionRoleArn");
    struct task_definition *d =
        read_definition("{'taskDefinition':" TASK("'cpu':null") ",'tags':[{'key':'k','value':'v'}]}");
    assert_string_equal(d->tags[0].name, "k");
    task_definition_free(d);
    assert_definition_wrong("{'taskDefinition':" TASK("'cpu':1") "}",
                            "taskDefinition.cpu: invalid value: 1, valid range: 128-196608");
    assert_definition_ignores(TASK("'ignored':[{'path':'taskRoleArn','why':'x'}]"), ""); /* our own answer */
    assert_definition_good("{'taskDefinition':" TASK("'tags':null") ",'tags':[{'key':'k'}]}");
    assert_definition_good("{'taskDefinition':" TASK("'tags':[{'key':'k'}]") ",'tags':null}");
    assert_definition_wrong("{'taskDefinition':" TASK("'cpu':null") ",'tags':[{'key':'k'},{'key':'k'}]}",
                            "tags[1].key: is the key of tags[0] too, tag keys must be unique");
    assert_definition_wrong("{'taskDefinition':" TASK("'tags':[]") ",'tags':[]}",
                            "tags: is written in taskDefinition too");
    assert_definition_wrong("{'taskDefinition':" TASK("'tags':[]") ",'include':[]}",
                            "include: unknown parameter, must be one of: taskDefinition, tags");
}

static void what_has_no_effect_is_named_and_what_holds_nothing_is_not(void **state)
{
    (void)state;
    assert_definition_ignores(
        TASK("'placementConstraints':[],'taskRoleArn':'','proxyConfiguration':{},'enableFaultInjection':false"), "");
    assert_definition_ignores(TASK("'placementConstraints':[{}],'taskRoleArn':'a','ephemeralStorage':{'sizeInGiB':21},"
                                   "'enableFaultInjection':true"),
                              "placementConstraints taskRoleArn ephemeralStorage enableFaultInjection");
    assert_definition_ignores(
        CONTAINER("'resourceRequirements':[{'type':'GPU','value':'1'}],'credentialSpecs':['x'],"
                  "'secrets':[{'name':'A','valueFrom':'arn:aws:ssm:x'},{'name':'B','valueFrom':'/b'}],"
                  "'logConfiguration':{'logDriver':'awslogs'}"),
        "containerDefinitions[0].resourceRequirements containerDefinitions[0].credentialSpecs "
        "containerDefinitions[0].logConfiguration containerDefinitions[0].secrets[0]");
    assert_definition_ignores(TASK("'volumes':[{'name':'v','efsVolumeConfiguration':{'fileSystemId':'fs-1'}}]"),
                              "volumes[0].efsVolumeConfiguration");
}

static void a_message_does_not_repeat_what_may_be_secret(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 0);
    buf_append_text(
        &text, "{'family':'f','containerDefinitions':[{'name':'a','image':'i','environment':[{'name':'A','value':'");
    for (int i = 0; i < 32769; i++)
        buf_append_text(&text, "s");
    buf_append_text(&text, "'}]}]}");
    assert_definition_wrong(
        buf_text(&text),
        "containerDefinitions[0].environment[0].value: invalid length: 32769 bytes, valid range: 0-32768");
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_definition_gets_the_defaults_of_ecs),
        cmocka_unit_test(every_field_of_a_container_is_read),
        cmocka_unit_test(a_wrong_type_names_its_path_and_the_right_one),
        cmocka_unit_test(what_is_out_of_range_or_not_a_word_says_what_is_allowed),
        cmocka_unit_test(forms_are_checked),
        cmocka_unit_test(options_of_tmpfs_itself_have_a_value),
        cmocka_unit_test(unknown_fields_are_refused_with_what_may_have_been_meant),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(lists_and_documents_have_limits),
        cmocka_unit_test(null_is_as_good_as_no_field),
        cmocka_unit_test(what_aws_answers_is_taken_as_it_is),
        cmocka_unit_test(what_has_no_effect_is_named_and_what_holds_nothing_is_not),
        cmocka_unit_test(a_message_does_not_repeat_what_may_be_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
