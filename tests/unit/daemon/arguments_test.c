#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/arguments.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct values {
    const char *file, *user;
    int64_t number;
    bool flag;
};

/* Into `v`; the complaint goes to /dev/null, tests/system/test_cli.py reads it. */
static bool parse(struct values *v, int argc, const char *const *argv)
{
    *v = (struct values){ .number = -7 };
    const struct argument table[] = { { .name = "FILE", .text = &v->file },
                                      { .name = "--user", .text = &v->user },
                                      { .name = "--number", .number = &v->number },
                                      { .name = "--flag", .flag = &v->flag } };
    int keep = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    bool ok = arguments_parse("test", table, 4, argc, (char **)argv);
    dup2(keep, STDERR_FILENO);
    close(null);
    close(keep);
    return ok;
}

#define PARSE(v, ...) \
    parse(v, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), (const char *const[]){ __VA_ARGS__ })

static void options_and_operands_may_stand_in_any_order(void **state)
{
    struct values v;
    (void)state;
    assert_true(PARSE(&v, "--user", "u", "file", "--flag", "--number=12"));
    assert_string_equal(v.file, "file");
    assert_string_equal(v.user, "u");
    assert_int_equal(v.number, 12);
    assert_true(v.flag);
    assert_true(PARSE(&v, "--number", "-1", "file"));
    assert_int_equal(v.number, -1);
    assert_null(v.user);
    assert_false(v.flag);
}

static void what_the_table_does_not_have_is_refused(void **state)
{
    struct values v;
    (void)state;
    assert_false(PARSE(&v, "file", "--unknown"));
    assert_false(PARSE(&v, "file", "--use", "u"));
    assert_false(PARSE(&v, "file", "--userx", "u"));
    assert_false(PARSE(&v, "file", "second"));
    assert_false(PARSE(&v, "file", "--flag=1"));
    assert_false(PARSE(&v, "file", "--flag", "--flag"));
}

static void what_is_required_must_be_there(void **state)
{
    struct values v;
    (void)state;
    assert_false(PARSE(&v, "--flag"));
    assert_false(PARSE(&v, "file", "--user"));
}

static void a_number_is_whole_and_at_least_minus_one(void **state)
{
    struct values v;
    (void)state;
    assert_false(PARSE(&v, "file", "--number", "-2"));
    assert_false(PARSE(&v, "file", "--number", "1x"));
    assert_false(PARSE(&v, "file", "--number", ""));
    assert_false(PARSE(&v, "file", "--number", "99999999999999999999"));
}

static void a_list_of_descriptors_is_taken_whole_or_not_at_all(void **state)
{
    static const char *const bad[] = { "", ",", "1,", ",1", "1,,2", "1,x", "-1", "99999999999" };
    size_t count;
    (void)state;
    int *fds = arguments_parse_fds("3,14,15", &count);
    assert_int_equal(count, 3);
    assert_int_equal(fds[0], 3);
    assert_int_equal(fds[2], 15);
    free(fds);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(arguments_parse_fds(bad[i], &count));
        assert_int_equal(count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_operands_may_stand_in_any_order),
        cmocka_unit_test(what_the_table_does_not_have_is_refused),
        cmocka_unit_test(what_is_required_must_be_there),
        cmocka_unit_test(a_number_is_whole_and_at_least_minus_one),
        cmocka_unit_test(a_list_of_descriptors_is_taken_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
