#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *parse(const char *text, struct error *error)
{
    return json_parse_bounded(slice_of(text), &json_limits_default, error);
}

static void hostile_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "1",
        "\"x\"",
        "{",
        "{\"a\":1}x",
        "{\"a\":1,\"a\":2}",
        "[1,]",
        "{\"a\":\"\xff\"}",
        "[\"\\u0000\"]",
        "{'a':1}",
        "[1e999]",
        "\xef\xbb\xbf{}",
        "[99999999999999999999]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error error = { "" };
        assert_null(parse(texts[i], &error));
        assert_true(error.text[0] != '\0');
        assert_null(parse(texts[i], NULL));
    }
}

static void nesting_is_bounded_and_brackets_in_strings_do_not_count(void **state)
{
    char text[2 * 33 + 1];
    struct error error;
    (void)state;
    for (size_t depth = 32; depth <= 33; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth < sizeof text ? 2 * depth : sizeof text - 1] = '\0';
        json_t *value = parse(text, &error);
        assert_true((value != NULL) == (depth == 32));
        json_decref(value);
    }
    json_t *value = parse("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}", &error);
    assert_non_null(value);
    json_decref(value);
}

static void depth_ten_thousand_is_refused_without_recursion(void **state)
{
    (void)state;
    char *text = malloc(10000);
    struct error error;
    memset(text, '[', 10000);
    assert_null(json_parse_bounded((struct slice){ text, 10000 }, &json_limits_default, &error));
    assert_string_equal(error.text, "JSON is nested deeper than 32 levels");
    free(text);
}

static void bytes_and_values_are_bounded(void **state)
{
    static const struct json_limits limits = { .bytes_max = 20, .depth_max = 4, .values_max = 4 };
    struct error error;
    (void)state;
    json_t *value = json_parse_bounded(SLICE_LITERAL("[1,2,3,4]"), &limits, &error);
    assert_non_null(value);
    json_decref(value);
    assert_null(json_parse_bounded(SLICE_LITERAL("[1,2,3,4,5]"), &limits, &error));
    assert_string_equal(error.text, "JSON has more than 4 values");
    assert_null(json_parse_bounded(SLICE_LITERAL("[1,2              ,3]"), &limits, &error));
    assert_string_equal(error.text, "JSON of 21 bytes, at most 20 are allowed");
}

static void getters_tell_the_wrong_type_from_a_value(void **state)
{
    struct error error;
    int64_t integer = -7;
    double real = -7;
    bool flag = true;
    (void)state;
    json_t *o = parse("{\"s\":\"x\",\"i\":5,\"r\":1.5,\"b\":false,\"o\":{\"k\":1},\"a\":[1],\"n\":null}", &error);
    assert_non_null(o);
    assert_string_equal(json_find_string(o, "s"), "x");
    assert_null(json_find_string(o, "i"));
    assert_null(json_find_string(o, "n"));
    assert_null(json_find_string(o, "missing"));
    assert_false(json_find_integer(o, "r", &integer));
    assert_int_equal(integer, -7);
    assert_true(json_find_integer(o, "i", &integer));
    assert_int_equal(integer, 5);
    assert_false(json_find_real(o, "s", &real));
    assert_true(json_find_real(o, "i", &real));
    assert_true(real == 5.0);
    assert_false(json_find_bool(o, "n", &flag));
    assert_true(flag);
    assert_true(json_find_bool(o, "b", &flag));
    assert_false(flag);
    assert_non_null(json_find_object(o, "o"));
    assert_null(json_find_object(o, "a"));
    assert_non_null(json_find_array(o, "a"));
    assert_null(json_find_array(o, "o"));
    json_decref(o);
}

static void a_chain_of_missing_objects_ends_in_nothing(void **state)
{
    int64_t integer;
    (void)state;
    assert_null(json_find_string(json_find_object(json_find_object(NULL, "a"), "b"), "c"));
    assert_false(json_find_integer(json_find_object(NULL, "a"), "b", &integer));
}

static void text_keeps_the_order_of_keys(void **state)
{
    (void)state;
    json_t *o = parse("{ \"z\" : 1, \"a\" : [ true , null ] }", NULL);
    char *text = json_to_text(o);
    assert_string_equal(text, "{\"z\":1,\"a\":[true,null]}");
    free(text);
    json_decref(o);
}

static void numbers_are_written_as_people_write_them(void **state)
{
    (void)state;
    json_t *o = json_pack("[f,f,f]", 60817.407, 0.1, 2.0);
    char *text = json_to_text(o);
    assert_string_equal(text, "[60817.407,0.1,2.0]");
    free(text);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_texts_are_refused),
        cmocka_unit_test(nesting_is_bounded_and_brackets_in_strings_do_not_count),
        cmocka_unit_test(depth_ten_thousand_is_refused_without_recursion),
        cmocka_unit_test(bytes_and_values_are_bounded),
        cmocka_unit_test(getters_tell_the_wrong_type_from_a_value),
        cmocka_unit_test(a_chain_of_missing_objects_ends_in_nothing),
        cmocka_unit_test(text_keeps_the_order_of_keys),
        cmocka_unit_test(numbers_are_written_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
