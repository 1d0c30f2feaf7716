/* resource_desk: where changes of resources are ordered. Looks at an order by the book, gives it to the store, and enters it
 * into the book once it is durable; only then is it answered, and seen by anybody. Control thread only. */
#ifndef CONTROLLER_RESOURCE_RESOURCE_DESK_H
#define CONTROLLER_RESOURCE_RESOURCE_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "controller/resource/resource_book.h"
#include "controller/store/store.h"

#define RESOURCE_WAITING_MAX 256 /* changes that the store has and has not answered */

struct resource_desk;

/* Both borrowed; the store is closed before resource_desk_free(). Null with error when the store cannot be read. */
struct resource_desk *resource_desk_new(struct resource_book *book, struct store *store, struct loop *loop,
                                        struct error *error);
void resource_desk_free(struct resource_desk *desk);

const struct resource_book *resource_desk_book(const struct resource_desk *desk);

/* refusal: null when it is durable. */
typedef void (*resource_done_cb)(void *owner, const struct resource_refusal *refusal);

/* Some rows, all of them or none. */
struct resource_order {
    struct resource_row *rows; /* consumed in each case */
    size_t row_count;          /* STORE_CHANGE_ROWS_MAX at most */
    const char *who;
    int64_t at_wall_us;
    resource_done_cb done; /* once, from the loop; never when the order is refused */
    void *owner;
};

/* False: refused at once, nothing was changed. is_trial: looks at it all the same, and nothing else happens. */
bool resource_desk_submit(struct resource_desk *desk, const struct resource_order *order, bool is_trial,
                          struct resource_refusal *refusal);
/* An order with that key waits. */
bool resource_desk_awaits(const struct resource_desk *desk, const char *request_key);

struct resource_desk_counts {
    uint64_t change_count, refusal_count; /* durable; refused by the book or by the store */
    size_t waiting_count;
};
struct resource_desk_counts resource_desk_counts(const struct resource_desk *desk);

#endif
