/* runtime: what starts and ends tasks. All calls are asynchronous and answer exactly once, from the loop or from inside
 * the call, unless they are abandoned. Control thread only.
 *
 * To add one: write runtime/<name>_runtime.c with `const struct runtime_ops runtime_ops_<name>`, add one X() below. */
#ifndef CONTROLLER_RUNTIME_RUNTIME_H
#define CONTROLLER_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "controller/runtime/last_words.h"
#include "discovery/task_registry.h"

#define RUNTIME_LIST(X) X(docker)

enum runtime_result {
    RUNTIME_OK = 0,
    RUNTIME_IMAGE_MISSING, /* trying again helps only once somebody has brought the image */
    RUNTIME_PULL_FAILED,   /* the image could not be pulled (controller/image_pulls.h) */
    RUNTIME_REFUSED,       /* the engine, or the runtime itself, will not do this */
    RUNTIME_FAILED,        /* the engine tried and could not, or its answer made no sense */
    RUNTIME_UNKNOWN,       /* no answer: it may or may not have happened */
    RUNTIME_UNREACHABLE,   /* the engine is not there: not tried, or cut off, so that it may or may not have happened */
    RUNTIME_CANCELLED,     /* a creation, as asked: nothing is left of it */
    RUNTIME_RESULT_COUNT
};
const char *runtime_result_to_str(enum runtime_result result);

/* What to start. Everything is borrowed for the duration of the call. */
struct task_order {
    const struct config_service *service;
    const char *image_id; /* what the service's image stands for; "" when that is not known: its name is gone by */
    const char *revision;
    const char *name; /* of the container; unique */
};

/* id: the new task's, or the image's; empty when there is none. text: never null; the engine's words when it failed.
 * last_words: of a removal, whatever came of it, what was read of the task before it was tried; null when nothing was, and
 * of a stop. All valid during the callback. */
typedef void (*runtime_start_cb)(void *owner, enum runtime_result result, const char *id, const char *text);
typedef void (*runtime_done_cb)(void *owner, enum runtime_result result, const char *text,
                                const struct last_words *last_words);

/* How far a pull is. Bytes of layers whose size the engine has told; both grow. */
struct runtime_pull {
    size_t layer_count, done_count;
    int64_t downloaded_bytes, size_bytes;
};
typedef void (*runtime_pull_cb)(void *owner, const struct runtime_pull *progress);

struct runtime {
    const struct runtime_ops *ops;
};

struct runtime_ops {
    const char *name, *summary;
    /* A task that could be created and not started is removed again before the answer. */
    void (*create_and_start)(struct runtime *runtime, const struct task_order *order, runtime_start_cb done,
                             void *owner);
    /* Which image this name stands for now: "sha256:<64 digits>". Not there: RUNTIME_IMAGE_MISSING. */
    void (*resolve)(struct runtime *runtime, const char *image, runtime_start_cb done, void *owner);
    /* Brings the image from its registry, however long that takes while there is progress; resolve says what came.
     * on_progress: with each step, before `done`. */
    void (*pull)(struct runtime *runtime, const char *image, runtime_pull_cb on_progress, runtime_start_cb done,
                 void *owner);
    /* The pull with this owner, if there is one, does not answer any more; the engine gives it up too. */
    void (*cancel_pull)(struct runtime *runtime, const void *owner);
    /* The creation whose callback has this owner. What has not been started yet will not be: it answers
     * RUNTIME_CANCELLED when it is gone. Otherwise it goes on as if nothing had been said. */
    void (*cancel_start)(struct runtime *runtime, const void *owner);
    /* The stop signal, SIGKILL after timeout_ms; answers when the task has ended. A task that is gone is RUNTIME_OK.
     * Both take its id or its name, and refuse a task that does not carry this installation's labels. A removal waits
     * for the task's last lines, for a moment only, and goes on without them. */
    void (*stop)(struct runtime *runtime, const char *task_id, int64_t timeout_ms, runtime_done_cb done, void *owner);
    void (*remove)(struct runtime *runtime, const char *task_id, runtime_done_cb done, void *owner);
    bool (*is_reachable)(const struct runtime *runtime); /* false: an order given now would not be tried */
    void (*abandon)(struct runtime *runtime);            /* outstanding calls do not answer any more */
    void (*close)(struct runtime *runtime);              /* abandons and frees */
};

#define RUNTIME_DECLARE(name) extern const struct runtime_ops runtime_ops_##name;
RUNTIME_LIST(RUNTIME_DECLARE)
#undef RUNTIME_DECLARE

extern const struct runtime_ops *const runtime_list[];
extern const size_t runtime_list_count;

/* The definition in a revision (discovery/revision.h). Changes whenever a task would have to be created anew: hash of
 * the image's name, command, environment, port, cpu and memory. Counts, timeouts, routes and health checks are not part
 * of it. */
void runtime_definition_of(const struct config_service *service, char out[TASK_REVISION_SIZE]);

#endif
