#include "controller/store/schema.h"

#include <string.h>
#include <sys/random.h>

#include "controller/store/resource_table.h"
#include "discovery/docker/ownership.h"

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
    RESOURCE_TABLE_SCHEMA " PRAGMA user_version = 5;",
};
#define VERSION_OF_OWNERSHIP 3
_Static_assert(sizeof migrations / sizeof migrations[0] == SCHEMA_VERSION, "one for each version");

/* claims_hold_before: see struct ownership. */
static bool make_ownership(sqlite3 *db, int64_t claims_hold_before, struct error *error)
{
    unsigned char key[OWNERSHIP_KEY_BYTES];
    sqlite3_stmt *statement = NULL;
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
        return error_set_errno(error, "no random bytes for a key");
    bool done = sqlite3_prepare_v2(db, "INSERT INTO ownership VALUES (?1, ?2)", -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_bind_blob(statement, 1, key, sizeof key, SQLITE_TRANSIENT) == SQLITE_OK &&
                sqlite3_bind_int64(statement, 2, claims_hold_before) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    explicit_bzero(key, sizeof key);
    return done;
}

bool schema_migrate(sqlite3 *db, int64_t version, int64_t now_wall_us, struct error *error)
{
    int64_t claims_hold_before = version == 0 || now_wall_us < 0 ? 0 : now_wall_us;
    for (; version < SCHEMA_VERSION; version++)
        if (sqlite3_exec(db, migrations[version], NULL, NULL, NULL) != SQLITE_OK ||
            (version + 1 == VERSION_OF_OWNERSHIP && !make_ownership(db, claims_hold_before, error)))
            return false;
    return true;
}
