#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/h1/head.h"

static void every_error_has_a_text_and_a_status(void **state)
{
    (void)state;
    for (int error = H1_OK + 1; error < H1_ERROR_COUNT; error++) {
        assert_true(strlen(h1_error_to_str((enum h1_error)error)) > 0);
        int status = h1_error_to_status((enum h1_error)error);
        assert_true(status == 400 || status == 414 || status == 431 || status == 501 || status == 502 || status == 505);
    }
    assert_int_equal(h1_error_to_status(H1_OK), 200);
    assert_int_equal(h1_error_to_status(H1_ERR_TARGET_TOO_LONG), 414);
    assert_int_equal(h1_error_to_status(H1_ERR_HEAD_TOO_LARGE), 431);
    assert_int_equal(h1_error_to_status(H1_ERR_TOO_MANY_FIELDS), 431);
    assert_int_equal(h1_error_to_status(H1_ERR_METHOD_CONNECT), 501);
    assert_int_equal(h1_error_to_status(H1_ERR_TRANSFER_ENCODING_UNKNOWN), 501);
    assert_int_equal(h1_error_to_status(H1_ERR_VERSION_UNSUPPORTED), 505);
    assert_int_equal(h1_error_to_status(H1_ERROR_COUNT), 400);
    assert_string_equal(h1_error_to_str(H1_ERROR_COUNT), "unknown");
}

static void every_enum_value_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(h1_result_to_str(H1_DONE), "done");
    assert_string_equal(h1_result_to_str(H1_BAD), "bad");
    assert_string_equal(h1_result_to_str((enum h1_result)(H1_BAD + 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_text_and_a_status),
        cmocka_unit_test(every_enum_value_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
