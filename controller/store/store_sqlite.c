#include "controller/store/store_sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "controller/store/resource_table.h"
#include "controller/store/schema.h"
#include "controller/store/state_folder.h"
#include "controller/store/store.h"
#include "controller/store/turn_lock.h"
#include "controller/store/write_thread.h"
#include "discovery/revision.h"

struct store_sqlite {
    struct store base; /* first */
    struct state_folder folder;
    char *file; /* owned; for messages */
    sqlite3 *db;
    enum { MIGRATION_AT_ONCE = 0, MIGRATION_HOLDS, MIGRATION_HELD } migration; /* held: its transaction is open */
    sqlite3_stmt *put, *remove, *put_image, *remove_image, *put_drain, *remove_drain;
    struct resource_table resources;
    struct turn_lock turn;       /* of db and all that hangs on it, once there is a writer */
    struct write_thread *writer; /* owned; null: no change was asked for yet */
    bool is_sound;               /* all that was checked at the start */
    struct error problem;        /* of find_problem */
};

static bool refuse(const struct store_sqlite *s, struct error *error, const char *what)
{
    return error_set(error, "state file %s: %s: %s", s->file, what,
                     s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory");
}

/* SQLite writes its log into the file and removes it by name when it closes: under that name there may be another
 * controller's by now, and what was refused is left as it was. */
static void leave_log_alone(struct store_sqlite *s)
{
    int on = 1;
    sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &on);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static void sqlite_close(struct store *store)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    if (s->writer != NULL)
        write_thread_free(s->writer);
    if (s->db != NULL && (!s->is_sound || !state_folder_check(&s->folder, &s->problem)))
        leave_log_alone(s);
    sqlite3_finalize(s->put);
    sqlite3_finalize(s->remove);
    sqlite3_finalize(s->put_image);
    sqlite3_finalize(s->remove_image);
    sqlite3_finalize(s->put_drain);
    sqlite3_finalize(s->remove_drain);
    resource_table_fini(&s->resources);
    turn_lock_fini(&s->turn);
    sqlite3_close(s->db);
    state_folder_close(&s->folder);
    free(s->file);
    free(s);
}

static bool run(struct store_sqlite *s, const char *sql, struct error *error)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return refuse(s, error, "cannot be written");
    return true;
}

static bool read_version(struct store_sqlite *s, int64_t *version, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    bool done = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (done)
        *version = sqlite3_column_int64(statement, 0);
    else
        refuse(s, error, "cannot be read");
    sqlite3_finalize(statement);
    return done;
}

static bool prepare(struct store_sqlite *s, struct error *error)
{
    struct {
        sqlite3_stmt **out;
        const char *text;
    } const statements[] = {
        { &s->put, "INSERT OR REPLACE INTO services (service, desired, min, max, config_desired, config_min,"
                   " config_max, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" },
        { &s->remove, "DELETE FROM services WHERE service = ?1" },
        { &s->put_image, "INSERT OR REPLACE INTO images (service, definition, image) VALUES (?1, ?2, ?3)" },
        { &s->remove_image, "DELETE FROM images WHERE service = ?1" },
        { &s->put_drain, "INSERT OR REPLACE INTO drains (task, provider, ordered) VALUES (?1, ?2, ?3)" },
        { &s->remove_drain, "DELETE FROM drains WHERE task = ?1" },
    };
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (sqlite3_prepare_v2(s->db, statements[i].text, -1, statements[i].out, NULL) != SQLITE_OK)
            return refuse(s, error, "is damaged or was not written by portico");
    return resource_table_init(&s->resources, s->db) || refuse(s, error, "is damaged or was not written by portico");
}

/* One transaction, with the check that the result is ours: killed or refused in between, the file is as it was. */
static bool migrate(struct store_sqlite *s, int64_t version, struct error *error)
{
    struct error key_error = { "" };
    if (!run(s, "BEGIN EXCLUSIVE", error))
        return false;
    if (!schema_migrate(s->db, version, clock_wall_us(), &key_error))
        return *key_error.text != '\0' ? error_set(error, "%s", key_error.text) : refuse(s, error, "cannot be written");
    if (!prepare(s, error))
        return false;
    if (s->migration == MIGRATION_AT_ONCE)
        return run(s, "COMMIT", error);
    s->migration = MIGRATION_HELD;
    return true;
}

/* Before anything is written to the file. */
static bool check_version(struct store_sqlite *s, int64_t *version, struct error *error)
{
    if (!read_version(s, version, error))
        return false;
    if (*version < 0 || *version > SCHEMA_VERSION)
        return error_set(error,
                         "state file %s has version %lld, this portico reads version %d: run the portico that wrote it,"
                         " or use another state_dir",
                         s->file, (long long)*version, SCHEMA_VERSION);
    return true;
}

/* A damaged page is found now, not in the middle of a decision. */
static bool check_pages(struct store_sqlite *s, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    bool sound = false;
    if (sqlite3_prepare_v2(s->db, "PRAGMA integrity_check(1)", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        const char *answer = (const char *)sqlite3_column_text(statement, 0);
        sound = answer != NULL && strcmp(answer, "ok") == 0;
        if (!sound)
            error_set(error, "state file %s is damaged: %s", s->file, answer != NULL ? answer : "no answer");
    } else {
        refuse(s, error, "cannot be read");
    }
    sqlite3_finalize(statement);
    return sound;
}

static bool open_file(struct store_sqlite *s, const char *state_dir, struct error *error)
{
    s->file = mem_printf("%s/%s", state_dir, STORE_SQLITE_FILE);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(s->file, &s->db, flags, NULL) != SQLITE_OK)
        return refuse(s, error, "cannot be opened");
    if (sqlite3_db_readonly(s->db, NULL) != 0)
        return error_set(error, "state file %s cannot be written", s->file);
    int64_t version = 0;
    if (!check_version(s, &version, error) || !check_pages(s, error))
        return false;
    if (chmod(s->file, 0600) != 0)
        return error_set_errno(error, "cannot set the mode of state file %s", s->file);
    return run(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", error) &&
           (version == SCHEMA_VERSION ? prepare(s, error) : migrate(s, version, error));
}

static bool read_text(sqlite3_stmt *row, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    size_t len = text != NULL ? strlen(text) : 0;
    if (len == 0 || len >= size || len != (size_t)sqlite3_column_bytes(row, column))
        return false;
    memcpy(out, text, len + 1);
    return true;
}

static bool read_record(sqlite3_stmt *row, struct store_record *out)
{
    if (!read_text(row, 0, out->service, sizeof out->service))
        return false;
    int64_t *const fields[] = { &out->desired,        &out->min,        &out->max,
                                &out->config_desired, &out->config_min, &out->config_max,
                                &out->updated_wall_us };
    for (int i = 0; i < 7; i++) {
        *fields[i] = sqlite3_column_int64(row, i + 1);
        if (*fields[i] < 0 && fields[i] != &out->updated_wall_us) /* a clock may have stood before 1970 */
            return false;
    }
    return true;
}

static bool refuse_foreign(const struct store_sqlite *s, struct error *error)
{
    return error_set(error, "state file %s holds a record that portico did not write", s->file);
}

/* take_row says whether the row is one that portico writes. */
static bool read_rows(struct store_sqlite *s, const char *sql, bool (*take_row)(sqlite3_stmt *row, void *reader),
                      void *reader, struct error *error)
{
    sqlite3_stmt *row = NULL;
    int step = SQLITE_ERROR;
    bool sound = true;
    turn_lock_take(&s->turn);
    if (sqlite3_prepare_v2(s->db, sql, -1, &row, NULL) == SQLITE_OK)
        while (sound && (step = sqlite3_step(row)) == SQLITE_ROW)
            sound = take_row(row, reader);
    if (!sound)
        refuse_foreign(s, error);
    else if (step != SQLITE_DONE)
        sound = refuse(s, error, "cannot be read");
    sqlite3_finalize(row);
    turn_lock_give_back(&s->turn);
    return sound;
}

struct record_reader {
    store_record_cb each;
    void *owner;
};

static bool take_record(sqlite3_stmt *row, void *reader)
{
    const struct record_reader *r = reader;
    struct store_record record = { 0 };
    if (!read_record(row, &record))
        return false;
    r->each(r->owner, &record);
    return true;
}

static bool sqlite_load(struct store *store, store_record_cb each, void *owner, struct error *error)
{
    struct record_reader reader = { each, owner };
    return read_rows((struct store_sqlite *)store,
                     "SELECT service, desired, min, max, config_desired, config_min, config_max, updated"
                     " FROM services ORDER BY service",
                     take_record, &reader, error);
}

struct image_reader {
    store_image_cb each;
    void *owner;
};

static bool take_image(sqlite3_stmt *row, void *reader)
{
    const struct image_reader *r = reader;
    struct store_image image;
    if (!read_text(row, 0, image.service, sizeof image.service) ||
        !read_text(row, 1, image.definition, sizeof image.definition) ||
        !revision_read_image_id((const char *)sqlite3_column_text(row, 2), image.image_id))
        return false;
    r->each(r->owner, &image);
    return true;
}

static bool sqlite_load_images(struct store *store, store_image_cb each, void *owner, struct error *error)
{
    struct image_reader reader = { each, owner };
    return read_rows((struct store_sqlite *)store, "SELECT service, definition, image FROM images ORDER BY service",
                     take_image, &reader, error);
}

struct drain_reader {
    store_drain_cb each;
    void *owner;
};

static bool take_drain(sqlite3_stmt *row, void *reader)
{
    const struct drain_reader *r = reader;
    struct store_drain drain = { .ordered_wall_us = sqlite3_column_int64(row, 2) };
    if (!read_text(row, 0, drain.task_id, sizeof drain.task_id) ||
        !read_text(row, 1, drain.provider, sizeof drain.provider))
        return false;
    r->each(r->owner, &drain);
    return true;
}

static bool sqlite_load_drains(struct store *store, store_drain_cb each, void *owner, struct error *error)
{
    struct drain_reader reader = { each, owner };
    return read_rows((struct store_sqlite *)store, "SELECT task, provider, ordered FROM drains ORDER BY task",
                     take_drain, &reader, error);
}

static const char *sqlite_find_problem(struct store *store)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    return state_folder_check(&s->folder, &s->problem) ? NULL : s->problem.text;
}

static bool refuse_held(const struct store_sqlite *s, struct error *error)
{
    return error_set(error, "state file %s: the upgrade is not final yet, try again in a moment", s->file);
}

/* Ends the turn in which the statement was bound. One statement is one transaction: it is on disk when step says DONE,
 * and of use when the next start finds it there. */
static bool finish(struct store_sqlite *s, sqlite3_stmt *statement, bool is_bound, struct error *error)
{
    bool is_held = s->migration == MIGRATION_HELD;
    bool done = is_bound && !is_held && sqlite3_step(statement) == SQLITE_DONE;
    if (is_held)
        refuse_held(s, error);
    else if (!done)
        refuse(s, error, "cannot be written");
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    turn_lock_give_back(&s->turn);
    return done && state_folder_check(&s->folder, error);
}

static bool take_ownership(sqlite3_stmt *row, void *reader)
{
    struct ownership *out = reader;
    const void *key = sqlite3_column_blob(row, 0);
    if (key == NULL || sqlite3_column_bytes(row, 0) != OWNERSHIP_KEY_BYTES || out->claims_hold_before_wall_us >= 0)
        return false;
    memcpy(out->key, key, OWNERSHIP_KEY_BYTES);
    out->claims_hold_before_wall_us = sqlite3_column_int64(row, 1);
    return out->claims_hold_before_wall_us >= 0;
}

static bool sqlite_load_ownership(struct store *store, struct ownership *out, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    *out = (struct ownership){ .claims_hold_before_wall_us = -1 };
    if (!read_rows(s, "SELECT key, claims_hold_before FROM ownership", take_ownership, out, error))
        return false;
    return out->claims_hold_before_wall_us >= 0 || error_set(error, "state file %s has lost its key", s->file);
}

static bool sqlite_load_resources(struct store *store, store_resource_cb each, void *owner, int64_t *newest_version,
                                  struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    bool is_foreign;
    turn_lock_take(&s->turn);
    bool done = resource_table_load(&s->resources, each, owner, newest_version, &is_foreign) ||
                (is_foreign ? refuse_foreign(s, error) : refuse(s, error, "cannot be read"));
    turn_lock_give_back(&s->turn);
    return done;
}

static bool sqlite_load_history(struct store *store, const char *kind, const char *name, store_resource_cb each,
                                void *owner, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    turn_lock_take(&s->turn);
    bool done =
        resource_table_load_history(&s->resources, kind, name, each, owner) || refuse(s, error, "cannot be read");
    turn_lock_give_back(&s->turn);
    return done;
}

static void ignore_record(void *owner, const struct store_record *record)
{
    (void)owner;
    (void)record;
}

static void ignore_image(void *owner, const struct store_image *image)
{
    (void)owner;
    (void)image;
}

static void ignore_drain(void *owner, const struct store_drain *drain)
{
    (void)owner;
    (void)drain;
}

static void ignore_resource(void *owner, const struct store_resource *resource)
{
    (void)owner;
    (void)resource;
}

/* Like a damaged page: found now. Without it a controller would come up that may not act on what it cannot read. */
static bool check_rows(struct store_sqlite *s, struct error *error)
{
    struct ownership ownership;
    int64_t newest_version;
    return sqlite_load_resources(&s->base, ignore_resource, NULL, &newest_version, error) &&
           sqlite_load(&s->base, ignore_record, NULL, error) &&
           sqlite_load_images(&s->base, ignore_image, NULL, error) &&
           sqlite_load_drains(&s->base, ignore_drain, NULL, error) &&
           sqlite_load_ownership(&s->base, &ownership, error);
}

static struct store *open_store(const char *state_dir, bool holds, struct error *error)
{
    struct store_sqlite *s = mem_alloc(sizeof *s);
    s->base.ops = &store_ops_sqlite;
    s->migration = holds ? MIGRATION_HOLDS : MIGRATION_AT_ONCE;
    turn_lock_init(&s->turn);
    s->is_sound = state_folder_open(&s->folder, state_dir, error) && open_file(s, state_dir, error) &&
                  check_rows(s, error) && state_folder_watch(&s->folder, STORE_SQLITE_FILE, error) &&
                  state_folder_watch(&s->folder, STORE_SQLITE_FILE "-wal", error) &&
                  state_folder_sync(&s->folder, error);
    if (s->is_sound)
        return &s->base;
    sqlite_close(&s->base);
    return NULL;
}

static struct store *sqlite_open(const char *state_dir, struct error *error)
{
    return open_store(state_dir, false, error);
}

struct store *store_sqlite_open_held(const char *state_dir, struct error *error)
{
    return open_store(state_dir, true, error);
}

bool store_sqlite_is_held(const struct store *store)
{
    return ((const struct store_sqlite *)store)->migration == MIGRATION_HELD;
}

bool store_sqlite_settle(struct store *store, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    turn_lock_take(&s->turn);
    bool done = s->migration != MIGRATION_HELD || run(s, "COMMIT", error);
    if (done)
        s->migration = MIGRATION_AT_ONCE;
    turn_lock_give_back(&s->turn);
    return done;
}

static bool sqlite_put(struct store *store, const struct store_record *r, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    if (r->service[0] == '\0')
        return error_set(error, "a record needs a service");
    const int64_t values[] = { r->desired,        r->min, r->max, r->config_desired, r->config_min, r->config_max,
                               r->updated_wall_us };
    turn_lock_take(&s->turn);
    bool bound = sqlite3_bind_text(s->put, 1, r->service, -1, SQLITE_TRANSIENT) == SQLITE_OK;
    for (int i = 0; i < 7; i++)
        bound = bound && sqlite3_bind_int64(s->put, i + 2, values[i]) == SQLITE_OK;
    return finish(s, s->put, bound, error);
}

static bool remove_by_key(struct store_sqlite *s, sqlite3_stmt *statement, const char *key, struct error *error)
{
    turn_lock_take(&s->turn);
    bool bound = sqlite3_bind_text(statement, 1, key, -1, SQLITE_TRANSIENT) == SQLITE_OK;
    return finish(s, statement, bound, error);
}

static bool sqlite_put_image(struct store *store, const struct store_image *image, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    if (image->service[0] == '\0' || image->definition[0] == '\0' || image->image_id[0] == '\0')
        return error_set(error, "an image needs a service, its definition and an id");
    turn_lock_take(&s->turn);
    bool bound = sqlite3_bind_text(s->put_image, 1, image->service, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
                 sqlite3_bind_text(s->put_image, 2, image->definition, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
                 sqlite3_bind_text(s->put_image, 3, image->image_id, -1, SQLITE_TRANSIENT) == SQLITE_OK;
    return finish(s, s->put_image, bound, error);
}

/* Killed in between, what is left is of a service that is in no configuration: the next start removes it. */
static bool sqlite_remove(struct store *store, const char *service, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    return remove_by_key(s, s->remove, service, error) && remove_by_key(s, s->remove_image, service, error);
}

static bool sqlite_put_drain(struct store *store, const struct store_drain *d, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    if (d->task_id[0] == '\0' || d->provider[0] == '\0')
        return error_set(error, "a drain needs a task and its provider");
    turn_lock_take(&s->turn);
    bool bound = sqlite3_bind_text(s->put_drain, 1, d->task_id, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
                 sqlite3_bind_text(s->put_drain, 2, d->provider, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
                 sqlite3_bind_int64(s->put_drain, 3, d->ordered_wall_us) == SQLITE_OK;
    return finish(s, s->put_drain, bound, error);
}

static bool sqlite_remove_drain(struct store *store, const char *task_id, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    return remove_by_key(s, s->remove_drain, task_id, error);
}

/* On the writer's thread. True: each change of the batch that is not stale is in the open transaction. */
static bool write_batch(struct store_sqlite *s, struct store_change *const *changes, size_t count, struct error *error)
{
    static const struct error stale = { "it was changed meanwhile" };
    if (s->migration == MIGRATION_HELD)
        return refuse_held(s, error);
    if (!run(s, "BEGIN IMMEDIATE", error))
        return false;
    for (size_t i = 0; i < count; i++) {
        enum store_change_outcome outcome = resource_table_apply(&s->resources, changes[i]);
        if (outcome == STORE_CHANGE_STALE)
            store_change_settle(changes[i], outcome, &stale);
        else if (outcome != STORE_CHANGE_DURABLE)
            return refuse(s, error, "cannot be written");
    }
    return true;
}

/* One transaction for all of them: a change that is out of date is left out, and what the disk refuses it refuses to
 * all. Of use when the next start finds it. */
static void apply_batch(void *owner, struct store_change *const *changes, size_t count)
{
    struct store_sqlite *s = owner;
    struct error error = { "" };
    turn_lock_take(&s->turn);
    bool done = write_batch(s, changes, count, &error) && run(s, "COMMIT", &error);
    if (!done && s->migration != MIGRATION_HELD && sqlite3_get_autocommit(s->db) == 0)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    turn_lock_give_back(&s->turn);
    done = done && state_folder_check(&s->folder, &error);
    for (size_t i = 0; i < count; i++)
        if (!done || changes[i]->outcome == STORE_CHANGE_WAITS)
            store_change_settle(changes[i], done ? STORE_CHANGE_DURABLE : STORE_CHANGE_REFUSED, &error);
}

static void sqlite_answer_on(struct store *store, struct loop *loop)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    s->writer = write_thread_new(loop, apply_batch, s);
}

static void sqlite_submit(struct store *store, struct store_change *change)
{
    write_thread_post(((struct store_sqlite *)store)->writer, change);
}

const struct store_ops store_ops_sqlite = {
    .name = "sqlite",
    .summary = "one SQLite file in state_dir; a change is on disk before it is answered",
    .survives_reopen = true,
    .open = sqlite_open,
    .load = sqlite_load,
    .put = sqlite_put,
    .load_images = sqlite_load_images,
    .put_image = sqlite_put_image,
    .remove = sqlite_remove,
    .load_drains = sqlite_load_drains,
    .put_drain = sqlite_put_drain,
    .remove_drain = sqlite_remove_drain,
    .load_resources = sqlite_load_resources,
    .load_history = sqlite_load_history,
    .answer_on = sqlite_answer_on,
    .submit = sqlite_submit,
    .load_ownership = sqlite_load_ownership,
    .find_problem = sqlite_find_problem,
    .close = sqlite_close,
};
