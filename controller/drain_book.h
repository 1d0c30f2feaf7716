/* drain_book: the tasks that an operator took out of rotation, in memory and in the store, so that such an order outlives
 * the process. It follows the registry: a task that comes back gets its order again; a task that is gone for good
 * loses it. Drains of the reconciler are not in it: those are decided anew. Control thread only; calls may wait for the
 * disk. At most TASK_REGISTRY_MAX. */
#ifndef CONTROLLER_DRAIN_BOOK_H
#define CONTROLLER_DRAIN_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "controller/store/store.h"
#include "discovery/task_registry.h"

/* A task that was never seen in this process may be one that its engine fails to describe: it counts as gone only when
 * complete lists have not named it for so long. */
#define DRAIN_BOOK_ABSENT_MS 600000

struct drain_book;

/* Both borrowed. Null store: nothing survives, and no order is refused for it. Nothing of the registry is changed. */
struct drain_book *drain_book_new(struct store *store, struct task_registry *registry);
void drain_book_free(struct drain_book *book);

/* False when the store could not be read: then no order is taken and nothing forgotten. */
bool drain_book_is_readable(const struct drain_book *book);
size_t drain_book_count(const struct drain_book *book);
bool drain_book_has(const struct drain_book *book, const char *task_id);

/* Durable when it returns true; the task may be in it already. Does not touch the registry. */
bool drain_book_put(struct drain_book *book, const struct task *task, struct error *error);

/* To be called at every change of the registry: sees who came and who went, and orders DRAINING for each task of the
 * book that is READY, telling of it just before. */
typedef void (*drain_book_cb)(void *owner, const struct task *task);
void drain_book_follow(struct drain_book *book, drain_book_cb on_return, void *owner);

/* Deletes the orders of tasks that are gone. What the store refuses to delete is tried again at the next call. */
void drain_book_forget_gone(struct drain_book *book, int64_t now_ms);

#endif
