#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/io/buffer_pool.h"

#include <stdlib.h>
#include <string.h>

#define PLENTY (64u << 20)

struct bench {
    struct worker_stats stats;
    struct buffer_pool pool;
};

static int set_up(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    buffer_pool_init(&bench.pool, PLENTY, &bench.stats);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    assert_int_equal(b->stats.buffer_bytes, 0); /* a test gives everything back */
    buffer_pool_fini(&b->pool);
    return 0;
}

static void a_buffer_has_the_room_that_was_asked_for_and_is_empty(void **state)
{
    struct bench *b = *state;
    static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 16384, 16385, BUFFER_LARGE_BYTES };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buffer *buffer = buffer_take(&b->pool, sizes[i]);
        assert_non_null(buffer);
        assert_true(buffer_room(buffer) >= sizes[i]);
        assert_int_equal(buffer_len(buffer), 0);
        assert_int_equal(b->stats.buffer_bytes, buffer->size);
        memset(buffer->data, 'x', buffer->size); /* all of it is there */
        buffer->begin = buffer->end = buffer->size;
        buffer_give_back(&b->pool, buffer);
    }
    assert_int_equal(b->stats.buffer_refusals, 0);
}

static void the_smallest_size_that_fits_is_taken(void **state)
{
    struct bench *b = *state;
    struct buffer *small = buffer_take(&b->pool, BUFFER_SMALL_BYTES),
                  *medium = buffer_take(&b->pool, BUFFER_SMALL_BYTES + 1);
    struct buffer *body = buffer_take(&b->pool, BUFFER_MEDIUM_BYTES + 1);
    struct buffer *large = buffer_take(&b->pool, BUFFER_BODY_BYTES + 1);
    assert_int_equal(small->size, BUFFER_SMALL_BYTES);
    assert_int_equal(medium->size, BUFFER_MEDIUM_BYTES);
    assert_int_equal(body->size, BUFFER_BODY_BYTES);
    assert_int_equal(large->size, BUFFER_LARGE_BYTES);
    buffer_give_back(&b->pool, small);
    buffer_give_back(&b->pool, medium);
    buffer_give_back(&b->pool, body);
    buffer_give_back(&b->pool, large);
}

static void the_one_given_back_last_is_taken_first(void **state)
{
    struct bench *b = *state;
    struct buffer *buffers[10];
    for (int i = 0; i < 10; i++)
        buffers[i] = buffer_take(&b->pool, 1);
    for (int i = 0; i < 10; i++)
        buffer_give_back(&b->pool, buffers[i]);
    for (int i = 9; i >= 0; i--)
        assert_ptr_equal(buffer_take(&b->pool, 1), buffers[i]);
    for (int i = 0; i < 10; i++)
        buffer_give_back(&b->pool, buffers[i]);
}

static void sizes_do_not_mix_when_they_are_recycled(void **state)
{
    struct bench *b = *state;
    buffer_give_back(&b->pool, buffer_take(&b->pool, 1));
    struct buffer *large = buffer_take(&b->pool, BUFFER_LARGE_BYTES), *small = buffer_take(&b->pool, 1);
    assert_int_equal(large->size, BUFFER_LARGE_BYTES);
    assert_int_equal(small->size, BUFFER_SMALL_BYTES);
    buffer_give_back(&b->pool, large);
    buffer_give_back(&b->pool, small);
}

static void the_ceiling_refuses_and_counts(void **state)
{
    struct bench *b = *state;
    b->pool.limit_bytes = 3 * BUFFER_SMALL_BYTES;
    struct buffer *one = buffer_take(&b->pool, 1), *two = buffer_take(&b->pool, 1);
    assert_null(buffer_take(&b->pool, BUFFER_LARGE_BYTES));
    assert_int_equal(b->stats.buffer_refusals, 1);
    struct buffer *three = buffer_take(&b->pool, 1); /* exactly full */
    assert_non_null(three);
    assert_null(buffer_take(&b->pool, 1));
    assert_int_equal(b->stats.buffer_refusals, 2);
    assert_int_equal(b->stats.buffer_bytes, 3 * BUFFER_SMALL_BYTES);
    buffer_give_back(&b->pool, two);
    two = buffer_take(&b->pool, 1);
    assert_non_null(two);
    buffer_give_back(&b->pool, one);
    buffer_give_back(&b->pool, two);
    buffer_give_back(&b->pool, three);
}

static void a_ceiling_that_is_lowered_below_what_is_used_refuses_until_it_is_free(void **state)
{
    struct bench *b = *state;
    struct buffer *one = buffer_take(&b->pool, 1), *two = buffer_take(&b->pool, 1);
    b->pool.limit_bytes = BUFFER_SMALL_BYTES;
    assert_null(buffer_take(&b->pool, 1));
    buffer_give_back(&b->pool, one);
    assert_null(buffer_take(&b->pool, 1));
    buffer_give_back(&b->pool, two);
    one = buffer_take(&b->pool, 1);
    assert_non_null(one);
    buffer_give_back(&b->pool, one);
}

static void what_no_size_fits_is_refused(void **state)
{
    struct bench *b = *state;
    assert_null(buffer_take(&b->pool, BUFFER_LARGE_BYTES + 1));
    assert_null(buffer_take(&b->pool, SIZE_MAX));
    assert_int_equal(b->stats.buffer_refusals, 2);
}

static void only_so_many_free_ones_are_kept(void **state)
{
    struct bench *b = *state;
    static struct buffer *buffers[BUFFER_KEPT_FREE_MAX + 10];
    for (size_t i = 0; i < BUFFER_KEPT_FREE_MAX + 10; i++)
        buffers[i] = buffer_take(&b->pool, 1);
    for (size_t i = 0; i < BUFFER_KEPT_FREE_MAX + 10; i++)
        buffer_give_back(&b->pool, buffers[i]);
    assert_int_equal(b->pool.free_count[0], BUFFER_KEPT_FREE_MAX);
}

static void no_buffer_has_no_bytes_and_may_be_given_back(void **state)
{
    struct bench *b = *state;
    buffer_give_back(&b->pool, NULL);
    assert_int_equal(buffer_len(NULL), 0);
}

static void what_a_flood_has_left_behind_is_freed_bit_by_bit(void **state)
{
    struct bench *b = *state;
    struct buffer *buffers[100];
    for (int i = 0; i < 100; i++)
        buffers[i] = buffer_take(&b->pool, BUFFER_MEDIUM_BYTES);
    for (int i = 0; i < 100; i++)
        buffer_give_back(&b->pool, buffers[i]);
    assert_int_equal(buffer_pool_trim(&b->pool), 0); /* all of them were in use a moment ago */
    buffer_give_back(&b->pool, buffer_take(&b->pool, BUFFER_MEDIUM_BYTES));
    assert_int_equal(buffer_pool_trim(&b->pool), 50 * BUFFER_MEDIUM_BYTES);
    for (int i = 0; i < 10; i++) {
        buffer_give_back(&b->pool, buffer_take(&b->pool, BUFFER_MEDIUM_BYTES)); /* a steady load keeps its own */
        buffer_pool_trim(&b->pool);
    }
    assert_int_equal(b->pool.free_count[1], 1);
    assert_int_equal(buffer_pool_trim(&b->pool), BUFFER_MEDIUM_BYTES);
    assert_int_equal(buffer_pool_trim(&b->pool), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_buffer_has_the_room_that_was_asked_for_and_is_empty),
        TEST(the_smallest_size_that_fits_is_taken),
        TEST(the_one_given_back_last_is_taken_first),
        TEST(sizes_do_not_mix_when_they_are_recycled),
        TEST(the_ceiling_refuses_and_counts),
        TEST(a_ceiling_that_is_lowered_below_what_is_used_refuses_until_it_is_free),
        TEST(what_no_size_fits_is_refused),
        TEST(only_so_many_free_ones_are_kept),
        TEST(no_buffer_has_no_bytes_and_may_be_given_back),
        TEST(what_a_flood_has_left_behind_is_freed_bit_by_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
