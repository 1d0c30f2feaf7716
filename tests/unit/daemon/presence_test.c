#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/presence.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_up(void **state)
{
    char *folder = mem_strdup("/tmp/presence-test-XXXXXX");
    *state = folder;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    char *path = mem_printf("%s/supervisor", (char *)*state);
    unlink(path);
    rmdir(*state);
    free(path);
    free(*state);
    return 0;
}

static void who_runs_is_found_with_what_came_of_its_upgrades(void **state)
{
    struct error error;
    struct presence out,
        in = { .pid = 4711, .upgrade_count = 2, .refusal_count = 1, .last_refusal = "a reason: of it" };
    bool is_taken;
    int fd = presence_open(*state, &is_taken, &error);
    assert_true(fd >= 0);
    assert_true(presence_write(fd, &in));
    assert_true(presence_find(*state, &out, &error));
    assert_int_equal(out.pid, 4711);
    assert_int_equal(out.upgrade_count, 2);
    assert_int_equal(out.refusal_count, 1);
    assert_string_equal(out.last_refusal, "a reason: of it");
    in.last_refusal[0] = '\0'; /* a shorter text leaves nothing of a longer one */
    assert_true(presence_write(fd, &in));
    assert_true(presence_find(*state, &out, &error));
    assert_string_equal(out.last_refusal, "");
    close(fd);
}

static void nobody_is_found_when_nobody_runs(void **state)
{
    struct error error;
    struct presence out, in = { .pid = 4711 };
    bool is_taken;
    assert_false(presence_find(*state, &out, &error));
    assert_non_null(strstr(error.text, "no supervisor has run"));
    int fd = presence_open(*state, &is_taken, &error);
    assert_true(presence_write(fd, &in));
    close(fd);
    assert_false(presence_find(*state, &out, &error));
    assert_non_null(strstr(error.text, "no supervisor runs"));
}

static void a_directory_has_one_supervisor(void **state)
{
    struct error error;
    bool is_taken = false;
    int fd = presence_open(*state, &is_taken, &error);
    assert_int_equal(presence_open(*state, &is_taken, &error), -1);
    assert_true(is_taken);
    assert_non_null(strstr(error.text, "another supervisor runs with"));
    close(fd);
    fd = presence_open(*state, &is_taken, &error);
    assert_true(fd >= 0 && !is_taken);
    close(fd);
}

static void a_directory_that_cannot_be_made_is_no_rival(void **state)
{
    struct error error;
    bool is_taken = true;
    (void)state;
    assert_int_equal(presence_open("/proc/no-such", &is_taken, &error), -1);
    assert_false(is_taken);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_runs_is_found_with_what_came_of_its_upgrades),
        TEST(nobody_is_found_when_nobody_runs),
        TEST(a_directory_has_one_supervisor),
        TEST(a_directory_that_cannot_be_made_is_no_rival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
