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

struct drain_reading {
    struct store_drain drains[16];
    size_t count;
};

static void read_drain(void *owner, const struct store_drain *drain)
{
    struct drain_reading *r = owner;
    assert_true(r->count < 16);
    r->drains[r->count++] = *drain;
}

static struct drain_reading load_drains(struct store *store)
{
    struct drain_reading r = { 0 };
    struct error error;
    assert_true(store->ops->load_drains(store, read_drain, &r, &error));
    return r;
}

static struct store_drain drain_of(const char *task_id, int64_t ordered_wall_us)
{
    struct store_drain d = { .provider = "docker", .ordered_wall_us = ordered_wall_us };
    snprintf(d.task_id, sizeof d.task_id, "%s", task_id);
    return d;
}

static void put_drain(struct store *store, const struct store_drain *drain)
{
    struct error error;
    assert_true(store->ops->put_drain(store, drain, &error));
}

static void check_same_drain(const struct store_drain *a, const struct store_drain *b)
{
    assert_string_equal(a->task_id, b->task_id);
    assert_string_equal(a->provider, b->provider);
    assert_int_equal(a->ordered_wall_us, b->ordered_wall_us);
}

static void drains_are_put_loaded_and_removed_by_task(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_drain a = drain_of("aaaabbbbcccc", 1), odd = drain_of("file/x'); --/10.0.0.1:80", 2),
                       again = drain_of("aaaabbbbcccc", 3);
    assert_int_equal(load_drains(store).count, 0);
    put_drain(store, &a);
    put_drain(store, &odd);
    put_drain(store, &again);
    struct drain_reading r = load_drains(store);
    assert_int_equal(r.count, 2);
    bool odd_is_first = strcmp(r.drains[0].task_id, odd.task_id) == 0;
    check_same_drain(&r.drains[odd_is_first ? 0 : 1], &odd);
    check_same_drain(&r.drains[odd_is_first ? 1 : 0], &again);
    assert_true(ops->remove_drain(store, odd.task_id, &error));
    assert_true(ops->remove_drain(store, "never there", &error));
    r = load_drains(store);
    assert_int_equal(r.count, 1);
    check_same_drain(&r.drains[0], &again);
    ops->close(store);
}

static void drains_and_services_are_kept_apart(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_record record = record_of("aaaabbbbcccc", 3);
    struct store_drain drain = drain_of("aaaabbbbcccc", 1);
    put(store, &record);
    put_drain(store, &drain);
    assert_true(ops->remove(store, "aaaabbbbcccc", &error));
    assert_int_equal(load_drains(store).count, 1);
    put(store, &record);
    assert_true(ops->remove_drain(store, "aaaabbbbcccc", &error));
    assert_int_equal(load(store).count, 1);
    ops->close(store);
}

static void a_drain_of_no_task_is_refused(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_drain nameless = drain_of("", 1), homeless = drain_of("aaaabbbbcccc", 1);
    homeless.provider[0] = '\0';
    assert_false(ops->put_drain(store, &nameless, &error));
    assert_false(ops->put_drain(store, &homeless, &error));
    assert_int_equal(load_drains(store).count, 0);
    ops->close(store);
}

static void drains_survive_a_reopen_as_promised(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_drain drain = drain_of("aaaabbbbcccc", 1790000000000000);
    put_drain(store, &drain);
    ops->close(store);
    store = ops->open(directory, &error);
    struct drain_reading r = load_drains(store);
    assert_int_equal(r.count, ops->survives_reopen ? 1 : 0);
    if (ops->survives_reopen)
        check_same_drain(&r.drains[0], &drain);
    ops->close(store);
}

static void read_image(void *owner, const struct store_image *image)
{
    struct store_image *last = owner;
    assert_string_equal(last->service, ""); /* there is one at most */
    *last = *image;
}

static void an_image_is_put_by_service_survives_as_promised_and_goes_with_it(const struct store_ops *ops)
{
    struct error error;
    struct store *store = ops->open(directory, &error);
    struct store_image none = { .service = "web" }, image = { .service = "web", .definition = "3f2a" };
    assert_false(store->ops->put_image(store, &none, &error));
    for (int digit = 'a'; digit <= 'b'; digit++) { /* the last counts */
        snprintf(image.image_id, sizeof image.image_id, "sha256:");
        memset(image.image_id + strlen("sha256:"), digit, 64);
        assert_true(store->ops->put_image(store, &image, &error));
    }
    if (ops->survives_reopen) {
        ops->close(store);
        store = ops->open(directory, &error);
    }
    struct store_image found = { .service = "" };
    assert_true(store->ops->load_images(store, read_image, &found, &error));
    assert_string_equal(found.service, "web");
    assert_string_equal(found.definition, "3f2a");
    assert_string_equal(found.image_id, image.image_id);
    assert_int_equal(load(store).count, 0); /* it says nothing of what is desired */
    assert_true(store->ops->remove(store, "web", &error));
    found = (struct store_image){ .service = "" };
    assert_true(store->ops->load_images(store, read_image, &found, &error));
    assert_string_equal(found.service, "");
    ops->close(store);
}

static void one_that_cannot_be_opened_promises_nothing(void **state)
{
    (void)state;
    struct error error;
    struct store *store = store_unavailable();
    struct store_record record = record_of("web", 3);
    struct store_drain drain = drain_of("aaaabbbbcccc", 1);
    assert_false(store->ops->load(store, read_record, NULL, &error));
    assert_false(store->ops->put(store, &record, &error));
    assert_false(store->ops->remove(store, "web", &error));
    assert_false(store->ops->load_drains(store, read_drain, NULL, &error));
    assert_false(store->ops->put_drain(store, &drain, &error));
    assert_false(store->ops->remove_drain(store, "aaaabbbbcccc", &error));
    assert_non_null(strstr(error.text, "could not be opened"));
    store->ops->close(store);
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
EACH(drains_are_put_loaded_and_removed_by_task)
EACH(drains_and_services_are_kept_apart)
EACH(a_drain_of_no_task_is_refused)
EACH(drains_survive_a_reopen_as_promised)
EACH(an_image_is_put_by_service_survives_as_promised_and_goes_with_it)

#define TEST(name) cmocka_unit_test_setup_teardown(every_##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_store_is_empty),
        TEST(what_was_put_is_loaded_and_the_last_put_counts),
        TEST(what_was_removed_is_gone),
        TEST(a_record_without_a_service_is_refused),
        TEST(names_are_bytes_not_code),
        TEST(a_store_that_promises_it_survives_a_reopen),
        TEST(drains_are_put_loaded_and_removed_by_task),
        TEST(drains_and_services_are_kept_apart),
        TEST(a_drain_of_no_task_is_refused),
        TEST(drains_survive_a_reopen_as_promised),
        TEST(an_image_is_put_by_service_survives_as_promised_and_goes_with_it),
        cmocka_unit_test(one_that_cannot_be_opened_promises_nothing),
    };
    return cmocka_run_group_tests_name("every store", tests, NULL, NULL);
}
