/* The scenarios of tests/sim/scenarios/ in the whole house, and what is wrong with a file that is none. */
#include "tests/sim/house/house_script.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void every_scenario_goes_as_its_file_says(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob("tests/sim/scenarios/*.txt", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *wrong = house_script_run(found.gl_pathv[i]);
        if (wrong)
            fail_msg("%s", wrong);
    }
    globfree(&found);
}

static void assert_wrong(const char *text, const char *says)
{
    char path[] = "/tmp/scenario-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const char *wrong = house_script_run(path);
    unlink(path);
    assert_non_null(wrong);
    if (!strstr(wrong, says))
        fail_msg("%s, and not: %s", wrong, says);
}

static void a_file_that_is_no_scenario_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_wrong("run 1\ndance\n", ":2: no such command: 'dance' with 0 words behind it");
    assert_wrong("run\n", ":1: no such command: 'run' with 0 words behind it");
    assert_wrong("run soon\n", ":1: 'soon' is no number");
    assert_wrong("run 1000001\n", ":1: '1000001' is no number up to 1000000");
    assert_wrong("scale web 1\n", ":1: 'web' is no service, allowed are s0 to s2");
    assert_wrong("ask s0 nicely 1\n", ":1: no such answer");
    assert_wrong("a b c d e\n", ":1: more than 4 words");
    assert_wrong("expect answered 1 # one\n", ":1: expected 1, found 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scenario_goes_as_its_file_says),
        cmocka_unit_test(a_file_that_is_no_scenario_is_refused_with_its_line),
    };
    return cmocka_run_group_tests_name("scenarios of the whole house", tests, NULL, NULL);
}
