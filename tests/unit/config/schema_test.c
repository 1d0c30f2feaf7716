#include "config/schema.h"

#include "base/mem.h"
#include "config/config.h"
#include "config/fields.h"
#include "config/value.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*row_cb)(const struct schema_row *row);

static void each_row(row_cb each)
{
    for (int section = 0; section < SCHEMA_SECTION_COUNT; section++) {
        const struct schema_row *row = schema_next((enum schema_section)section, NULL);
        assert_non_null(row);
        for (; row; row = schema_next((enum schema_section)section, row))
            each(row);
    }
}

static size_t row_size(const struct schema_row *row)
{
    if (row->shape == SCHEMA_ONE)
        return value_size(row);
    return row->shape == SCHEMA_NEST ? schema_section_size(row->child) : sizeof(void *);
}

static void mark(char *bytes, size_t offset, size_t size)
{
    for (size_t i = offset; i < offset + size; i++) {
        assert_int_equal(bytes[i], 0); /* else two rows share a field */
        bytes[i] = 1;
    }
}

static void mark_section(enum schema_section section, char *bytes)
{
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        if (row->shape == SCHEMA_NEST && schema_section_size(row->child) == schema_section_size(section) &&
            row->offset == 0) {
            mark_section(row->child, bytes); /* its fields lie in this struct */
            continue;
        }
        mark(bytes, row->offset, row_size(row));
        if (row->shape != SCHEMA_ONE && row->shape != SCHEMA_NEST)
            mark(bytes, row->count_offset, sizeof(size_t));
    }
}

/* A field without a row would leave a gap as wide as itself; padding is narrower than a word. */
static void every_field_of_the_structs_has_one_row(void **state)
{
    (void)state;
    for (int i = 0; i < SCHEMA_SECTION_COUNT; i++) {
        enum schema_section section = (enum schema_section)i;
        if (section == SCHEMA_SECTION_DOCKER_TLS || section == SCHEMA_SECTION_SCALING_TARGET)
            continue;
        size_t size = schema_section_size(section), gap = 0;
        char *bytes = mem_alloc(size);
        mark_section(section, bytes);
        bool *presence = schema_section_presence(section, bytes);
        if (presence)
            mark(bytes, (size_t)((char *)presence - bytes), sizeof(bool));
        for (size_t at = 0; at < size; at++) {
            gap = bytes[at] ? 0 : gap + 1;
            if (gap >= sizeof(int64_t))
                fail_msg("%s: byte %zu has no row", schema_section_path(section), at);
        }
        free(bytes);
    }
}

static void check_key(const struct schema_row *row)
{
    assert_in_range(row->key[0], 'a', 'z');
    assert_int_equal(strspn(row->key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
                     strlen(row->key));
    assert_ptr_equal(schema_find(row->section, row->key), row); /* no key twice */
    assert_true(strlen(row->help) > 5);
    assert_int_equal(row->help[strlen(row->help) - 1], '.');
    assert_null(strchr(row->help, '|'));
    assert_null(strchr(row->help, '\n'));
}

static void every_row_has_a_camel_case_key_and_a_sentence(void **state)
{
    (void)state;
    each_row(check_key);
}

static void check_values(const struct schema_row *row)
{
    union {
        char *text;
        int64_t number;
        double real;
        bool boolean;
    } field = { 0 };
    if (row->shape != SCHEMA_ONE)
        return;
    assert_false(row->fallback && row->required);
    const char *const values[] = { row->fallback, row->min, row->max };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (values[i] && value_parse(row, values[i], &field) != VALUE_OK)
            fail_msg("%s.%s: '%s' is not accepted", schema_section_path(row->section), row->key, values[i]);
    }
    if (row->min) /* numbers have a range, and both ends are in it */
        assert_non_null(row->max);
    value_free(row, &field);
}

static void every_default_and_limit_is_accepted_by_its_own_row(void **state)
{
    (void)state;
    each_row(check_values);
}

static void check_round_trip(const struct schema_row *row)
{
    struct buf text;
    union {
        char *text;
        int64_t number;
        double real;
        bool boolean;
    } field = { 0 }, again = { 0 };
    if (row->shape != SCHEMA_ONE || !row->max)
        return;
    buf_init(&text, 0);
    assert_int_equal(value_parse(row, row->max, &field), VALUE_OK);
    value_print(row, &field, &text);
    assert_int_equal(value_parse(row, buf_text(&text), &again), VALUE_OK);
    assert_true(value_equals(row, &field, &again));
    buf_fini(&text);
}

static void every_limit_survives_being_printed(void **state)
{
    (void)state;
    each_row(check_round_trip);
}

static void two_structs_of_defaults_are_equal_until_a_field_changes(void **state)
{
    (void)state;
    struct config_service a = { 0 }, b = { 0 };
    const struct schema_row *health = schema_find(SCHEMA_SECTION_SERVICE, "healthCheck");
    const struct schema_row *scaling = schema_find(SCHEMA_SECTION_SERVICE, "scaling");
    fields_set_defaults(SCHEMA_SECTION_SERVICE, &a);
    fields_set_defaults(SCHEMA_SECTION_SERVICE, &b);
    assert_true(fields_row_equals(health, &a, &b));
    b.health_check.timeout_ms++;
    assert_false(fields_row_equals(health, &a, &b));
    assert_true(fields_row_equals(scaling, &a, &b));
    b.scaling.enabled = true;
    assert_false(fields_row_equals(scaling, &a, &b));
    fields_free(SCHEMA_SECTION_SERVICE, &a);
    fields_free(SCHEMA_SECTION_SERVICE, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_the_structs_has_one_row),
        cmocka_unit_test(every_row_has_a_camel_case_key_and_a_sentence),
        cmocka_unit_test(every_default_and_limit_is_accepted_by_its_own_row),
        cmocka_unit_test(every_limit_survives_being_printed),
        cmocka_unit_test(two_structs_of_defaults_are_equal_until_a_field_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
