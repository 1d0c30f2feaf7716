#include "controller/record_book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

static struct store *store;

static int set_up(void **state)
{
    (void)state;
    store = store_ops_memory.open("", NULL);
    struct store_record web = { .service = "web", .desired = 4 }, api = { .service = "api", .desired = 2 };
    assert_true(store->ops->put(store, &web, NULL) && store->ops->put(store, &api, NULL));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store->ops = &store_ops_memory;
    store->ops->close(store);
    return 0;
}

static void count_record(void *owner, const struct store_record *record)
{
    (void)record;
    ++*(size_t *)owner;
}

static size_t stored_count(void)
{
    size_t count = 0;
    store->ops->load(store, count_record, &count, NULL);
    return count;
}

static void a_record_is_taken_once(void **state)
{
    (void)state;
    struct record_book *book = record_book_new(store);
    struct store_record r;
    assert_true(record_book_take(book, "web", &r));
    assert_int_equal(r.desired, 4);
    assert_false(record_book_take(book, "web", &r));
    assert_false(record_book_take(book, "nobody", &r));
    record_book_free(book);
    assert_int_equal(stored_count(), 2);
}

static void an_image_is_taken_once_and_apart_from_the_record(void **state)
{
    (void)state;
    struct store_image image = { .service = "web", .definition = "3f2a", .image_id = "sha256:00" }, taken;
    struct store_record r;
    assert_true(store->ops->put_image(store, &image, NULL));
    struct record_book *book = record_book_new(store);
    assert_true(record_book_take(book, "web", &r));
    assert_true(record_book_take_image(book, "web", &taken));
    assert_string_equal(taken.image_id, "sha256:00");
    assert_false(record_book_take_image(book, "web", &taken));
    assert_false(record_book_take_image(book, "api", &taken));
    record_book_free(book);
}

static void what_nobody_takes_is_forgotten_for_good(void **state)
{
    (void)state;
    struct record_book *book = record_book_new(store);
    struct store_record r;
    record_book_take(book, "web", &r);
    record_book_forget_rest(book);
    assert_int_equal(stored_count(), 1);
    assert_false(record_book_take(book, "api", &r));
    record_book_free(book);
}

static bool refuse_to_load(struct store *s, store_record_cb each, void *owner, struct error *error)
{
    (void)s;
    (void)each;
    (void)owner;
    return error_set(error, "unreadable");
}

static void a_store_that_cannot_be_read_is_not_written_to(void **state)
{
    (void)state;
    struct store_ops broken = store_ops_memory;
    broken.load = refuse_to_load;
    store->ops = &broken;
    struct record_book *book = record_book_new(store);
    struct store_record r = { .service = "new" };
    struct error error;
    assert_false(record_book_is_readable(book));
    assert_false(record_book_put(book, &r, &error));
    record_book_forget(book, "web");
    record_book_free(book);
    store->ops = &store_ops_memory;
    assert_int_equal(stored_count(), 2);
}

static void without_a_store_nothing_is_remembered_and_nothing_refused(void **state)
{
    (void)state;
    struct record_book *book = record_book_new(NULL);
    struct store_record r = { .service = "new" };
    assert_true(record_book_is_readable(book));
    assert_true(record_book_put(book, &r, NULL));
    assert_false(record_book_take(book, "new", &r));
    record_book_forget(book, "new");
    record_book_free(book);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static int64_t now_ms, put_ms;

/* A disk that is slow to say that it has written. */
static bool put_slowly(struct store *s, const struct store_record *record, struct error *error)
{
    now_ms += put_ms;
    clock_set_fake(now_ms * 1000);
    return store_ops_memory.put(s, record, error);
}

static void a_turn_has_no_more_time_for_writes_once_they_were_slow(void **state)
{
    (void)state;
    struct store_ops slow = store_ops_memory;
    struct store_record r = { .service = "web", .desired = 7 };
    struct error error;
    slow.put = put_slowly;
    store->ops = &slow;
    struct record_book *book = record_book_new(store);
    now_ms = 1000000;
    clock_set_fake(now_ms * 1000);
    for (put_ms = 0; put_ms < 3; put_ms++) {
        record_book_begin_turn(book);
        size_t writes = 0;
        for (; writes < 100 && record_book_has_time(book); writes++)
            assert_true(record_book_put(book, &r, &error));
        assert_int_equal(writes, put_ms ? RECORD_BOOK_TURN_MS / put_ms : 100);
    }
    assert_true(record_book_put(book, &r, &error)); /* who must have it now gets it: an operator's patch */
    record_book_free(book);
    clock_set_fake(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_is_taken_once),
        TEST(a_turn_has_no_more_time_for_writes_once_they_were_slow),
        TEST(what_nobody_takes_is_forgotten_for_good),
        TEST(a_store_that_cannot_be_read_is_not_written_to),
        TEST(an_image_is_taken_once_and_apart_from_the_record),
        TEST(without_a_store_nothing_is_remembered_and_nothing_refused),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("record_book", tests, NULL, NULL);
}
