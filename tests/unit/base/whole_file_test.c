#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
    char folder[32], path[64], fresh[72];
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    strcpy(b->folder, "/tmp/whole-file-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/file", b->folder);
    snprintf(b->fresh, sizeof b->fresh, "%s.new", b->path);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    unlink(b->path);
    unlink(b->fresh);
    rmdir(b->fresh);
    rmdir(b->folder);
    free(b);
    return 0;
}

/* Its text, of at most limit bytes, to buf_fini(). */
static bool read_back(const struct bench *b, size_t limit, struct buf *out)
{
    int fd = open(b->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    buf_init(out, limit);
    bool ok = whole_file_read(fd, out);
    close(fd);
    return ok;
}

static void check_text(const struct bench *b, const char *text)
{
    struct buf got;
    assert_true(read_back(b, 0, &got));
    assert_string_equal(buf_text(&got), text);
    buf_fini(&got);
}

static void what_is_written_is_read_and_only_by_its_owner(void **state)
{
    const struct bench *b = *state;
    struct stat file;
    assert_true(whole_file_replace(b->path, slice_of("first"), WHOLE_FILE_CACHED));
    check_text(b, "first");
    assert_true(whole_file_replace(b->path, slice_of("2"), WHOLE_FILE_SYNCED));
    check_text(b, "2");
    assert_int_equal(stat(b->path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(access(b->fresh, F_OK), -1);
}

static void what_an_earlier_process_left_half_written_is_in_nobodys_way(void **state)
{
    const struct bench *b = *state;
    FILE *half = fopen(b->fresh, "w");
    assert_non_null(half);
    fputs("hal", half);
    fclose(half);
    assert_true(whole_file_replace(b->path, slice_of("whole"), WHOLE_FILE_CACHED));
    check_text(b, "whole");
}

static void one_that_cannot_be_replaced_stays_and_errno_says_why(void **state)
{
    const struct bench *b = *state;
    assert_true(whole_file_replace(b->path, slice_of("old"), WHOLE_FILE_CACHED));
    assert_int_equal(mkdir(b->fresh, 0700), 0); /* in its way: no unlink() removes a folder */
    assert_false(whole_file_replace(b->path, slice_of("new"), WHOLE_FILE_CACHED));
    assert_int_equal(errno, EEXIST);
    check_text(b, "old");
}

static void more_than_the_limit_is_told_from_what_cannot_be_read(void **state)
{
    const struct bench *b = *state;
    struct buf got;
    assert_true(whole_file_replace(b->path, slice_of("12345678"), WHOLE_FILE_CACHED));
    assert_true(read_back(b, 8, &got));
    buf_fini(&got);
    assert_false(read_back(b, 7, &got));
    assert_true(got.overflowed);
    buf_fini(&got);
    buf_init(&got, 0);
    assert_false(whole_file_read(-1, &got));
    assert_int_equal(errno, EBADF);
    assert_false(got.overflowed);
    buf_fini(&got);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read_and_only_by_its_owner),
        TEST(what_an_earlier_process_left_half_written_is_in_nobodys_way),
        TEST(one_that_cannot_be_replaced_stays_and_errno_says_why),
        TEST(more_than_the_limit_is_told_from_what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
