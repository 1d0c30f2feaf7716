/* resource_table: the resources and their history in an SQLite file that is open. Whoever has the connection calls, one
 * thread at a time. Errors are SQLite's own words; the caller says which file. */
#ifndef CONTROLLER_STORE_RESOURCE_TABLE_H
#define CONTROLLER_STORE_RESOURCE_TABLE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "controller/store/store.h"
#include "controller/store/store_change.h"

/* Makes both tables. A name's history goes with no removal: a removal is its last line. */
#define RESOURCE_TABLE_SCHEMA                                                                                       \
    "CREATE TABLE resources (kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL," \
    " request_key TEXT, who TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (kind, name)) STRICT;"                  \
    "CREATE TABLE resource_history (serial INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"                  \
    " name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT, who TEXT NOT NULL, at INTEGER NOT NULL) STRICT;"     \
    "CREATE INDEX resource_history_by_name ON resource_history (kind, name, version);"

struct resource_table {
    sqlite3 *db; /* borrowed */
    sqlite3_stmt *insert, *update, *remove, *note, *trim_name, *trim_all;
};

/* False: the tables are not there, or not ours. In each case resource_table_fini() follows. */
bool resource_table_init(struct resource_table *table, sqlite3 *db);
void resource_table_fini(struct resource_table *table);

/* All rows of the change, inside a transaction of the caller's, or none of them. */
enum store_change_outcome resource_table_apply(struct resource_table *table, const struct store_change *change);

/* False: a row that portico did not write (is_foreign), or one that cannot be read. */
bool resource_table_load(struct resource_table *table, store_resource_cb each, void *owner, int64_t *newest_version,
                         bool *is_foreign);
bool resource_table_load_history(struct resource_table *table, const char *kind, const char *name,
                                 store_resource_cb each, void *owner);

#endif
