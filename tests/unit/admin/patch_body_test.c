#include "admin/patch_body.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool parse(const char *text, struct service_patch *patch, struct patch_problem *problem)
{
    return patch_body_parse_service(slice_of(text), patch, problem);
}

static void fields_that_are_absent_are_left_alone(void **state)
{
    (void)state;
    struct service_patch patch;
    struct patch_problem problem;
    assert_true(parse("{\"desiredCount\":3}", &patch, &problem));
    assert_int_equal(patch.desired_count, 3);
    assert_int_equal(patch.min, -1);
    assert_int_equal(patch.max, -1);
    assert_true(parse(" { \"min\" : 0 , \"max\" : 4096 } ", &patch, &problem));
    assert_int_equal(patch.desired_count, -1);
    assert_int_equal(patch.min, 0);
    assert_int_equal(patch.max, 4096);
}

static void a_hostile_body_changes_nothing_and_names_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *body, *field;
    } rows[] = {
        { "", "" },
        { "{}", "" },
        { "[]", "" },
        { "3", "" },
        { "null", "" },
        { "\"desiredCount\"", "" },
        { "{\"desiredCount\":3", "" },
        { "{\"desiredCount\":3}x", "" },
        { "{\"desiredCount\":3}{\"desiredCount\":4}", "" },
        { "{\"desiredCount\":3,\"desiredCount\":4}", "" },
        { "{\"desiredCount\":3,\"desired\\u0043ount\":4}", "" },
        { "{desiredCount:3}", "" },
        { "{'desiredCount':3}", "" },
        { "{\"desiredCount\":03}", "" },
        { "{\"desiredCount\":+3}", "" },
        { "{\"desiredCount\":0x3}", "" },
        { "{\"desiredCount\":NaN}", "" },
        { "{\"desiredCount\":9223372036854775808}", "" },
        { "{\"desiredCount\":1e999}", "" },
        { "{\"desiredCount\":3,}", "" },
        { "{\"a\\u0000b\":3}", "" },
        { "{\"\xff\":3}", "" },
        { "{\"desiredCount\":3.0}", "desiredCount" },
        { "{\"desiredCount\":3e0}", "desiredCount" },
        { "{\"desiredCount\":true}", "desiredCount" },
        { "{\"desiredCount\":\"3\"}", "desiredCount" },
        { "{\"desiredCount\":null}", "desiredCount" },
        { "{\"desiredCount\":[3]}", "desiredCount" },
        { "{\"desiredCount\":{}}", "desiredCount" },
        { "{\"desiredCount\":-1}", "desiredCount" },
        { "{\"desiredCount\":4097}", "desiredCount" },
        { "{\"desiredCount\":9223372036854775807}", "desiredCount" },
        { "{\"min\":-9223372036854775808}", "min" },
        { "{\"max\":2,\"min\":3}", "min" },
        { "{\"desiredcount\":3}", "desiredcount" },
        { "{\"desiredCount\":3,\"image\":\"evil\"}", "image" },
        { "{\"image\":\"evil\",\"desiredCount\":3}", "image" },
        { "{\"__proto__\":3}", "__proto__" },
        { "{\"\":3}", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct service_patch patch = { 7, 7, 7 };
        struct patch_problem problem = { .field = "" };
        if (parse(rows[i].body, &patch, &problem))
            fail_msg("accepted: %s", rows[i].body);
        assert_true(patch.desired_count == 7 && patch.min == 7 && patch.max == 7);
        if (strcmp(problem.field, rows[i].field) != 0)
            fail_msg("%s: field is %s", rows[i].body, problem.field);
        assert_int_not_equal(problem.message[0], '\0');
    }
}

static void a_nul_byte_does_not_end_the_body_early(void **state)
{
    (void)state;
    struct service_patch patch;
    struct patch_problem problem;
    static const char body[] = "{\"min\":1}\0{\"max\":1}";
    assert_false(patch_body_parse_service((struct slice){ body, sizeof body - 1 }, &patch, &problem));
}

static void nesting_is_bounded_however_deep(void **state)
{
    (void)state;
    size_t len = 200000;
    char *body = mem_alloc(len);
    struct service_patch patch;
    struct patch_problem problem;
    memset(body, '[', len);
    assert_false(patch_body_parse_service((struct slice){ body, len }, &patch, &problem));
    assert_non_null(strstr(problem.message, "deeper"));
    free(body);
    assert_true(patch_body_is_shallow(slice_of("[[[]]][[[]]]"), 3));
    assert_false(patch_body_is_shallow(slice_of("[[[]]]"), 2));
    assert_true(patch_body_is_shallow(slice_of("\"[[[[[\\\"[[[[[[\""), 2));
    assert_true(patch_body_is_shallow(slice_of("\"\\"), 2));
}

static void a_body_past_the_limit_is_refused_unread(void **state)
{
    (void)state;
    size_t len = PATCH_BODY_BYTES_MAX + 1;
    char *body = mem_alloc(len);
    struct service_patch patch;
    struct patch_problem problem;
    memset(body, ' ', len);
    memcpy(body, "{\"min\":1}", 9);
    assert_false(patch_body_parse_service((struct slice){ body, len }, &patch, &problem));
    assert_true(patch_body_parse_service((struct slice){ body, len - 1 }, &patch, &problem));
    free(body);
}

static void a_call_without_fields_takes_nothing_or_an_empty_object(void **state)
{
    (void)state;
    struct patch_problem problem = { .field = "" };
    assert_true(patch_body_parse_empty(slice_of(""), &problem));
    assert_true(patch_body_parse_empty(slice_of("{}"), &problem));
    assert_false(patch_body_parse_empty(slice_of("[]"), &problem));
    assert_false(patch_body_parse_empty(slice_of(" "), &problem));
    assert_false(patch_body_parse_empty(slice_of("{\"force\":true}"), &problem));
    assert_string_equal(problem.field, "force");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_that_are_absent_are_left_alone),
        cmocka_unit_test(a_hostile_body_changes_nothing_and_names_the_field),
        cmocka_unit_test(a_nul_byte_does_not_end_the_body_early),
        cmocka_unit_test(nesting_is_bounded_however_deep),
        cmocka_unit_test(a_body_past_the_limit_is_refused_unread),
        cmocka_unit_test(a_call_without_fields_takes_nothing_or_an_empty_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
