/* store: what must survive a restart: for each service, the desired count and the limits that someone or a scaling
 * policy set, and the image that its tasks are created from; the tasks that an operator took out of rotation; the key
 * that proves which containers are ours; and the resources with their history. Control thread only. Calls may wait for
 * the disk, and a put or remove that returned true is durable; only submit() never waits.
 *
 * To add one: write store/store_<name>.c with `const struct store_ops store_ops_<name>`, add one X() below; the
 * conformance test (tests/unit/controller/store_all_test.c) then runs it. */
#ifndef CONTROLLER_STORE_STORE_H
#define CONTROLLER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "controller/store/store_change.h"
#include "discovery/docker/ownership.h"
#include "discovery/task_registry.h"

#define STORE_LIST(X) X(sqlite) X(memory)

struct store_record {
    char service[TASK_NAME_SIZE];
    int64_t desired, min, max;
    /* What the configuration said then: a value that has been edited there since is newer than ours, and wins. */
    int64_t config_desired, config_min, config_max;
    int64_t updated_wall_us;
};

typedef void (*store_record_cb)(void *owner, const struct store_record *record);

/* What the image's name in this definition of the service stood for when the engine was asked last. */
struct store_image {
    char service[TASK_NAME_SIZE];
    char definition[TASK_REVISION_SIZE]; /* controller/runtime/runtime.h */
    char image_id[TASK_IMAGE_ID_SIZE];
};

typedef void (*store_image_cb)(void *owner, const struct store_image *image);

struct store_drain {
    char task_id[TASK_ID_SIZE];
    char provider[TASK_NAME_SIZE]; /* whose full lists say whether the task still exists */
    int64_t ordered_wall_us;
};

typedef void (*store_drain_cb)(void *owner, const struct store_drain *drain);

/* What a resource is, or once was: controller/resource/resource_book.h. Borrowed strings. */
struct store_resource {
    const char *kind, *name;
    int64_t version;
    const char *body;        /* null, in a history alone: it was removed */
    const char *request_key; /* null: none */
    const char *who;
    int64_t at_wall_us;
};

typedef void (*store_resource_cb)(void *owner, const struct store_resource *resource);

#define STORE_HISTORY_OF_ONE_MAX 10 /* versions of one resource, the present one and its removal among them */
#define STORE_HISTORY_MAX 4000      /* of all: with bodies of 512 KiB, 2 GiB of the file */

struct store {
    const struct store_ops *ops;
};

struct store_ops {
    const char *name, *summary;
    bool survives_reopen;
    /* state_dir: an existing or creatable directory, borrowed. Null with error. Exclusive: a second open of the same
     * place fails while the first lives, in this process or another. */
    struct store *(*open)(const char *state_dir, struct error *error);
    bool (*load)(struct store *store, store_record_cb each, void *owner, struct error *error);
    bool (*put)(struct store *store, const struct store_record *record, struct error *error); /* adds or replaces */
    bool (*load_images)(struct store *store, store_image_cb each, void *owner, struct error *error);
    bool (*put_image)(struct store *store, const struct store_image *image, struct error *error); /* by service */
    /* Record and image of the service; true too when there was none. */
    bool (*remove)(struct store *store, const char *service, struct error *error);
    bool (*load_drains)(struct store *store, store_drain_cb each, void *owner, struct error *error);
    bool (*put_drain)(struct store *store, const struct store_drain *drain, struct error *error); /* by task_id */
    bool (*remove_drain)(struct store *store, const char *task_id, struct error *error);
    /* By kind and name. newest_version: the greatest that was ever given, 0 if none. */
    bool (*load_resources)(struct store *store, store_resource_cb each, void *owner, int64_t *newest_version,
                           struct error *error);
    bool (*load_history)(struct store *store, const char *kind, const char *name, store_resource_cb each, void *owner,
                         struct error *error); /* newest first */
    /* Before the first submit(): the loop that changes are answered on. It outlives the store. */
    void (*answer_on)(struct store *store, struct loop *loop);
    /* Takes the change. It is answered in the order of submission, each once it is durable or is sure not to be; close()
     * answers the rest. */
    void (*submit)(struct store *store, struct store_change *change);
    /* Made with the place, and the same for ever. A place of an earlier version, which gave no proofs, holds the claims
     * of all containers that are older than the key. */
    bool (*load_ownership)(struct store *store, struct ownership *out, struct error *error);
    /* Why nothing may be promised any more although it was opened: it was taken away from under us. Null: all is well.
     * Cheap enough for every turn; valid until the next call. */
    const char *(*find_problem)(struct store *store);
    void (*close)(struct store *store);
};

#define STORE_DECLARE(name) extern const struct store_ops store_ops_##name;
STORE_LIST(STORE_DECLARE)
#undef STORE_DECLARE

extern const struct store_ops *const store_list[];
extern const size_t store_list_count;

/* Stands in for one that could not be opened: refuses every call, so that nothing is promised. Static. */
struct store *store_unavailable(void);

#endif
