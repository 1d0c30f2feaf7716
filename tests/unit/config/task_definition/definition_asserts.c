#include "tests/unit/config/task_definition/definition_asserts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/load.h"

static struct task_definition *read(const char *text, struct config_problems *lines)
{
    struct problems problems;
    char *json = mem_strdup(text);
    for (char *c = json; *c; c++) {
        if (*c == '\'')
            *c = '"';
    }
    problems_init(&problems, NULL);
    struct task_definition *definition = task_definition_read_text(slice_of(json), &problems);
    problems_hand_over(&problems, lines);
    free(json);
    return definition;
}

struct task_definition *read_definition(const char *text)
{
    struct config_problems lines;
    struct task_definition *definition = read(text, &lines);
    if (lines.count > 0)
        fail_msg("%s", lines.lines[0]);
    assert_non_null(definition);
    config_problems_fini(&lines);
    return definition;
}

void assert_definition_good(const char *text)
{
    task_definition_free(read_definition(text));
}

void assert_definition_wrong(const char *text, const char *line)
{
    assert_definition_wrong_twice(text, line, NULL);
}

void assert_definition_wrong_twice(const char *text, const char *first, const char *second)
{
    struct config_problems lines;
    struct task_definition *definition = read(text, &lines);
    assert_null(definition);
    assert_true(lines.count > 0);
    assert_string_equal(lines.lines[0], first);
    if (second)
        assert_string_equal(lines.count > 1 ? lines.lines[1] : "", second);
    if (lines.count > (second ? 2 : 1))
        fail_msg("one too many: %s", lines.lines[second ? 2 : 1]);
    config_problems_fini(&lines);
}

void assert_definition_unreadable(const char *text, const char *words)
{
    struct config_problems lines;
    assert_null(read(text, &lines));
    assert_int_equal(lines.count, 1);
    if (strncmp(lines.lines[0], "document: ", strlen("document: ")) != 0 || !strstr(lines.lines[0], words))
        fail_msg("%s", lines.lines[0]);
    config_problems_fini(&lines);
}

void assert_definition_ignores(const char *text, const char *paths)
{
    struct buf all;
    buf_init(&all, 0);
    struct task_definition *definition = read_definition(text);
    for (size_t i = 0; i < definition->ignored_count; i++)
        buf_printf(&all, "%s%s", i > 0 ? " " : "", definition->ignored[i].path);
    assert_string_equal(buf_text(&all), paths);
    buf_fini(&all);
    task_definition_free(definition);
}
