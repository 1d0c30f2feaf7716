#include "discovery/health/check.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *const outcome_names[] = {
    "passed",     "connect failed", "connect timeout", "no answer", "connection closed",
    "bad status", "bad answer",     "not sent",
};
_Static_assert(sizeof outcome_names / sizeof *outcome_names == CHECK_OUTCOME_COUNT, "a name for every outcome");

static int64_t in_range(int64_t value, int64_t min, int64_t max, int64_t fallback)
{
    return value < min || value > max ? fallback : value;
}

const char *check_outcome_to_str(enum check_outcome outcome)
{
    return outcome < CHECK_OUTCOME_COUNT ? outcome_names[outcome] : "?";
}

struct health_state health_next(struct health_state state, enum check_outcome outcome,
                                const struct config_health_check *check, int64_t now_ms)
{
    if (outcome == CHECK_NOT_SENT)
        return state;
    if (outcome == CHECK_PASSED) {
        state.failures = 0;
        state.successes += state.successes < UINT32_MAX;
        if (state.successes >= check->healthy_threshold) {
            state.health = TASK_HEALTH_UP;
            state.was_up = true;
        }
        return state;
    }
    state.successes = 0;
    state.failures += state.failures < UINT32_MAX;
    bool had_its_time = state.was_up || now_ms - state.began_at_ms >= check->interval_ms * check->unhealthy_threshold;
    if (state.failures >= check->unhealthy_threshold && had_its_time)
        state.health = TASK_HEALTH_DOWN;
    return state;
}

int64_t health_next_delay_ms(const struct health_state *state, const struct config_health_check *check)
{
    if (state->was_up)
        return check->interval_ms;
    unsigned doublings = state->failures > 0 ? state->failures - 1 : 0;
    int64_t delay_ms = doublings >= 4 ? HEALTH_SLOWEST_RETRY_MS : HEALTH_FIRST_RETRY_MS << doublings;
    return delay_ms < check->interval_ms ? delay_ms : check->interval_ms;
}

int64_t health_add_jitter(int64_t delay_ms, uint32_t random)
{
    int64_t tenth = delay_ms / 10;
    return delay_ms - tenth + random % (2 * tenth + 1);
}

int64_t health_wake_together(int64_t now_ms, int64_t delay_ms)
{
    if (delay_ms < HEALTH_SOON_MS)
        return delay_ms;
    int64_t at_ms = now_ms + delay_ms + HEALTH_TOGETHER_MS / 2;
    return at_ms - at_ms % HEALTH_TOGETHER_MS - now_ms;
}

struct config_health_check health_check_effective(const struct config_health_check *check)
{
    static const int64_t day_ms = 86400000;
    struct config_health_check out = check ? *check : (struct config_health_check){ 0 };
    out.interval_ms = in_range(out.interval_ms, 10, day_ms, 5000);
    out.timeout_ms = in_range(out.timeout_ms, 10, day_ms, 2000);
    out.healthy_threshold = in_range(out.healthy_threshold, 1, 1000, 1);
    out.unhealthy_threshold = in_range(out.unhealthy_threshold, 1, 1000, 3);
    if (!out.matcher)
        out.matcher = (char *)(uintptr_t)HEALTH_DEFAULT_MATCHER;
    return out;
}

static bool texts_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool health_check_equals(const struct config_health_check *a, const struct config_health_check *b)
{
    bool is_same = texts_equal(a->path, b->path) && texts_equal(a->host, b->host) &&
                   texts_equal(a->matcher, b->matcher) && a->header_count == b->header_count &&
                   a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms &&
                   a->healthy_threshold == b->healthy_threshold && a->unhealthy_threshold == b->unhealthy_threshold &&
                   a->start_period_ms == b->start_period_ms;
    for (size_t i = 0; is_same && i < a->header_count; i++)
        is_same = texts_equal(a->headers[i].name, b->headers[i].name) &&
                  texts_equal(a->headers[i].value, b->headers[i].value);
    return is_same;
}

static char *copy_of(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

struct config_health_check health_check_copy(const struct config_health_check *check)
{
    struct config_health_check out = *check;
    out.path = copy_of(check->path);
    out.host = copy_of(check->host);
    out.matcher = copy_of(check->matcher);
    out.headers = check->header_count ? mem_alloc_array(check->header_count, sizeof *out.headers) : NULL;
    for (size_t i = 0; i < check->header_count; i++)
        out.headers[i] = (struct config_env){ mem_strdup(check->headers[i].name), mem_strdup(check->headers[i].value) };
    return out;
}

void health_check_fini(struct config_health_check *check)
{
    for (size_t i = 0; i < check->header_count; i++) {
        free(check->headers[i].name);
        free(check->headers[i].value);
    }
    free(check->headers);
    free(check->path);
    free(check->host);
    free(check->matcher);
    *check = (struct config_health_check){ 0 };
}
