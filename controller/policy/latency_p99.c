/* Latency is no load: it cannot be divided over tasks. So growth is stepwise, each step judged after the last one took
 * effect, and what was learned on the way out (how many requests/s a task carried when the target was missed) says how
 * far it is safe to go back in. Without that memory the count would swing between "slow" and "idle" for ever. */
#include "controller/policy/policy.h"

#include <math.h>
#include <stdio.h>

#define REQUESTS_MIN 5   /* fewer say nothing about a p99 */
#define SETTLE_MS 2000   /* the p99's own window: until then it still contains requests from before the change */
#define PENDING_MS 10000 /* so long a task that is still starting holds up the next step */
#define RATIO_MAX 2.0    /* a p99 ten times the target does not mean ten times the tasks */
#define IDLE_SHARE 0.5   /* of the target: below it a task less may be tried when nothing was learned */
#define SAFE_SHARE 0.8   /* of the learned rate per task that scale-in may come back to */
#define DOUBT_SHARE 0.8
#define LEARNED_MS (60 * 60 * 1000) /* then the whole learned rate is tried again: hosts and requests change */
#define FORGET_MS (24 * 60 * 60 * 1000)

static double target_of(const struct config_scaling *config)
{
    return config->latency_p99_ms;
}

static int64_t enough_tasks(const struct load_window *window, const struct scaling_spec *spec,
                            const struct scaling_state *state, int64_t now_ms)
{
    int64_t age_ms = now_ms - state->saturated_at_ms;
    if (state->saturated_rate <= 0 || age_ms > FORGET_MS) /* feel the way, one at a time */
        return window->latency_p99_ms < IDLE_SHARE * spec->target ? state->desired - 1 : state->desired;
    double safe_rate = (age_ms > LEARNED_MS ? 1 : SAFE_SHARE) * state->saturated_rate;
    double tasks = window->arrived * 1000 / (double)window->span_ms / safe_rate;
    bool is_fine = window->latency_p99_ms <= (1 - POLICY_TOLERANCE) * spec->target && tasks < (double)state->desired;
    return is_fine ? (int64_t)ceil(tasks) : state->desired;
}

static bool may_grow(const struct load_window *window, const struct scaling_state *state, int64_t now_ms)
{
    if (window->latency_count < REQUESTS_MIN || window->is_draining)
        return false;
    if (state->pending_count > 0)
        return now_ms - state->changed_at_ms >= PENDING_MS;
    /* A task that has just arrived has changed nothing yet that the p99 could show. */
    int64_t effective_ms =
        state->complete_since_ms > state->changed_at_ms ? state->complete_since_ms : state->changed_at_ms;
    return now_ms - effective_ms >= SETTLE_MS;
}

static struct scaling_need need_of(const struct load_window *window, const struct scaling_spec *spec,
                                   const struct scaling_state *state, int64_t now_ms)
{
    struct scaling_need need = { .out = state->desired, .in = state->desired, .is_used = window->is_used };
    if (!window->is_used) {
        need.in = 0;
        return need;
    }
    if (state->desired == 0)
        return need; /* one is asked for */
    if (window->latency_count <= 0)
        return need; /* requests wait and none ends: no number to judge by, and surely not idle */
    double ratio = window->latency_p99_ms / spec->target;
    if (ratio <= 1 + POLICY_TOLERANCE) {
        int64_t enough = enough_tasks(window, spec, state, now_ms);
        need.in = enough > 1 ? enough : 1;
    } else if (may_grow(window, state, now_ms)) {
        double grown = (double)state->desired * (ratio < RATIO_MAX ? ratio : RATIO_MAX);
        need.out = (int64_t)grown > state->desired ? (int64_t)grown : state->desired + 1;
    }
    return need;
}

/* What a saturated task finishes is at most what it can. Each time the target is missed below the rate that was
 * learned, that rate was too hopeful. */
static double learn(const struct load_window *window, const struct scaling_state *state)
{
    double rate = window->finished * 1000 / (double)window->span_ms / (double)state->desired;
    double doubted = DOUBT_SHARE * state->saturated_rate;
    return rate > doubted ? rate : doubted;
}

static struct scaling_decision decide(const struct scaling_spec *spec, const struct load_sample *samples, size_t n,
                                      const struct scaling_state *state, int64_t now_ms)
{
    struct load_window window;
    char why[160];
    if (!load_window_fill(&window, samples, n, now_ms, why))
        return scaling_hold(state, why);
    struct scaling_need need = need_of(&window, spec, state, now_ms);
    snprintf(need.metric, sizeof need.metric, "p99 %.1f ms of %.0f requests, target %.6g ms", window.latency_p99_ms,
             window.latency_count, spec->target);
    struct scaling_decision decision = scaling_settle(spec, state, &need, now_ms);
    if (decision.desired > state->desired && state->desired > 0)
        decision.saturated_rate = learn(&window, state);
    return decision;
}

const struct scaling_policy_ops policy_latency_p99 = {
    .name = "latency_p99",
    .summary = "99th percentile of latency, stepwise",
    .target = target_of,
    .decide = decide,
};
