/* The power fails under the store of SQLite, after each of some thousand writes and syncs: no change that was answered
 * is lost, and none is there by half. */
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

#include "controller/store/store.h"
#include "tests/unit/controller/store/power_cut_disk.h"

#define NOTES_WANTED 1200 /* how many changes that takes depends on how many share a commit */
#define NAMES 7           /* each is written again and again, and removed now and then */
#define AT_ONCE 5
#define CUTS_MIN 1000
#define PAGES_OF_LOG 24 /* after which SQLite moves its log into the file: that is cut short too */

static char directory[64], after[64];
static struct {
    struct loop *loop;
    struct store *store;
    int64_t submitted, answered;
    int64_t version_of[NAMES]; /* 0: it is removed */
} writer;

static const char *const file_names[] = { "portico.db", "portico.db-wal", "portico.db-shm", "portico.db-journal",
                                          "lock" };

static void empty(const char *path)
{
    char file[128];
    for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++) {
        snprintf(file, sizeof file, "%s/%s", path, file_names[i]);
        unlink(file);
    }
}

static int make_directory(char *out, size_t size, const char *what)
{
    snprintf(out, size, "%s/portico-%s-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", what);
    return mkdtemp(out) != NULL ? 0 : -1;
}

static int shorten_log(sqlite3 *db, const char **message, const struct sqlite3_api_routines *api)
{
    (void)message;
    (void)api;
    return sqlite3_wal_autocheckpoint(db, PAGES_OF_LOG);
}

static int set_up(void **state)
{
    (void)state;
    memset(&writer, 0, sizeof writer);
    power_cut_disk_insert();
    sqlite3_auto_extension((void (*)(void))shorten_log);
    return make_directory(directory, sizeof directory, "power") || make_directory(after, sizeof after, "after");
}

static int tear_down(void **state)
{
    (void)state;
    sqlite3_reset_auto_extension();
    power_cut_disk_remove();
    empty(directory);
    empty(after);
    return rmdir(directory) || rmdir(after);
}

/* Its length says which change wrote it, so that a body of two halves is seen. */
static void write_body(int64_t version, char out[8192])
{
    int len = (int)(version * 37 % 6000);
    snprintf(out, 8192, "{\"version\":%lld,\"rest\":\"%0*d\"}", (long long)version, len + 1, 0);
}

static bool removes(int64_t version)
{
    return version % 13 == 0;
}

static void on_done(struct store_change *change)
{
    assert_int_equal(change->outcome, STORE_CHANGE_DURABLE);
    assert_int_equal(change->rows[0].version, ++writer.answered); /* in order */
    power_cut_disk_note_promise(writer.answered);
    store_change_free(change);
}

static void submit(void)
{
    char name[16], body[8192];
    int64_t version = ++writer.submitted, *before = &writer.version_of[version % NAMES];
    struct store_change *change = store_change_new("test", version, on_done, NULL);
    snprintf(name, sizeof name, "name-%lld", (long long)(version % NAMES));
    write_body(version, body);
    if (removes(version) && *before != 0)
        store_change_remove(change, "thing", name, *before, version);
    else
        store_change_put(change, "thing", name, *before, version, body, NULL);
    *before = change->rows[0].body != NULL ? version : 0;
    /* A second row, so that half a change can be told from a whole one. */
    store_change_put(change, "count", "all", version - 1, version, body, NULL);
    writer.store->ops->submit(writer.store, change);
}

static void open_store(const char *path)
{
    struct error error = { "" };
    writer.store = store_ops_sqlite.open(path, &error);
    if (writer.store == NULL)
        fail_msg("%s", error.text);
}

static void write_all(void)
{
    writer.loop = loop_new();
    open_store(directory);
    writer.store->ops->answer_on(writer.store, writer.loop);
    while (power_cut_disk_note_count() < NOTES_WANTED) {
        for (int i = 0; i < AT_ONCE; i++)
            submit();
        while (writer.answered < writer.submitted)
            event_base_loop(loop_base(writer.loop), EVLOOP_ONCE);
    }
    writer.store->ops->close(writer.store);
    loop_free(writer.loop);
}

struct found {
    int64_t newest, version_of[NAMES];
    size_t torn_count;
};

static void look_at(void *owner, const struct store_resource *resource)
{
    struct found *found = owner;
    char body[8192];
    write_body(resource->version, body);
    found->torn_count += strcmp(body, resource->body) != 0;
    if (strcmp(resource->kind, "count") == 0)
        found->newest = resource->version;
    else
        found->version_of[atoi(resource->name + 5)] = resource->version;
}

/* What names have after the change of that number. */
static void expect(int64_t number, int64_t version_of[NAMES])
{
    memset(version_of, 0, NAMES * sizeof *version_of);
    for (int64_t i = 1; i <= number; i++) {
        int64_t *version = &version_of[i % NAMES];
        *version = removes(i) && *version != 0 ? 0 : i;
    }
}

/* Null: all that was promised is there, and each change whole or not at all. */
static const char *find_fault(int64_t promised)
{
    struct error error = { "" };
    struct found found = { .newest = 0 };
    int64_t newest_version, expected[NAMES];
    struct store *store = store_ops_sqlite.open(after, &error);
    if (store == NULL)
        return "it cannot be opened";
    bool done = store->ops->load_resources(store, look_at, &found, &newest_version, &error);
    store->ops->close(store);
    expect(found.newest, expected);
    return !done                                                      ? "it cannot be read"
           : found.newest < promised                                  ? "a change that was answered is lost"
           : found.torn_count > 0                                     ? "a body is torn"
           : memcmp(expected, found.version_of, sizeof expected) != 0 ? "a change is there by half"
           : newest_version != found.newest                           ? "the history is of another time"
                                                                      : NULL;
}

struct tally {
    size_t cut_count, fault_count;
    const char *first_fault;
    size_t first_at;
};

static struct tally cut_everywhere(size_t faults_max)
{
    struct tally tally = { 0 };
    struct power_cut cut;
    power_cut_disk_set_mode(POWER_CUT_RESTS);
    while (tally.fault_count < faults_max && power_cut_disk_next(&cut)) {
        empty(after);
        power_cut_disk_lay_out(after, tally.cut_count % 4 < 2 ? tally.cut_count % 4 : tally.cut_count);
        const char *fault = find_fault(cut.promised);
        tally.cut_count++;
        tally.fault_count += fault != NULL;
        if (fault != NULL && tally.first_fault == NULL) {
            tally.first_fault = fault;
            tally.first_at = cut.at;
        }
    }
    return tally;
}

static void no_answered_change_is_lost_wherever_the_power_fails(void **state)
{
    (void)state;
    write_all();
    struct tally tally = cut_everywhere(SIZE_MAX);
    print_message("%zu cuts\n", tally.cut_count);
    assert_true(tally.cut_count >= CUTS_MIN);
    if (tally.fault_count > 0)
        fail_msg("%zu of %zu cuts, first after %zu: %s", tally.fault_count, tally.cut_count, tally.first_at,
                 tally.first_fault);
}

/* The disk of this test would find a store that does not wait for it. */
static void a_disk_that_does_not_sync_is_found_out(void **state)
{
    (void)state;
    power_cut_disk_set_mode(POWER_CUT_LIES);
    write_all();
    assert_true(cut_everywhere(1).fault_count > 0);
}

static void changes_that_wait_together_share_a_commit(void **state)
{
    (void)state;
    writer.loop = loop_new();
    open_store(directory);
    writer.store->ops->answer_on(writer.store, writer.loop);
    size_t before = power_cut_disk_sync_count();
    power_cut_disk_hold(true);
    while (writer.submitted < 100)
        submit();
    power_cut_disk_hold(false);
    while (writer.answered < writer.submitted)
        event_base_loop(loop_base(writer.loop), EVLOOP_ONCE);
    /* What came before the disk was held up and what came meanwhile: two commits, each with a sync, and up to four for a log
     * that is begun and moved. */
    size_t sync_count = power_cut_disk_sync_count() - before;
    assert_true(sync_count > 0 && sync_count <= 2 * (1 + 4));
    writer.store->ops->close(writer.store);
    loop_free(writer.loop);
}

static enum store_change_outcome last_outcome;
static char last_words[512];

static void on_outcome(struct store_change *change)
{
    last_outcome = change->outcome;
    snprintf(last_words, sizeof last_words, "%s", change->error.text);
    store_change_free(change);
    loop_stop(writer.loop);
}

static enum store_change_outcome write_one(int64_t expected_version, int64_t version)
{
    struct store_change *change = store_change_new("test", 1, on_outcome, NULL);
    store_change_put(change, "thing", "web", expected_version, version, "{}", NULL);
    writer.store->ops->submit(writer.store, change);
    loop_run(writer.loop);
    return last_outcome;
}

static void a_full_disk_refuses_in_clear_words_and_goes_on_when_there_is_room(void **state)
{
    (void)state;
    struct error error = { "" };
    struct store_record record = { .service = "web", .desired = 3, .min = 1, .max = 9 };
    writer.loop = loop_new();
    open_store(directory);
    writer.store->ops->answer_on(writer.store, writer.loop);
    assert_int_equal(write_one(0, 1), STORE_CHANGE_DURABLE);
    power_cut_disk_fill(true);
    assert_int_equal(write_one(1, 2), STORE_CHANGE_REFUSED);
    assert_non_null(strstr(last_words, "portico.db"));
    assert_non_null(strstr(last_words, "full"));
    assert_false(writer.store->ops->put(writer.store, &record, &error));
    assert_non_null(strstr(error.text, "full"));
    power_cut_disk_fill(false);
    assert_int_equal(write_one(1, 3), STORE_CHANGE_DURABLE); /* still what it was */
    assert_true(writer.store->ops->put(writer.store, &record, &error));
    writer.store->ops->close(writer.store);
    loop_free(writer.loop);
}

static void a_disk_that_can_only_be_read_is_refused_at_the_start(void **state)
{
    (void)state;
    struct error error = { "" };
    open_store(directory);
    writer.store->ops->close(writer.store);
    power_cut_disk_protect(true);
    assert_null(store_ops_sqlite.open(directory, &error));
    assert_non_null(strstr(error.text, "portico.db cannot be written"));
    power_cut_disk_protect(false);
    open_store(directory);
    writer.store->ops->close(writer.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_answered_change_is_lost_wherever_the_power_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disk_that_does_not_sync_is_found_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_that_wait_together_share_a_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_in_clear_words_and_goes_on_when_there_is_room, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_disk_that_can_only_be_read_is_refused_at_the_start, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("power cut", tests, NULL, NULL);
}
