#include "base/fair_queue.h"

#include <string.h>
#include <uthash.h>

#include "base/check.h"
#include "base/mem.h"

struct fair_party {
    char *name; /* owned */
    TAILQ_HEAD(, fair_item) waiting;
    size_t out_count;
    bool is_ready;
    TAILQ_ENTRY(fair_party) turn; /* while ready */
    UT_hash_handle hh;
};

static struct fair_party *find_or_add_party(struct fair_queue *queue, const char *name)
{
    struct fair_party *party;
    HASH_FIND_STR(queue->parties, name, party);
    if (party)
        return party;
    party = mem_alloc(sizeof *party);
    party->name = mem_strdup(name);
    TAILQ_INIT(&party->waiting);
    HASH_ADD_KEYPTR(hh, queue->parties, party->name, strlen(party->name), party);
    return party;
}

static void set_ready(struct fair_queue *queue, struct fair_party *party, bool is_ready)
{
    if (is_ready == party->is_ready)
        return;
    party->is_ready = is_ready;
    if (!is_ready)
        TAILQ_REMOVE(&queue->ready, party, turn);
    else if (queue->order == FAIR_NEWEST_FIRST && party->out_count == 0)
        TAILQ_INSERT_HEAD(&queue->ready, party, turn);
    else
        TAILQ_INSERT_TAIL(&queue->ready, party, turn);
}

/* After every change of a party: whether it has its turns, and whether it is there at all. */
static void settle(struct fair_queue *queue, struct fair_party *party)
{
    bool is_waiting = !TAILQ_EMPTY(&party->waiting);
    set_ready(queue, party, is_waiting && party->out_count < queue->share);
    if (is_waiting || party->out_count > 0)
        return;
    HASH_DEL(queue->parties, party); /* NOLINT(clang-analyzer-unix.Malloc): it does not follow uthash */
    free(party->name);
    free(party);
}

void fair_queue_init(struct fair_queue *queue, size_t places, size_t share, enum fair_order order)
{
    *queue = (struct fair_queue){ .places = places, .share = share, .order = order };
    TAILQ_INIT(&queue->ready);
}

void fair_queue_fini(struct fair_queue *queue)
{
    check(queue->waiting_count == 0 && queue->out_count == 0 && queue->parties == NULL);
}

void fair_queue_put(struct fair_queue *queue, struct fair_item *item, const char *party_name)
{
    check(item->state == FAIR_IDLE);
    struct fair_party *party = find_or_add_party(queue, party_name);
    item->state = FAIR_WAITING;
    item->party = party;
    if (queue->order == FAIR_NEWEST_FIRST)
        TAILQ_INSERT_HEAD(&party->waiting, item, link);
    else
        TAILQ_INSERT_TAIL(&party->waiting, item, link);
    queue->waiting_count++;
    settle(queue, party);
}

struct fair_item *fair_queue_take(struct fair_queue *queue)
{
    struct fair_party *party = TAILQ_FIRST(&queue->ready);
    if (!party || queue->out_count >= queue->places)
        return NULL;
    struct fair_item *item = TAILQ_FIRST(&party->waiting);
    TAILQ_REMOVE(&party->waiting, item, link);
    item->state = FAIR_OUT;
    queue->waiting_count--;
    queue->out_count++;
    party->out_count++;
    set_ready(queue, party, false); /* its next turn comes after the others' */
    settle(queue, party);
    return item;
}

void fair_queue_leave(struct fair_queue *queue, struct fair_item *item)
{
    struct fair_party *party = item->party;
    if (item->state == FAIR_IDLE)
        return;
    if (item->state == FAIR_WAITING) {
        TAILQ_REMOVE(&party->waiting, item, link);
        queue->waiting_count--;
    } else {
        queue->out_count--;
        party->out_count--;
    }
    *item = (struct fair_item){ .state = FAIR_IDLE };
    settle(queue, party);
}
