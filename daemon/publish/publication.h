/* publication: what the data plane should have, what it was sent, and so the next frame (proxy/snapshot/snapshot_document.md).
 * Knows neither link nor clock: daemon/publish/publisher.h sends. Control thread.
 *
 *   registry, configuration --> [what should be] --write--> frame --> [what was sent] --acknowledge--> [what is out] */
#ifndef DAEMON_PUBLISH_PUBLICATION_H
#define DAEMON_PUBLISH_PUBLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "config/config.h"
#include "daemon/publish/route_book.h"
#include "discovery/task_registry.h"

struct publication;

/* bound_listeners: of snapshot_write_settings(). Both are borrowed. */
struct publication *publication_new(const struct task_registry *registry, const char *bound_listeners);
void publication_free(struct publication *p);

/* Hears of routes that were asked for and are not given, and of services beyond the limit: once each. */
void publication_set_listener(struct publication *p, route_book_refusal_cb on_refusal, void *owner);

/* What has changed. Nothing is written yet. */
void publication_apply_config(struct publication *p, const struct config *config); /* borrowed for the call */
void publication_note_service(struct publication *p, const char *service);
void publication_refresh(struct publication *p);                /* brings the routes up to date; writing does it too */
int64_t publication_age(struct publication *p, int64_t now_ms); /* the same as route_book_age() */

/* The frame that carries all changes since the last one; null when there are none. The caller owns it, and must send
 * it: from here on it counts as sent. A snapshot is never null. */
json_t *publication_write_patch(struct publication *p, uint64_t serial);
json_t *publication_write_snapshot(struct publication *p, uint64_t serial);

void publication_acknowledge(struct publication *p, uint64_t serial);
void publication_forget_sent(struct publication *p); /* the data plane has nothing */

/* Exact, for every id: see daemon/publish/rotation.h. */
bool publication_is_out_of_rotation(const struct publication *p, const char *id);

/* What a snapshot would do now for who waits. Looks at every task. */
struct publication_outlook {
    size_t served_count;     /* services with a routable task */
    size_t unanswered_count; /* with none, but with tasks that were not probed yet */
    size_t unprobed_count;   /* tasks that run, may be sent requests, and were not probed yet */
};
void publication_look_out(const struct publication *p, struct publication_outlook *out);

/* Routes as they should be. */
void publication_each_route(struct publication *p, route_book_cb each, void *owner);

struct publication_status {
    size_t service_count, route_count, endpoint_count; /* endpoint_count: those not out of rotation */
    size_t failing_open_count;     /* services without a healthy task that are sent to all the same */
    size_t left_out_count;         /* routes of services beyond SNAPSHOT_SERVICES_MAX */
    char left_out[TASK_NAME_SIZE]; /* one of those services */
    struct route_book_refusals refusals;
};
void publication_status(const struct publication *p, struct publication_status *out);

#endif
