#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>

#include "proxy/http/field.h"

struct known {
    enum http_field id;
    struct slice name;
    unsigned slot;
    const char *identifier;
};

static const struct known known_fields[] = {
#define KNOWN(id, name, slot, traits) { HTTP_FIELD_##id, { name, sizeof(name) - 1 }, slot, #id },
    HTTP_FIELD_LIST(KNOWN)
#undef KNOWN
#define CLAIM(id, name, slot) { HTTP_FIELD_CLAIM, { name, sizeof(name) - 1 }, slot, #id },
        HTTP_CLAIM_LIST(CLAIM)
#undef CLAIM
};
#define KNOWN_COUNT (sizeof(known_fields) / sizeof(known_fields[0]))

static void every_known_name_is_in_its_slot(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (http_field_slot(known_fields[i].name) != known_fields[i].slot) {
            fail_msg("in field.h the slot of %s must be %u", known_fields[i].identifier,
                     http_field_slot(known_fields[i].name));
        }
    }
}

static void every_known_name_is_found_in_any_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        char name[HTTP_FIELD_NAME_ROOM];
        size_t len = known_fields[i].name.len;
        assert_true(len < sizeof(name));
        memcpy(name, known_fields[i].name.at, len);
        assert_int_equal(http_field_of_name((struct slice){ name, len }), known_fields[i].id);
        for (size_t at = 0; at < len; at++) {
            assert_true(islower((unsigned char)name[at]) || isdigit((unsigned char)name[at]) || name[at] == '-');
            name[at] = (char)toupper((unsigned char)name[at]);
        }
        assert_int_equal(http_field_of_name((struct slice){ name, len }), known_fields[i].id);
    }
}

static void a_name_that_differs_in_one_byte_is_not_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        struct slice known = known_fields[i].name;
        char name[HTTP_FIELD_NAME_ROOM];
        for (size_t at = 0; at < known.len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                memcpy(name, known.at, known.len);
                name[at] = (char)byte;
                bool is_same = tolower(byte) == known.at[at];
                enum http_field wanted = is_same ? known_fields[i].id : HTTP_FIELD_OTHER;
                assert_int_equal(http_field_of_name((struct slice){ name, known.len }), wanted);
            }
        }
    }
}

static void prefixes_and_longer_names_are_not_found(void **state)
{
    (void)state;
    assert_int_equal(http_field_of_name(SLICE_LITERAL("")), HTTP_FIELD_OTHER);
    assert_int_equal(http_field_of_name(SLICE_LITERAL("t")), HTTP_FIELD_OTHER);
    assert_int_equal(http_field_of_name(SLICE_LITERAL("hos")), HTTP_FIELD_OTHER);
    assert_int_equal(http_field_of_name(SLICE_LITERAL("hosts")), HTTP_FIELD_OTHER);
    assert_int_equal(http_field_of_name(SLICE_LITERAL("other")), HTTP_FIELD_OTHER);
    assert_int_equal(http_field_of_name(SLICE_LITERAL("content_length")), HTTP_FIELD_OTHER);
}

static void names_and_traits_are_those_of_the_list(void **state)
{
    (void)state;
    assert_string_equal(http_field_to_str(HTTP_FIELD_OTHER), "other");
    assert_string_equal(http_field_to_str(HTTP_FIELD_X_REAL_IP), "x-real-ip");
    assert_string_equal(http_field_to_str(HTTP_FIELD_CLAIM), "claim");
    assert_string_equal(http_field_to_str(HTTP_FIELD_COUNT), "unknown");
    assert_int_equal(http_field_traits_of(HTTP_FIELD_CLAIM), HTTP_FIELD_KEPT);
    assert_int_equal(http_field_traits_of(HTTP_FIELD_OTHER), HTTP_FIELD_PLAIN);
    assert_int_equal(http_field_traits_of(HTTP_FIELD_CONNECTION), HTTP_FIELD_HOP_BY_HOP);
    assert_int_equal(http_field_traits_of(HTTP_FIELD_COOKIE), HTTP_FIELD_KEPT);
    assert_int_equal(http_field_traits_of(HTTP_FIELD_COUNT), HTTP_FIELD_PLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_name_is_in_its_slot),
        cmocka_unit_test(every_known_name_is_found_in_any_case),
        cmocka_unit_test(a_name_that_differs_in_one_byte_is_not_found),
        cmocka_unit_test(prefixes_and_longer_names_are_not_found),
        cmocka_unit_test(names_and_traits_are_those_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
