/* wake_list: who is to be woken when. For thousands of sleepers, of which many are woken in the same millisecond: those
 * share one timer. A timer for each is a place in libevent's heap, and each of its moves steps over a dozen others that
 * lie far apart. One loop's thread only.
 *
 * Sleepers of a millisecond are woken in the order in which they lay down. A callback may put any sleeper to sleep, and
 * wake any, also itself and those whose turn is next; it must not free the list. */
#ifndef BASE_WAKE_LIST_H
#define BASE_WAKE_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/loop.h"

struct wake_list;
struct wake_group; /* those of one millisecond */

/* Embedded in its owner; stopped before the owner goes. */
struct sleeper {
    struct wake_list *list;   /* borrowed */
    struct wake_group *group; /* null: awake */
    TAILQ_ENTRY(sleeper) link;
    timer_cb wake;
    void *owner; /* borrowed */
};

struct wake_list *wake_list_new(struct loop *loop);
void wake_list_free(struct wake_list *list); /* nobody sleeps; null is allowed */

void sleeper_init(struct sleeper *sleeper, struct wake_list *list, timer_cb wake, void *owner);
/* Once, at at_ms of clock_now_ms() or as soon as possible after it, from the loop; in place of what was said before. Like
 * any timer it may be early by a tick of the kernel's, as libevent's clock is coarse. */
void sleeper_start(struct sleeper *sleeper, int64_t at_ms);
void sleeper_stop(struct sleeper *sleeper); /* idempotent */

#endif
