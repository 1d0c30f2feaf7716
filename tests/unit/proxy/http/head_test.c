#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/http/head.h"

static void idempotent_methods_are_those_of_rfc_9110(void **state)
{
    (void)state;
    assert_true(http_method_is_idempotent(HTTP_METHOD_GET));
    assert_true(http_method_is_idempotent(HTTP_METHOD_HEAD));
    assert_true(http_method_is_idempotent(HTTP_METHOD_PUT));
    assert_true(http_method_is_idempotent(HTTP_METHOD_DELETE));
    assert_true(http_method_is_idempotent(HTTP_METHOD_OPTIONS));
    assert_true(http_method_is_idempotent(HTTP_METHOD_TRACE));
    assert_false(http_method_is_idempotent(HTTP_METHOD_POST));
    assert_false(http_method_is_idempotent(HTTP_METHOD_PATCH));
    assert_false(http_method_is_idempotent(HTTP_METHOD_CONNECT));
    assert_false(http_method_is_idempotent(HTTP_METHOD_OTHER));
}

static void every_enum_value_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(http_method_to_str(HTTP_METHOD_OTHER), "other");
    assert_string_equal(http_method_to_str(HTTP_METHOD_CONNECT), "CONNECT");
    assert_string_equal(http_method_to_str(HTTP_METHOD_COUNT), "unknown");
    assert_string_equal(http_body_to_str(HTTP_BODY_NONE), "none");
    assert_string_equal(http_body_to_str(HTTP_BODY_UNTIL_CLOSE), "until-close");
    assert_string_equal(http_body_to_str((enum http_body)(HTTP_BODY_UNTIL_CLOSE + 1)), "unknown");
}

static void the_first_field_of_a_name_is_found(void **state)
{
    (void)state;
    const struct http_field_line fields[] = { { .id = HTTP_FIELD_OTHER },
                                              { .id = HTTP_FIELD_COOKIE },
                                              { .id = HTTP_FIELD_COOKIE } };
    assert_ptr_equal(http_find_field(fields, 3, HTTP_FIELD_COOKIE), &fields[1]);
    assert_null(http_find_field(fields, 3, HTTP_FIELD_HOST));
    assert_null(http_find_field(fields, 0, HTTP_FIELD_OTHER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idempotent_methods_are_those_of_rfc_9110),
        cmocka_unit_test(every_enum_value_has_a_name),
        cmocka_unit_test(the_first_field_of_a_name_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
