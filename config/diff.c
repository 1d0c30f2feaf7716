#include "config/diff.h"

#include "config/fields.h"

#include <stdio.h>
#include <string.h>

struct difference {
    char *out;
    size_t size, len;
    bool found;
};

static void add_name(struct difference *d, enum schema_section section, const char *key)
{
    const char *path = schema_section_path(section);
    size_t room = d->size - d->len;
    int len = snprintf(d->out + d->len, room, "%s%s%s%s", d->found ? ", " : "", path, *path ? "." : "", key);
    d->found = true;
    if (len >= 0 && (size_t)len < room)
        d->len += (size_t)len;
    else if (d->size)
        d->out[d->len] = '\0'; /* whole names only */
}

static bool element_needs_restart(enum schema_section section, const void *running, const void *wanted)
{
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        if ((row->when == SCHEMA_RESTART || row->shape == SCHEMA_NEST) && !fields_row_equals(row, running, wanted))
            return true;
    }
    return false;
}

/* Elements of the same place may differ in what can be reloaded; one more or less is a change of the list. */
static bool row_needs_restart(const struct schema_row *row, const void *running, const void *wanted)
{
    if (row->when != SCHEMA_RESTART || fields_row_equals(row, running, wanted))
        return false;
    if (row->shape != SCHEMA_NEST_LIST || *fields_count_at(row, running) != *fields_count_at(row, wanted))
        return true;
    const char *one = *(char **)fields_at(row, running), *other = *(char **)fields_at(row, wanted);
    for (size_t i = 0; i < *fields_count_at(row, running); i++) {
        size_t offset = i * fields_element_size(row);
        if (element_needs_restart(row->child, one + offset, other + offset))
            return true;
    }
    return false;
}

/* Sections are walked as deep as the table nests them; a list of sections has one name. */
static void compare_section(struct difference *d, enum schema_section section, const void *running, const void *wanted)
{
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        if (row->shape == SCHEMA_NEST)
            compare_section(d, row->child, fields_at(row, running), fields_at(row, wanted));
        else if (row_needs_restart(row, running, wanted))
            add_name(d, section, row->key);
    }
}

bool config_restart_needed(const struct config *running, const struct config *wanted, char *out, size_t size)
{
    struct difference d = { .out = out, .size = size };
    if (size)
        out[0] = '\0';
    compare_section(&d, SCHEMA_SECTION_ROOT, running, wanted);
    return d.found;
}
