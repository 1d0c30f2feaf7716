#include "controller/policy/policy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define POLICY_ENTRY(name) &policy_##name,
const struct scaling_policy_ops *const policy_list[] = { POLICY_LIST(POLICY_ENTRY) };
#undef POLICY_ENTRY
const size_t policy_list_count = sizeof policy_list / sizeof policy_list[0];

#define NEEDED_MAX 1000000 /* keeps arithmetic on absurd loads far from overflow */

#define DRAINING_SHARE 0.95

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t clip(const struct scaling_spec *spec, int64_t desired)
{
    return larger(spec->min, smaller(spec->max, desired));
}

const struct scaling_policy_ops *policy_find(const struct config_scaling *config)
{
    if (!config->enabled)
        return NULL;
    for (size_t i = 0; i < policy_list_count; i++)
        if (policy_list[i]->target(config) > 0)
            return policy_list[i];
    return NULL;
}

static int64_t ring_slot_ms(const struct scaling_spec *spec)
{
    return larger(1, spec->scale_in_cooldown_ms / (NEEDED_RING_SIZE - 1));
}

static void ring_add(struct needed_ring *ring, const struct scaling_spec *spec, int64_t needed, int64_t now_ms)
{
    int64_t slot = now_ms / ring_slot_ms(spec);
    size_t i = (size_t)(slot % NEEDED_RING_SIZE);
    ring->needed[i] = ring->slots[i] == slot ? larger(ring->needed[i], needed) : needed;
    ring->slots[i] = slot;
}

static int64_t ring_max(const struct needed_ring *ring, const struct scaling_spec *spec, int64_t now_ms)
{
    int64_t newest = now_ms / ring_slot_ms(spec), max = 0;
    for (size_t i = 0; i < NEEDED_RING_SIZE; i++)
        if (ring->slots[i] > newest - NEEDED_RING_SIZE && ring->slots[i] <= newest)
            max = larger(max, ring->needed[i]);
    return max;
}

void scaling_state_init(struct scaling_state *state, int64_t desired, int64_t now_ms)
{
    *state = (struct scaling_state){
        .desired = desired, .covered_since_ms = -1, .changed_at_ms = now_ms, .complete_since_ms = now_ms
    };
    for (size_t i = 0; i < NEEDED_RING_SIZE; i++)
        state->ring.slots[i] = -1;
}

void scaling_state_set_desired(struct scaling_state *state, int64_t desired, int64_t now_ms)
{
    state->desired = desired;
    state->changed_at_ms = now_ms;
}

void scaling_state_remember(struct scaling_state *state, const struct scaling_spec *spec,
                            const struct scaling_decision *decision, int64_t now_ms)
{
    if (!decision->is_known) {
        state->covered_since_ms = -1;
        return;
    }
    if (state->covered_since_ms < 0)
        state->covered_since_ms = now_ms;
    ring_add(&state->ring, spec, decision->needed, now_ms);
    if (decision->saturated_rate > 0) {
        state->saturated_rate = decision->saturated_rate;
        state->saturated_at_ms = now_ms;
    }
}

static bool is_sane(double v)
{
    return isfinite(v) && v >= 0;
}

static bool sample_is_sane(const struct load_sample *s)
{
    return s->span_ms > 0 && is_sane(s->finished) && isfinite(s->arrived) && is_sane(s->in_flight) &&
           is_sane(s->latency_count) && is_sane(s->latency_p99_ms);
}

static bool refuse(char why[160], const char *text)
{
    snprintf(why, 160, "%s", text);
    return false;
}

bool load_window_fill(struct load_window *window, const struct load_sample *samples, size_t n, int64_t now_ms,
                      char why[160])
{
    *window = (struct load_window){ 0 };
    if (n == 0 || samples[n - 1].at_ms > now_ms || now_ms - samples[n - 1].at_ms > POLICY_STALE_MS)
        return refuse(why, "no fresh traffic numbers");
    window->latency_count = samples[n - 1].latency_count;
    window->latency_p99_ms = samples[n - 1].latency_p99_ms;
    double in_flight_ms = 0;
    for (size_t i = n; i > 0 && window->span_ms < POLICY_OUT_WINDOW_MS; i--) {
        const struct load_sample *s = &samples[i - 1];
        if (!sample_is_sane(s))
            return refuse(why, "traffic numbers make no sense");
        if (i < n && samples[i].at_ms - samples[i].span_ms != s->at_ms)
            break; /* a hole: only what came after it counts */
        window->span_ms += s->span_ms;
        window->finished += s->finished;
        window->arrived += s->arrived;
        in_flight_ms += s->in_flight * (double)s->span_ms;
    }
    if (window->span_ms < POLICY_OUT_WINDOW_MS * 3 / 4)
        return refuse(why, "too few traffic numbers yet");
    window->in_flight_mean = in_flight_ms / (double)window->span_ms;
    if (window->arrived < 0)
        window->arrived = 0;
    window->is_used = window->arrived > 0 || window->finished > 0 || window->in_flight_mean > 0;
    window->is_draining = window->arrived < window->finished * DRAINING_SHARE;
    return true;
}

static int64_t ceil_tasks(double tasks)
{
    return tasks >= NEEDED_MAX ? NEEDED_MAX : (int64_t)ceil(tasks);
}

struct scaling_need scaling_need_of(const struct load_window *window, double load, const struct scaling_spec *spec,
                                    int64_t desired)
{
    struct scaling_need need = { .out = desired, .is_used = window->is_used };
    double tasks = load / spec->target;
    /* A tenth of a task's worth of excess is noise, not a reason for one more. */
    if (tasks > (double)desired * (1 + POLICY_TOLERANCE))
        need.out = larger(1, ceil_tasks(tasks - POLICY_TOLERANCE));
    need.in = ceil_tasks(tasks / (1 - POLICY_TOLERANCE));
    return need;
}

struct scaling_decision scaling_hold(const struct scaling_state *state, const char *why)
{
    struct scaling_decision decision = { .desired = state->desired };
    snprintf(decision.why, sizeof decision.why, "%s: holding at %lld", why, (long long)state->desired);
    return decision;
}

static bool may_scale_in(const struct scaling_spec *spec, const struct scaling_state *state, int64_t now_ms)
{
    return state->pending_count == 0 && state->covered_since_ms >= 0 &&
           now_ms - state->covered_since_ms >= spec->scale_in_cooldown_ms &&
           now_ms - state->changed_at_ms >= spec->scale_in_cooldown_ms;
}

struct scaling_decision scaling_settle(const struct scaling_spec *spec, const struct scaling_state *state,
                                       const struct scaling_need *need, int64_t now_ms)
{
    int64_t desired = state->desired, in_use = larger(need->is_used, state->occupied_count);
    int64_t out = larger(need->out, need->is_used), in = larger(need->in, in_use);
    struct scaling_decision decision = { .desired = desired, .is_known = true, .needed = in };
    snprintf(decision.why, sizeof decision.why, "%s", need->metric);
    if (out > desired) {
        int64_t limit = desired + larger(desired, POLICY_STEP_MIN);
        decision.desired = larger(desired, clip(spec, smaller(out, limit)));
    } else if (may_scale_in(spec, state, now_ms)) {
        int64_t highest = larger(ring_max(&state->ring, spec, now_ms), in);
        int64_t limit = desired - larger(desired / 2, POLICY_STEP_MIN);
        decision.desired = smaller(desired, clip(spec, larger(highest, limit)));
        if (decision.desired < desired)
            snprintf(decision.why, sizeof decision.why, "%s; at most %lld needed in the last %.1f s", need->metric,
                     (long long)highest, (double)spec->scale_in_cooldown_ms / 1000);
    }
    decision.changed = decision.desired != desired;
    return decision;
}
