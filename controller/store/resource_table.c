#include "controller/store/resource_table.h"

#include <string.h>

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

bool resource_table_init(struct resource_table *table, sqlite3 *db)
{
    *table = (struct resource_table){ .db = db };
    struct {
        sqlite3_stmt **out;
        const char *text;
    } const statements[] = {
        { &table->insert, "INSERT INTO resources (kind, name, version, body, request_key, who, at)"
                          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING" },
        { &table->update, "UPDATE resources SET version = ?3, body = ?4, request_key = ?5, who = ?6, at = ?7"
                          " WHERE kind = ?1 AND name = ?2 AND version = ?8" },
        { &table->remove, "DELETE FROM resources WHERE kind = ?1 AND name = ?2 AND version = ?3" },
        { &table->note, "INSERT INTO resource_history (kind, name, version, body, who, at)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)" },
        { &table->trim_name,
          "DELETE FROM resource_history WHERE kind = ?1 AND name = ?2 AND version <="
          " (SELECT version FROM resource_history WHERE kind = ?1 AND name = ?2 ORDER BY version DESC LIMIT 1"
          " OFFSET " TEXT_OF(STORE_HISTORY_OF_ONE_MAX) ")" },
        { &table->trim_all, "DELETE FROM resource_history WHERE serial <="
                            " (SELECT max(serial) FROM resource_history) - " TEXT_OF(STORE_HISTORY_MAX) },
    };
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (sqlite3_prepare_v2(db, statements[i].text, -1, statements[i].out, NULL) != SQLITE_OK)
            return false;
    return true;
}

void resource_table_fini(struct resource_table *table)
{
    sqlite3_finalize(table->insert);
    sqlite3_finalize(table->update);
    sqlite3_finalize(table->remove);
    sqlite3_finalize(table->note);
    sqlite3_finalize(table->trim_name);
    sqlite3_finalize(table->trim_all);
}

static bool bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC) == SQLITE_OK; /* null binds NULL */
}

/* The change outlives the call, so that nothing is copied. */
static bool run(sqlite3_stmt *statement)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    done = sqlite3_reset(statement) == SQLITE_OK && done;
    sqlite3_clear_bindings(statement);
    return done;
}

static bool write_row(struct resource_table *table, const struct store_change *change,
                      const struct store_change_row *row)
{
    bool is_new = row->expected_version == 0;
    sqlite3_stmt *statement = row->body == NULL ? table->remove : is_new ? table->insert : table->update;
    bool bound = bind_text(statement, 1, row->kind) && bind_text(statement, 2, row->name);
    if (row->body == NULL)
        return bound && sqlite3_bind_int64(statement, 3, row->expected_version) == SQLITE_OK && run(statement);
    bound = bound && sqlite3_bind_int64(statement, 3, row->version) == SQLITE_OK &&
            bind_text(statement, 4, row->body) && bind_text(statement, 5, row->request_key) &&
            bind_text(statement, 6, change->who) && sqlite3_bind_int64(statement, 7, change->at_wall_us) == SQLITE_OK &&
            (is_new || sqlite3_bind_int64(statement, 8, row->expected_version) == SQLITE_OK);
    return bound && run(statement);
}

static bool note_row(struct resource_table *table, const struct store_change *change,
                     const struct store_change_row *row)
{
    return bind_text(table->note, 1, row->kind) && bind_text(table->note, 2, row->name) &&
           sqlite3_bind_int64(table->note, 3, row->version) == SQLITE_OK && bind_text(table->note, 4, row->body) &&
           bind_text(table->note, 5, change->who) &&
           sqlite3_bind_int64(table->note, 6, change->at_wall_us) == SQLITE_OK && run(table->note) &&
           bind_text(table->trim_name, 1, row->kind) && bind_text(table->trim_name, 2, row->name) &&
           run(table->trim_name);
}

static enum store_change_outcome apply_rows(struct resource_table *table, const struct store_change *change)
{
    for (size_t i = 0; i < change->row_count; i++) {
        if (!write_row(table, change, &change->rows[i]))
            return STORE_CHANGE_REFUSED;
        if (sqlite3_changes(table->db) != 1)
            return STORE_CHANGE_STALE;
        if (!note_row(table, change, &change->rows[i]))
            return STORE_CHANGE_REFUSED;
    }
    return run(table->trim_all) ? STORE_CHANGE_DURABLE : STORE_CHANGE_REFUSED;
}

/* A full disk may have ended the whole transaction: then there is no savepoint to go back to, and nothing was changed. */
enum store_change_outcome resource_table_apply(struct resource_table *table, const struct store_change *change)
{
    if (sqlite3_exec(table->db, "SAVEPOINT change", NULL, NULL, NULL) != SQLITE_OK)
        return STORE_CHANGE_REFUSED;
    enum store_change_outcome outcome = apply_rows(table, change);
    if (outcome == STORE_CHANGE_DURABLE)
        return sqlite3_exec(table->db, "RELEASE change", NULL, NULL, NULL) == SQLITE_OK ? outcome
                                                                                        : STORE_CHANGE_REFUSED;
    if (outcome == STORE_CHANGE_STALE &&
        sqlite3_exec(table->db, "ROLLBACK TO change; RELEASE change", NULL, NULL, NULL) != SQLITE_OK)
        return STORE_CHANGE_REFUSED; /* half of it is still in the transaction */
    return outcome; /* refused: the caller rolls the batch back, with SQLite's words still there to be told */
}

static bool is_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text != NULL && *text != '\0' && strlen(text) == (size_t)sqlite3_column_bytes(row, column);
}

static const char *text_of(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

static bool load_row(sqlite3_stmt *row, store_resource_cb each, void *owner)
{
    if (!is_text(row, 0) || !is_text(row, 1) || sqlite3_column_int64(row, 2) <= 0 || !is_text(row, 5) ||
        (sqlite3_column_type(row, 4) != SQLITE_NULL && !is_text(row, 4)) ||
        (sqlite3_column_type(row, 3) != SQLITE_NULL && !is_text(row, 3)))
        return false;
    each(owner, &(struct store_resource){ .kind = text_of(row, 0),
                                          .name = text_of(row, 1),
                                          .version = sqlite3_column_int64(row, 2),
                                          .body = text_of(row, 3),
                                          .request_key = text_of(row, 4),
                                          .who = text_of(row, 5),
                                          .at_wall_us = sqlite3_column_int64(row, 6) });
    return true;
}

static bool load_rows(sqlite3_stmt *rows, store_resource_cb each, void *owner, bool *is_foreign)
{
    int step;
    *is_foreign = false;
    while (!*is_foreign && (step = sqlite3_step(rows)) == SQLITE_ROW)
        *is_foreign = !load_row(rows, each, owner);
    return !*is_foreign && step == SQLITE_DONE;
}

static bool read_newest_version(sqlite3 *db, int64_t *out)
{
    sqlite3_stmt *row = NULL;
    bool done = sqlite3_prepare_v2(db,
                                   "SELECT max(version) FROM (SELECT max(version) AS version FROM resource_history"
                                   " UNION ALL SELECT max(version) FROM resources)",
                                   -1, &row, NULL) == SQLITE_OK &&
                sqlite3_step(row) == SQLITE_ROW;
    *out = done ? sqlite3_column_int64(row, 0) : 0; /* NULL reads as 0 */
    sqlite3_finalize(row);
    return done;
}

bool resource_table_load(struct resource_table *table, store_resource_cb each, void *owner, int64_t *newest_version,
                         bool *is_foreign)
{
    sqlite3_stmt *rows = NULL;
    *is_foreign = false;
    bool done = read_newest_version(table->db, newest_version) &&
                sqlite3_prepare_v2(table->db,
                                   "SELECT kind, name, version, body, request_key, who, at FROM resources"
                                   " ORDER BY kind, name",
                                   -1, &rows, NULL) == SQLITE_OK &&
                load_rows(rows, each, owner, is_foreign);
    sqlite3_finalize(rows);
    return done;
}

bool resource_table_load_history(struct resource_table *table, const char *kind, const char *name,
                                 store_resource_cb each, void *owner)
{
    sqlite3_stmt *rows = NULL;
    bool is_foreign = false;
    bool done = sqlite3_prepare_v2(table->db,
                                   "SELECT kind, name, version, body, NULL, who, at FROM resource_history"
                                   " WHERE kind = ?1 AND name = ?2 ORDER BY version DESC",
                                   -1, &rows, NULL) == SQLITE_OK &&
                bind_text(rows, 1, kind) && bind_text(rows, 2, name) && load_rows(rows, each, owner, &is_foreign);
    sqlite3_finalize(rows);
    return done;
}
