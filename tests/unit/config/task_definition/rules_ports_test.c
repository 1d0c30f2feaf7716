#include "config/task_definition/rules.h"

#include "tests/unit/config/task_definition/definition_asserts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "config/load.h"

#define PORTS(mappings) "{'name':'a','image':'i','portMappings':[" mappings "]}"
#define MORE_PORTS(mappings) "{'name':'b','image':'i','portMappings':[" mappings "]}"
#define MAPPING "containerDefinitions[0].portMappings[0]"

static void a_mapping_has_a_port_or_a_range(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINERS(PORTS("{'hostPort':80}"), ""),
                            MAPPING ": one of containerPort and containerPortRange must be specified");
    assert_definition_wrong(CONTAINERS(PORTS("{'containerPort':80,'containerPortRange':'1-2'}"), ""),
                            MAPPING ": only one of containerPort and containerPortRange may be specified");
    assert_definition_wrong(CONTAINERS(PORTS("{'hostPort':80,'containerPortRange':'1-2'}"), ""),
                            MAPPING ".hostPort: must be left out with containerPortRange");
    assert_definition_wrong(CONTAINERS(PORTS("{'containerPortRange':'1-2'}"), ",'networkMode':'host'"),
                            MAPPING ".containerPortRange: needs networkMode bridge or awsvpc");
    assert_definition_good(CONTAINERS(PORTS("{'containerPortRange':'1-2'}"), ",'networkMode':'awsvpc'"));
}

static void without_a_network_there_are_no_ports(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINERS(PORTS("{'containerPort':80}"), ",'networkMode':'none'"),
                            "containerDefinitions[0].portMappings: are not supported when networkMode is none");
}

static void host_and_container_port_match_where_there_is_one_network(void **state)
{
    (void)state;
    assert_definition_wrong(CONTAINERS(PORTS("{'containerPort':80,'hostPort':8080}"), ",'networkMode':'host'"), MAPPING
                            ".hostPort: when networkMode is host, host and container ports must match: write 80, "
                            "or leave it out");
    assert_definition_wrong(CONTAINERS(PORTS("{'containerPort':80,'hostPort':8080}"), ",'networkMode':'awsvpc'"),
                            MAPPING ".hostPort: when networkMode is awsvpc, host and container ports must match: write "
                                    "80, or leave it out");
    assert_definition_good(CONTAINERS(PORTS("{'containerPort':80,'hostPort':0}"), ",'networkMode':'awsvpc'"));
    assert_definition_good(CONTAINERS(PORTS("{'containerPort':80,'hostPort':80}"), ",'networkMode':'host'"));
    assert_definition_good(CONTAINERS(PORTS("{'containerPort':80,'hostPort':8080}"), ""));
}

static void a_port_is_in_one_mapping(void **state)
{
    (void)state;
    assert_definition_wrong(
        CONTAINERS(PORTS("{'containerPort':80},{'containerPort':80}"), ""),
        "containerDefinitions[0].portMappings[1].containerPort: a port can only be in one port mapping");
    assert_definition_wrong(
        CONTAINERS(PORTS("{'containerPort':80},{'containerPortRange':'70-90'}"), ""),
        "containerDefinitions[0].portMappings[1].containerPortRange: a port can only be in one port mapping");
    assert_definition_good(CONTAINERS(PORTS("{'containerPort':80},{'containerPort':80,'protocol':'udp'}"), ""));
    assert_definition_good(CONTAINERS(PORTS("{'containerPort':80}") "," MORE_PORTS("{'containerPort':80}"), ""));
    assert_definition_wrong(
        CONTAINERS(PORTS("{'containerPort':80}") "," MORE_PORTS("{'containerPort':80}"), ",'networkMode':'awsvpc'"),
        "containerDefinitions[1].portMappings[0].containerPort: a port can only be in one port mapping");
}

static void a_port_of_the_host_is_taken_once(void **state)
{
    (void)state;
    assert_definition_wrong(
        CONTAINERS(PORTS("{'containerPort':80,'hostPort':9}") "," MORE_PORTS("{'containerPort':81,'hostPort':9}"), ""),
        "containerDefinitions[1].portMappings[0].hostPort: 9 is taken by another port mapping of the task");
}

static void a_ports_name_is_its_own_and_its_protocol_over_tcp(void **state)
{
    (void)state;
    assert_definition_wrong(
        CONTAINERS(PORTS("{'containerPort':80,'name':'x'}") "," MORE_PORTS("{'containerPort':81,'name':'x'}"), ""),
        "containerDefinitions[1].portMappings[0].name: 'x' is the name of another port of the task");
    assert_definition_wrong(CONTAINERS(PORTS("{'containerPort':80,'protocol':'udp','appProtocol':'grpc'}"), ""),
                            MAPPING ".appProtocol: is only for protocol tcp");
}

/* A thousand mappings are half a million pairs: none is looked at once as many problems are known as are told. */
static void a_thousand_mappings_of_one_port_are_told_of_once_each_up_to_the_limit(void **state)
{
    (void)state;
    const char *last = "containerDefinitions[1].portMappings[0].containerPort: a port can only be in one port mapping";
    struct buf text;
    struct problems problems;
    struct config_problems lines;
    buf_init(&text, 0);
    buf_append_text(&text, "{\"family\":\"f\",\"networkMode\":\"awsvpc\",\"containerDefinitions\":[");
    for (int i = 0; i < TASK_CONTAINERS_MAX; i++) {
        buf_printf(&text, "%s{\"name\":\"c%d\",\"image\":\"i\",\"portMappings\":[", i > 0 ? "," : "", i);
        for (int k = 0; k < 100; k++)
            buf_printf(&text, "%s{\"containerPort\":80}", k > 0 ? "," : "");
        buf_append_text(&text, "]}");
    }
    buf_append_text(&text, "]}");
    problems_init(&problems, NULL);
    assert_null(task_definition_read_text((struct slice){ text.at, text.len }, &problems));
    problems_hand_over(&problems, &lines);
    assert_int_equal(lines.count, CONFIG_PROBLEMS_MAX + 1);
    assert_string_equal(lines.lines[CONFIG_PROBLEMS_MAX - 1], last);
    assert_string_equal(lines.lines[CONFIG_PROBLEMS_MAX], "... and more");
    config_problems_fini(&lines);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_has_a_port_or_a_range),
        cmocka_unit_test(without_a_network_there_are_no_ports),
        cmocka_unit_test(host_and_container_port_match_where_there_is_one_network),
        cmocka_unit_test(a_port_is_in_one_mapping),
        cmocka_unit_test(a_port_of_the_host_is_taken_once),
        cmocka_unit_test(a_ports_name_is_its_own_and_its_protocol_over_tcp),
        cmocka_unit_test(a_thousand_mappings_of_one_port_are_told_of_once_each_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
