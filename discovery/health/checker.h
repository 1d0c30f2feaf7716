/* health checker: asks every running task that has an address whether it serves, and tells the registry. TCP connect,
 * or GET with a status that its matcher names. Control thread only.
 *
 * Probes go in three lanes that never wait for each other: tasks that are not in rotation yet, tasks that are, and those
 * whose last probe hung. In each at most HEALTH_CHECKS_IN_LANE_MAX are under way (twice as many in the last), of one
 * service HEALTH_CHECKS_OF_SERVICE_MAX of them, and services take turns: a thousand black-holed addresses delay nobody's
 * first probe.
 *
 * A task that has not yet answered is asked at once, then after 100 ms doubling to 1 s (never slower than its
 * interval), so that a started container serves within a fraction of a second; after its first UP it is asked every
 * interval_ms +- 10 %. */
#ifndef DISCOVERY_HEALTH_CHECKER_H
#define DISCOVERY_HEALTH_CHECKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/http_client.h"
#include "base/loop.h"
#include "config/config.h"
#include "discovery/health/check.h"
#include "discovery/task_registry.h"

#define HEALTH_CHECKS_IN_LANE_MAX 64
#define HEALTH_CHECKS_OF_SERVICE_MAX 48

struct health_checker;

/* Takes the registry's health listener slot. All borrowed, must outlive the checker. */
struct health_checker *health_checker_new(struct loop *loop, struct http_client *http, struct task_registry *registry);
void health_checker_free(struct health_checker *checker);

/* How to check the tasks of a service, from now on; null goes back to the default (TCP every 5 s, 2 s timeout, UP after
 * 1 success, DOWN after 3 failures). Copied. Known results stay as they are. sends_proxy_header: the tasks want a PROXY
 * protocol header in front of a request; it is of version 1, which those that know version 2 take as well. */
void health_checker_configure(struct health_checker *checker, const char *service,
                              const struct config_health_check *check, bool sends_proxy_header);

struct health_checker_status {
    size_t watched_count, in_flight_count, waiting_count;
    uint64_t outcomes[CHECK_OUTCOME_COUNT]; /* finished probes */
};
void health_checker_status(const struct health_checker *checker, struct health_checker_status *out);

#endif
