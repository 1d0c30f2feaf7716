#include "controller/record_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct remembered {
    char service[TASK_NAME_SIZE]; /* key */
    bool has_record, has_image;
    struct store_record record;
    struct store_image image;
    UT_hash_handle hh;
};

struct record_book {
    struct store *store;     /* borrowed; may be null */
    struct remembered *rest; /* owned; not taken yet */
    bool is_readable;
    int64_t turn_ms; /* that the writes of this turn have taken */
};

static struct remembered *find(const struct record_book *book, const char *service)
{
    struct remembered *r;
    HASH_FIND_STR(book->rest, service, r);
    return r;
}

static struct remembered *find_or_add(struct record_book *book, const char *service)
{
    struct remembered *r = find(book, service);
    if (r != NULL)
        return r;
    r = mem_alloc(sizeof *r);
    snprintf(r->service, sizeof r->service, "%s", service);
    HASH_ADD_STR(book->rest, service, r);
    return r;
}

static void on_record(void *owner, const struct store_record *record)
{
    struct remembered *r = find_or_add(owner, record->service);
    r->record = *record;
    r->has_record = true;
}

static void on_image(void *owner, const struct store_image *image)
{
    struct remembered *r = find_or_add(owner, image->service);
    r->image = *image;
    r->has_image = true;
}

struct record_book *record_book_new(struct store *store)
{
    struct record_book *book = mem_alloc(sizeof *book);
    struct error error;
    book->store = store;
    book->is_readable = store == NULL || (store->ops->load(store, on_record, book, &error) &&
                                          store->ops->load_images(store, on_image, book, &error));
    if (!book->is_readable)
        log_error("the desired state cannot be read, nothing will be started or stopped: %s", error.text);
    return book;
}

static void drop_rest(struct record_book *book)
{
    struct remembered *r = book->rest, *next;
    HASH_CLEAR(hh, book->rest);
    for (; r != NULL; r = next) {
        next = r->hh.next;
        free(r);
    }
}

void record_book_free(struct record_book *book)
{
    drop_rest(book);
    free(book);
}

bool record_book_is_readable(const struct record_book *book)
{
    return book->is_readable;
}

const char *record_book_find_problem(const struct record_book *book)
{
    if (!book->is_readable)
        return "the desired state could not be read at the start";
    return book->store == NULL ? NULL : book->store->ops->find_problem(book->store);
}

/* What was taken is remembered no longer. */
static void forget_taken(struct record_book *book, struct remembered *r)
{
    if (r->has_record || r->has_image)
        return;
    HASH_DEL(book->rest, r);
    free(r);
}

bool record_book_take(struct record_book *book, const char *service, struct store_record *out)
{
    struct remembered *r = find(book, service);
    if (r == NULL || !r->has_record)
        return false;
    *out = r->record;
    r->has_record = false;
    forget_taken(book, r);
    return true;
}

bool record_book_take_image(struct record_book *book, const char *service, struct store_image *out)
{
    struct remembered *r = find(book, service);
    if (r == NULL || !r->has_image)
        return false;
    *out = r->image;
    r->has_image = false;
    forget_taken(book, r);
    return true;
}

bool record_book_put(struct record_book *book, const struct store_record *record, struct error *error)
{
    if (!book->is_readable)
        return error_set(error, "the desired state could not be read at the start");
    int64_t begun_at_ms = clock_now_ms();
    bool done = book->store == NULL || book->store->ops->put(book->store, record, error);
    book->turn_ms += clock_now_ms() - begun_at_ms;
    return done;
}

bool record_book_put_image(struct record_book *book, const struct store_image *image, struct error *error)
{
    if (!book->is_readable)
        return error_set(error, "the desired state could not be read at the start");
    int64_t begun_at_ms = clock_now_ms();
    bool done = book->store == NULL || book->store->ops->put_image(book->store, image, error);
    book->turn_ms += clock_now_ms() - begun_at_ms;
    return done;
}

void record_book_begin_turn(struct record_book *book)
{
    book->turn_ms = 0;
}

bool record_book_has_time(const struct record_book *book)
{
    return book->turn_ms < RECORD_BOOK_TURN_MS;
}

void record_book_forget(struct record_book *book, const char *service)
{
    struct error error;
    if (book->is_readable && book->store != NULL && !book->store->ops->remove(book->store, service, &error))
        log_warn("service %s: %s", service, error.text);
}

void record_book_forget_rest(struct record_book *book)
{
    for (struct remembered *r = book->rest; r != NULL; r = r->hh.next)
        record_book_forget(book, r->service);
    drop_rest(book);
}
