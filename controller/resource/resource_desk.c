#include "controller/resource/resource_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

/* What the store has and has not answered. */
struct waiting_change {
    TAILQ_ENTRY(waiting_change) link;
    struct resource_desk *desk; /* borrowed */
    struct resource_row rows[STORE_CHANGE_ROWS_MAX];
    size_t row_count;
    int64_t version;
    resource_done_cb done;
    void *owner; /* borrowed; of done */
};

struct resource_desk {
    struct resource_book *book; /* borrowed */
    struct store *store;        /* borrowed */
    int64_t newest_version;
    TAILQ_HEAD(, waiting_change) waiting; /* owned; oldest first */
    struct resource_desk_counts counts;
};

/* ---- what the store has ---- */

static const struct resource_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < resource_kind_count; i++)
        if (strcmp(resource_kinds[i]->name, name) == 0)
            return resource_kinds[i];
    return NULL;
}

/* What this version does not know stays in the store, and out of the book. */
static void on_stored(void *owner, const struct store_resource *stored)
{
    struct resource_desk *desk = owner;
    struct error error = { "" };
    const struct resource_kind *kind = find_kind(stored->kind);
    json_t *body = kind != NULL ? json_parse_bounded(slice_of(stored->body), &json_limits_default, &error) : NULL;
    if (kind == NULL || body == NULL || strlen(stored->name) >= RESOURCE_NAME_SIZE) {
        log_error("durable state: %s %s is left alone: %s", stored->kind, stored->name,
                  kind == NULL  ? "this version does not know its kind"
                  : *error.text ? error.text
                                : "its name is too long");
        json_decref(body);
        return;
    }
    resource_book_add_stored(desk->book, kind, stored->name, stored->version, body, stored->body, stored->request_key,
                             stored->who, stored->at_wall_us);
    const struct resource *r = resource_book_find(desk->book, kind, stored->name);
    if (r->problem != NULL)
        log_error("durable state: %s %s cannot be used by this version: %s", kind->name, r->name, r->problem);
    json_decref(body);
}

struct resource_desk *resource_desk_new(struct resource_book *book, struct store *store, struct loop *loop,
                                        struct error *error)
{
    struct resource_desk *desk = mem_alloc(sizeof *desk);
    desk->book = book;
    desk->store = store;
    TAILQ_INIT(&desk->waiting);
    if (!store->ops->load_resources(store, on_stored, desk, &desk->newest_version, error)) {
        free(desk);
        return NULL;
    }
    store->ops->answer_on(store, loop);
    return desk;
}

void resource_desk_free(struct resource_desk *desk)
{
    check(TAILQ_EMPTY(&desk->waiting));
    free(desk);
}

const struct resource_book *resource_desk_book(const struct resource_desk *desk)
{
    return desk->book;
}

struct resource_desk_counts resource_desk_counts(const struct resource_desk *desk)
{
    return desk->counts;
}

bool resource_desk_awaits(const struct resource_desk *desk, const char *request_key)
{
    const struct waiting_change *w;
    TAILQ_FOREACH (w, &desk->waiting, link)
        for (size_t i = 0; i < w->row_count; i++)
            if (w->rows[i].owned_request_key != NULL && strcmp(w->rows[i].owned_request_key, request_key) == 0)
                return true;
    return false;
}

/* ---- orders ---- */

static void free_waiting(struct waiting_change *w)
{
    for (size_t i = 0; i < w->row_count; i++)
        resource_row_fini(&w->rows[i]);
    free(w);
}

static void on_done(struct store_change *change)
{
    struct waiting_change *w = change->owner;
    struct resource_desk *desk = w->desk;
    struct resource_refusal refusal = { .field = "" };
    bool is_durable = change->outcome == STORE_CHANGE_DURABLE;
    TAILQ_REMOVE(&desk->waiting, w, link);
    desk->counts.waiting_count--;
    for (size_t i = 0; i < w->row_count; i++)
        if (is_durable)
            resource_book_apply(desk->book, &w->rows[i], w->version, change->who, change->at_wall_us);
        else
            resource_book_forget_waiting(desk->book, &w->rows[i]);
    if (is_durable) {
        desk->counts.change_count++;
    } else {
        desk->counts.refusal_count++;
        resource_refuse(&refusal, RESOURCE_NOT_DURABLE, "", "%s",
                        change->outcome == STORE_CHANGE_STALE ? "the change before it was not written, try again"
                                                              : change->error.text);
    }
    w->done(w->owner, is_durable ? NULL : &refusal);
    free_waiting(w);
    store_change_free(change);
}

static bool prepare(const struct resource_desk *desk, const struct resource_order *order,
                    struct resource_refusal *refusal)
{
    for (size_t i = 0; i < order->row_count; i++)
        if (!resource_book_prepare(desk->book, &order->rows[i], refusal))
            return false;
    if (desk->counts.waiting_count >= RESOURCE_WAITING_MAX)
        return resource_refuse(refusal, RESOURCE_NOT_DURABLE, "", "%d changes wait for the disk, try again later",
                               RESOURCE_WAITING_MAX);
    const char *problem = desk->store->ops->find_problem(desk->store);
    return problem == NULL || resource_refuse(refusal, RESOURCE_NOT_DURABLE, "", "%s", problem);
}

static void hand_over(struct resource_desk *desk, const struct resource_order *order)
{
    struct waiting_change *w = mem_alloc(sizeof *w);
    struct store_change *change = store_change_new(order->who, order->at_wall_us, on_done, w);
    w->desk = desk;
    w->version = ++desk->newest_version;
    w->done = order->done;
    w->owner = order->owner;
    for (size_t i = 0; i < order->row_count; i++) {
        struct resource_row *row = &w->rows[w->row_count++];
        *row = order->rows[i];
        resource_book_await(desk->book, row, w->version);
        if (row->body != NULL)
            store_change_put(change, row->kind->name, row->name, row->expected_version, w->version, row->body_text,
                             row->owned_request_key);
        else
            store_change_remove(change, row->kind->name, row->name, row->expected_version, w->version);
    }
    TAILQ_INSERT_TAIL(&desk->waiting, w, link);
    desk->counts.waiting_count++;
    desk->store->ops->submit(desk->store, change);
}

bool resource_desk_submit(struct resource_desk *desk, const struct resource_order *order, bool is_trial,
                          struct resource_refusal *refusal)
{
    check(order->row_count > 0 && order->row_count <= STORE_CHANGE_ROWS_MAX);
    bool is_good = prepare(desk, order, refusal);
    if (is_good && !is_trial) {
        hand_over(desk, order);
        return true;
    }
    desk->counts.refusal_count += !is_good;
    for (size_t i = 0; i < order->row_count; i++)
        resource_row_fini(&order->rows[i]);
    return is_good;
}
