#include "config/schema.h"

#include "base/check.h"
#include "config/config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define X(name, type, ...) type section_##name##_fields;
/* Never instantiated: gives each section's struct a name that a macro can build. */
union section_fields {
    SCHEMA_SECTION_LIST(X)
};
#undef X

#define SECTION_STRUCT(section) __typeof__(((union section_fields *)0)->section_##section##_fields)
#define FIELD_TYPE(section, field) __typeof__(((SECTION_STRUCT(section) *)0)->field)
#define OFFSET(section, field) offsetof(SECTION_STRUCT(section), field)
#define SAME_TYPE(a, b) __builtin_types_compatible_p(a, b)

/* First reading: the table and the structs must agree. */
#define VALUE(section, key, field, type, ...) \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), SCHEMA_FIELD_TYPE(type)), #section "." #key);
#define SETTING VALUE
#define LIST(section, key, field, count, type, ...)                                                     \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), SCHEMA_FIELD_TYPE(type) *), #section "." #key); \
    static_assert(SAME_TYPE(FIELD_TYPE(section, count), size_t), #section "." #key);
#define MAP(section, key, field, count, ...)                                                      \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), struct config_env *), #section "." #key); \
    static_assert(SAME_TYPE(FIELD_TYPE(section, count), size_t), #section "." #key);
#define NEST(section, key, field, child, ...) \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), SECTION_STRUCT(child)), #section "." #key);
#define FLAT(section, key, child, ...) \
    static_assert(SAME_TYPE(SECTION_STRUCT(section), SECTION_STRUCT(child)), #section "." #key);
#define NEST_LIST(section, key, field, count, child, ...)                                             \
    static_assert(SAME_TYPE(FIELD_TYPE(section, field), SECTION_STRUCT(child) *), #section "." #key); \
    static_assert(SAME_TYPE(FIELD_TYPE(section, count), size_t), #section "." #key);
#include "config/schema.def"

static_assert(CONFIG_LISTENERS_MAX == 16 && CONFIG_SERVICES_MAX == 1000 && CONFIG_TRUSTED_PROXIES_MAX == 64,
              "schema.def has these limits as text");

/* Second reading: the rows. */
/* NOLINTBEGIN(bugprone-macro-parentheses): the default may be REQUIRED, which is two initializers */
#define NONE NULL
#define REQUIRED NULL, .required = true
#define ROW(section_, key_) .section = SCHEMA_SECTION_##section_, .key = #key_
#define VALUE(section_, key_, field, type_, fallback_, min_, max_, when_, help_) \
    { ROW(section_, key_),                                                       \
      .shape = SCHEMA_ONE,                                                       \
      .type = SCHEMA_TYPE_##type_,                                               \
      .offset = OFFSET(section_, field),                                         \
      .fallback = fallback_,                                                     \
      .min = (min_),                                                             \
      .max = (max_),                                                             \
      .when = SCHEMA_##when_,                                                    \
      .help = (help_) },
#define SETTING(section_, key_, field, type_, fallback_, min_, max_, help_)        \
    { ROW(section_, key_),                                                         \
      .shape = SCHEMA_ONE,                                                         \
      .type = SCHEMA_TYPE_##type_,                                                 \
      .offset = OFFSET(section_, field),                                           \
      .sent_as = SCHEMA_TYPE_##type_ == SCHEMA_TYPE_DURATION ? #key_ "Ms" : #key_, \
      .fallback = fallback_,                                                       \
      .min = (min_),                                                               \
      .max = (max_),                                                               \
      .when = SCHEMA_RELOAD,                                                       \
      .help = (help_) },
#define LIST(section_, key_, field, count, type_, max_, when_, help_) \
    { ROW(section_, key_),                                            \
      .shape = SCHEMA_LIST,                                           \
      .type = SCHEMA_TYPE_##type_,                                    \
      .offset = OFFSET(section_, field),                              \
      .count_offset = OFFSET(section_, count),                        \
      .min = "0",                                                     \
      .max = (max_),                                                  \
      .when = SCHEMA_##when_,                                         \
      .help = (help_) },
#define MAP(section_, key_, field, count, type_, max_, when_, help_) \
    { ROW(section_, key_),                                           \
      .shape = SCHEMA_MAP,                                           \
      .type = SCHEMA_TYPE_##type_,                                   \
      .offset = OFFSET(section_, field),                             \
      .count_offset = OFFSET(section_, count),                       \
      .min = "0",                                                    \
      .max = (max_),                                                 \
      .when = SCHEMA_##when_,                                        \
      .help = (help_) },
#define NEST(section_, key_, field, child_, help_)                                                                    \
    { ROW(section_, key_), .shape = SCHEMA_NEST, .child = SCHEMA_SECTION_##child_, .offset = OFFSET(section_, field), \
      .help = (help_) },
#define FLAT(section_, key_, child_, help_) \
    { ROW(section_, key_), .shape = SCHEMA_NEST, .child = SCHEMA_SECTION_##child_, .offset = 0, .help = (help_) },
#define NEST_LIST(section_, key_, field, count, child_, min_, max_, when_, help_) \
    { ROW(section_, key_),                                                        \
      .shape = SCHEMA_NEST_LIST,                                                  \
      .child = SCHEMA_SECTION_##child_,                                           \
      .offset = OFFSET(section_, field),                                          \
      .count_offset = OFFSET(section_, count),                                    \
      .min = (min_),                                                              \
      .max = (max_),                                                              \
      .when = SCHEMA_##when_,                                                     \
      .help = (help_) },

/* NOLINTEND(bugprone-macro-parentheses) */

static const struct schema_row rows[] = {
#include "config/schema.def"
};

static const size_t section_sizes[SCHEMA_SECTION_COUNT] = {
#define X(name, type, ...) sizeof(type),
    SCHEMA_SECTION_LIST(X)
#undef X
};

static const char *const section_paths[SCHEMA_SECTION_COUNT] = {
#define X(name, type, path, presence) path,
    SCHEMA_SECTION_LIST(X)
#undef X
};

static const size_t section_presences[SCHEMA_SECTION_COUNT] = {
#define X(name, type, path, presence) presence,
    SCHEMA_SECTION_LIST(X)
#undef X
};

const struct schema_row *schema_next(enum schema_section section, const struct schema_row *row)
{
    const struct schema_row *end = rows + sizeof rows / sizeof rows[0];
    for (row = row ? row + 1 : rows; row < end; row++) {
        if (row->section == section)
            return row;
    }
    return NULL;
}

const struct schema_row *schema_find(enum schema_section section, const char *key)
{
    const struct schema_row *row = schema_next(section, NULL);
    while (row && strcmp(row->key, key) != 0)
        row = schema_next(section, row);
    return row;
}

size_t schema_keys(enum schema_section section, const char *keys[SCHEMA_KEYS_MAX])
{
    size_t count = 0;
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        check(count < SCHEMA_KEYS_MAX);
        keys[count++] = row->key;
    }
    return count;
}

size_t schema_section_size(enum schema_section section)
{
    return section_sizes[section];
}

const char *schema_section_path(enum schema_section section)
{
    return section_paths[section];
}

bool *schema_section_presence(enum schema_section section, void *section_struct)
{
    size_t offset = section_presences[section];
    return offset == SIZE_MAX ? NULL : (bool *)((char *)section_struct + offset);
}

const char *schema_when_to_str(enum schema_when when)
{
    static const char *const names[] = { "reload", "restart" };
    static_assert(sizeof names / sizeof names[0] == SCHEMA_WHEN_COUNT, "a name for each");
    return when < SCHEMA_WHEN_COUNT ? names[when] : "?";
}

const char *schema_shape_to_str(enum schema_shape shape)
{
    static const char *const names[] = { "value", "list", "map", "section", "list of sections" };
    static_assert(sizeof names / sizeof names[0] == SCHEMA_SHAPE_COUNT, "a name for each");
    return shape < SCHEMA_SHAPE_COUNT ? names[shape] : "?";
}
