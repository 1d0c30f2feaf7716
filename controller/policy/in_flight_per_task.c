#include "controller/policy/policy.h"

#include <stdio.h>

/* A queue that grew while tasks were starting says nothing new about the load until they have worked on it for a while.
 */
#define SETTLE_MS 1500

static double target_of(const struct config_scaling *config)
{
    return config->in_flight_per_task;
}

static struct scaling_decision decide(const struct scaling_spec *spec, const struct load_sample *samples, size_t n,
                                      const struct scaling_state *state, int64_t now_ms)
{
    struct load_window window;
    char why[160];
    if (!load_window_fill(&window, samples, n, now_ms, why))
        return scaling_hold(state, why);
    struct scaling_need need = scaling_need_of(&window, window.in_flight_mean, spec, state->desired);
    if (window.is_draining || now_ms - state->changed_at_ms < SETTLE_MS)
        need.out = state->desired;
    snprintf(need.metric, sizeof need.metric, "%.1f requests in flight over %.1f s, target %.6g per task",
             window.in_flight_mean, (double)window.span_ms / 1000, spec->target);
    return scaling_settle(spec, state, &need, now_ms);
}

const struct scaling_policy_ops policy_in_flight_per_task = {
    .name = "in_flight_per_task",
    .summary = "requests in flight, divided over the tasks",
    .target = target_of,
    .decide = decide,
};
