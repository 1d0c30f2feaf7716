/* store_memory: nothing survives its close. For tests and the simulator. */
#include "controller/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct store_memory {
    struct store base;            /* first */
    struct store_record *records; /* owned */
    size_t count;
    struct store_image *images; /* owned */
    size_t image_count;
    struct store_drain *drains; /* owned */
    size_t drain_count, drain_size;
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

static bool memory_load_images(struct store *store, store_image_cb each, void *owner, struct error *error)
{
    (void)error;
    struct store_memory *m = (struct store_memory *)store;
    for (size_t i = 0; i < m->image_count; i++)
        each(owner, &m->images[i]);
    return true;
}

static struct store_image *find_image(const struct store_memory *m, const char *service)
{
    for (size_t i = 0; i < m->image_count; i++)
        if (strcmp(m->images[i].service, service) == 0)
            return &m->images[i];
    return NULL;
}

static bool memory_put_image(struct store *store, const struct store_image *image, struct error *error)
{
    struct store_memory *m = (struct store_memory *)store;
    if (image->service[0] == '\0' || image->definition[0] == '\0' || image->image_id[0] == '\0')
        return error_set(error, "an image needs a service, its definition and an id");
    struct store_image *old = find_image(m, image->service);
    if (old == NULL) {
        m->images = mem_grow_array(m->images, m->image_count + 1, sizeof *m->images);
        old = &m->images[m->image_count++];
    }
    *old = *image;
    return true;
}

static bool memory_remove(struct store *store, const char *service, struct error *error)
{
    (void)error;
    struct store_memory *m = (struct store_memory *)store;
    struct store_record *old = find(m, service);
    struct store_image *image = find_image(m, service);
    if (old != NULL)
        *old = m->records[--m->count];
    if (image != NULL)
        *image = m->images[--m->image_count];
    return true;
}

static bool memory_load_drains(struct store *store, store_drain_cb each, void *owner, struct error *error)
{
    (void)error;
    struct store_memory *m = (struct store_memory *)store;
    for (size_t i = 0; i < m->drain_count; i++)
        each(owner, &m->drains[i]);
    return true;
}

static struct store_drain *find_drain(const struct store_memory *m, const char *task_id)
{
    for (size_t i = 0; i < m->drain_count; i++)
        if (strcmp(m->drains[i].task_id, task_id) == 0)
            return &m->drains[i];
    return NULL;
}

static bool memory_put_drain(struct store *store, const struct store_drain *drain, struct error *error)
{
    struct store_memory *m = (struct store_memory *)store;
    if (drain->task_id[0] == '\0' || drain->provider[0] == '\0')
        return error_set(error, "a drain needs a task and its provider");
    struct store_drain *old = find_drain(m, drain->task_id);
    if (old == NULL && m->drain_count == m->drain_size) { /* there are thousands where there is one service */
        m->drain_size = m->drain_size > 0 ? m->drain_size * 2 : 16;
        m->drains = mem_grow_array(m->drains, m->drain_size, sizeof *m->drains);
    }
    if (old == NULL)
        old = &m->drains[m->drain_count++];
    *old = *drain;
    return true;
}

static bool memory_remove_drain(struct store *store, const char *task_id, struct error *error)
{
    (void)error;
    struct store_memory *m = (struct store_memory *)store;
    struct store_drain *old = find_drain(m, task_id);
    if (old != NULL)
        *old = m->drains[--m->drain_count];
    return true;
}

static bool memory_load_ownership(struct store *store, struct ownership *out, struct error *error)
{
    (void)store;
    (void)error;
    *out = (struct ownership){ .key = "no longer lived than the rest" };
    return true;
}

static const char *memory_find_problem(struct store *store)
{
    (void)store;
    return NULL;
}

static void memory_close(struct store *store)
{
    struct store_memory *m = (struct store_memory *)store;
    free(m->drains);
    free(m->images);
    free(m->records);
    free(m);
}

const struct store_ops store_ops_memory = {
    .name = "memory",
    .summary = "forgets everything at exit; for tests",
    .open = memory_open,
    .load = memory_load,
    .put = memory_put,
    .load_images = memory_load_images,
    .put_image = memory_put_image,
    .remove = memory_remove,
    .load_drains = memory_load_drains,
    .put_drain = memory_put_drain,
    .remove_drain = memory_remove_drain,
    .load_ownership = memory_load_ownership,
    .find_problem = memory_find_problem,
    .close = memory_close,
};
