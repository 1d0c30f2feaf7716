#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/slice.h"
#include "discovery/docker/id_list.h"

#include <stdio.h>
#include <string.h>

struct heard {
    char ids[512]; /* "a;b;" */
};

static void on_id(void *owner, const char *id)
{
    struct heard *heard = owner;
    size_t len = strlen(heard->ids);
    snprintf(heard->ids + len, sizeof heard->ids - len, "%s;", id);
}

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *text, *ids;
    bool is_complete;
} rows[] = {
    { "[]", "", true },
    { " [ ] \n", "", true },
    { "[{}]", "", true },
    { "[{\"Id\":\"ab\"}]", "ab;", true },
    { "[{\"Id\":\"" ID64 "\"},{\"Names\":[\"/x\"],\"Id\" : \"1\",\"Created\":12,\"X\":null}]", ID64 ";1;", true },
    /* What strangers write. */
    { "[{\"Labels\":{\"Id\":\"66\",\"a\":\"\\\"},{\\\"Id\\\":\\\"66\"},\"Id\":\"1\"}]", "1;", true },
    { "[{\"Labels\":{\"]}\":\"[{\",\"b\\\\\":\"}\"},\"Id\":\"1\"}]", "1;", true },
    { "[{\"Mounts\":[{\"Id\":\"66\"},[[{}]]],\"Id\":\"1\"}]", "1;", true },
    { "[{\"Command\":\"Id\",\"Id\":\"1\"}]", "1;", true },
    { "[{\"I\\u0064\":\"66\",\"Id\":\"1\"}]", "1;", true },
    { "[{\"Id\":\"" ID64 "0\"}]", "", true },
    { "[{\"Id\":\"UP\"}]", "", true },
    { "[{\"Id\":\"\"}]", "", true },
    { "[{\"Id\":7}]", "", true },
    { "[{\"Id\":{\"Id\":\"66\"}}]", "", true },
    { "[{\"Id\":[\"66\"]}]", "", true },
    /* Not a list, or not all of it. */
    { "", "", false },
    { "{\"message\":\"no\"}", "", false },
    { "[{\"Id\":\"1\"}", "1;", false },
    { "[{\"Id\":\"1\"},", "1;", false },
    { "[{\"Id\":\"1", "", false },
    { "[{\"Id\":\"1\"}]]", "1;", false },
    { "[{\"Id\":\"1\"}] x", "1;", false },
    { "[\"Id\",\"66\"]", "", false },
    { "[{\"Id\" \"1\" x}]", "", false },
    { "[{\"a\":1]", "", false },
    { "[{[\"Id\"]:\"66\"}]", "", false },
};

static void ids_are_found_however_the_answer_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].text);
        for (size_t step = 1; step <= len + 1; step++) {
            struct id_list list = { 0 };
            struct heard heard = { "" };
            bool ok = true;
            for (size_t at = 0; ok && at < len; at += step)
                ok = id_list_feed(&list, (struct slice){ rows[i].text + at, step < len - at ? step : len - at }, on_id,
                                  &heard);
            bool is_complete = ok && id_list_is_complete(&list);
            if (is_complete != rows[i].is_complete || strcmp(heard.ids, rows[i].ids) != 0)
                fail_msg("row %zu, step %zu: %d %s", i, step, is_complete, heard.ids);
        }
    }
}

static void a_label_of_any_size_costs_no_memory(void **state)
{
    static char label[1 << 16];
    struct id_list list = { 0 };
    struct heard heard = { "" };
    (void)state;
    memset(label, 'x', sizeof label);
    assert_true(id_list_feed(&list, slice_of("[{\"Labels\":{\"a\":\""), on_id, &heard));
    for (int i = 0; i < 512; i++) /* 32 MiB */
        assert_true(id_list_feed(&list, (struct slice){ label, sizeof label }, on_id, &heard));
    assert_true(id_list_feed(&list, slice_of("\"},\"Id\":\"1\"}]"), on_id, &heard));
    assert_true(id_list_is_complete(&list));
    assert_string_equal(heard.ids, "1;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_found_however_the_answer_is_cut),
        cmocka_unit_test(a_label_of_any_size_costs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
