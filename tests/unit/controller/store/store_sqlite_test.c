#include "controller/store/store_sqlite.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/store/schema.h"
#include "controller/store/state_folder.h"
#include "controller/store/store.h"

static char directory[64], file[128];

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/portico-sqlite-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(file, sizeof file, "%s/%s", directory, STORE_SQLITE_FILE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const files[] = { "portico.db", "portico.db-wal", "portico.db-shm",
                                         "lock",       "deeper/lock",    "deeper/portico.db" };
    char path[128];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/deeper", directory);
    rmdir(path);
    return rmdir(directory);
}

static struct store *open_store(void)
{
    struct error error = { "" };
    struct store *store = store_ops_sqlite.open(directory, &error);
    if (store == NULL)
        print_message("%s\n", error.text);
    assert_non_null(store);
    return store;
}

static void check_refused(const char *part)
{
    struct error error = { "" };
    assert_null(store_ops_sqlite.open(directory, &error));
    if (strstr(error.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, part);
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_second_controller_on_the_same_directory_is_refused(void **state)
{
    (void)state;
    struct store *store = open_store();
    check_refused("is in use by another portico");
    store->ops->close(store);
    store = open_store();
    store->ops->close(store);
}

static void a_file_of_a_newer_version_is_refused_and_left_alone(void **state)
{
    (void)state;
    run_sql("CREATE TABLE things (a); PRAGMA user_version = 7;");
    check_refused("has version 7, this portico reads version 5");
    run_sql("INSERT INTO things VALUES (1);");
}

#define VERSION_1                                                                                               \
    "CREATE TABLE services (service TEXT PRIMARY KEY NOT NULL, desired INTEGER NOT NULL, min INTEGER NOT NULL," \
    " max INTEGER NOT NULL, config_desired INTEGER NOT NULL, config_min INTEGER NOT NULL,"                      \
    " config_max INTEGER NOT NULL, updated INTEGER NOT NULL) WITHOUT ROWID; PRAGMA user_version = 1;"           \
    "INSERT INTO services VALUES ('web', 5, 1, 9, 2, 3, 4, 1790000000000000);"

static void read_desired(void *owner, const struct store_record *record)
{
    *(int64_t *)owner = record->desired;
}

static void count_drain(void *owner, const struct store_drain *drain)
{
    (void)drain;
    ++*(size_t *)owner;
}

static void a_file_of_version_1_is_migrated_with_all_that_it_holds(void **state)
{
    (void)state;
    struct error error;
    struct store_drain drain = { .task_id = "aaaabbbbcccc", .provider = "docker" };
    run_sql("PRAGMA journal_mode = WAL;" VERSION_1);
    for (size_t i = 0; i < 2; i++) { /* the second time it is of today's version */
        struct store *store = open_store();
        int64_t desired = 0;
        size_t drain_count = 0;
        assert_true(store->ops->load(store, read_desired, &desired, &error));
        assert_int_equal(desired, 5);
        assert_true(store->ops->load_drains(store, count_drain, &drain_count, &error));
        assert_int_equal(drain_count, i);
        assert_true(store->ops->put_drain(store, &drain, &error));
        store->ops->close(store);
    }
}

static void a_migration_that_cannot_be_finished_changes_nothing(void **state)
{
    (void)state;
    run_sql(VERSION_1 "CREATE TABLE drains (a); INSERT INTO drains VALUES (1);");
    check_refused("table drains already exists");
    run_sql("DROP TABLE drains;");
    run_sql("ALTER TABLE services RENAME COLUMN desired TO wanted;");
    check_refused("was not written by portico");
    run_sql("CREATE TABLE drains (a); ALTER TABLE services RENAME COLUMN wanted TO desired; DROP TABLE drains;");
    struct store *store = open_store(); /* still of version 1, or the table would be missing */
    store->ops->close(store);
}

static int read_file_version(void)
{
    sqlite3 *db;
    sqlite3_stmt *row;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int version = sqlite3_column_int(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return version;
}

static struct store *open_held(void)
{
    struct error error = { "" };
    struct store *store = store_sqlite_open_held(directory, &error);
    if (store == NULL)
        print_message("%s\n", error.text);
    assert_non_null(store);
    return store;
}

/* The new program of an upgrade that comes to nothing. */
static void a_migration_that_is_held_leaves_the_file_to_who_wrote_it(void **state)
{
    (void)state;
    struct error error = { "" };
    struct store_record record = { .service = "web", .desired = 3, .min = 1, .max = 9 };
    struct store_drain drain = { .task_id = "aaaabbbbcccc", .provider = "docker" };
    int64_t desired = 0;
    run_sql("PRAGMA journal_mode = WAL;" VERSION_1);
    struct store *store = open_held();
    assert_true(store_sqlite_is_held(store));
    assert_true(store->ops->load(store, read_desired, &desired, &error));
    assert_int_equal(desired, 5);
    assert_false(store->ops->put(store, &record, &error));
    assert_non_null(strstr(error.text, "the upgrade is not final yet"));
    assert_false(store->ops->put_drain(store, &drain, &error));
    assert_false(store->ops->remove(store, "web", &error));
    store->ops->close(store);
    assert_int_equal(read_file_version(), 1);
}

static void a_migration_that_is_held_is_kept_once_it_is_final(void **state)
{
    (void)state;
    struct error error = { "" };
    struct store_record record = { .service = "web", .desired = 3, .min = 1, .max = 9 };
    int64_t desired = 0;
    run_sql("PRAGMA journal_mode = WAL;" VERSION_1);
    struct store *store = open_held();
    assert_true(store_sqlite_settle(store, &error));
    assert_false(store_sqlite_is_held(store));
    assert_true(store->ops->put(store, &record, &error));
    store->ops->close(store);
    assert_int_equal(read_file_version(), SCHEMA_VERSION);
    store = open_held();
    assert_false(store_sqlite_is_held(store)); /* nothing is to be migrated */
    assert_true(store->ops->load(store, read_desired, &desired, &error));
    assert_int_equal(desired, 3);
    assert_true(store->ops->remove(store, "web", &error));
    assert_true(store_sqlite_settle(store, &error));
    store->ops->close(store);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    FILE *out = fopen(file, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database ", out);
    fclose(out);
    check_refused("portico.db");
}

static void a_damaged_page_is_found_at_the_start(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct error error;
    for (int i = 0; i < 200; i++) {
        struct store_record record = { .desired = i };
        snprintf(record.service, sizeof record.service, "service-%d", i);
        assert_true(store->ops->put(store, &record, &error));
    }
    store->ops->close(store);
    int fd = open(file, O_WRONLY);
    char noise[512];
    memset(noise, 0xa5, sizeof noise);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 4096), sizeof noise);
    close(fd);
    check_refused("portico.db");
}

static void a_table_of_somebody_else_is_refused(void **state)
{
    (void)state;
    run_sql("CREATE TABLE services (a); PRAGMA user_version = 1;");
    check_refused("was not written by portico");
}

/* Found at the start: otherwise a controller would come up that may not act on what it cannot read. */
static void a_record_that_portico_cannot_have_written_is_not_believed(void **state)
{
    (void)state;
    struct store *store = open_store();
    store->ops->close(store);
    run_sql("INSERT INTO services VALUES ('web', -5, 0, 0, 0, 0, 0, 0);");
    check_refused("did not write");
}

static void an_image_that_portico_cannot_have_written_is_not_believed(void **state)
{
    (void)state;
    struct store *store = open_store();
    store->ops->close(store);
    run_sql("INSERT INTO images VALUES ('web', '3f2a', 'web:1');");
    check_refused("did not write");
}

static void a_drain_that_portico_cannot_have_written_is_not_believed(void **state)
{
    (void)state;
    static const char *const rows[] = { "'', 'docker', 0", "'aaaabbbbcccc', '', 0",
                                        "'a' || char(0) || 'b', 'docker', 0", "hex(zeroblob(99)), 'docker', 0" };
    struct store *store = open_store();
    store->ops->close(store);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char sql[160];
        snprintf(sql, sizeof sql, "DELETE FROM drains; INSERT INTO drains VALUES (%s);", rows[i]);
        run_sql(sql);
        check_refused("did not write");
    }
}

static void the_directory_is_made_private_when_missing(void **state)
{
    (void)state;
    char deeper[128];
    struct stat info;
    struct error error;
    snprintf(deeper, sizeof deeper, "%s/deeper", directory);
    struct store *store = store_ops_sqlite.open(deeper, &error);
    assert_non_null(store);
    assert_int_equal(stat(deeper, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    store->ops->close(store);
    assert_null(store_ops_sqlite.open("/nowhere/at/all", &error));
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
}

/* Containers of the version before carry no proof: those that it made must not be orphaned. */
static void a_place_of_an_earlier_version_holds_the_claims_of_what_is_older(void **state)
{
    (void)state;
    struct error error;
    struct ownership upgraded, again, fresh;
    run_sql(VERSION_1);
    struct store *store = open_store();
    assert_true(store->ops->load_ownership(store, &upgraded, &error));
    store->ops->close(store);
    assert_true(upgraded.claims_hold_before_wall_us > 0);
    store = open_store();
    assert_true(store->ops->load_ownership(store, &again, &error));
    store->ops->close(store);
    assert_memory_equal(&upgraded, &again, sizeof again);
    assert_int_equal(unlink(file), 0);
    store = open_store();
    assert_true(store->ops->load_ownership(store, &fresh, &error));
    store->ops->close(store);
    assert_true(fresh.claims_hold_before_wall_us == 0);
    assert_memory_not_equal(fresh.key, again.key, sizeof again.key);
}

static void a_place_without_its_key_is_refused(void **state)
{
    (void)state;
    struct store *store = open_store();
    store->ops->close(store);
    run_sql("DELETE FROM ownership;");
    check_refused("has lost its key");
    run_sql("INSERT INTO ownership VALUES (x'00', 0);");
    check_refused("that portico did not write");
}

static void a_clock_before_1970_is_no_reason_to_refuse_a_record(void **state)
{
    (void)state;
    struct error error;
    int64_t desired = 0;
    struct store_record record = {
        .service = "web", .desired = 3, .min = 1, .max = 9, .updated_wall_us = -86400000000
    };
    struct store_drain drain = { .task_id = "aaaabbbbcccc", .provider = "docker", .ordered_wall_us = -1 };
    struct store *store = open_store();
    assert_true(store->ops->put(store, &record, &error));
    assert_true(store->ops->put_drain(store, &drain, &error));
    store->ops->close(store);
    store = open_store();
    assert_true(store->ops->load(store, read_desired, &desired, &error));
    assert_int_equal(desired, 3);
    store->ops->close(store);
}

static void check_taken_away(struct store *store, const char *part)
{
    struct store_record record = { .service = "web", .desired = 3, .min = 1, .max = 9 };
    struct store_drain drain = { .task_id = "aaaabbbbcccc", .provider = "docker" };
    struct error error = { "" };
    assert_non_null(store->ops->find_problem(store));
    assert_non_null(strstr(store->ops->find_problem(store), part));
    assert_false(store->ops->put(store, &record, &error));
    assert_non_null(strstr(error.text, "was removed or replaced"));
    assert_false(store->ops->remove(store, "web", &error));
    assert_false(store->ops->put_drain(store, &drain, &error));
    assert_false(store->ops->remove_drain(store, "aaaabbbbcccc", &error));
}

static void nothing_is_promised_once_a_file_was_removed(void **state)
{
    (void)state;
    static const char *const names[] = { STORE_SQLITE_FILE, STORE_SQLITE_FILE "-wal", STATE_FOLDER_LOCK_FILE };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        struct store *store = open_store();
        assert_null(store->ops->find_problem(store));
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        assert_int_equal(unlink(path), 0);
        check_taken_away(store, path);
        store->ops->close(store);
    }
}

/* The folder was moved away and a second controller has begun another one under its name. */
static void nothing_is_promised_once_the_folder_is_another_one(void **state)
{
    (void)state;
    char elsewhere[80], path[128];
    struct store *first = open_store();
    snprintf(elsewhere, sizeof elsewhere, "%s-moved", directory);
    assert_int_equal(rename(directory, elsewhere), 0);
    struct store *second = open_store();
    check_taken_away(first, directory);
    assert_null(second->ops->find_problem(second));
    first->ops->close(first);
    assert_null(second->ops->find_problem(second)); /* the first has removed nothing of it */
    second->ops->close(second);
    static const char *const names[] = { STORE_SQLITE_FILE, STORE_SQLITE_FILE "-wal", STORE_SQLITE_FILE "-shm",
                                         STATE_FOLDER_LOCK_FILE };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", elsewhere, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(elsewhere), 0);
}

/* What put() promised before the process was killed is there afterwards, and the lock died with the process. */
static void an_acknowledged_put_survives_kill_9(void **state)
{
    (void)state;
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store = store_ops_sqlite.open(directory, NULL);
        struct store_record record = { .service = "web", .min = 1, .max = 9 };
        for (int64_t i = 1;; i++) {
            record.desired = i;
            if (store == NULL || !store->ops->put(store, &record, NULL) || write(told[1], &i, sizeof i) != sizeof i)
                _exit(1);
        }
    }
    int64_t acknowledged = 0, loaded = 0, next;
    while (acknowledged < 20 && read(told[0], &next, sizeof next) == sizeof next)
        acknowledged = next;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(told[1]);
    while (read(told[0], &next, sizeof next) == sizeof next)
        acknowledged = next;
    close(told[0]);
    assert_true(acknowledged >= 20);
    struct store *store = open_store();
    struct error error;
    assert_true(store->ops->load(store, read_desired, &loaded, &error));
    assert_true(loaded >= acknowledged);
    store->ops->close(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_controller_on_the_same_directory_is_refused),
        TEST(a_file_of_a_newer_version_is_refused_and_left_alone),
        TEST(a_file_of_version_1_is_migrated_with_all_that_it_holds),
        TEST(a_migration_that_cannot_be_finished_changes_nothing),
        TEST(a_migration_that_is_held_leaves_the_file_to_who_wrote_it),
        TEST(a_migration_that_is_held_is_kept_once_it_is_final),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(a_damaged_page_is_found_at_the_start),
        TEST(a_table_of_somebody_else_is_refused),
        TEST(a_record_that_portico_cannot_have_written_is_not_believed),
        TEST(a_drain_that_portico_cannot_have_written_is_not_believed),
        TEST(an_image_that_portico_cannot_have_written_is_not_believed),
        TEST(the_directory_is_made_private_when_missing),
        TEST(an_acknowledged_put_survives_kill_9),
        TEST(a_place_of_an_earlier_version_holds_the_claims_of_what_is_older),
        TEST(a_place_without_its_key_is_refused),
        TEST(a_clock_before_1970_is_no_reason_to_refuse_a_record),
        TEST(nothing_is_promised_once_a_file_was_removed),
        TEST(nothing_is_promised_once_the_folder_is_another_one),
    };
    return cmocka_run_group_tests_name("store_sqlite", tests, NULL, NULL);
}
