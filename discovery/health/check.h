/* check: what one health probe said, and what follows from it. Pure; any thread. discovery/health/checker.h does the
 * asking. */
#ifndef DISCOVERY_HEALTH_CHECK_H
#define DISCOVERY_HEALTH_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "discovery/task_registry.h"

enum check_outcome {
    CHECK_PASSED = 0,
    CHECK_CONNECT_FAILED, /* refused, unreachable */
    CHECK_CONNECT_TIMEOUT,
    CHECK_NO_ANSWER,  /* connected, but no whole answer in time */
    CHECK_CLOSED,     /* connection closed or reset before the answer */
    CHECK_BAD_STATUS, /* none that the matcher names */
    CHECK_BAD_ANSWER, /* not HTTP, or too large */
    CHECK_NOT_SENT,   /* our own limit or a malformed address: counts neither way */
    CHECK_OUTCOME_COUNT
};
const char *check_outcome_to_str(enum check_outcome outcome);

#define HEALTH_DEFAULT_MATCHER "200-399"
#define HEALTH_FIRST_RETRY_MS 100
#define HEALTH_SLOWEST_RETRY_MS 1000

struct health_state {
    enum task_health health;
    bool was_up;         /* at least once since it was first checked */
    uint32_t successes;  /* consecutive */
    uint32_t failures;   /* consecutive */
    int64_t began_at_ms; /* when checking began */
};

/* The state after one more outcome. UP after healthy_threshold successes, DOWN after unhealthy_threshold failures; a
 * task that was never up stays UNKNOWN for interval_ms * unhealthy_threshold first, however often it was asked
 * meanwhile. */
struct health_state health_next(struct health_state state, enum check_outcome outcome,
                                const struct config_health_check *check, int64_t now_ms);

/* How long to wait before the next probe, without jitter. */
int64_t health_next_delay_ms(const struct health_state *state, const struct config_health_check *check);

/* delay_ms +- 10 %; random: any number. */
int64_t health_add_jitter(int64_t delay_ms, uint32_t random);

/* The same delay, but for half of HEALTH_TOGETHER_MS at most, so that probes far off come in groups: waking up for one
 * alone costs as much as the probe. Those that are due soon are left as they are. */
#define HEALTH_TOGETHER_MS 50
#define HEALTH_SOON_MS 2000
int64_t health_wake_together(int64_t now_ms, int64_t delay_ms);

/* Missing or out-of-range values replaced: interval 5 s, timeout 2 s, healthy 1, unhealthy 3, matcher "200-399". Texts
 * are borrowed. */
struct config_health_check health_check_effective(const struct config_health_check *check);

bool health_check_equals(const struct config_health_check *a, const struct config_health_check *b);

/* A copy that owns its texts, for health_check_fini(). */
struct config_health_check health_check_copy(const struct config_health_check *check);
void health_check_fini(struct config_health_check *check);

#endif
