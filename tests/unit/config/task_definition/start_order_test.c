#include "config/task_definition/start_order.h"

#include "tests/unit/config/task_definition/definition_asserts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define OF(name, more) "{'name':'" name "','image':'i'" more "}"
#define AFTER(name) ",'dependsOn':[{'containerName':'" name "','condition':'START'}]"

/* "cab": the names in order. */
static void assert_order(const char *text, const char *start, const char *stop)
{
    struct start_order order;
    char names[TASK_CONTAINERS_MAX + 1] = "";
    struct task_definition *d = read_definition(text);
    assert_true(start_order_find(d, &order));
    for (size_t i = 0; i < order.count; i++)
        names[i] = d->containers[order.containers[i]].name[0];
    assert_string_equal(names, start);
    start_order_reverse(&order);
    for (size_t i = 0; i < order.count; i++)
        names[i] = d->containers[order.containers[i]].name[0];
    assert_string_equal(names, stop);
    task_definition_free(d);
}

static void containers_without_dependencies_start_as_they_are_written(void **state)
{
    (void)state;
    assert_order(CONTAINERS(OF("c", "") "," OF("a", "") "," OF("b", ""), ""), "cab", "bac");
}

static void each_starts_after_what_it_depends_on(void **state)
{
    (void)state;
    assert_order(CONTAINERS(OF("a", AFTER("b")) "," OF("b", AFTER("c")) "," OF("c", ""), ""), "cba", "abc");
    assert_order(CONTAINERS(OF("a", AFTER("d")) "," OF("b", "") "," OF("c", AFTER("a")) "," OF("d", ""), ""), "bdac",
                 "cadb");
}

static void links_and_borrowed_volumes_are_dependencies(void **state)
{
    (void)state;
    assert_order(
        CONTAINERS(OF("a", ",'links':['b:db']") "," OF("b", ",'volumesFrom':[{'sourceContainer':'c'}]") "," OF("c", ""),
                   ""),
        "cba", "abc");
}

static void ten_in_a_row_are_ordered_from_the_last(void **state)
{
    (void)state;
    char text[2048] = "{'family':'f','containerDefinitions':[";
    for (char c = 'a'; c <= 'j'; c++) {
        char one[160];
        snprintf(one, sizeof one, c < 'j' ? OF("%c", AFTER("%c")) "," : OF("%c", ""), c, c + 1);
        strcat(text, one);
    }
    strcat(text, "]}");
    assert_order(text, "jihgfedcba", "abcdefghij");
}

static void what_a_container_waits_for_is_a_set(void **state)
{
    (void)state;
    struct task_definition *d =
        read_definition(CONTAINERS(OF("a", "") "," OF("b", "") "," OF("c", ",'links':['a','a:x']" AFTER("b")), ""));
    assert_int_equal(start_order_waits(d, 0), 0);
    assert_int_equal(start_order_waits(d, 2), 3);
    task_definition_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_without_dependencies_start_as_they_are_written),
        cmocka_unit_test(each_starts_after_what_it_depends_on),
        cmocka_unit_test(links_and_borrowed_volumes_are_dependencies),
        cmocka_unit_test(ten_in_a_row_are_ordered_from_the_last),
        cmocka_unit_test(what_a_container_waits_for_is_a_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
