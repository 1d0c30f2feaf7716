/* lane: one connection to the target, over and over, and the request that is on it. Belongs to one thread's loop; owned
 * by its generator, which also lists it by its state. Costs one send and one receive per request, no epoll_ctl and no
 * timer: the read event is registered once per connection, the write event only when the kernel takes no more.
 *
 *   CLOSED --connect--> CONNECTING --> IDLE --start--> BUSY --answer--> IDLE
 *      \-------------------start----------------------> BUSY --answer--> CLOSING --end--> CLOSED
 */
#ifndef BENCH_LOAD_LANE_H
#define BENCH_LOAD_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event_struct.h>

#include "base/slice.h"
#include "bench/load/answer.h"
#include "bench/load/target.h"

enum lane_state {
    LANE_CLOSED = 0,
    LANE_CONNECTING, /* without a request */
    LANE_IDLE,
    LANE_BUSY,   /* has a request, perhaps not yet a connection */
    LANE_CLOSING /* answered for the last time: waits for the server to close, so that it keeps the TIME_WAIT */
};

struct lane;

struct lane_outcome {
    enum failure failure;
    int status;      /* 0: no whole answer */
    const char *why; /* static, or of strerror(); can be null */
};

/* From an event: the request has ended, or (outcome null) a lane without one has changed its state. */
typedef void (*lane_change_cb)(struct lane *lane, const struct lane_outcome *outcome);

/* What the lanes of a thread share. All pointers are borrowed. */
struct lane_group {
    struct event_base *base;
    const struct target_address *address;
    struct slice request;
    bool one_per_connection;
    char *buffer; /* of LANE_BUFFER_BYTES; nothing stays in it between events */
    lane_change_cb on_change;
    void *owner;
    uint64_t opened_count, sent_bytes, received_bytes;
    struct answer_reader reader;
};

#define LANE_BUFFER_BYTES (64u << 10)

TAILQ_HEAD(lane_list, lane);

struct lane {
    struct lane_group *group;
    enum lane_state state;
    int fd; /* -1 in CLOSED */
    bool is_connected;
    size_t sent_bytes; /* of the request */
    struct answer answer;
    struct event readable, writable;

    /* the generator's: */
    int64_t due_at_us, sent_at_us, closing_at_us;
    struct lane_list *list; /* the one it is in */
    TAILQ_ENTRY(lane) link;
};

void lane_init(struct lane *lane, struct lane_group *group);
void lane_fini(struct lane *lane);

/* A CLOSED lane begins to connect; on_change when it has, or has not. False: it stays CLOSED. */
bool lane_connect(struct lane *lane);

/* Puts the request on an IDLE or CLOSED lane. False: it has failed already, as *outcome says; the lane is CLOSED. */
bool lane_start(struct lane *lane, struct lane_outcome *outcome);

void lane_close(struct lane *lane); /* in any state; without a call back */

#endif
