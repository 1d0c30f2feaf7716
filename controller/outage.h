/* outage: says why requests of a service are answered 503: one event with a warning when they begin, then at most one
 * every OUTAGE_REPEAT_MS while they go on, with how many there were. Control thread only. Embedded in its service. */
#ifndef CONTROLLER_OUTAGE_H
#define CONTROLLER_OUTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/event_log.h"
#include "controller/reconciler.h"

#define OUTAGE_REPEAT_MS 10000

struct outage { /* zeroed: nothing known yet */
    bool has_count;
    uint64_t reported_count; /* of the counter below */
    int64_t reported_at_ms;
};

/* refused_count: requests answered 503 for want of an endpoint, as it only grows; it may start anew. tasks: of this turn. */
void outage_follow(struct outage *o, uint64_t refused_count, const struct observed_task *tasks, size_t task_count,
                   const char *service, struct event_log *events, int64_t now_ms);

/* "task 3f2a... (web-1): DOWN: status 500 in 2 ms; ... and 3 more", or "it has no task". Pure. */
#define OUTAGE_REASON_SIZE 400
void outage_explain(const struct observed_task *tasks, size_t task_count, char out[OUTAGE_REASON_SIZE]);

#endif
