#include "daemon/task_definition_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/whole_file.h"
#include "config/load.h"
#include "config/task_definition/reference.h"
#include "config/task_definition/task_definition.h"
#include "daemon/arguments.h"

#define EXIT_USAGE 2

static const char help[] =
    "portico task-definition: task definitions in the JSON of Amazon ECS\n"
    "\n"
    "  portico task-definition check FILE\n"
    "      reads a definition (- is standard input) and says all that is wrong with it, a line for each field:\n"
    "          web.json: containerDefinitions[0].memory: invalid type: string, valid type: integer\n"
    "      and of a good one, what has no effect outside of AWS. Exit code 0: it is good; 1: it is not, or cannot\n"
    "      be read; 2: the command is used otherwise than this.\n"
    "  portico task-definition reference\n"
    "      every field of a definition, in Markdown (docs/task-definitions.md)\n";

/* False: said why. */
static bool read_file(const char *path, struct buf *text)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && whole_file_read(fd, text);
    if (!is_read && text->overflowed)
        fprintf(stderr, "%s: document: is longer than %zu bytes\n", path, task_definition_json_limits.bytes_max);
    else if (!is_read)
        fprintf(stderr, "%s: document: cannot be read: %s\n", path, strerror(errno));
    if (fd >= 0 && !is_stdin)
        close(fd);
    return is_read;
}

static void print_problems(struct problems *problems)
{
    struct config_problems lines;
    problems_hand_over(problems, &lines);
    for (size_t i = 0; i < lines.count; i++)
        fprintf(stderr, "%s\n", lines.lines[i]);
    config_problems_fini(&lines);
}

static void print_summary(const char *path, const struct task_definition *definition)
{
    printf("%s: ok, family %s, %zu container%s, %zu volume%s\n", path, definition->family, definition->container_count,
           definition->container_count == 1 ? "" : "s", definition->volume_count,
           definition->volume_count == 1 ? "" : "s");
    for (size_t i = 0; i < definition->ignored_count; i++)
        printf("%s: %s: ignored, %s\n", path, definition->ignored[i].path, definition->ignored[i].why);
    if (definition->more_ignored)
        printf("%s: ... and more that is ignored\n", path);
}

static int run_check(int argc, char **argv)
{
    const char *path = NULL;
    const struct argument table[] = { { .name = "FILE", .text = &path } };
    if (!arguments_parse("task-definition check", table, 1, argc, argv))
        return EXIT_USAGE;
    struct buf text;
    struct task_definition *definition = NULL;
    buf_init(&text, task_definition_json_limits.bytes_max);
    if (read_file(path, &text)) {
        struct problems problems;
        problems_init(&problems, path);
        definition = task_definition_read_text((struct slice){ text.at, text.len }, &problems);
        print_problems(&problems);
    }
    buf_fini(&text);
    if (definition)
        print_summary(path, definition);
    bool is_good = definition != NULL;
    task_definition_free(definition);
    return is_good ? 0 : 1;
}

static int run_reference(int argc, char **argv)
{
    if (!arguments_parse("task-definition reference", NULL, 0, argc, argv))
        return EXIT_USAGE;
    task_definition_print_reference(stdout);
    return 0;
}

int task_definition_command(int argc, char **argv)
{
    const char *verb = argc > 0 ? argv[0] : "";
    if (strcmp(verb, "check") == 0)
        return run_check(argc - 1, argv + 1);
    if (strcmp(verb, "reference") == 0)
        return run_reference(argc - 1, argv + 1);
    if (strcmp(verb, "help") == 0 || strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        fputs(help, stdout);
        return 0;
    }
    fprintf(stderr, "portico task-definition: 'check' or 'reference', not '%s'; see 'portico task-definition help'\n",
            verb);
    return EXIT_USAGE;
}
