#include "config/print.h"

#include "base/buf.h"
#include "config/fields.h"
#include "config/markdown.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

struct printer {
    struct buf *out;
    bool show_secrets;
    unsigned indent;
    bool has_dash; /* the next line begins an element of a list */
};

static void start_line(struct printer *p, const char *key)
{
    unsigned blanks = p->indent - (p->has_dash ? 2 : 0);
    buf_printf(p->out, "%*s%s", (int)blanks, "", p->has_dash ? "- " : "");
    if (key)
        buf_printf(p->out, "%s:", key);
    p->has_dash = false;
}

static void print_value(struct printer *p, const struct schema_row *row, const void *field)
{
    if (value_is_secret(row) && !p->show_secrets)
        buf_append_text(p->out, "\"********\"");
    else
        value_print(row, field, p->out);
}

/* Nothing in it has a value or default, as in docker.tls without files. */
static bool is_empty(enum schema_section section, const void *fields)
{
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        if (row->shape != SCHEMA_ONE || !value_is_unset(row, fields_at(row, fields)))
            return false;
    }
    return true;
}

static bool is_left_out(const struct schema_row *row, void *field)
{
    if (row->shape == SCHEMA_ONE)
        return value_is_unset(row, field);
    if (row->shape != SCHEMA_NEST)
        return false;
    const bool *is_present = schema_section_presence(row->child, field);
    return (is_present && !*is_present) || is_empty(row->child, field);
}

/* Sections contain lists of sections. */
static void print_section(struct printer *p, enum schema_section section, const void *fields);

static void print_element(struct printer *p, const struct schema_row *row, const void *element)
{
    if (row->shape == SCHEMA_MAP) {
        const struct config_env *pair = element;
        start_line(p, NULL);
        value_print_text(pair->name, p->out);
        buf_append_text(p->out, ": ");
        print_value(p, row, &pair->value);
        buf_append_text(p->out, "\n");
        return;
    }
    p->has_dash = true;
    p->indent += 2;
    if (row->shape == SCHEMA_NEST_LIST) {
        print_section(p, row->child, element);
    } else {
        start_line(p, NULL);
        print_value(p, row, element);
        buf_append_text(p->out, "\n");
    }
    p->indent -= 2;
}

static void print_elements(struct printer *p, const struct schema_row *row, const void *fields)
{
    size_t count = *fields_count_at(row, fields);
    if (count == 0) {
        buf_append_text(p->out, row->shape == SCHEMA_MAP ? " {}\n" : " []\n");
        return;
    }
    const char *elements = *(char **)fields_at(row, fields);
    buf_append_text(p->out, "\n");
    p->indent += 2;
    for (size_t i = 0; i < count; i++)
        print_element(p, row, elements + i * fields_element_size(row));
    p->indent -= 2;
}

static void print_section(struct printer *p, enum schema_section section, const void *fields)
{
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        void *field = fields_at(row, fields);
        if (is_left_out(row, field))
            continue;
        start_line(p, row->key);
        if (row->shape == SCHEMA_ONE) {
            buf_append_text(p->out, " ");
            print_value(p, row, field);
            buf_append_text(p->out, "\n");
        } else if (row->shape == SCHEMA_NEST) {
            buf_append_text(p->out, "\n");
            p->indent += 2;
            print_section(p, row->child, field);
            p->indent -= 2;
        } else {
            print_elements(p, row, fields);
        }
    }
}

static const char reference_head[] =
    "# Configuration\n"
    "\n"
    "<!-- Written by `portico config reference` from config/schema.def; edit that. -->\n"
    "\n"
    "One document, YAML 1.1 or JSON, UTF-8, at most 4 MiB. `portico check FILE` names every problem at once, each as\n"
    "`file:line:column: field: what is wrong, what is allowed`. A document with any problem is refused whole; on a "
    "reload the\n"
    "running configuration stays. `config/examples/` has a commented example of everything and a minimal one.\n"
    "\n"
    "- A **duration** is a whole number with `ms`, `s`, `m` or `h`: `250ms`, `75s`, `1h`.\n"
    "- A **size** is a whole number of bytes, or one with `KiB`, `MiB` or `GiB`; a **memory size** counts in MiB: "
    "`512`, `2GiB`.\n"
    "- `${NAME}` in a value is replaced by the environment variable `NAME`, which must be set; `$$` is a dollar sign.\n"
    "- Numbers and booleans (`true`, `false`) are written without quotes. A key without a value is as good as no key.\n"
    "- Unknown keys, keys that are there twice, anchors, aliases, tags, a second document and more than 32 levels are "
    "problems.\n"
    "- JSON escapes of characters beyond U+FFFF (pairs of `\\ud800`…) are not understood; write the character itself.\n"
    "\n"
    "*reload*: a change takes effect when the configuration is reloaded. *restart*: it waits for the next start, and a "
    "reload\n"
    "says so.\n";

static void describe_allowed(const struct schema_row *row, struct buf *out)
{
    struct buf allowed;
    buf_init(&allowed, 0);
    if (row->shape == SCHEMA_LIST)
        buf_printf(&allowed, "list of up to %s, each ", row->max);
    if (row->shape == SCHEMA_MAP)
        buf_printf(&allowed, "map of up to %s names, each to ", row->max);
    if (row->shape != SCHEMA_NEST && row->shape != SCHEMA_NEST_LIST)
        value_write_allowed(row, &allowed);
    markdown_append_cell(out, buf_text(&allowed));
    if (row->shape == SCHEMA_NEST)
        buf_append_text(out, "section ");
    if (row->shape == SCHEMA_NEST_LIST)
        buf_printf(out, "list of %s to %s sections ", row->min, row->max);
    if (row->shape == SCHEMA_NEST || row->shape == SCHEMA_NEST_LIST)
        markdown_append_link(out, schema_section_path(row->child));
    buf_fini(&allowed);
}

static void describe_default(const struct schema_row *row, struct buf *out)
{
    if (row->required)
        buf_append_text(out, "required");
    else if (row->fallback)
        buf_printf(out, "`%s`", row->fallback);
    else if (row->shape == SCHEMA_ONE)
        buf_append_text(out, "none");
}

static void describe_section(enum schema_section section, struct buf *out)
{
    const char *path = schema_section_path(section);
    if (*path)
        buf_printf(out, "\n## `%s`\n\n", path);
    else
        buf_append_text(out, "\n## Top level\n\n");
    buf_append_text(out, "| key | default | allowed | change | meaning |\n|---|---|---|---|---|\n");
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        buf_printf(out, "| `%s` | ", row->key);
        describe_default(row, out);
        buf_append_text(out, " | ");
        describe_allowed(row, out);
        buf_printf(out, " | %s | ", row->shape == SCHEMA_NEST ? "" : schema_when_to_str(row->when));
        buf_append_text(out, row->help);
        buf_append_text(out, " |\n");
    }
}

void config_print(const struct config *config, bool show_secrets, FILE *out)
{
    struct buf text;
    struct printer printer = { .out = &text, .show_secrets = show_secrets };
    buf_init(&text, 0);
    print_section(&printer, SCHEMA_SECTION_ROOT, config);
    fwrite(text.at, 1, text.len, out);
    buf_fini(&text);
}

void config_print_reference(FILE *out)
{
    struct buf text;
    buf_init(&text, 0);
    buf_append_text(&text, reference_head);
    for (int section = 0; section < SCHEMA_SECTION_COUNT; section++)
        describe_section((enum schema_section)section, &text);
    fwrite(text.at, 1, text.len, out);
    buf_fini(&text);
}
