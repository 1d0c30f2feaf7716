/* store_change: one change to the resources that a store keeps: some rows, all of them or none. Made and freed on the
 * control thread; the store has it from submit() until `done` is called. */
#ifndef CONTROLLER_STORE_STORE_CHANGE_H
#define CONTROLLER_STORE_STORE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mailbox.h"

#define STORE_CHANGE_ROWS_MAX 4

/* What becomes of one resource. */
struct store_change_row {
    char *kind, *name;        /* owned */
    int64_t expected_version; /* the one that it must have now; 0: there must be none */
    int64_t version;          /* the one that it gets; greater than every one before */
    char *body;               /* owned; null: it is removed */
    char *request_key;        /* owned; may be null */
};

enum store_change_outcome {
    STORE_CHANGE_WAITS = 0,
    STORE_CHANGE_DURABLE,
    STORE_CHANGE_STALE,   /* a row had not the version that was expected: nothing was changed */
    STORE_CHANGE_REFUSED, /* the disk, say: nothing was changed */
    STORE_CHANGE_OUTCOME_COUNT
};

struct store_change {
    struct mail mail;          /* first */
    struct store_change *next; /* (ref) while it waits for the store */
    void (*done)(struct store_change *change);
    void *owner; /* borrowed; of done */
    char *who;   /* owned */
    int64_t at_wall_us;
    struct store_change_row rows[STORE_CHANGE_ROWS_MAX];
    size_t row_count;
    enum store_change_outcome outcome;
    struct error error; /* when it is not durable */
};

const char *store_change_outcome_to_str(enum store_change_outcome outcome);

/* who: for the history; copied. done has the change back, on the loop that the store answers on, never inside submit().
 */
struct store_change *store_change_new(const char *who, int64_t at_wall_us, void (*done)(struct store_change *change),
                                      void *owner);
void store_change_free(struct store_change *change);

/* Both copy what they are given. STORE_CHANGE_ROWS_MAX at most. */
void store_change_put(struct store_change *change, const char *kind, const char *name, int64_t expected_version,
                      int64_t version, const char *body, const char *request_key);
void store_change_remove(struct store_change *change, const char *kind, const char *name, int64_t expected_version,
                         int64_t version);

/* By the store, once. Always false unless the change is durable, so that it can end a function. */
bool store_change_settle(struct store_change *change, enum store_change_outcome outcome, const struct error *error);

#endif
