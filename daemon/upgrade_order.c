#include "daemon/upgrade_order.h"

#include "base/clock.h"
#include "daemon/presence.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define POLL_MS 20

/* Its file is written in place: one that cannot be read now can be in a moment, unless nobody runs. */
static bool wait_for_outcome(const char *state_dir, const struct presence *before, struct presence *after,
                             struct error *error)
{
    int64_t end_ms = clock_now_ms() + UPGRADE_ORDER_LIMIT_S * 1000;
    error_set(error, "no outcome in %d s; see its log", UPGRADE_ORDER_LIMIT_S);
    while (clock_now_ms() < end_ms) {
        struct error problem;
        if (presence_find(state_dir, after, &problem) &&
            (after->upgrade_count != before->upgrade_count || after->refusal_count != before->refusal_count))
            return true;
        if (kill(before->pid, 0) < 0 && errno == ESRCH)
            return error_set(error, "process %d has ended", (int)before->pid);
        poll(NULL, 0, POLL_MS);
    }
    return false;
}

int upgrade_order(const char *state_dir)
{
    struct presence before, after;
    struct error error;
    if (!presence_find(state_dir, &before, &error)) {
        fprintf(stderr, "portico upgrade: %s (an upgrade does not change stateDir)\n", error.text);
        return 1;
    }
    if (kill(before.pid, SIGUSR2) < 0) {
        fprintf(stderr, "portico upgrade: process %d: %s\n", (int)before.pid, strerror(errno));
        return 1;
    }
    if (!wait_for_outcome(state_dir, &before, &after, &error)) {
        fprintf(stderr, "portico upgrade: %s\n", error.text);
        return 1;
    }
    if (after.refusal_count != before.refusal_count) {
        fprintf(stderr, "portico upgrade: refused: %s\n", after.last_refusal);
        return 1;
    }
    printf("upgraded, process %d\n", (int)after.pid);
    return 0;
}
