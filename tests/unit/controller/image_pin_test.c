#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "controller/image_pin.h"

#define ONE_IMAGE "sha256:0123456789012345678901234567890123456789012345678901234567890123"
#define OTHER_IMAGE "sha256:abababababababababababababababababababababababababababababababab"

static struct image_pin pin;

static int set_up(void **state)
{
    (void)state;
    image_pin_begin(&pin);
    return 0;
}

static void learn(const char *id)
{
    image_pin_doubt(&pin);
    image_pin_ask(&pin, 1);
    image_pin_settle(&pin, id);
}

/* Or a restart would roll back to the one that is stored. */
static void no_task_is_created_by_an_image_before_the_store_was_asked_to_keep_it(void **state)
{
    (void)state;
    learn(ONE_IMAGE);
    assert_false(image_pin_lets_create(&pin));
    image_pin_note_saved(&pin, true);
    assert_true(image_pin_lets_create(&pin));
}

static void a_store_that_refuses_holds_up_no_task_but_is_asked_for_each_image_first(void **state)
{
    (void)state;
    learn(ONE_IMAGE);
    image_pin_note_saved(&pin, false);
    assert_true(image_pin_lets_create(&pin));
    learn(ONE_IMAGE); /* no news: it has been asked */
    assert_true(image_pin_lets_create(&pin));
    learn(OTHER_IMAGE);
    assert_false(image_pin_lets_create(&pin));
    image_pin_note_saved(&pin, false);
    assert_true(image_pin_lets_create(&pin));
    assert_int_equal(pin.memory, IMAGE_REFUSED); /* tried again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(no_task_is_created_by_an_image_before_the_store_was_asked_to_keep_it),
        TEST(a_store_that_refuses_holds_up_no_task_but_is_asked_for_each_image_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
