/* A state file of another version, or one that cannot be used: what is refused is left byte for byte as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "controller/store/schema.h"
#include "controller/store/store.h"
#include "controller/store/store_sqlite.h"

/* Written by Portico when version 4 was the newest: two services, an image, a drain. */
#define FILE_OF_VERSION_4 "tests/unit/controller/store/state_of_version_4.db"

static char directory[64], file[128], log_file[140];

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/portico-state-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(file, sizeof file, "%s/%s", directory, STORE_SQLITE_FILE);
    snprintf(log_file, sizeof log_file, "%s-wal", file);
    return 0;
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

static struct buf read_file(const char *path)
{
    struct buf out;
    char piece[4096];
    size_t got;
    buf_init(&out, 0);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while ((got = fread(piece, 1, sizeof piece, in)) > 0)
        buf_append(&out, piece, got);
    fclose(in);
    return out;
}

static void write_file(const char *path, const struct buf *bytes)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes->at, 1, bytes->len, out), bytes->len);
    assert_int_equal(fclose(out), 0);
}

static void check_same(const struct buf *a, const struct buf *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->at, b->at, a->len);
}

/* Two times: the first refusal has left nothing that changes the second. */
static void check_refused_and_untouched(const char *part)
{
    struct buf before = read_file(file), after;
    for (int i = 0; i < 2; i++) {
        struct error error = { "" };
        assert_null(store_ops_sqlite.open(directory, &error));
        if (strstr(error.text, part) == NULL || strstr(error.text, file) == NULL)
            fail_msg("\"%s\" does not say \"%s\" of %s", error.text, part, file);
        after = read_file(file);
        check_same(&before, &after);
        buf_fini(&after);
    }
    buf_fini(&before);
}

static struct store *open_store(void)
{
    struct error error = { "" };
    struct store *store = store_ops_sqlite.open(directory, &error);
    if (store == NULL)
        fail_msg("%s", error.text);
    return store;
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void look_at_record(void *owner, const struct store_record *record)
{
    int64_t *sum = owner;
    assert_true(strcmp(record->service, "web") == 0 || strcmp(record->service, "shop/api") == 0);
    *sum += record->desired + 100;
}

static void look_at_drain(void *owner, const struct store_drain *drain)
{
    assert_string_equal(drain->task_id, "file/web/10.0.0.7:8080");
    ++*(size_t *)owner;
}

static void look_at_image(void *owner, const struct store_image *image)
{
    assert_string_equal(image->definition, "3f2a");
    ++*(size_t *)owner;
}

static void count_resource(void *owner, const struct store_resource *resource)
{
    (void)resource;
    ++*(size_t *)owner;
}

static void a_file_of_version_4_is_migrated_with_all_that_it_holds(void **state)
{
    (void)state;
    struct error error;
    struct ownership first, again;
    struct buf old = read_file(FILE_OF_VERSION_4);
    write_file(file, &old);
    buf_fini(&old);
    for (int i = 0; i < 2; i++) {
        int64_t sum = 0, newest_version = -1;
        size_t drain_count = 0, image_count = 0, resource_count = 0;
        struct store *store = open_store();
        assert_true(store->ops->load(store, look_at_record, &sum, &error));
        assert_int_equal(sum, 205);
        assert_true(store->ops->load_drains(store, look_at_drain, &drain_count, &error));
        assert_int_equal(drain_count, 1);
        assert_true(store->ops->load_images(store, look_at_image, &image_count, &error));
        assert_int_equal(image_count, 1);
        assert_true(store->ops->load_resources(store, count_resource, &resource_count, &newest_version, &error));
        assert_int_equal(resource_count, 0);
        assert_int_equal(newest_version, 0);
        assert_true(store->ops->load_ownership(store, i == 0 ? &first : &again, &error));
        store->ops->close(store);
    }
    assert_memory_equal(&first, &again, sizeof first);
    assert_int_equal(first.claims_hold_before_wall_us, 0); /* it had its key from the beginning */
}

static void a_file_of_a_newer_version_is_refused_byte_for_byte(void **state)
{
    (void)state;
    struct store *store = open_store();
    store->ops->close(store);
    char sql[128];
    snprintf(sql, sizeof sql, "PRAGMA journal_mode = DELETE; CREATE TABLE beyond (a); PRAGMA user_version = %d;",
             SCHEMA_VERSION + 1);
    run_sql(sql);
    check_refused_and_untouched("run the portico that wrote it");
    assert_int_equal(access(log_file, F_OK), -1);
}

/* Its portico was killed: what it promised is in the log, and stays there. */
static void the_log_of_a_newer_version_is_not_moved_into_its_file(void **state)
{
    (void)state;
    sqlite3 *db;
    char sql[160];
    struct store *store = open_store();
    store->ops->close(store);
    snprintf(sql, sizeof sql, "PRAGMA wal_autocheckpoint = 0; CREATE TABLE beyond (a); PRAGMA user_version = %d;",
             SCHEMA_VERSION + 1);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    struct buf bytes = read_file(file), log = read_file(log_file), log_after;
    sqlite3_close(db);
    write_file(file, &bytes);
    write_file(log_file, &log);
    check_refused_and_untouched("run the portico that wrote it");
    log_after = read_file(log_file);
    check_same(&log, &log_after);
    buf_fini(&bytes);
    buf_fini(&log);
    buf_fini(&log_after);
}

/* Each page is sound by itself: only the whole check sees that an index has lost what its table has. */
static void an_index_that_lost_an_entry_is_found_at_the_start(void **state)
{
    (void)state;
    struct store *store = open_store();
    store->ops->close(store);
    run_sql(
        "INSERT INTO resource_history (kind, name, version, body, who, at) VALUES ('thing', 'web', 1, '{}', 'a', 1);"
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX resource_history_by_name ON resource_history"
        " (kind, version, name)' WHERE name = 'resource_history_by_name';");
    check_refused_and_untouched("is damaged");
}

static void a_resource_that_portico_cannot_have_written_is_not_believed(void **state)
{
    (void)state;
    static const char *const rows[] = { "'', 'web', 1, '{}', NULL, 'a', 1",
                                        "'thing', '', 1, '{}', NULL, 'a', 1",
                                        "'thing', 'web', 0, '{}', NULL, 'a', 1",
                                        "'thing', 'web', 1, '', NULL, 'a', 1",
                                        "'thing', 'w' || char(0), 1, '{}', NULL, 'a', 1",
                                        "'thing', 'web', 1, '{}', '', 'a', 1",
                                        "'thing', 'web', 1, '{}', NULL, '', 1" };
    struct store *store = open_store();
    store->ops->close(store);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char sql[160];
        snprintf(sql, sizeof sql, "DELETE FROM resources; INSERT INTO resources VALUES (%s);", rows[i]);
        run_sql(sql);
        check_refused_and_untouched("did not write");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_of_version_4_is_migrated_with_all_that_it_holds),
        TEST(a_file_of_a_newer_version_is_refused_byte_for_byte),
        TEST(the_log_of_a_newer_version_is_not_moved_into_its_file),
        TEST(an_index_that_lost_an_entry_is_found_at_the_start),
        TEST(a_resource_that_portico_cannot_have_written_is_not_believed),
    };
    return cmocka_run_group_tests_name("state file", tests, NULL, NULL);
}
