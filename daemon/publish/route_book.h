/* route_book: which service each (host, path) leads to: from the configuration, and from what tasks ask for (labels,
 * the endpoints file). Pure; control thread.
 *
 * - The configuration wins. Between tasks the first claim wins, for as long as a task of that service makes it.
 * - A route that none of the service's tasks asks for any more is gone at once. Only when the service has lost its last
 *   task does it stay for ROUTE_BOOK_IDLE_MS, so that a container that is made anew answers 503 meanwhile and not 404;
 *   another service may claim it at any time, and it never takes the place of a route that is asked for.
 * - What the data plane would refuse (host, path, one pair twice) does not get in.
 * - A host that the configuration routes is its own, with all paths (daemon/publish/configured_hosts.h).
 * - A claim that is not granted is a refusal until it is granted or no longer made; the listener hears of it once. */
#ifndef DAEMON_PUBLISH_ROUTE_BOOK_H
#define DAEMON_PUBLISH_ROUTE_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/limits.h"

#define ROUTE_BOOK_CLAIMED_MAX LIMIT_ROUTES_CLAIMED /* routes from tasks */
#define ROUTE_BOOK_REFUSALS_MAX 256                 /* more are counted, but not remembered and told of */
#define ROUTE_BOOK_IDLE_MS 60000

struct route_book;

struct route_book *route_book_new(void);
void route_book_free(struct route_book *book);
/* A claim has been refused. text: "route a.test/x, asked for by container 'c', is not given: ..."; during the call. */
typedef void (*route_book_refusal_cb)(void *owner, const char *service, const char *text);
void route_book_set_listener(struct route_book *book, route_book_refusal_cb on_refusal, void *owner);

/* Replaces the routes of the configuration. The claims of all services must be made again afterwards. */
void route_book_apply_config(struct route_book *book, const struct config *config);

/* All claims of one service's tasks, each time that any may have changed: begin, claim..., end. by: the container's
 * name. has_tasks: whether the service has any task, asking or not. True from end: some claim of another service could
 * be granted now; all services must make theirs again. */
void route_book_begin(struct route_book *book, const char *service);
void route_book_claim(struct route_book *book, const char *service, const char *host, const char *path, const char *by);
bool route_book_end(struct route_book *book, const char *service, bool has_tasks);

/* Forgets the routes that have been idle for ROUTE_BOOK_IDLE_MS; returns how long until the next one is due, in
 * milliseconds, or -1 when none is idle. */
int64_t route_book_age(struct route_book *book, int64_t now_ms);
void route_book_drop_idle(struct route_book *book); /* all of them: their places are needed */

/* Has anything changed since the last call? */
bool route_book_take_changed(struct route_book *book);

typedef void (*route_book_cb)(void *owner, const char *host, const char *path, const char *service);
/* The configuration's, then the others in order of arrival. */
void route_book_each(const struct route_book *book, route_book_cb each, void *owner);
size_t route_book_count(const struct route_book *book);

struct route_book_refusals {
    size_t total_count;   /* so far */
    size_t current_count; /* of claims that are still made */
    const char *example;  /* text of one of those; "" when there are none; borrowed until the next call */
};
void route_book_refusals(const struct route_book *book, struct route_book_refusals *out);

#endif
