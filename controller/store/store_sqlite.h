/* store_sqlite: the embedded durable store: one SQLite file in the state directory, WAL, synchronous=FULL
 * (https://www.sqlite.org/pragma.html#pragma_synchronous), so a commit is on disk before put() returns. A lock on the
 * directory refuses a second controller. Files that were removed or replaced under us hold nothing that the next start
 * would read: from then on every write is refused. Opened through store_ops_sqlite (controller/store/store.h). Control thread
 * only. */
#ifndef CONTROLLER_STORE_STORE_SQLITE_H
#define CONTROLLER_STORE_STORE_SQLITE_H

#define STORE_SQLITE_FILE "portico.db"
#define STORE_SQLITE_VERSION 4 /* PRAGMA user_version; an older file is migrated, a newer one refused */

#endif
