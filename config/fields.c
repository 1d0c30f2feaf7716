#include "config/fields.h"

#include "base/check.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

static void *element_at(const struct schema_row *row, const void *fields, size_t index)
{
    return *(char **)fields_at(row, fields) + index * fields_element_size(row);
}

static void set_default(const struct schema_row *row, void *fields)
{
    void *field = fields_at(row, fields);
    if (row->shape == SCHEMA_ONE && row->fallback) {
        check(value_parse(row, row->fallback, field) == VALUE_OK);
    } else if (row->shape == SCHEMA_NEST) {
        fields_set_defaults(row->child, field);
    } else if (row->shape == SCHEMA_NEST_LIST) {
        size_t count = strtoul(row->min, NULL, 10);
        *(void **)field = count ? mem_alloc_array(count, fields_element_size(row)) : NULL;
        *fields_count_at(row, fields) = count;
        for (size_t i = 0; i < count; i++)
            fields_set_defaults(row->child, element_at(row, fields, i));
    }
}

static void free_element(const struct schema_row *row, void *element)
{
    if (row->shape == SCHEMA_NEST_LIST) {
        fields_free(row->child, element);
    } else if (row->shape == SCHEMA_MAP) {
        struct config_env *pair = element;
        free(pair->name);
        free(pair->value);
    } else {
        value_free(row, element);
    }
}

static bool fields_equal(enum schema_section section, void *a, void *b)
{
    bool *a_is_present = schema_section_presence(section, a), *b_is_present = schema_section_presence(section, b);
    if (a_is_present && *a_is_present != *b_is_present)
        return false;
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        if (!fields_row_equals(row, a, b))
            return false;
    }
    return true;
}

static bool elements_equal(const struct schema_row *row, void *a, void *b)
{
    if (row->shape == SCHEMA_NEST_LIST)
        return fields_equal(row->child, a, b);
    if (row->shape == SCHEMA_LIST)
        return value_equals(row, a, b);
    const struct config_env *x = a, *y = b;
    return strcmp(x->name, y->name) == 0 && strcmp(x->value, y->value) == 0;
}

void fields_set_defaults(enum schema_section section, void *fields)
{
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row))
        set_default(row, fields);
}

void fields_free(enum schema_section section, void *fields)
{
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        void *field = fields_at(row, fields);
        if (row->shape == SCHEMA_ONE) {
            value_free(row, field);
        } else if (row->shape == SCHEMA_NEST) {
            fields_free(row->child, field);
        } else {
            size_t *count = fields_count_at(row, fields);
            for (size_t i = 0; i < *count; i++)
                free_element(row, element_at(row, fields, i));
            free(*(void **)field);
            *(void **)field = NULL;
            *count = 0;
        }
    }
}

bool fields_row_equals(const struct schema_row *row, const void *a, const void *b)
{
    if (row->shape == SCHEMA_ONE)
        return value_equals(row, fields_at(row, a), fields_at(row, b));
    if (row->shape == SCHEMA_NEST)
        return fields_equal(row->child, fields_at(row, a), fields_at(row, b));
    if (*fields_count_at(row, a) != *fields_count_at(row, b))
        return false;
    for (size_t i = 0; i < *fields_count_at(row, a); i++) {
        if (!elements_equal(row, element_at(row, a, i), element_at(row, b, i)))
            return false;
    }
    return true;
}

void *fields_at(const struct schema_row *row, const void *fields)
{
    return (char *)(uintptr_t)fields + row->offset;
}

size_t *fields_count_at(const struct schema_row *row, const void *fields)
{
    return (size_t *)((char *)(uintptr_t)fields + row->count_offset);
}

size_t fields_element_size(const struct schema_row *row)
{
    if (row->shape == SCHEMA_NEST_LIST)
        return schema_section_size(row->child);
    return row->shape == SCHEMA_MAP ? sizeof(struct config_env) : value_size(row);
}
