#include "tests/unit/config/document_asserts.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

static struct config *load(const char *text, struct config_problems *problems)
{
    return config_load_text("t.yaml", text, strlen(text), problems);
}

struct config *load_accepted(const char *text)
{
    struct config_problems problems;
    struct config *config = load(text, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_error("%s\n", problems.lines[i]);
    assert_int_equal(problems.count, 0);
    assert_non_null(config);
    config_problems_fini(&problems);
    return config;
}

void assert_accepted(const char *text)
{
    config_free(load_accepted(text));
}

void assert_problems(const char *text, const char *const *lines, size_t count)
{
    struct config_problems problems;
    struct config *config = load(text, &problems);
    assert_null(config);
    for (size_t i = 0; i < problems.count && i < count; i++)
        assert_string_equal(problems.lines[i], lines[i]);
    assert_int_equal(problems.count, count);
    config_problems_fini(&problems);
}

void assert_problem(const char *text, const char *line)
{
    assert_problems(text, &line, 1);
}

void assert_problem_start(const char *text, const char *start)
{
    struct config_problems problems;
    struct config *config = load(text, &problems);
    assert_null(config);
    assert_int_equal(problems.count, 1);
    if (strncmp(problems.lines[0], start, strlen(start)) != 0)
        assert_string_equal(problems.lines[0], start);
    config_problems_fini(&problems);
}
