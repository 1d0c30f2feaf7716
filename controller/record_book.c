#include "controller/record_book.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct remembered {
    struct store_record record;
    UT_hash_handle hh; /* by record.service */
};

struct record_book {
    struct store *store;     /* borrowed; may be null */
    struct remembered *rest; /* owned; not taken yet */
    bool is_readable;
    int64_t turn_ms; /* that the writes of this turn have taken */
};

static void on_record(void *owner, const struct store_record *record)
{
    struct record_book *book = owner;
    struct remembered *r = mem_alloc(sizeof *r);
    r->record = *record;
    HASH_ADD_STR(book->rest, record.service, r);
}

struct record_book *record_book_new(struct store *store)
{
    struct record_book *book = mem_alloc(sizeof *book);
    struct error error;
    book->store = store;
    book->is_readable = store == NULL || store->ops->load(store, on_record, book, &error);
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

bool record_book_take(struct record_book *book, const char *service, struct store_record *out)
{
    struct remembered *r;
    HASH_FIND_STR(book->rest, service, r);
    if (r == NULL)
        return false;
    *out = r->record;
    HASH_DEL(book->rest, r);
    free(r);
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
        record_book_forget(book, r->record.service);
    drop_rest(book);
}
