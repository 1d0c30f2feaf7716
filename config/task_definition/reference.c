#include "config/task_definition/reference.h"

#include "base/buf.h"
#include "config/markdown.h"
#include "config/task_definition/table.h"
#include "config/task_definition/task_definition.h"

static const char head[] =
    "# Task definitions\n"
    "\n"
    "<!-- Written by `portico task-definition reference` from config/task_definition/table.def; edit that. -->\n"
    "\n"
    "Portico reads the task definitions of Amazon ECS: the JSON that `RegisterTaskDefinition` takes, and what "
    "`DescribeTaskDefinition`\n"
    "answers, with the fields that AWS adds to it, `null` for what is not set, and `{\"taskDefinition\": ...}` around "
    "it.\n"
    "`portico task-definition check FILE` says what is wrong with one.\n"
    "\n"
    "**Today a definition is checked and [registered](admin-api.md#task-definitions), and that is all**: no task is\n"
    "started from one yet. Tasks are those of the [`services`](configuration.md#services) of the configuration.\n"
    "\n"
    "- One JSON text in UTF-8 of at most 256 KiB, 16 levels and 20,000 values. A key that is there twice is a "
    "problem.\n"
    "- Every problem is named at once, by the path of its field (the admin API names the first):\n"
    "  `containerDefinitions[1].portMappings[0].hostPort: ...`.\n"
    "  A definition with any problem is refused whole. Unknown fields and values of another type are problems.\n"
    "- `null` is as good as no field.\n"
    "- What has no effect outside of AWS is *ignored*: it is named when a definition is checked, and its contents are "
    "not read\n"
    "  ([decision 39](decisions/0039-what-a-definition-may-say-without-effect.md)).\n"
    "- Other than ECS, Portico takes containers without `memory` and `memoryReservation`: they have no limit.\n";

static void describe_allowed(const struct definition_row *row, struct buf *out)
{
    static const char *const ignored[] = { [DEFINITION_STRING] = "string",
                                           [DEFINITION_BOOLEAN] = "boolean",
                                           [DEFINITION_LIST_OF] = "list",
                                           [DEFINITION_OBJECT] = "object" };
    struct buf allowed;
    buf_init(&allowed, 0);
    if (row->shape == DEFINITION_LIST)
        buf_printf(&allowed, "list of %zu to %zu, each ", row->least, row->most);
    if (row->shape == DEFINITION_MAP)
        buf_printf(&allowed, "object of up to %zu names, each to ", row->most);
    if (row->shape == DEFINITION_VALUE || row->shape == DEFINITION_LIST || row->shape == DEFINITION_MAP)
        kind_write_allowed(row->kind, row->range, &allowed);
    if (row->shape == DEFINITION_IGNORED)
        buf_append_text(&allowed, ignored[row->json]);
    if (row->shape == DEFINITION_ANSWERED)
        buf_append_text(&allowed, "anything");
    markdown_append_cell(out, buf_text(&allowed));
    if (row->shape == DEFINITION_NEST_LIST)
        buf_printf(out, "list of %zu to %zu ", row->least, row->most);
    if (row->shape == DEFINITION_NEST || row->shape == DEFINITION_NEST_LIST)
        markdown_append_link(out, definition_section_path(row->child));
    buf_fini(&allowed);
}

static void describe_default(const struct definition_row *row, struct buf *out)
{
    if (row->is_required)
        buf_append_text(out, "required");
    else if (row->fallback && row->fallback[0])
        buf_printf(out, "`%s`", row->fallback);
    else if (row->fallback)
        buf_append_text(out, "empty");
    else if (row->shape == DEFINITION_VALUE)
        buf_append_text(out, "none");
}

static void describe_row(const struct definition_row *row, struct buf *out)
{
    buf_printf(out, "| `%s` | ", row->key);
    describe_default(row, out);
    buf_append_text(out, " | ");
    describe_allowed(row, out);
    buf_append_text(out, " | ");
    if (row->shape == DEFINITION_IGNORED)
        buf_append_text(out, "*Ignored:* ");
    if (row->shape == DEFINITION_ANSWERED)
        buf_append_text(out, "*Not read:* ");
    buf_append_text(out, row->help);
    buf_append_text(out, row->shape == DEFINITION_IGNORED || row->shape == DEFINITION_ANSWERED ? ". |\n" : " |\n");
}

static void describe_section(enum definition_section section, struct buf *out)
{
    const char *path = definition_section_path(section);
    if (*path)
        buf_printf(out, "\n## `%s`\n\n", path);
    else
        buf_append_text(out, "\n## Top level\n\n");
    buf_append_text(out, "| field | default | allowed | meaning |\n|---|---|---|---|\n");
    for (const struct definition_row *row = definition_next(section, NULL); row; row = definition_next(section, row))
        describe_row(row, out);
}

void task_definition_print_reference(FILE *out)
{
    struct buf text;
    buf_init(&text, 0);
    buf_append_text(&text, head);
    for (int section = 0; section < DEFINITION_SECTION_COUNT; section++)
        describe_section((enum definition_section)section, &text);
    fwrite(text.at, 1, text.len, out);
    buf_fini(&text);
}
