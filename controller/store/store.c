#include "controller/store/store.h"

#include "base/check.h"

#define STORE_ENTRY(name) &store_ops_##name,
const struct store_ops *const store_list[] = { STORE_LIST(STORE_ENTRY) };
#undef STORE_ENTRY
const size_t store_list_count = sizeof store_list / sizeof store_list[0];

static bool refuse(struct error *error)
{
    return error_set(error, "the durable state could not be opened at the start");
}

static bool refuse_load(struct store *store, store_record_cb each, void *owner, struct error *error)
{
    (void)store;
    (void)each;
    (void)owner;
    return refuse(error);
}

static bool refuse_put(struct store *store, const struct store_record *record, struct error *error)
{
    (void)store;
    (void)record;
    return refuse(error);
}

static bool refuse_load_images(struct store *store, store_image_cb each, void *owner, struct error *error)
{
    (void)store;
    (void)each;
    (void)owner;
    return refuse(error);
}

static bool refuse_put_image(struct store *store, const struct store_image *image, struct error *error)
{
    (void)store;
    (void)image;
    return refuse(error);
}

static bool refuse_load_drains(struct store *store, store_drain_cb each, void *owner, struct error *error)
{
    (void)store;
    (void)each;
    (void)owner;
    return refuse(error);
}

static bool refuse_put_drain(struct store *store, const struct store_drain *drain, struct error *error)
{
    (void)store;
    (void)drain;
    return refuse(error);
}

static bool refuse_remove(struct store *store, const char *key, struct error *error)
{
    (void)store;
    (void)key;
    return refuse(error);
}

static bool refuse_load_ownership(struct store *store, struct ownership *out, struct error *error)
{
    (void)store;
    (void)out;
    return refuse(error);
}

static bool refuse_load_resources(struct store *store, store_resource_cb each, void *owner, int64_t *newest_version,
                                  struct error *error)
{
    (void)store;
    (void)each;
    (void)owner;
    (void)newest_version;
    return refuse(error);
}

static bool refuse_load_history(struct store *store, const char *kind, const char *name, store_resource_cb each,
                                void *owner, struct error *error)
{
    (void)store;
    (void)kind;
    (void)name;
    (void)each;
    (void)owner;
    return refuse(error);
}

/* There is no loop to answer on: who could not load anything orders no change. */
static void refuse_submit(struct store *store, struct store_change *change)
{
    (void)store;
    (void)change;
    check(!"a change for a store that could not be opened");
}

static void ignore_loop(struct store *store, struct loop *loop)
{
    (void)store;
    (void)loop;
}

static const char *tell_problem(struct store *store)
{
    (void)store;
    return "the durable state could not be opened at the start";
}

static void ignore_close(struct store *store)
{
    (void)store;
}

struct store *store_unavailable(void)
{
    static const struct store_ops ops = {
        .name = "unavailable",
        .summary = "refuses everything",
        .load = refuse_load,
        .put = refuse_put,
        .load_images = refuse_load_images,
        .put_image = refuse_put_image,
        .remove = refuse_remove,
        .load_drains = refuse_load_drains,
        .put_drain = refuse_put_drain,
        .remove_drain = refuse_remove,
        .load_resources = refuse_load_resources,
        .load_history = refuse_load_history,
        .answer_on = ignore_loop,
        .submit = refuse_submit,
        .load_ownership = refuse_load_ownership,
        .find_problem = tell_problem,
        .close = ignore_close,
    };
    static struct store unavailable = { &ops };
    return &unavailable;
}
