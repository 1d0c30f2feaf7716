/* publisher: keeps the data plane's snapshot as the registry and the configuration want it: one `patch` frame for all
 * changes of a loop turn, a whole `snapshot` on a new link or after a refusal. Control thread only; driven by its loop.
 *
 *   hello (serial 0: it serves nothing)  --> as soon as the providers' first lists are complete, or after 1 s
 *   hello (serial 0) to a restarted control --> once the lists are complete and each service has a healthy task, or all of
 * its tasks were probed; 0.8 s later once any service has one; 3 s after the start in any case: while nobody accepts,
 * connections wait in the kernel's queue
 *   hello (serial n: it serves an old one) --> once the lists are complete and every running task was probed, or 3 s
 * later: a restart of this process must not take endpoints out that are fine. The same when another proxy serves until
 * ours does (an upgrade). A provider that has given no list after PUBLISHER_LIST_WAIT_MS holds up nobody then: its tasks
 * of before are recalled, and what they were is published with all else that changed.
 *
 * At most PUBLISHER_UNACKED_MAX frames are under way; later changes wait for an acknowledgement and are then sent as
 * one. */
#ifndef DAEMON_PUBLISH_PUBLISHER_H
#define DAEMON_PUBLISH_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "config/config.h"
#include "daemon/publish/route_book.h"
#include "discovery/task_registry.h"

#define PUBLISHER_UNACKED_MAX 8
#define PUBLISHER_LIST_WAIT_MS 500
#define PUBLISHER_PROVIDERS_MAX 8

struct publisher;

struct publisher_parts {
    struct loop *loop;
    struct task_registry *registry; /* borrowed; its listener slot is taken */
    const char *bound_listeners;    /* borrowed; of snapshot_write_settings() */
    uint64_t serial_base;           /* ours are larger; those of earlier processes of ours are not */
    bool is_restart; /* tasks were known before: the proxy, if it died too, rather waits than answers 503 */
    bool succeeds;   /* while our proxy serves nothing, an earlier one serves */
    /* A provider gives no list although others know tasks of it: put those of an earlier process into the registry
     * (task_registry_recall). Called once at most, PUBLISHER_LIST_WAIT_MS after the start. Null: nothing is
     * remembered. */
    void (*recall)(void *owner, const char *provider);
    void (*ask_for_link)(void *owner); /* the link broke and nobody has brought a new one for a second */
    /* Of publication_set_listener(), and, for no service (""), that changes are held back. Null: nobody wants to know. */
    route_book_refusal_cb on_refusal;
    void *owner;
};

/* Above every serial that an earlier control can have sent to the proxy of this supervisor, by how many there were: what
 * the proxy says of it need not be believed. An upgrade begins at zero, with a proxy that has been sent nothing; where it
 * goes back to the old program, that goes on counting. Enough for a new control four times a second for eight years. */
#define PUBLISHER_LIVES_MAX (UINT64_C(1) << 30)
uint64_t publisher_serial_base(uint64_t earlier_lives);

struct publisher *publisher_new(const struct publisher_parts *parts);
void publisher_free(struct publisher *p);

void publisher_add_provider(struct publisher *p, uint8_t provider); /* whose first complete list to wait for */
void publisher_apply_config(struct publisher *p, const struct config *config); /* borrowed for the call */
void publisher_set_link(struct publisher *p, int fd); /* takes the descriptor; replaces the link there was */

/* Does no worker send to this task any more? While the data plane's content is not known (a new link to a proxy that
 * serves a snapshot of an earlier control process), nobody is. Without a link: what was known last. */
bool publisher_is_out_of_rotation(const struct publisher *p, const char *task_id);

void publisher_each_route(struct publisher *p, route_book_cb each, void *owner);

/* The part of the status that is asked for with every reading of a counter: it costs nothing that grows. */
struct publisher_link {
    bool is_linked, is_holding;
    int64_t oldest_unacked_at_ms, unlinked_at_ms;
};
void publisher_link(const struct publisher *p, struct publisher_link *out);

struct publisher_status {
    bool is_linked;   /* hello was received */
    bool is_serving;  /* the data plane has some snapshot, ours or an earlier one */
    bool is_holding;  /* see above */
    char held_by[32]; /* the provider whose first list is waited for; "": first probes are */
    char
        recalled[32]; /* the provider that has no list yet, and whose tasks are those of an earlier process; "": none */
    uint64_t sent_serial, acked_serial;
    uint64_t frame_count, ack_count, rejection_count, link_count;
    int64_t oldest_unacked_at_ms; /* 0: all acknowledged */
    int64_t unlinked_at_ms;       /* 0: linked */
    size_t service_count, route_count, endpoint_count;
    size_t failing_open_count;           /* of struct publication_status */
    size_t left_out_count;               /* the same */
    char left_out[TASK_NAME_SIZE];       /* the same */
    struct route_book_refusals refusals; /* borrowed until the next turn */
    char last_rejection[256];            /* empty: none */
};
void publisher_status(const struct publisher *p, struct publisher_status *out);

#endif
