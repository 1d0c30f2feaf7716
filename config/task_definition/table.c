#include "config/task_definition/table.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "config/task_definition/task_definition.h"

#define X(name, type, path) type section_##name##_fields;
/* Never instantiated: gives each section's struct a name that a macro can build. */
union section_fields {
    DEFINITION_SECTION_LIST(X)
};
#undef X

#define SECTION_STRUCT(section) __typeof__(((union section_fields *)0)->section_##section##_fields)
#define FIELD_TYPE(section, field) __typeof__(((SECTION_STRUCT(section) *)0)->field)
#define OFFSET(section, field) offsetof(SECTION_STRUCT(section), field)
#define SAME_TYPE(a, b) __builtin_types_compatible_p(a, b)

/* First reading: the table and the structs must agree. */
#define IS_COUNT(section, count) SAME_TYPE(FIELD_TYPE(section, count), size_t)
#define VALUE(section, key, field, kind, ...) \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), KIND_FIELD_TYPE(kind)), #section "." #key);
#define LIST(section, key, field, count, kind, ...)                                                   \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), KIND_FIELD_TYPE(kind) *), #section "." #key); \
    static_assert(IS_COUNT(section, count), #section "." #key);
#define MAP(section, key, field, count, ...)                                                      \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), struct name_value *), #section "." #key); \
    static_assert(IS_COUNT(section, count), #section "." #key);
#define NEST(section, key, field, child, ...) \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), SECTION_STRUCT(child) *), #section "." #key);
#define NEST_LIST(section, key, field, count, child, ...)                                             \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), SECTION_STRUCT(child) *), #section "." #key); \
    static_assert(IS_COUNT(section, count), #section "." #key);
#include "config/task_definition/table.def"

/* Second reading: the rows. */
/* NOLINTBEGIN(bugprone-macro-parentheses): the default may be REQUIRED, which is two initializers */
#define NONE NULL
#define REQUIRED NULL, .is_required = true
#define ROW(section_, key_) .section = DEFINITION_SECTION_##section_, .key = #key_
#define VALUE(section_, key_, field, kind_, fallback_, min, max, help_)                                          \
    { ROW(section_, key_),   .shape = DEFINITION_VALUE, .kind = KIND_##kind_, .offset = OFFSET(section_, field), \
      .fallback = fallback_, .range = { min, max },     .help = (help_) },
#define LIST(section_, key_, field, count, kind_, least_, most_, min, max, help_) \
    { ROW(section_, key_),                                                        \
      .shape = DEFINITION_LIST,                                                   \
      .kind = KIND_##kind_,                                                       \
      .offset = OFFSET(section_, field),                                          \
      .count_offset = OFFSET(section_, count),                                    \
      .is_required = (least_) > 0,                                                \
      .least = (least_),                                                          \
      .most = (most_),                                                            \
      .range = { min, max },                                                      \
      .help = (help_) },
#define MAP(section_, key_, field, count, most_, help_) \
    { ROW(section_, key_),                              \
      .shape = DEFINITION_MAP,                          \
      .kind = KIND_TEXT,                                \
      .offset = OFFSET(section_, field),                \
      .count_offset = OFFSET(section_, count),          \
      .most = (most_),                                  \
      .range = { 0, 32768 },                            \
      .help = (help_) },
#define NEST(section_, key_, field, child_, help_)                                         \
    { ROW(section_, key_), .shape = DEFINITION_NEST, .child = DEFINITION_SECTION_##child_, \
      .offset = OFFSET(section_, field), .help = (help_) },
#define NEST_LIST(section_, key_, field, count, child_, least_, most_, help_) \
    { ROW(section_, key_),                                                    \
      .shape = DEFINITION_NEST_LIST,                                          \
      .child = DEFINITION_SECTION_##child_,                                   \
      .offset = OFFSET(section_, field),                                      \
      .count_offset = OFFSET(section_, count),                                \
      .is_required = (least_) > 0,                                            \
      .least = (least_),                                                      \
      .most = (most_),                                                        \
      .help = (help_) },
#define JSON_OF_STRING DEFINITION_STRING
#define JSON_OF_BOOLEAN DEFINITION_BOOLEAN
#define JSON_OF_LIST DEFINITION_LIST_OF
#define JSON_OF_OBJECT DEFINITION_OBJECT
#define IGNORED(section_, key_, json_, why) \
    { ROW(section_, key_), .shape = DEFINITION_IGNORED, .json = JSON_OF_##json_, .help = (why) },
#define ANSWERED(section_, key_, help_) { ROW(section_, key_), .shape = DEFINITION_ANSWERED, .help = (help_) },
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct definition_row rows[] = {
#include "config/task_definition/table.def"
};

static const size_t section_sizes[DEFINITION_SECTION_COUNT] = {
#define X(name, type, path) sizeof(type),
    DEFINITION_SECTION_LIST(X)
#undef X
};

static const char *const section_paths[DEFINITION_SECTION_COUNT] = {
#define X(name, type, path) path,
    DEFINITION_SECTION_LIST(X)
#undef X
};

/* A map's is text -> text. */
static void free_element(const struct definition_row *row, void *element)
{
    if (row->shape == DEFINITION_NEST_LIST) {
        definition_free_fields(row->child, element);
    } else if (row->shape == DEFINITION_MAP) {
        struct name_value *pair = element;
        free(pair->name);
        free(pair->value);
    } else if (kind_is_text(row->kind)) {
        free(*(char **)element);
    }
}

static void free_elements(const struct definition_row *row, void *fields)
{
    void **elements = definition_at(row, fields);
    for (size_t i = 0; i < *definition_count_at(row, fields); i++)
        free_element(row, (char *)*elements + i * definition_element_size(row));
    free(*elements);
}

static void free_section(const struct definition_row *row, void *section)
{
    if (section == NULL)
        return;
    definition_free_fields(row->child, section);
    free(section);
}

const struct definition_row *definition_next(enum definition_section section, const struct definition_row *row)
{
    const struct definition_row *end = rows + sizeof rows / sizeof rows[0];
    for (row = row ? row + 1 : rows; row < end; row++) {
        if (row->section == section)
            return row;
    }
    return NULL;
}

const struct definition_row *definition_find(enum definition_section section, const char *key)
{
    const struct definition_row *row = definition_next(section, NULL);
    while (row && strcmp(row->key, key) != 0)
        row = definition_next(section, row);
    return row;
}

size_t definition_keys(enum definition_section section, const char *keys[DEFINITION_KEYS_MAX])
{
    size_t count = 0;
    for (const struct definition_row *row = definition_next(section, NULL); row; row = definition_next(section, row)) {
        check(count < DEFINITION_KEYS_MAX);
        keys[count++] = row->key;
    }
    return count;
}

size_t definition_section_size(enum definition_section section)
{
    return section_sizes[section];
}

const char *definition_section_path(enum definition_section section)
{
    return section_paths[section];
}

void *definition_at(const struct definition_row *row, const void *fields)
{
    return (char *)(uintptr_t)fields + row->offset;
}

size_t *definition_count_at(const struct definition_row *row, const void *fields)
{
    return (size_t *)((char *)(uintptr_t)fields + row->count_offset);
}

size_t definition_element_size(const struct definition_row *row)
{
    if (row->shape == DEFINITION_NEST_LIST)
        return definition_section_size(row->child);
    return row->shape == DEFINITION_MAP ? sizeof(struct name_value) : kind_size(row->kind);
}

void definition_set_defaults(enum definition_section section, void *fields)
{
    for (const struct definition_row *row = definition_next(section, NULL); row; row = definition_next(section, row)) {
        if (row->shape == DEFINITION_VALUE)
            kind_set_default(row->kind, row->fallback, definition_at(row, fields));
    }
}

void definition_free_fields(enum definition_section section, void *fields)
{
    for (const struct definition_row *row = definition_next(section, NULL); row; row = definition_next(section, row)) {
        void *field = definition_at(row, fields);
        if (row->shape == DEFINITION_VALUE && kind_is_text(row->kind))
            free(*(char **)field);
        else if (row->shape == DEFINITION_NEST)
            free_section(row, *(void **)field);
        else if (row->shape == DEFINITION_LIST || row->shape == DEFINITION_MAP || row->shape == DEFINITION_NEST_LIST)
            free_elements(row, fields);
    }
}
