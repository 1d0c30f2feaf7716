/* Changes to resources: every store against the same suite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/store/store.h"

#define ANSWERS_MAX 300
#define FOUND_MAX 16

static char directory[64];
static struct {
    struct loop *loop;
    struct store *store;
    const struct store_ops *ops;
} fixture;

/* What was answered, in order. */
static struct {
    enum store_change_outcome outcomes[ANSWERS_MAX];
    int64_t versions[ANSWERS_MAX];
    size_t count;
    bool is_submitting;
} answers;

struct found_resource {
    char kind[32], name[32], body[64], request_key[32], who[32];
    int64_t version, at_wall_us;
};

static struct {
    struct found_resource at[FOUND_MAX];
    size_t count;
    int64_t newest_version;
} found;

static void open_store(void)
{
    struct error error = { "" };
    fixture.store = fixture.ops->open(directory, &error);
    if (fixture.store == NULL)
        fail_msg("%s", error.text);
    fixture.store->ops->answer_on(fixture.store, fixture.loop);
}

static void start(const struct store_ops *ops)
{
    snprintf(directory, sizeof directory, "/tmp/portico-changes-XXXXXX");
    assert_non_null(mkdtemp(directory));
    memset(&answers, 0, sizeof answers);
    fixture.loop = loop_new();
    fixture.ops = ops;
    open_store();
}

static void stop(void)
{
    static const char *const files[] = { "portico.db", "portico.db-wal", "portico.db-shm", "lock" };
    char path[128];
    fixture.store->ops->close(fixture.store);
    loop_free(fixture.loop);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(directory), 0);
}

static void on_done(struct store_change *change)
{
    assert_false(answers.is_submitting);
    assert_true(answers.count < ANSWERS_MAX);
    assert_true((change->outcome == STORE_CHANGE_DURABLE) == (change->error.text[0] == '\0'));
    answers.outcomes[answers.count] = change->outcome;
    answers.versions[answers.count++] = change->rows[0].version;
    store_change_free(change);
}

static struct store_change *new_change(void)
{
    return store_change_new("admin 127.0.0.1", 1790000000000000, on_done, NULL);
}

static void submit(struct store_change *change)
{
    answers.is_submitting = true;
    fixture.store->ops->submit(fixture.store, change);
    answers.is_submitting = false;
}

static void submit_put(const char *name, int64_t expected_version, int64_t version, const char *body)
{
    struct store_change *change = new_change();
    store_change_put(change, "thing", name, expected_version, version, body, NULL);
    submit(change);
}

static void submit_remove(const char *name, int64_t expected_version, int64_t version)
{
    struct store_change *change = new_change();
    store_change_remove(change, "thing", name, expected_version, version);
    submit(change);
}

static enum store_change_outcome wait_for_answers(size_t count)
{
    while (answers.count < count)
        event_base_loop(loop_base(fixture.loop), EVLOOP_ONCE);
    assert_int_equal(answers.count, count);
    return answers.outcomes[count - 1];
}

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text != NULL ? text : "(null)");
}

static void read_resource(void *owner, const struct store_resource *resource)
{
    (void)owner;
    assert_true(found.count < FOUND_MAX);
    struct found_resource *f = &found.at[found.count++];
    copy(f->kind, sizeof f->kind, resource->kind);
    copy(f->name, sizeof f->name, resource->name);
    copy(f->body, sizeof f->body, resource->body);
    copy(f->request_key, sizeof f->request_key, resource->request_key);
    copy(f->who, sizeof f->who, resource->who);
    f->version = resource->version;
    f->at_wall_us = resource->at_wall_us;
}

static void load(void)
{
    struct error error;
    memset(&found, 0, sizeof found);
    assert_true(fixture.store->ops->load_resources(fixture.store, read_resource, NULL, &found.newest_version, &error));
}

static void load_history(const char *name)
{
    struct error error;
    memset(&found, 0, sizeof found);
    assert_true(fixture.store->ops->load_history(fixture.store, "thing", name, read_resource, NULL, &error));
}

static void a_change_is_answered_later_and_loaded_whole(void)
{
    struct store_change *change = new_change();
    store_change_put(change, "thing", "x'); DROP TABLE resources; --", 0, 7, "{\"a\":1}", "key-1");
    store_change_put(change, "other", "b", 0, 7, "{}", NULL);
    submit(change);
    assert_int_equal(answers.count, 0);
    assert_int_equal(wait_for_answers(1), STORE_CHANGE_DURABLE);
    load();
    assert_int_equal(found.count, 2);
    assert_int_equal(found.newest_version, 7);
    const struct found_resource *thing = &found.at[strcmp(found.at[0].kind, "thing") == 0 ? 0 : 1];
    assert_string_equal(thing->name, "x'); DROP TABLE resources; --");
    assert_string_equal(thing->body, "{\"a\":1}");
    assert_string_equal(thing->request_key, "key-1");
    assert_string_equal(thing->who, "admin 127.0.0.1");
    assert_int_equal(thing->version, 7);
    assert_int_equal(thing->at_wall_us, 1790000000000000);
}

static void changes_are_answered_in_their_order(void)
{
    for (int64_t i = 1; i <= ANSWERS_MAX; i++)
        submit_put("web", i - 1, i, "{}");
    wait_for_answers(ANSWERS_MAX);
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        assert_int_equal(answers.outcomes[i], STORE_CHANGE_DURABLE);
        assert_int_equal(answers.versions[i], i + 1);
    }
}

static void a_change_of_another_version_changes_nothing_of_it(void)
{
    submit_put("web", 0, 1, "1");
    struct store_change *half = new_change();
    store_change_put(half, "thing", "api", 0, 2, "2", NULL);
    store_change_put(half, "thing", "web", 7, 2, "2", NULL);
    submit(half);
    submit_put("web", 0, 3, "3"); /* it is there */
    submit_put("api", 1, 4, "4"); /* it is not */
    submit_remove("api", 1, 5);   /* likewise */
    submit_put("web", 1, 6, "6"); /* and the right one among them */
    assert_int_equal(wait_for_answers(6), STORE_CHANGE_DURABLE);
    for (size_t i = 1; i < 5; i++)
        assert_int_equal(answers.outcomes[i], STORE_CHANGE_STALE);
    load();
    assert_int_equal(found.count, 1);
    assert_string_equal(found.at[0].body, "6");
    load_history("web");
    assert_int_equal(found.count, 2);
    load_history("api");
    assert_int_equal(found.count, 0);
}

static void what_was_removed_is_history_and_its_name_is_free(void)
{
    submit_put("web", 0, 1, "1");
    submit_remove("web", 1, 2);
    wait_for_answers(2);
    load();
    assert_int_equal(found.count, 0);
    assert_int_equal(found.newest_version, 2); /* is not given again */
    submit_put("web", 0, 3, "3");
    assert_int_equal(wait_for_answers(3), STORE_CHANGE_DURABLE);
    load_history("web");
    assert_int_equal(found.count, 3);
    assert_string_equal(found.at[0].body, "3");
    assert_string_equal(found.at[1].body, "(null)");
    assert_string_equal(found.at[2].body, "1");
    assert_string_equal(found.at[2].who, "admin 127.0.0.1");
}

static void the_history_of_one_has_an_end(void)
{
    for (int64_t i = 1; i <= 3 * STORE_HISTORY_OF_ONE_MAX; i++)
        submit_put("web", i - 1, i, "{}");
    submit_put("api", 0, 1000, "{}");
    wait_for_answers(3 * STORE_HISTORY_OF_ONE_MAX + 1);
    load_history("web");
    assert_int_equal(found.count, STORE_HISTORY_OF_ONE_MAX);
    for (size_t i = 0; i < found.count; i++)
        assert_int_equal(found.at[i].version, 3 * STORE_HISTORY_OF_ONE_MAX - i);
    load_history("api");
    assert_int_equal(found.count, 1);
}

static void what_waits_at_the_end_is_written_and_answered(void)
{
    for (int64_t i = 1; i <= 50; i++)
        submit_put("web", i - 1, i, "{}");
    fixture.store->ops->close(fixture.store);
    assert_int_equal(answers.count, 50);
    open_store();
    load();
    assert_int_equal(found.newest_version, fixture.ops->survives_reopen ? 50 : 0);
}

static void resources_and_records_are_kept_apart(void)
{
    struct error error;
    struct store_record record = { .service = "web", .desired = 3, .min = 1, .max = 9 };
    submit_put("web", 0, 1, "{}");
    assert_true(fixture.store->ops->put(fixture.store, &record, &error)); /* while that one waits, perhaps */
    wait_for_answers(1);
    assert_true(fixture.store->ops->remove(fixture.store, "web", &error));
    load();
    assert_int_equal(found.count, 1);
}

#define EACH(test)                                      \
    static void every_##test(void **state)              \
    {                                                   \
        (void)state;                                    \
        for (size_t i = 0; i < store_list_count; i++) { \
            start(store_list[i]);                       \
            test();                                     \
            stop();                                     \
        }                                               \
    }

EACH(a_change_is_answered_later_and_loaded_whole)
EACH(changes_are_answered_in_their_order)
EACH(a_change_of_another_version_changes_nothing_of_it)
EACH(what_was_removed_is_history_and_its_name_is_free)
EACH(the_history_of_one_has_an_end)
EACH(what_waits_at_the_end_is_written_and_answered)
EACH(resources_and_records_are_kept_apart)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_a_change_is_answered_later_and_loaded_whole),
        cmocka_unit_test(every_changes_are_answered_in_their_order),
        cmocka_unit_test(every_a_change_of_another_version_changes_nothing_of_it),
        cmocka_unit_test(every_what_was_removed_is_history_and_its_name_is_free),
        cmocka_unit_test(every_the_history_of_one_has_an_end),
        cmocka_unit_test(every_what_waits_at_the_end_is_written_and_answered),
        cmocka_unit_test(every_resources_and_records_are_kept_apart),
    };
    return cmocka_run_group_tests_name("changes of every store", tests, NULL, NULL);
}
