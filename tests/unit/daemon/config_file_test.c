#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/config_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "config/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICES 131
#define VALUE_BYTES 31900

/* Just small enough for a file, and longer than that once all defaults are filled in. */
static struct config *load_large(void)
{
    struct config_problems problems;
    struct buf text;
    char *value = mem_alloc(VALUE_BYTES + 1);
    memset(value, 'x', VALUE_BYTES);
    value[VALUE_BYTES] = '\0';
    buf_init(&text, 0);
    buf_printf(&text, "services:\n");
    for (int i = 0; i < SERVICES; i++)
        buf_printf(&text, "- {name: s%d, host: s%d.test, image: i, port: 80, environment: {A: %s}}\n", i, i, value);
    assert_true(text.len <= CONFIG_FILE_BYTES_MAX);
    struct config *config = config_load_text("t", text.at, text.len, &problems);
    assert_int_equal(problems.count, 0);
    config_problems_fini(&problems);
    buf_fini(&text);
    free(value);
    return config;
}

static void assert_is_large(const struct config *config, const struct config_problems *problems)
{
    if (!config)
        fail_msg("%s", problems->lines[0]);
    assert_int_equal(config->service_count, SERVICES);
}

static void a_copy_that_its_defaults_make_longer_than_a_file_may_be_is_read_again(void **state)
{
    char folder[] = "/tmp/portico-config-file-test-XXXXXX", *path;
    struct config_problems problems;
    struct error error;
    (void)state;
    assert_non_null(mkdtemp(folder));
    struct config *config = load_large();
    assert_true(config_file_save_copy(config, folder, &error));
    struct config *copy = config_file_load_copy(folder, &problems);
    assert_is_large(copy, &problems);
    config_problems_fini(&problems);
    path = mem_printf("%s/" CONFIG_COPY_NAME, folder);
    struct config *as_a_file = config_load_file(path, &problems);
    assert_null(as_a_file); /* or this test shows nothing */
    config_problems_fini(&problems);
    unlink(path);
    rmdir(folder);
    free(path);
    config_free(copy);
    config_free(config);
}

static void what_is_printed_for_the_way_back_from_an_upgrade_is_read_again(void **state)
{
    struct config *config = load_large();
    struct config_problems problems;
    char *text = NULL;
    size_t len = 0;
    (void)state;
    FILE *out = open_memstream(&text, &len);
    config_print(config, true, out);
    fclose(out);
    assert_true(len > CONFIG_FILE_BYTES_MAX);
    struct config *again = config_load_text("handover", text, len, &problems);
    assert_is_large(again, &problems);
    config_problems_fini(&problems);
    config_free(again);
    config_free(config);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_that_its_defaults_make_longer_than_a_file_may_be_is_read_again),
        cmocka_unit_test(what_is_printed_for_the_way_back_from_an_upgrade_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
