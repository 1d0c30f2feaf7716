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
    check_refused("has version 7, this portico reads version 2");
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

static void ignore_record(void *owner, const struct store_record *record)
{
    (void)owner;
    (void)record;
}

static void a_record_that_portico_cannot_have_written_is_not_believed(void **state)
{
    (void)state;
    struct store *store = open_store();
    store->ops->close(store);
    run_sql("INSERT INTO services VALUES ('web', -5, 0, 0, 0, 0, 0, 0);");
    store = open_store();
    struct error error;
    assert_false(store->ops->load(store, ignore_record, NULL, &error));
    assert_non_null(strstr(error.text, "did not write"));
    store->ops->close(store);
}

static void a_drain_that_portico_cannot_have_written_is_not_believed(void **state)
{
    (void)state;
    static const char *const rows[] = { "'', 'docker', 0", "'aaaabbbbcccc', '', 0", "'aaaabbbbcccc', 'docker', -1",
                                        "'a' || char(0) || 'b', 'docker', 0", "hex(zeroblob(99)), 'docker', 0" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store *store = open_store();
        store->ops->close(store);
        char sql[160];
        snprintf(sql, sizeof sql, "DELETE FROM drains; INSERT INTO drains VALUES (%s);", rows[i]);
        run_sql(sql);
        store = open_store();
        struct error error;
        size_t count = 0;
        assert_false(store->ops->load_drains(store, count_drain, &count, &error));
        assert_int_equal(count, 0);
        assert_non_null(strstr(error.text, "did not write"));
        store->ops->close(store);
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
        TEST(a_file_that_is_no_database_is_refused),
        TEST(a_damaged_page_is_found_at_the_start),
        TEST(a_table_of_somebody_else_is_refused),
        TEST(a_record_that_portico_cannot_have_written_is_not_believed),
        TEST(a_drain_that_portico_cannot_have_written_is_not_believed),
        TEST(the_directory_is_made_private_when_missing),
        TEST(an_acknowledged_put_survives_kill_9),
    };
    return cmocka_run_group_tests_name("store_sqlite", tests, NULL, NULL);
}
