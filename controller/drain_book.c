#include "controller/drain_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct order {
    struct store_drain drain;
    bool is_seen;            /* the registry has or had it, in this process */
    bool is_gone;            /* seen, and then removed; what comes back under its id is not meant by the order */
    int64_t absent_since_ms; /* of one never seen; -1 while no complete list says so */
    UT_hash_handle hh;       /* by drain.task_id */
};

struct drain_book {
    struct store *store;            /* borrowed; may be null */
    struct task_registry *registry; /* borrowed */
    struct order *orders;           /* owned */
    bool is_readable;
    bool is_store_refusing; /* to delete; said once */
};

static struct order *find_order(const struct drain_book *book, const char *task_id)
{
    struct order *order;
    HASH_FIND_STR(book->orders, task_id, order);
    return order;
}

static struct order *add_order(struct drain_book *book, const struct store_drain *drain)
{
    struct order *order = mem_alloc(sizeof *order);
    order->drain = *drain;
    order->absent_since_ms = -1;
    HASH_ADD_STR(book->orders, drain.task_id, order);
    return order;
}

static void on_drain(void *owner, const struct store_drain *drain)
{
    add_order(owner, drain);
}

static bool load(struct drain_book *book, struct error *error)
{
    if (book->store == NULL)
        return true;
    if (!book->store->ops->load_drains(book->store, on_drain, book, error))
        return false;
    if (HASH_COUNT(book->orders) > TASK_REGISTRY_MAX)
        return error_set(error, "%u drained tasks are stored, more than the %d that portico stores",
                         HASH_COUNT(book->orders), TASK_REGISTRY_MAX);
    return true;
}

struct drain_book *drain_book_new(struct store *store, struct task_registry *registry)
{
    struct drain_book *book = mem_alloc(sizeof *book);
    struct error error;
    book->store = store;
    book->registry = registry;
    book->is_readable = load(book, &error);
    if (!book->is_readable)
        log_error("the drained tasks cannot be read, nothing will be started or stopped: %s", error.text);
    return book;
}

void drain_book_free(struct drain_book *book)
{
    struct order *order = book->orders, *next;
    HASH_CLEAR(hh, book->orders);
    for (; order != NULL; order = next) {
        next = order->hh.next;
        free(order);
    }
    free(book);
}

bool drain_book_is_readable(const struct drain_book *book)
{
    return book->is_readable;
}

size_t drain_book_count(const struct drain_book *book)
{
    return HASH_COUNT(book->orders);
}

bool drain_book_has(const struct drain_book *book, const char *task_id)
{
    return find_order(book, task_id) != NULL;
}

bool drain_book_put(struct drain_book *book, const struct task *task, struct error *error)
{
    struct order *order = find_order(book, task->spec.id);
    if (!book->is_readable)
        return error_set(error, "the drained tasks could not be read at the start");
    if (order == NULL && HASH_COUNT(book->orders) >= TASK_REGISTRY_MAX)
        return error_set(error, "%d drained tasks are stored, which is the limit: one must go first",
                         TASK_REGISTRY_MAX);
    if (order == NULL) {
        struct store_drain drain = { .ordered_wall_us = clock_wall_us() };
        snprintf(drain.task_id, sizeof drain.task_id, "%s", task->spec.id);
        snprintf(drain.provider, sizeof drain.provider, "%s",
                 task_registry_provider_name(book->registry, task->provider));
        if (book->store != NULL && !book->store->ops->put_drain(book->store, &drain, error))
            return false;
        order = add_order(book, &drain);
    }
    order->is_seen = true;
    order->is_gone = false;
    return true;
}

void drain_book_follow(struct drain_book *book, drain_book_cb on_return, void *owner)
{
    struct order *order, *next;
    HASH_ITER (hh, book->orders, order, next) {
        const struct task *task = task_registry_find(book->registry, order->drain.task_id);
        order->is_gone |= order->is_seen && task == NULL;
        if (task == NULL || order->is_gone)
            continue;
        order->is_seen = true;
        if (task->admin != TASK_ADMIN_READY)
            continue;
        on_return(owner, task);
        task_registry_set_admin(book->registry, order->drain.task_id, TASK_ADMIN_DRAINING);
    }
}

/* A registry that is full leaves tasks out: what it does not have says nothing then. */
static bool is_list_complete(const struct drain_book *book, const char *provider)
{
    if (task_registry_foreign_count(book->registry) >= TASK_REGISTRY_MAX ||
        task_registry_managed_room(book->registry) == 0)
        return false;
    for (uint8_t i = 0; i < UINT8_MAX; i++) {
        const char *name = task_registry_provider_name(book->registry, i);
        if (strcmp(name, provider) == 0)
            return task_registry_is_synced(book->registry, i);
        if (strcmp(name, "?") == 0)
            return false; /* not configured now: nobody can say */
    }
    return false;
}

static bool is_over(const struct drain_book *book, struct order *order, int64_t now_ms)
{
    if (order->is_seen)
        return order->is_gone;
    if (!is_list_complete(book, order->drain.provider))
        order->absent_since_ms = -1;
    else if (order->absent_since_ms < 0)
        order->absent_since_ms = now_ms;
    return order->absent_since_ms >= 0 && now_ms - order->absent_since_ms >= DRAIN_BOOK_ABSENT_MS;
}

static bool forget(struct drain_book *book, struct order *order)
{
    struct error error;
    bool is_deleted = book->store == NULL || book->store->ops->remove_drain(book->store, order->drain.task_id, &error);
    if (!is_deleted && !book->is_store_refusing)
        log_warn("task %.12s is gone, its drain stays stored: %s", order->drain.task_id, error.text);
    book->is_store_refusing = !is_deleted;
    if (!is_deleted)
        return false;
    HASH_DEL(book->orders, order); /* NOLINT(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): uthash */
    free(order);
    return true;
}

void drain_book_forget_gone(struct drain_book *book, int64_t now_ms)
{
    struct order *order, *next;
    if (!book->is_readable)
        return;
    HASH_ITER (hh, book->orders, order, next)
        if (is_over(book, order, now_ms) && !forget(book, order))
            return; /* a disk that refuses one refuses them all */
}
