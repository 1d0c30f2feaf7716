/* loop: one libevent base and its timers, for every process and worker. A loop and its timers belong to one thread.
 * The data plane puts its own raw `struct event` on loop_base(). */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

struct loop;

struct loop *loop_new(void); /* no locks inside: nothing but a mailbox may be touched from another thread */
void loop_free(struct loop *loop);
struct event_base *loop_base(struct loop *loop);
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop); /* from its own thread; the current turn is finished first */

typedef void (*timer_cb)(void *owner);

/* Embedded in its owner; init before use, stop before the owner goes. */
struct timer {
    struct event event;
    timer_cb fire;
    void *owner; /* borrowed */
};

void timer_init(struct timer *timer, struct loop *loop, timer_cb fire, void *owner);
void timer_start(struct timer *timer, int64_t delay_ms); /* once; restarts when already running */
void timer_start_every(struct timer *timer, int64_t period_ms);
void timer_stop(struct timer *timer); /* idempotent */

#endif
