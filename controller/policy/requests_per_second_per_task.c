#include "controller/policy/policy.h"

#include <stdio.h>

static double target_of(const struct config_scaling *config)
{
    return config->requests_per_second_per_task;
}

static struct scaling_decision decide(const struct scaling_spec *spec, const struct load_sample *samples, size_t n,
                                      const struct scaling_state *state, int64_t now_ms)
{
    struct load_window window;
    char why[160];
    if (!load_window_fill(&window, samples, n, now_ms, why))
        return scaling_hold(state, why);
    double seconds = (double)window.span_ms / 1000;
    /* Saturated tasks finish what they can, not what is asked: arrivals are the load. */
    double rate = window.arrived / seconds;
    struct scaling_need need = scaling_need_of(&window, rate, spec, state->desired);
    snprintf(need.metric, sizeof need.metric, "%.1f requests/s over %.1f s, target %.6g per task", rate, seconds,
             spec->target);
    return scaling_settle(spec, state, &need, now_ms);
}

const struct scaling_policy_ops policy_requests_per_second_per_task = {
    .name = "requests_per_second_per_task",
    .summary = "arriving requests per second, divided over the tasks",
    .target = target_of,
    .decide = decide,
};
