#include "discovery/revision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void an_image_id_is_read_with_and_without_its_algorithm(void **state)
{
    (void)state;
    static const char *const others[] = {
        "", "sha256:", "web:1", "sha512:" DIGITS, "sha256:" DIGITS "0", "sha256:" DIGITS "\n", "SHA256:" DIGITS
    };
    char id[TASK_IMAGE_ID_SIZE];
    assert_true(revision_read_image_id("sha256:" DIGITS, id));
    assert_string_equal(id, "sha256:" DIGITS);
    assert_true(revision_read_image_id(DIGITS, id));
    assert_string_equal(id, "sha256:" DIGITS);
    assert_false(revision_read_image_id(NULL, id));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(revision_read_image_id(others[i], id));
        assert_string_equal(id, "");
    }
}

static void a_revision_is_the_definition_and_the_image(void **state)
{
    (void)state;
    char revision[TASK_REVISION_SIZE];
    revision_make("3f2a", "sha256:" DIGITS, revision);
    assert_string_equal(revision, "3f2a-0123456789abcdef");
    revision_make("3f2a", "", revision);
    assert_string_equal(revision, "3f2a");
    revision_make("3f2a-00", "sha256:" DIGITS, revision); /* it says already which */
    assert_string_equal(revision, "3f2a-00");
    revision_make("of as many letters as a label", "sha256:" DIGITS, revision); /* no room: nothing is cut */
    assert_string_equal(revision, "of as many letters as a label");
}

static void what_is_not_known_is_no_difference(void **state)
{
    (void)state;
    assert_true(revision_is_same("3f2a-01", "3f2a-01"));
    assert_false(revision_is_same("3f2a-01", "3f2a-02"));
    assert_true(revision_is_same("3f2a", "3f2a-02"));
    assert_true(revision_is_same("3f2a-01", "3f2a"));
    assert_false(revision_is_same("3f2a", "3f2b-02"));
    assert_false(revision_is_same("3f2", "3f2a"));
    assert_false(revision_is_same("", "3f2a"));
    assert_true(revision_is_same("", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_id_is_read_with_and_without_its_algorithm),
        cmocka_unit_test(a_revision_is_the_definition_and_the_image),
        cmocka_unit_test(what_is_not_known_is_no_difference),
    };
    return cmocka_run_group_tests_name("revision", tests, NULL, NULL);
}
