/* route_book: which service each (host, path) leads to: from the configuration, and from what tasks ask for (labels,
 * the endpoints file). Pure; control thread.
 *
 * - The configuration wins. Between tasks the first claim wins, for as long as a task of that service makes it.
 * - A route stays when its last task has gone, so that the answer is 503 and not 404, until another service claims it
 * or the book is full and it is the one that lost its tasks first.
 * - What the data plane would refuse (host, path, one pair twice) does not get in. */
#ifndef DAEMON_ROUTE_BOOK_H
#define DAEMON_ROUTE_BOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

#define ROUTE_BOOK_CLAIMED_MAX 4096 /* routes from tasks */

struct route_book;

struct route_book *route_book_new(void);
void route_book_free(struct route_book *book);

/* Replaces the routes of the configuration. The claims of all services must be made again afterwards. */
void route_book_apply_config(struct route_book *book, const struct config *config);

/* All claims of one service's tasks, each time that any may have changed: begin, claim..., end. by: the container's
 * name, for the warning when a claim is refused. True from end: some claim of another service could be granted now; all
 * services must make theirs again. */
void route_book_begin(struct route_book *book, const char *service);
void route_book_claim(struct route_book *book, const char *service, const char *host, const char *path, const char *by);
bool route_book_end(struct route_book *book, const char *service);

/* Has anything changed since the last call? */
bool route_book_take_changed(struct route_book *book);

typedef void (*route_book_cb)(void *owner, const char *host, const char *path, const char *service);
void route_book_each(const struct route_book *book, route_book_cb each, void *owner); /* in order of arrival */
size_t route_book_count(const struct route_book *book);
size_t route_book_refused_count(const struct route_book *book); /* claims refused so far */

#endif
