/* record_book: what the store said at the start, until a service takes it, and the writes after it. A store that could
 * not be read makes the book unreadable: then nothing may be started, stopped or promised. Control thread only. */
#ifndef CONTROLLER_RECORD_BOOK_H
#define CONTROLLER_RECORD_BOOK_H

#include <stdbool.h>

#include "base/error.h"
#include "controller/store/store.h"

struct record_book;

/* store is borrowed; null: nothing is remembered and every write succeeds. */
struct record_book *record_book_new(struct store *store);
void record_book_free(struct record_book *book);

bool record_book_is_readable(const struct record_book *book);
/* Why nothing may be started, stopped or promised: it could not be read, or the store was taken away since. Null: all
 * is well. Cheap; valid until the next call. */
const char *record_book_find_problem(const struct record_book *book);
/* False when nothing is remembered of the service, or it was taken before. */
bool record_book_take(struct record_book *book, const char *service, struct store_record *out);
bool record_book_take_image(struct record_book *book, const char *service, struct store_image *out);
/* Durable when they return true. */
bool record_book_put(struct record_book *book, const struct store_record *record, struct error *error);
bool record_book_put_image(struct record_book *book, const struct store_image *image, struct error *error);
/* A write waits for the disk, and with it all else that the control thread does, health checks for one. So a turn of the
 * controller makes no further decisions that it has to write once its writes have taken RECORD_BOOK_TURN_MS; the rest are
 * made in later ones. Put off is the decision, never the write of one that was made: that is durable before anything goes by it. */
#define RECORD_BOOK_TURN_MS 50
void record_book_begin_turn(struct record_book *book);
bool record_book_has_time(const struct record_book *book);
void record_book_forget(struct record_book *book, const char *service);
void record_book_forget_rest(struct record_book *book); /* what nobody took */

#endif
