#include "controller/store/store_change.h"

#include <assert.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

static const char *const outcome_names[] = { "waits", "durable", "stale", "refused" };
static_assert(sizeof outcome_names / sizeof *outcome_names == STORE_CHANGE_OUTCOME_COUNT, "a name for each outcome");

const char *store_change_outcome_to_str(enum store_change_outcome outcome)
{
    return (unsigned)outcome < STORE_CHANGE_OUTCOME_COUNT ? outcome_names[outcome] : "?";
}

struct store_change *store_change_new(const char *who, int64_t at_wall_us, void (*done)(struct store_change *change),
                                      void *owner)
{
    struct store_change *change = mem_alloc(sizeof *change);
    change->who = mem_strdup(who);
    change->at_wall_us = at_wall_us;
    change->done = done;
    change->owner = owner;
    return change;
}

void store_change_free(struct store_change *change)
{
    for (size_t i = 0; i < change->row_count; i++) {
        free(change->rows[i].kind);
        free(change->rows[i].name);
        free(change->rows[i].body);
        free(change->rows[i].request_key);
    }
    free(change->who);
    free(change);
}

static struct store_change_row *add_row(struct store_change *change, const char *kind, const char *name,
                                        int64_t expected_version, int64_t version)
{
    check(change->row_count < STORE_CHANGE_ROWS_MAX);
    struct store_change_row *row = &change->rows[change->row_count++];
    row->kind = mem_strdup(kind);
    row->name = mem_strdup(name);
    row->expected_version = expected_version;
    row->version = version;
    return row;
}

void store_change_put(struct store_change *change, const char *kind, const char *name, int64_t expected_version,
                      int64_t version, const char *body, const char *request_key)
{
    struct store_change_row *row = add_row(change, kind, name, expected_version, version);
    row->body = mem_strdup(body);
    row->request_key = request_key != NULL ? mem_strdup(request_key) : NULL;
}

void store_change_remove(struct store_change *change, const char *kind, const char *name, int64_t expected_version,
                         int64_t version)
{
    add_row(change, kind, name, expected_version, version);
}

bool store_change_settle(struct store_change *change, enum store_change_outcome outcome, const struct error *error)
{
    change->outcome = outcome;
    if (outcome != STORE_CHANGE_DURABLE)
        change->error = *error;
    return outcome == STORE_CHANGE_DURABLE;
}
