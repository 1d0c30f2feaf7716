/* fair_queue: who may go next. Items wait in it until there is room: at most `places` are out at once, at most `share` of
 * them of one party, and parties take turns, so that one with a thousand slow items does not hold up one with a single
 * item. One thread. Items are embedded in what waits, and owned by it. */
#ifndef BASE_FAIR_QUEUE_H
#define BASE_FAIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

enum fair_order {
    FAIR_OLDEST_FIRST = 0,
    FAIR_NEWEST_FIRST, /* of a party, and a party that had none waiting before the others */
    FAIR_ORDER_COUNT
};

enum fair_state { FAIR_IDLE = 0, FAIR_WAITING, FAIR_OUT, FAIR_STATE_COUNT };

struct fair_party; /* made with its first item, gone with its last */

struct fair_item { /* zeroed: idle */
    enum fair_state state;
    struct fair_party *party;
    TAILQ_ENTRY(fair_item) link; /* while waiting */
};

TAILQ_HEAD(fair_party_list, fair_party);

struct fair_queue {
    size_t places, share;
    enum fair_order order;
    size_t waiting_count, out_count;
    struct fair_party *parties;   /* owned; uthash, by name */
    struct fair_party_list ready; /* those with items waiting and share left, in the order of their turns */
};

void fair_queue_init(struct fair_queue *queue, size_t places, size_t share, enum fair_order order);
void fair_queue_fini(struct fair_queue *queue); /* no item is in it any more */

/* An idle item begins to wait. party: copied, may be empty. */
void fair_queue_put(struct fair_queue *queue, struct fair_item *item, const char *party);
/* The next one is out; null: nobody waits, or there is no room. */
struct fair_item *fair_queue_take(struct fair_queue *queue);
/* Back to idle, whether it waits, is out, or is idle already. */
void fair_queue_leave(struct fair_queue *queue, struct fair_item *item);

#endif
