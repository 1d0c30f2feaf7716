/* Every store against the same suite. */
#include "controller/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/portico-store-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const files[] = { "portico.db", "portico.db-wal", "portico.db-shm", "lock" };
    char path[128];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    return rmdir(directory);
}

struct reading {
    struct store_record records[16];
    size_t count;
};

static void read_record(void *owner, const struct store_record *record)
{
    struct reading *r = owner;
    assert_true(r->count < 16);
    r->records[r->count++] = *record;
}

static struct reading load(struct store *store)
{
    struct reading r = { 0 };
    struct error error;
    assert_true(store->ops->load(store, read_record, &r, &error));
    return r;
}

static struct store_record record_of(const char *service, int64_t desired)
{
    struct store_record r = { .desired = desired,
                              .min = 1,
                              .max = 9,
                              .config_desired = 2,
                              .config_min = 3,
                              .config_max = 4,
                              .updated_wall_us = 1790000000000000 };
    snprintf(r.service, sizeof r.service, "%s", service);
    return r;
}

static void check_same(const struct store_record *a, const struct store_record *b)
{
    assert_string_equal(a->service, b->service);
    assert_int_equal(a->desired, b->desired);
    assert_int_equal(a->min, b->min);
    assert_int_equal(a->max, b->max);
    assert_int_equal(a->config_desired, b->config_desired);
    assert_int_equal(a->config_min, b->config_min);
    assert_int_equal(a->config_max, b->config_max);
    assert_int_equal(a->updated_wall_us, b->updated_wall_us);
}

static void put(struct store *store, const struct store_record *record)
{
    struct error error;
    assert_true(store->ops->put(store, record, &error));
}

static void a_new_store_is_empty(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    assert_non_null(store);
    assert_int_equal(load(store).count, 0);
    ops->close(store);
}

static void what_was_put_is_loaded_and_the_last_put_counts(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_record web = record_of("web", 3), api = record_of("api", 7), again = record_of("web", 5);
    put(store, &web);
    put(store, &api);
    put(store, &again);
    struct reading r = load(store);
    assert_int_equal(r.count, 2);
    bool web_is_first = strcmp(r.records[0].service, "web") == 0;
    check_same(&r.records[web_is_first ? 0 : 1], &again);
    check_same(&r.records[web_is_first ? 1 : 0], &api);
    ops->close(store);
}

static void what_was_removed_is_gone(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_record web = record_of("web", 3), api = record_of("api", 7);
    put(store, &web);
    put(store, &api);
    assert_true(ops->remove(store, "web", &error));
    assert_true(ops->remove(store, "never there", &error));
    struct reading r = load(store);
    assert_int_equal(r.count, 1);
    check_same(&r.records[0], &api);
    ops->close(store);
}

static void a_record_without_a_service_is_refused(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_record nameless = record_of("", 3);
    assert_false(ops->put(store, &nameless, &error));
    assert_int_equal(load(store).count, 0);
    ops->close(store);
}

static void names_are_bytes_not_code(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_record odd = record_of("x'); DROP TABLE services; --", 3);
    put(store, &odd);
    struct reading r = load(store);
    assert_int_equal(r.count, 1);
    check_same(&r.records[0], &odd);
    ops->close(store);
}

static void a_store_that_promises_it_survives_a_reopen(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_record web = record_of("web", 3);
    put(store, &web);
    ops->close(store);
    store = ops->open(directory, &error);
    assert_non_null(store);
    struct reading r = load(store);
    assert_int_equal(r.count, ops->survives_reopen ? 1 : 0);
    if (ops->survives_reopen)
        check_same(&r.records[0], &web);
    ops->close(store);
}

#define EACH(test)                                                                              \
    static void every_##test(void **state)                                                      \
    {                                                                                           \
        for (size_t i = 0; i < store_list_count; i++) {                                         \
            assert_true(strlen(store_list[i]->name) > 0 && strlen(store_list[i]->summary) > 0); \
            if (i > 0) {                                                                        \
                tear_down(state);                                                               \
                set_up(state);                                                                  \
            }                                                                                   \
            test(store_list[i]);                                                                \
        }                                                                                       \
    }

EACH(a_new_store_is_empty)
EACH(what_was_put_is_loaded_and_the_last_put_counts)
EACH(what_was_removed_is_gone)
EACH(a_record_without_a_service_is_refused)
EACH(names_are_bytes_not_code)
EACH(a_store_that_promises_it_survives_a_reopen)

#define TEST(name) cmocka_unit_test_setup_teardown(every_##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_store_is_empty),     TEST(what_was_put_is_loaded_and_the_last_put_counts),
        TEST(what_was_removed_is_gone), TEST(a_record_without_a_service_is_refused),
        TEST(names_are_bytes_not_code), TEST(a_store_that_promises_it_survives_a_reopen),
    };
    return cmocka_run_group_tests_name("every store", tests, NULL, NULL);
}
