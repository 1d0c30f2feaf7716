#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/slab.h"

#include <string.h>

struct thing {
    char bytes[100];
};

static void objects_come_zeroed_also_when_they_are_recycled(void **state)
{
    (void)state;
    static const struct thing zero;
    struct slab slab;
    slab_init(&slab, sizeof zero);
    for (int i = 0; i < 5; i++) {
        struct thing *thing = slab_take(&slab);
        assert_memory_equal(thing, &zero, sizeof zero);
        memset(thing, 0xff, sizeof *thing);
        slab_give_back(&slab, thing);
    }
    slab_fini(&slab);
}

static void a_steady_load_gets_the_same_objects_again(void **state)
{
    (void)state;
    struct slab slab;
    struct thing *things[50];
    slab_init(&slab, sizeof *things[0]);
    for (int i = 0; i < 50; i++)
        things[i] = slab_take(&slab);
    for (int i = 0; i < 50; i++)
        slab_give_back(&slab, things[i]);
    for (int i = 49; i >= 0; i--)
        assert_ptr_equal(slab_take(&slab), things[i]); /* the warmest first */
    for (int i = 0; i < 50; i++)
        slab_give_back(&slab, things[i]);
    slab_fini(&slab);
}

static void objects_in_use_are_distinct(void **state)
{
    (void)state;
    struct slab slab;
    char *objects[20];
    slab_init(&slab, 1); /* smaller than what links the free ones */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++) {
            objects[i] = slab_take(&slab);
            assert_int_equal(*objects[i], 0);
            *objects[i] = (char)i;
        }
        for (int i = 0; i < 20; i++)
            assert_int_equal(*objects[i], i);
        for (int i = 0; i < 20; i++)
            slab_give_back(&slab, objects[i]);
    }
    slab_fini(&slab);
}

static void what_is_not_needed_for_long_is_freed_bit_by_bit(void **state)
{
    (void)state;
    struct slab slab;
    void *objects[100];
    slab_init(&slab, sizeof(struct thing));
    for (int i = 0; i < 100; i++)
        objects[i] = slab_take(&slab);
    for (int i = 0; i < 100; i++)
        slab_give_back(&slab, objects[i]);
    assert_int_equal(slab_trim(&slab), 0); /* all of them were in use a moment ago */
    for (int i = 0; i < 20; i++)
        objects[i] = slab_take(&slab);
    for (int i = 0; i < 20; i++)
        slab_give_back(&slab, objects[i]);
    assert_int_equal(slab_trim(&slab), 40 * sizeof(struct thing));
    for (size_t left = 60; left > 0; left -= (left + 1) / 2)
        assert_int_equal(slab_trim(&slab), (left + 1) / 2 * sizeof(struct thing));
    assert_int_equal(slab_trim(&slab), 0);
    slab_give_back(&slab, slab_take(&slab));
    slab_fini(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_come_zeroed_also_when_they_are_recycled),
        cmocka_unit_test(a_steady_load_gets_the_same_objects_again),
        cmocka_unit_test(objects_in_use_are_distinct),
        cmocka_unit_test(what_is_not_needed_for_long_is_freed_bit_by_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
