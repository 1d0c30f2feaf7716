/* resource_book: every durable thing by kind and name: what it says, which version it is, and who may change it. The
 * configuration file and the admin API feed the same book; a name belongs to one of them. What was ordered and is not
 * durable yet waits: nobody reads it, but who orders next goes by it. No I/O: controller/resource/resource_desk.h writes.
 * Control thread only. */
#ifndef CONTROLLER_RESOURCE_RESOURCE_BOOK_H
#define CONTROLLER_RESOURCE_RESOURCE_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "base/error.h"
#include "controller/resource/resource_kind.h"

enum resource_origin { RESOURCE_OF_API = 0, RESOURCE_OF_FILE, RESOURCE_ORIGIN_COUNT };
const char *resource_origin_to_str(enum resource_origin origin);

/* Owned by the book, read by all; valid until the book changes. */
struct resource {
    const struct resource_kind *kind;
    char *name;
    int64_t version; /* the number of the change that wrote it, counted over all; 0: of the file */
    enum resource_origin origin;
    char *where;       /* of the file: "portico.yaml:12:3"; else who wrote it last */
    char *request_key; /* null: none */
    int64_t at_wall_us;
    json_t *body;
    size_t body_bytes;
    void *spec;    /* null: the body is one that this version cannot read, and `problem` says why */
    char *problem; /* null: none */
};

struct resource_limits {
    size_t count_max, bytes_max; /* of all of them; what replaces one that is there may take an eighth more bytes */
    size_t body_bytes_max;       /* of one */
};
extern const struct resource_limits resource_limits_default;

enum resource_verdict {
    RESOURCE_FINE = 0,
    RESOURCE_INVALID, /* the refusal names the field */
    RESOURCE_NOT_FOUND,
    RESOURCE_CONFLICT, /* it exists, or belongs to another origin */
    RESOURCE_STALE,    /* it has another version than the caller expects */
    RESOURCE_NO_ROOM,
    RESOURCE_NOT_DURABLE,
    RESOURCE_VERDICT_COUNT
};
const char *resource_verdict_to_str(enum resource_verdict verdict);

struct resource_refusal {
    enum resource_verdict verdict;
    char field[256]; /* path; empty: none is to blame */
    struct error error;
};
/* Always false, so that it can end a function. */
bool resource_refuse(struct resource_refusal *refusal, enum resource_verdict verdict, const char *field,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

struct resource_book;

struct resource_book *resource_book_new(const struct resource_limits *limits);
void resource_book_free(struct resource_book *book);

const struct resource *resource_book_find(const struct resource_book *book, const struct resource_kind *kind,
                                          const char *name);
typedef void (*resource_cb)(void *owner, const struct resource *resource);
void resource_book_each(const struct resource_book *book, const struct resource_kind *kind, resource_cb each,
                        void *owner); /* kind null: all; by name in each kind's order of coming */

size_t resource_book_count(const struct resource_book *book);
size_t resource_book_bytes(const struct resource_book *book);

/* `before` or `after` is null when it came or went. Not to change the book. Subscriptions live as long as the book. */
typedef void (*resource_change_cb)(void *owner, const struct resource *before, const struct resource *after);
#define RESOURCE_SUBSCRIBERS_MAX 8
void resource_book_subscribe(struct resource_book *book, const struct resource_kind *kind, resource_change_cb changed,
                             void *owner);

/* What the store has, at the start. A body that cannot be read is kept, without a spec: nothing is thrown away. */
void resource_book_add_stored(struct resource_book *book, const struct resource_kind *kind, const char *name,
                              int64_t version, json_t *body, const char *body_text, const char *request_key,
                              const char *who, int64_t at_wall_us);

/* Of the file: at once, and not for the store. where: for refusals. body: a reference is taken. */
bool resource_book_put_of_file(struct resource_book *book, const struct resource_kind *kind, const char *name,
                               json_t *body, const char *where, struct resource_refusal *refusal);
void resource_book_remove_of_file(struct resource_book *book, const struct resource_kind *kind, const char *name);

/* ---- what is ordered, for the desk ---- */

#define RESOURCE_ANY_VERSION INT64_C(-1)

/* What becomes of one resource. */
struct resource_row {
    const struct resource_kind *kind;
    char name[RESOURCE_NAME_SIZE];
    int64_t
        expected_version; /* RESOURCE_ANY_VERSION; 0: there must be none. The row that is prepared has the real one */
    json_t *body;         /* (reference) null: it is removed */
    const char *request_key; /* borrowed until it is prepared; null: none */
    /* Filled by preparing. */
    char *body_text; /* owned */
    char *owned_request_key;
    void *spec; /* owned */
};

/* Looks at the row as if all that waits were there, and parses. Nothing is changed; false with the refusal. In each case
 * resource_row_fini() follows, unless the row is applied. */
bool resource_book_prepare(const struct resource_book *book, struct resource_row *row,
                           struct resource_refusal *refusal);
void resource_row_fini(struct resource_row *row);

/* What its body will be once all that waits is durable. Null: there will be none. */
const json_t *resource_book_find_next(const struct resource_book *book, const struct resource_kind *kind,
                                      const char *name);
void resource_book_await(struct resource_book *book, const struct resource_row *row, int64_t version);
/* The change came to nothing. */
void resource_book_forget_waiting(struct resource_book *book, const struct resource_row *row);
/* It is durable: takes what the row owns, and tells the subscribers. */
void resource_book_apply(struct resource_book *book, struct resource_row *row, int64_t version, const char *who,
                         int64_t at_wall_us);

#endif
