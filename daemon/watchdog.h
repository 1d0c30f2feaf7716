/* watchdog: a child that is there but does not turn its loop is worth as much as a dead one: it is killed, and whoever waits
 * for its end starts it again. One that has not become ready has twice the time after each start that failed, up to 16
 * times. Supervisor only. */
#ifndef DAEMON_WATCHDOG_H
#define DAEMON_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "daemon/child.h"

/* Embedded in its owner. */
struct watchdog {
    struct timer look;
    struct child *child; /* borrowed */
    int64_t limit_ms;
    int64_t suspected_at_ms; /* beat_at_ms or started_at_ms of the last look, when that was overdue; 0: it was not */
};

void watchdog_start(struct watchdog *w, struct loop *loop, struct child *child, int64_t limit_ms);
void watchdog_stop(struct watchdog *w);

/* One look: true when the child has to go. Only the second look in a row that sees the same old sign of life says so: while
 * the supervisor itself stood still, signs of life have come that it has not read yet. Pure but for *w. */
bool watchdog_is_stuck(struct watchdog *w, int64_t now_ms);

#endif
