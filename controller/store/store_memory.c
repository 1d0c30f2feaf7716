/* store_memory: nothing survives its close. For tests and the simulator. */
#include "controller/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct store_memory {
    struct store base;            /* first */
    struct store_record *records; /* owned */
    size_t count;
};

static struct store *memory_open(const char *state_dir, struct error *error)
{
    (void)state_dir;
    (void)error;
    struct store_memory *m = mem_alloc(sizeof *m);
    m->base.ops = &store_ops_memory;
    return &m->base;
}

static bool memory_load(struct store *store, store_record_cb each, void *owner, struct error *error)
{
    (void)error;
    struct store_memory *m = (struct store_memory *)store;
    for (size_t i = 0; i < m->count; i++)
        each(owner, &m->records[i]);
    return true;
}

static struct store_record *find(const struct store_memory *m, const char *service)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->records[i].service, service) == 0)
            return &m->records[i];
    return NULL;
}

static bool memory_put(struct store *store, const struct store_record *record, struct error *error)
{
    struct store_memory *m = (struct store_memory *)store;
    if (record->service[0] == '\0')
        return error_set(error, "a record needs a service");
    struct store_record *old = find(m, record->service);
    if (old == NULL) {
        m->records = mem_grow_array(m->records, m->count + 1, sizeof *m->records);
        old = &m->records[m->count++];
    }
    *old = *record;
    return true;
}

static bool memory_remove(struct store *store, const char *service, struct error *error)
{
    (void)error;
    struct store_memory *m = (struct store_memory *)store;
    struct store_record *old = find(m, service);
    if (old != NULL)
        *old = m->records[--m->count];
    return true;
}

static void memory_close(struct store *store)
{
    struct store_memory *m = (struct store_memory *)store;
    free(m->records);
    free(m);
}

const struct store_ops store_ops_memory = {
    .name = "memory",
    .summary = "forgets everything at exit; for tests",
    .open = memory_open,
    .load = memory_load,
    .put = memory_put,
    .remove = memory_remove,
    .close = memory_close,
};
