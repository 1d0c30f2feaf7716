/* schema: the tables of the state file, version by version, and how a file comes from one to the next. Whoever has the
 * connection calls. */
#ifndef CONTROLLER_STORE_SCHEMA_H
#define CONTROLLER_STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SCHEMA_VERSION 5 /* PRAGMA user_version; an older file is migrated, a newer one refused */

/* From that version (0: an empty file) to SCHEMA_VERSION, inside a transaction of the caller's, who rolls back when it is
 * false: SQLite has the words then, unless error has. */
bool schema_migrate(sqlite3 *db, int64_t version, int64_t now_wall_us, struct error *error);

#endif
