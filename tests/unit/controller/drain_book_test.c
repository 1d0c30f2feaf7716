#include "controller/drain_book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"

#define ID "aaaabbbbccccdddd"

static struct store *store;
static struct task_registry *registry;
static struct drain_book *book;
static uint8_t docker, file;
static size_t return_count;

static void open_book(void)
{
    registry = task_registry_new();
    file = task_registry_add_provider(registry, "file");
    docker = task_registry_add_provider(registry, "docker");
    book = drain_book_new(store, registry);
    return_count = 0;
}

static void close_book(void)
{
    drain_book_free(book);
    task_registry_free(registry);
}

static int set_up(void **state)
{
    (void)state;
    store = store_ops_memory.open("", NULL);
    open_book();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_book();
    if (store != NULL) {
        store->ops = &store_ops_memory;
        store->ops->close(store);
    }
    return 0;
}

static void apply(const char *id)
{
    struct task_spec spec = { .service = "web", .weight = 1, .state = TASK_RUNNING };
    snprintf(spec.id, sizeof spec.id, "%s", id);
    assert_true(task_registry_apply(registry, docker, &spec));
}

static void sync_nothing(uint8_t provider)
{
    task_registry_begin_sync(registry, provider);
    task_registry_end_sync(registry, provider);
}

static void count_return(void *owner, const struct task *task)
{
    (void)owner;
    assert_int_equal(task->admin, TASK_ADMIN_READY);
    return_count++;
}

static void follow(void)
{
    drain_book_follow(book, count_return, NULL);
}

static void put(const char *id)
{
    struct error error;
    assert_true(drain_book_put(book, task_registry_find(registry, id), &error));
}

static void count_drain(void *owner, const struct store_drain *drain)
{
    assert_string_equal(drain->provider, "docker");
    ++*(size_t *)owner;
}

static size_t stored_count(void)
{
    size_t count = 0;
    assert_true(store->ops->load_drains(store, count_drain, &count, NULL));
    return count;
}

static void order_and_restart(void)
{
    apply(ID);
    put(ID);
    close_book();
    open_book();
}

static void an_order_is_stored_and_given_again(void **state)
{
    (void)state;
    order_and_restart();
    assert_int_equal(stored_count(), 1);
    apply("ffffbbbbccccdddd");
    follow();
    assert_int_equal(return_count, 0);
    apply(ID);
    follow();
    follow();
    assert_int_equal(return_count, 1);
    assert_int_equal(task_registry_find(registry, ID)->admin, TASK_ADMIN_DRAINING);
    assert_int_equal(task_registry_find(registry, "ffffbbbbccccdddd")->admin, TASK_ADMIN_READY);
}

static void a_task_that_went_takes_its_order_along(void **state)
{
    (void)state;
    apply(ID);
    put(ID);
    follow();
    drain_book_forget_gone(book, 1);
    assert_int_equal(stored_count(), 1);
    task_registry_remove(registry, ID);
    follow();
    apply(ID); /* another life, before the order could be deleted */
    follow();
    assert_int_equal(task_registry_find(registry, ID)->admin, TASK_ADMIN_READY);
    drain_book_forget_gone(book, 2);
    assert_int_equal(stored_count(), 0);
    assert_int_equal(drain_book_count(book), 0);
}

static void an_order_for_the_next_life_holds(void **state)
{
    (void)state;
    apply(ID);
    put(ID);
    follow();
    task_registry_remove(registry, ID);
    follow();
    apply(ID);
    put(ID);
    follow();
    drain_book_forget_gone(book, 1);
    assert_int_equal(stored_count(), 1);
    assert_int_equal(task_registry_find(registry, ID)->admin, TASK_ADMIN_DRAINING);
}

static void without_a_complete_list_of_its_provider_nothing_is_forgotten(void **state)
{
    (void)state;
    order_and_restart();
    sync_nothing(file);
    drain_book_forget_gone(book, 1);
    drain_book_forget_gone(book, 2 * DRAIN_BOOK_ABSENT_MS);
    assert_int_equal(stored_count(), 1);
}

static void a_task_that_complete_lists_do_not_name_for_long_is_forgotten(void **state)
{
    (void)state;
    order_and_restart();
    sync_nothing(docker);
    drain_book_forget_gone(book, 1000);
    drain_book_forget_gone(book, 999 + DRAIN_BOOK_ABSENT_MS);
    assert_int_equal(stored_count(), 1);
    drain_book_forget_gone(book, 1000 + DRAIN_BOOK_ABSENT_MS);
    assert_int_equal(stored_count(), 0);
}

static void a_task_that_the_engine_describes_late_is_drained(void **state)
{
    (void)state;
    order_and_restart();
    sync_nothing(docker);
    drain_book_forget_gone(book, 1000);
    apply(ID);
    follow();
    drain_book_forget_gone(book, 1000 + DRAIN_BOOK_ABSENT_MS);
    assert_int_equal(stored_count(), 1);
    assert_int_equal(task_registry_find(registry, ID)->admin, TASK_ADMIN_DRAINING);
}

static void fill_registry(void)
{
    char id[32];
    for (int i = 0; i < TASK_REGISTRY_MAX; i++) {
        snprintf(id, sizeof id, "filler-%08d", i);
        apply(id);
    }
}

static void a_full_registry_says_nothing_about_what_it_left_out(void **state)
{
    (void)state;
    order_and_restart();
    fill_registry();
    sync_nothing(file);
    task_registry_begin_sync(registry, docker);
    fill_registry();
    task_registry_end_sync(registry, docker);
    drain_book_forget_gone(book, 1);
    drain_book_forget_gone(book, 1 + DRAIN_BOOK_ABSENT_MS);
    assert_int_equal(drain_book_count(book), 1);
}

static void the_book_has_a_limit_and_says_so(void **state)
{
    (void)state;
    struct error error;
    struct store_drain drain = { .provider = "docker" };
    for (int i = 0; i < TASK_REGISTRY_MAX; i++) {
        snprintf(drain.task_id, sizeof drain.task_id, "filler-%08d", i);
        assert_true(store->ops->put_drain(store, &drain, &error));
    }
    close_book();
    open_book();
    assert_true(drain_book_is_readable(book));
    apply("filler-00000007");
    put("filler-00000007"); /* one that is in it already */
    apply(ID);
    assert_false(drain_book_put(book, task_registry_find(registry, ID), &error));
    assert_non_null(strstr(error.text, "4096 drained tasks are stored, which is the limit"));
    assert_int_equal(stored_count(), TASK_REGISTRY_MAX);
    snprintf(drain.task_id, sizeof drain.task_id, "one too many");
    assert_true(store->ops->put_drain(store, &drain, &error));
    close_book();
    open_book();
    assert_false(drain_book_is_readable(book));
}

static bool refuse_to_load(struct store *s, store_drain_cb each, void *owner, struct error *error)
{
    (void)s;
    (void)each;
    (void)owner;
    return error_set(error, "unreadable");
}

static void a_store_that_cannot_be_read_is_not_written_to(void **state)
{
    (void)state;
    struct error error;
    struct store_ops broken = store_ops_memory;
    broken.load_drains = refuse_to_load;
    order_and_restart();
    close_book();
    store->ops = &broken;
    open_book();
    assert_false(drain_book_is_readable(book));
    apply(ID);
    assert_false(drain_book_put(book, task_registry_find(registry, ID), &error));
    drain_book_forget_gone(book, 1);
    store->ops = &store_ops_memory;
    assert_int_equal(stored_count(), 1);
}

static size_t refused_count;

static bool refuse_to_remove(struct store *s, const char *task_id, struct error *error)
{
    (void)s;
    (void)task_id;
    refused_count++;
    return error_set(error, "disk full");
}

static void what_the_store_does_not_delete_is_tried_again(void **state)
{
    (void)state;
    struct store_ops broken = store_ops_memory;
    broken.remove_drain = refuse_to_remove;
    refused_count = 0;
    static const char *const ids[] = { ID, "eeeebbbbccccdddd" };
    for (size_t i = 0; i < 2; i++) {
        apply(ids[i]);
        put(ids[i]);
        task_registry_remove(registry, ids[i]);
    }
    follow();
    store->ops = &broken;
    drain_book_forget_gone(book, 1);
    assert_int_equal(refused_count, 1);
    store->ops = &store_ops_memory;
    drain_book_forget_gone(book, 2);
    assert_int_equal(stored_count(), 0);
}

static void without_a_store_the_order_lasts_as_long_as_the_process(void **state)
{
    (void)state;
    close_book();
    store->ops->close(store);
    store = NULL;
    open_book();
    assert_true(drain_book_is_readable(book));
    apply(ID);
    put(ID);
    follow();
    assert_int_equal(task_registry_find(registry, ID)->admin, TASK_ADMIN_DRAINING);
    task_registry_remove(registry, ID);
    follow();
    drain_book_forget_gone(book, 1);
    assert_int_equal(drain_book_count(book), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_order_is_stored_and_given_again),
        TEST(a_task_that_went_takes_its_order_along),
        TEST(an_order_for_the_next_life_holds),
        TEST(without_a_complete_list_of_its_provider_nothing_is_forgotten),
        TEST(a_task_that_complete_lists_do_not_name_for_long_is_forgotten),
        TEST(a_task_that_the_engine_describes_late_is_drained),
        TEST(a_full_registry_says_nothing_about_what_it_left_out),
        TEST(the_book_has_a_limit_and_says_so),
        TEST(a_store_that_cannot_be_read_is_not_written_to),
        TEST(what_the_store_does_not_delete_is_tried_again),
        TEST(without_a_store_the_order_lasts_as_long_as_the_process),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("drain_book", tests, NULL, NULL);
}
