/* store_sqlite: the embedded durable store: one SQLite file in the state directory, WAL, synchronous=FULL
 * (https://www.sqlite.org/pragma.html#pragma_synchronous), so a commit is on disk before put() returns. A lock on the
 * directory refuses a second controller. Files that were removed or replaced under us hold nothing that the next start
 * would read: from then on every write is refused. Opened through store_ops_sqlite (controller/store/store.h), or below
 * while an upgrade has a way back. Control thread only; resources are written on a thread of the store's own, which takes
 * turns with the calls. */
#ifndef CONTROLLER_STORE_STORE_SQLITE_H
#define CONTROLLER_STORE_STORE_SQLITE_H

#include <stdbool.h>

#include "base/error.h"
#include "controller/store/store.h"

#define STORE_SQLITE_FILE "portico.db"

/* Like store_ops_sqlite.open, but an older file stays what it is on disk: it is migrated in a transaction that is open
 * until store_sqlite_settle(). Until then it is read as migrated, and every write is refused. Closed or killed before,
 * the program that wrote it can go on with it. */
struct store *store_sqlite_open_held(const char *state_dir, struct error *error);
bool store_sqlite_is_held(const struct store *store); /* a migration waits */
/* There is no way back any more. True as well where nothing waits; false: what waited is undone when it is closed. */
bool store_sqlite_settle(struct store *store, struct error *error);

#endif
