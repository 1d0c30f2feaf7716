/* store_memory: nothing survives its close. For tests and the simulator. */
#include "controller/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* One version of a resource; they stand as they were written. */
struct memory_resource {
    struct store_resource is; /* its strings are owned */
    bool is_newest;
};

struct store_memory {
    struct store base;            /* first */
    struct store_record *records; /* owned */
    size_t count;
    struct store_image *images; /* owned */
    size_t image_count;
    struct store_drain *drains; /* owned */
    size_t drain_count, drain_size;
    struct memory_resource *resources; /* owned */
    size_t resource_count;
    int64_t newest_version;
    struct mailbox *answers; /* owned; null: nobody asks for changes */
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

static bool memory_load_resources(struct store *store, store_resource_cb each, void *owner, int64_t *newest_version,
                                  struct error *error)
{
    (void)error;
    struct store_memory *m = (struct store_memory *)store;
    *newest_version = m->newest_version;
    for (size_t i = 0; i < m->resource_count; i++)
        if (m->resources[i].is_newest && m->resources[i].is.body != NULL)
            each(owner, &m->resources[i].is);
    return true;
}

static bool is_of(const struct store_resource *resource, const char *kind, const char *name)
{
    return strcmp(resource->kind, kind) == 0 && strcmp(resource->name, name) == 0;
}

static bool memory_load_history(struct store *store, const char *kind, const char *name, store_resource_cb each,
                                void *owner, struct error *error)
{
    (void)error;
    struct store_memory *m = (struct store_memory *)store;
    size_t told_count = 0;
    for (size_t i = m->resource_count; i-- > 0 && told_count < STORE_HISTORY_OF_ONE_MAX;)
        if (is_of(&m->resources[i].is, kind, name)) {
            struct store_resource then = m->resources[i].is;
            then.request_key = NULL;
            each(owner, &then);
            told_count++;
        }
    return true;
}

static struct memory_resource *find_newest(const struct store_memory *m, const struct store_change_row *row)
{
    for (size_t i = 0; i < m->resource_count; i++)
        if (m->resources[i].is_newest && is_of(&m->resources[i].is, row->kind, row->name))
            return &m->resources[i];
    return NULL;
}

static bool is_current(const struct store_memory *m, const struct store_change *change)
{
    for (size_t i = 0; i < change->row_count; i++) {
        const struct memory_resource *newest = find_newest(m, &change->rows[i]);
        int64_t version = newest != NULL && newest->is.body != NULL ? newest->is.version : 0;
        if (version != change->rows[i].expected_version)
            return false;
    }
    return true;
}

static void write_version(struct store_memory *m, const struct store_change *change, const struct store_change_row *row)
{
    struct memory_resource *before = find_newest(m, row);
    if (before != NULL)
        before->is_newest = false;
    m->resources = mem_grow_array(m->resources, m->resource_count + 1, sizeof *m->resources);
    m->resources[m->resource_count++] =
        (struct memory_resource){ .is = { .kind = mem_strdup(row->kind),
                                          .name = mem_strdup(row->name),
                                          .version = row->version,
                                          .body = row->body != NULL ? mem_strdup(row->body) : NULL,
                                          .request_key = row->request_key != NULL ? mem_strdup(row->request_key) : NULL,
                                          .who = mem_strdup(change->who),
                                          .at_wall_us = change->at_wall_us },
                                  .is_newest = true };
    if (row->version > m->newest_version)
        m->newest_version = row->version;
}

static void memory_submit(struct store *store, struct store_change *change)
{
    static const struct error stale = { "it was changed meanwhile" };
    struct store_memory *m = (struct store_memory *)store;
    if (is_current(m, change)) {
        for (size_t i = 0; i < change->row_count; i++)
            write_version(m, change, &change->rows[i]);
        store_change_settle(change, STORE_CHANGE_DURABLE, NULL);
    } else {
        store_change_settle(change, STORE_CHANGE_STALE, &stale);
    }
    mailbox_post(m->answers, &change->mail);
}

static void on_answer(void *owner, struct mail *mail)
{
    (void)owner;
    struct store_change *change = (struct store_change *)mail;
    change->done(change);
}

static void memory_answer_on(struct store *store, struct loop *loop)
{
    struct store_memory *m = (struct store_memory *)store;
    m->answers = mailbox_new(loop, on_answer, m);
}

static void free_resource(struct store_resource *resource)
{
    free((char *)resource->kind);
    free((char *)resource->name);
    free((char *)resource->body);
    free((char *)resource->request_key);
    free((char *)resource->who);
}

static void memory_close(struct store *store)
{
    struct store_memory *m = (struct store_memory *)store;
    if (m->answers != NULL)
        mailbox_free(m->answers);
    for (size_t i = 0; i < m->resource_count; i++)
        free_resource(&m->resources[i].is);
    free(m->resources);
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
    .load_resources = memory_load_resources,
    .load_history = memory_load_history,
    .answer_on = memory_answer_on,
    .submit = memory_submit,
    .load_ownership = memory_load_ownership,
    .find_problem = memory_find_problem,
    .close = memory_close,
};
