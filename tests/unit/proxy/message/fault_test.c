#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/message/fault.h"

#include "proxy/h1/error.h"

static void assert_line(const char *head, size_t at, const char *wanted)
{
    struct fault fault;
    fault_in_head(&fault, "response-head", h1_error_to_str(H1_ERR_FIELD_NAME), slice_of(head), at);
    assert_int_equal(fault.at, at);
    assert_true(slice_equals(fault.line, slice_of(wanted)));
}

static void a_fault_in_a_head_has_its_line(void **state)
{
    (void)state;
    assert_line("HTTP/1.1 200 OK\r\nA b\r\nC: d\r\n", 18, "A b");
    assert_line("HTTP/1.1 200 OK\r\nA b\r\nC: d\r\n", 17, "A b");
    assert_line("HTTP/1.1 200 OK\nA b", 17, "A b");
    assert_line("HTTP/1.1 200 OK\nA b", 19, "A b");
    assert_line("HTTP/1.1 2x0", 9, "HTTP/1.1 2x0");
    assert_line("", 0, "");
    assert_line("abc", 3, "abc");
}

static void a_line_is_cut(void **state)
{
    (void)state;
    char head[200];
    struct fault fault;
    memset(head, 'a', sizeof head);
    fault_in_head(&fault, "request-head", h1_error_to_str(H1_ERR_HEAD_TOO_LARGE), (struct slice){ head, sizeof head },
                  sizeof head);
    assert_int_equal(fault.line.len, FAULT_LINE_BYTES);
    assert_ptr_equal(fault.line.at, fault.line_bytes);
}

static void a_fault_in_a_body_has_none(void **state)
{
    (void)state;
    struct fault fault;
    fault_in_body(&fault, "response-body", h1_error_to_str(H1_ERR_CHUNK_SIZE), 77);
    assert_string_equal(fault.why, "chunk size is malformed");
    assert_string_equal(fault.place, "response-body");
    assert_int_equal(fault.at, 77);
    assert_int_equal(fault.line.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_in_a_head_has_its_line),
        cmocka_unit_test(a_line_is_cut),
        cmocka_unit_test(a_fault_in_a_body_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
