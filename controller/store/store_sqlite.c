#include "controller/store/store_sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "controller/store/state_folder.h"
#include "controller/store/store.h"
#include "discovery/revision.h"

struct store_sqlite {
    struct store base; /* first */
    struct state_folder folder;
    char *file; /* owned; for messages */
    sqlite3 *db;
    enum { MIGRATION_AT_ONCE = 0, MIGRATION_HOLDS, MIGRATION_HELD } migration; /* held: its transaction is open */
    sqlite3_stmt *put, *remove, *put_image, *remove_image, *put_drain, *remove_drain;
    struct error problem; /* of find_problem */
};

/* migrations[n] makes a file of version n one of version n + 1; a new file is of version 0. Never changed, only added
 * to. */
static const char *const migrations[] = {
    ("CREATE TABLE services (service TEXT PRIMARY KEY NOT NULL, desired INTEGER NOT NULL, min INTEGER NOT NULL,"
     " max INTEGER NOT NULL, config_desired INTEGER NOT NULL, config_min INTEGER NOT NULL, config_max INTEGER NOT NULL,"
     " updated INTEGER NOT NULL) WITHOUT ROWID; PRAGMA user_version = 1;"),
    ("CREATE TABLE drains (task TEXT PRIMARY KEY NOT NULL, provider TEXT NOT NULL, ordered INTEGER NOT NULL)"
     " WITHOUT ROWID; PRAGMA user_version = 2;"),
    "CREATE TABLE ownership (key BLOB NOT NULL, claims_hold_before INTEGER NOT NULL); PRAGMA user_version = 3;",
    ("CREATE TABLE images (service TEXT PRIMARY KEY NOT NULL, definition TEXT NOT NULL, image TEXT NOT NULL)"
     " WITHOUT ROWID; PRAGMA user_version = 4;"),
};
#define VERSION_OF_OWNERSHIP 3
_Static_assert(sizeof migrations / sizeof migrations[0] == STORE_SQLITE_VERSION, "one for each version");

static bool refuse(const struct store_sqlite *s, struct error *error, const char *what)
{
    return error_set(error, "state file %s: %s: %s", s->file, what,
                     s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory");
}

/* SQLite removes its log by name when it closes: under that name there may be another controller's by now. */
static void leave_log_alone(struct store_sqlite *s)
{
    int on = 1;
    sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &on);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static void sqlite_close(struct store *store)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    if (s->db != NULL && !state_folder_check(&s->folder, &s->problem))
        leave_log_alone(s);
    sqlite3_finalize(s->put);
    sqlite3_finalize(s->remove);
    sqlite3_finalize(s->put_image);
    sqlite3_finalize(s->remove_image);
    sqlite3_finalize(s->put_drain);
    sqlite3_finalize(s->remove_drain);
    sqlite3_close(s->db);
    state_folder_close(&s->folder);
    free(s->file);
    free(s);
}

static bool run(struct store_sqlite *s, const char *sql, struct error *error)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return refuse(s, error, "cannot be prepared");
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
    return true;
}

/* claims_hold_before: see struct ownership. */
static bool make_ownership(struct store_sqlite *s, int64_t claims_hold_before, struct error *error)
{
    unsigned char key[OWNERSHIP_KEY_BYTES];
    sqlite3_stmt *statement = NULL;
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
        return error_set_errno(error, "no random bytes for a key");
    bool done = sqlite3_prepare_v2(s->db, "INSERT INTO ownership VALUES (?1, ?2)", -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_bind_blob(statement, 1, key, sizeof key, SQLITE_TRANSIENT) == SQLITE_OK &&
                sqlite3_bind_int64(statement, 2, claims_hold_before) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_DONE;
    if (!done)
        refuse(s, error, "cannot be written");
    sqlite3_finalize(statement);
    explicit_bzero(key, sizeof key);
    return done;
}

/* One transaction, with the check that the result is ours: killed or refused in between, the file is as it was. */
static bool migrate(struct store_sqlite *s, int64_t version, struct error *error)
{
    int64_t now_us = clock_wall_us(), claims_hold_before = version == 0 || now_us < 0 ? 0 : now_us;
    if (!run(s, "BEGIN EXCLUSIVE", error))
        return false;
    for (; version < STORE_SQLITE_VERSION; version++)
        if (!run(s, migrations[version], error) ||
            (version + 1 == VERSION_OF_OWNERSHIP && !make_ownership(s, claims_hold_before, error)))
            return false;
    if (!prepare(s, error))
        return false;
    if (s->migration == MIGRATION_AT_ONCE)
        return run(s, "COMMIT", error);
    s->migration = MIGRATION_HELD;
    return true;
}

static bool take_tables(struct store_sqlite *s, struct error *error)
{
    int64_t version = 0;
    if (!read_version(s, &version, error))
        return false;
    if (version < 0 || version > STORE_SQLITE_VERSION)
        return error_set(error,
                         "state file %s has version %lld, this portico reads version %d: run the portico that wrote it,"
                         " or use another state_dir",
                         s->file, (long long)version, STORE_SQLITE_VERSION);
    return version == STORE_SQLITE_VERSION ? prepare(s, error) : migrate(s, version, error);
}

/* A damaged page is found now, not in the middle of a decision. */
static bool check_pages(struct store_sqlite *s, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    bool sound = false;
    if (sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &statement, NULL) == SQLITE_OK &&
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
    if (chmod(s->file, 0600) != 0)
        return error_set_errno(error, "cannot set the mode of state file %s", s->file);
    return check_pages(s, error) && run(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", error) &&
           take_tables(s, error);
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

/* take_row says whether the row is one that portico writes. */
static bool read_rows(struct store_sqlite *s, const char *sql, bool (*take_row)(sqlite3_stmt *row, void *reader),
                      void *reader, struct error *error)
{
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &row, NULL) != SQLITE_OK)
        return refuse(s, error, "cannot be read");
    int step;
    bool sound = true;
    while (sound && (step = sqlite3_step(row)) == SQLITE_ROW) {
        sound = take_row(row, reader);
        if (!sound)
            error_set(error, "state file %s holds a record that portico did not write", s->file);
    }
    if (sound && step != SQLITE_DONE)
        sound = refuse(s, error, "cannot be read");
    sqlite3_finalize(row);
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

/* One statement is one transaction: it is on disk when step says DONE, and of use when the next start finds it there. */
static bool finish(struct store_sqlite *s, sqlite3_stmt *statement, const char *what, struct error *error)
{
    bool is_held = s->migration == MIGRATION_HELD, done = !is_held && sqlite3_step(statement) == SQLITE_DONE;
    if (is_held)
        error_set(error, "state file %s: the upgrade is not final yet, try again in a moment", s->file);
    else if (!done)
        refuse(s, error, what);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
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

/* Like a damaged page: found now. Without it a controller would come up that may not act on what it cannot read. */
static bool check_rows(struct store_sqlite *s, struct error *error)
{
    struct ownership ownership;
    return sqlite_load(&s->base, ignore_record, NULL, error) &&
           sqlite_load_images(&s->base, ignore_image, NULL, error) &&
           sqlite_load_drains(&s->base, ignore_drain, NULL, error) &&
           sqlite_load_ownership(&s->base, &ownership, error);
}

static struct store *open_store(const char *state_dir, bool holds, struct error *error)
{
    struct store_sqlite *s = mem_alloc(sizeof *s);
    s->base.ops = &store_ops_sqlite;
    s->migration = holds ? MIGRATION_HOLDS : MIGRATION_AT_ONCE;
    if (state_folder_open(&s->folder, state_dir, error) && open_file(s, state_dir, error) && check_rows(s, error) &&
        state_folder_watch(&s->folder, STORE_SQLITE_FILE, error) &&
        state_folder_watch(&s->folder, STORE_SQLITE_FILE "-wal", error) && state_folder_sync(&s->folder, error))
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
    if (s->migration == MIGRATION_HELD && !run(s, "COMMIT", error))
        return false;
    s->migration = MIGRATION_AT_ONCE;
    return true;
}

static bool sqlite_put(struct store *store, const struct store_record *r, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    if (r->service[0] == '\0')
        return error_set(error, "a record needs a service");
    const int64_t values[] = { r->desired,        r->min, r->max, r->config_desired, r->config_min, r->config_max,
                               r->updated_wall_us };
    bool bound = sqlite3_bind_text(s->put, 1, r->service, -1, SQLITE_TRANSIENT) == SQLITE_OK;
    for (int i = 0; i < 7; i++)
        bound = bound && sqlite3_bind_int64(s->put, i + 2, values[i]) == SQLITE_OK;
    return bound ? finish(s, s->put, "cannot be written", error) : refuse(s, error, "cannot be written");
}

static bool remove_by_key(struct store_sqlite *s, sqlite3_stmt *statement, const char *key, struct error *error)
{
    if (sqlite3_bind_text(statement, 1, key, -1, SQLITE_TRANSIENT) != SQLITE_OK)
        return refuse(s, error, "cannot be written");
    return finish(s, statement, "cannot be written", error);
}

static bool sqlite_put_image(struct store *store, const struct store_image *image, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    if (image->service[0] == '\0' || image->definition[0] == '\0' || image->image_id[0] == '\0')
        return error_set(error, "an image needs a service, its definition and an id");
    bool bound = sqlite3_bind_text(s->put_image, 1, image->service, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
                 sqlite3_bind_text(s->put_image, 2, image->definition, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
                 sqlite3_bind_text(s->put_image, 3, image->image_id, -1, SQLITE_TRANSIENT) == SQLITE_OK;
    return bound ? finish(s, s->put_image, "cannot be written", error) : refuse(s, error, "cannot be written");
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
    bool bound = sqlite3_bind_text(s->put_drain, 1, d->task_id, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
                 sqlite3_bind_text(s->put_drain, 2, d->provider, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
                 sqlite3_bind_int64(s->put_drain, 3, d->ordered_wall_us) == SQLITE_OK;
    return bound ? finish(s, s->put_drain, "cannot be written", error) : refuse(s, error, "cannot be written");
}

static bool sqlite_remove_drain(struct store *store, const char *task_id, struct error *error)
{
    struct store_sqlite *s = (struct store_sqlite *)store;
    return remove_by_key(s, s->remove_drain, task_id, error);
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
    .load_ownership = sqlite_load_ownership,
    .find_problem = sqlite_find_problem,
    .close = sqlite_close,
};
