/* container_set: the containers that concern us, and what events say about them -> task registry. Looks (inspects) at a
 * container when an event names it, at all of a full list, and again at what the engine could not answer: each in a lane
 * of its own, at most CONTAINER_LOOKS_MAX at once, so that what happens now never waits for a list, and neither for a
 * container over which the engine hangs. For discovery/docker/provider.c. Control thread.
 *
 * An answer that was asked for before a later event of the same container is never used: the look is dropped and
 * repeated. A container that got its stop signal (or SIGKILL) is STOPPING until it ends, although the engine still calls
 * it running; one that still runs CONTAINER_STOP_MARGIN_MS after its stop time-out is taken for running again.
 *
 * A look that is not answered within CONTAINER_LOOK_SOON_MS is repeated at once in the third lane, with the time that an
 * engine may take, and holds up no list: what is known of the container stays, and one that is not ours comes when it is
 * answered. One that may be ours and that nobody knows yet still does, since whoever counts must not miss it.
 *
 * An answer that says nothing (a failure, an unreadable document) changes nothing: the look is repeated, after 500 ms
 * doubling to 30 s. */
#ifndef DISCOVERY_DOCKER_CONTAINER_SET_H
#define DISCOVERY_DOCKER_CONTAINER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "discovery/docker/engine.h"
#include "discovery/docker/events.h"
#include "discovery/docker/labels.h"
#include "discovery/task_registry.h"

#define CONTAINER_LOOKS_MAX 8
#define CONTAINER_LOOK_SOON_MS 1000 /* later than what was known is recalled: daemon/publish/publisher.h */
#define CONTAINER_STOP_MARGIN_MS 1000

/* Nobody else's containers take the places of ours. Of each kind twice as many as can be tasks: others' that are refused
 * are remembered with their reason, and who only claims to be ours is ours until it was looked at. */
enum container_kind { CONTAINER_OWN = 0, CONTAINER_OF_OTHERS, CONTAINER_KIND_COUNT };
#define CONTAINER_OWN_MAX (2 * TASK_REGISTRY_MANAGED_MAX)
#define CONTAINER_OF_OTHERS_MAX (2 * TASK_REGISTRY_MAX)

struct container_set;

struct container_set_parts {
    struct loop *loop;
    struct docker_engine *engine;
    struct task_registry *registry;
    uint8_t provider;
    struct docker_label_scope scope; /* all borrowed, must outlive the set */
    void (*on_settled)(void *owner); /* every container listed since begin_sync has been looked at */
    void (*on_lost)(void *owner);    /* a look was not answered; it is repeated once the engine is there */
    void (*on_ignored)(void *owner, bool is_ignored); /* one more, or one less, that is not taken */
    void (*on_refusal)(void *owner, const char *service, const char *text); /* why, once for each reason */
    void *owner;
};

struct container_set *container_set_new(const struct container_set_parts *parts);
void container_set_free(struct container_set *set);
/* Of the label scope, for what is looked at from now on. Borrowed until the next call. */
void container_set_set_joinable(struct container_set *set, struct joinable_services joinable);

/* Others' tasks in services that the scope's policy has closed go at once, whether the engine answers now or not. */
void container_set_enforce_policy(struct container_set *set);

/* The engine is back: what it could not answer is asked at once. */
void container_set_look_again(struct container_set *set);

void container_set_take_event(struct container_set *set, const struct docker_event *event);

/* A full list: begin, every id of the list, and, once settled, end, which forgets those that were not listed. The
 * registry's own sync is the caller's. */
void container_set_begin_sync(struct container_set *set);
void container_set_list(struct container_set *set, const char *id, enum container_kind kind);
bool container_set_is_settled(const struct container_set *set);
void container_set_end_sync(struct container_set *set);

struct container_set_status {
    size_t known_count, ignored_count, waiting_count;
    uint64_t looks_count;
};
void container_set_status(const struct container_set *set, struct container_set_status *out);

#endif
