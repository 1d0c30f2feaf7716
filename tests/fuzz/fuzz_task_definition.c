/* Any bytes as a task definition: no crash, either a definition or problems, each of them one line of printable text with a path,
 * and a definition whose containers have an order. */
#include "base/check.h"
#include "config/load.h"
#include "config/task_definition/start_order.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const struct config_problems *lines)
{
    check(lines->count > 0 && lines->count <= CONFIG_PROBLEMS_MAX + 1);
    for (size_t i = 0; i < lines->count; i++) {
        check(strstr(lines->lines[i], ": ") != NULL || strcmp(lines->lines[i], "... and more") == 0);
        for (const unsigned char *c = (const unsigned char *)lines->lines[i]; *c; c++)
            check(*c >= 0x20 && *c != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems;
    struct config_problems lines;
    struct start_order order;
    problems_init(&problems, NULL);
    struct task_definition *definition =
        task_definition_read_text((struct slice){ (const char *)data, size }, &problems);
    problems_hand_over(&problems, &lines);
    if (definition)
        check(lines.count == 0 && start_order_find(definition, &order) && order.count == definition->container_count);
    else
        check_lines(&lines);
    config_problems_fini(&lines);
    task_definition_free(definition);
    return 0;
}
