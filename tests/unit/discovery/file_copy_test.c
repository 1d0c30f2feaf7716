#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "discovery/file_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
    char folder[32], path[64];
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    strcpy(b->folder, "/tmp/file-copy-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/copy", b->folder);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    unlink(b->path);
    rmdir(b->folder);
    free(b);
    return 0;
}

static bool load(const struct bench *b, const char *of_path, struct buf *out, size_t limit)
{
    buf_init(out, limit);
    return file_copy_load(b->path, of_path, out);
}

static void what_was_saved_last_is_loaded(void **state)
{
    struct bench *b = *state;
    struct error error;
    struct buf text;
    assert_true(file_copy_save(b->path, "/etc/a.yaml", SLICE_LITERAL("old"), &error));
    assert_true(file_copy_save(b->path, "/etc/a.yaml", SLICE_LITERAL("new\n# x\n"), &error));
    assert_true(load(b, "/etc/a.yaml", &text, 1000));
    assert_string_equal(buf_text(&text), "new\n# x\n");
    buf_fini(&text);
    struct stat file;
    assert_int_equal(stat(b->path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

static void the_copy_of_another_file_is_none(void **state)
{
    struct bench *b = *state;
    struct error error;
    struct buf text;
    assert_false(load(b, "/etc/a.yaml", &text, 1000));
    buf_fini(&text);
    assert_true(file_copy_save(b->path, "/etc/a.yaml", SLICE_LITERAL("text"), &error));
    assert_false(load(b, "/etc/b.yaml", &text, 1000));
    buf_fini(&text);
    assert_false(load(b, "/etc/a.yaml", &text, 8)); /* larger than the caller takes */
    buf_fini(&text);
}

static void a_folder_that_is_not_there_is_an_error_that_names_the_copy(void **state)
{
    (void)state;
    struct error error;
    assert_false(file_copy_save("/nonexistent/copy", "/a", SLICE_LITERAL("x"), &error));
    assert_non_null(strstr(error.text, "/nonexistent/copy"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_saved_last_is_loaded),
        TEST(the_copy_of_another_file_is_none),
        TEST(a_folder_that_is_not_there_is_an_error_that_names_the_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
