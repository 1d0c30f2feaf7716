#include "controller/scaler.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static int64_t clip(const struct scaler *s, int64_t desired)
{
    if (desired < s->spec.min)
        return s->spec.min;
    return desired > s->spec.max ? s->spec.max : desired;
}

void scaler_init(struct scaler *s, int64_t now_ms)
{
    *s = (struct scaler){ .spec = { .max = SCALER_TASKS_MAX } };
    scaling_state_init(&s->state, 0, now_ms);
}

void scaler_fini(struct scaler *s)
{
    metrics_window_free(s->window);
    s->window = NULL;
}

static struct scaling_spec spec_of(const struct scaling_policy_ops *policy, const struct config_scaling *config)
{
    if (policy == NULL)
        return (struct scaling_spec){ .max = SCALER_TASKS_MAX };
    return (struct scaling_spec){
        .min = config->min,
        .max = config->max,
        .target = policy->target(config),
        .scale_in_cooldown_ms = config->scale_in_cooldown_ms,
    };
}

/* What was set later than the configuration's own value. */
static int64_t newer(int64_t remembered, int64_t config_then, int64_t config_now)
{
    return config_then == config_now ? remembered : config_now;
}

void scaler_set_config(struct scaler *s, const struct config_service *config, const struct store_record *record,
                       int64_t now_ms)
{
    const struct scaling_policy_ops *policy = policy_find(&config->scaling);
    struct scaling_spec spec = spec_of(policy, &config->scaling);
    bool is_new_policy = policy != s->policy || spec.target != s->spec.target ||
                         spec.scale_in_cooldown_ms != s->spec.scale_in_cooldown_ms;
    int64_t desired = config->desired_count;
    s->config_desired = config->desired_count;
    s->config_min = spec.min;
    s->config_max = spec.max;
    if (record != NULL) {
        desired = policy != NULL ? record->desired : newer(record->desired, record->config_desired, s->config_desired);
    }
    if (record != NULL && policy != NULL) {
        spec.min = newer(record->min, record->config_min, s->config_min);
        spec.max = newer(record->max, record->config_max, s->config_max);
        if (spec.min >
            spec.max) { /* a patched limit and an edited one exclude each other: the configuration is the newer */
            spec.min = s->config_min;
            spec.max = s->config_max;
        }
    }
    s->policy = policy;
    s->spec = spec;
    if (is_new_policy)
        scaling_state_init(&s->state, s->state.desired, now_ms);
    if (clip(s, desired) != s->state.desired)
        scaling_state_set_desired(&s->state, clip(s, desired), now_ms);
}

void scaler_retire(struct scaler *s, int64_t now_ms)
{
    s->policy = NULL;
    s->spec = spec_of(NULL, NULL);
    scaling_state_set_desired(&s->state, 0, now_ms);
}

bool scaler_adopt(struct scaler *s, int64_t running_count, int64_t now_ms)
{
    if (s->policy == NULL || clip(s, running_count) <= s->state.desired)
        return false;
    scaling_state_set_desired(&s->state, clip(s, running_count), now_ms);
    return true;
}

/* Most services at most times: nothing has happened since the last sample. */
static bool add_quiet(struct scaler *s, const struct data_plane *data_plane, const char *service, int64_t now_ms)
{
    struct service_load load;
    return s->window != NULL && data_plane->ops->service_load != NULL &&
           data_plane->ops->service_load(data_plane->owner, service, &load) &&
           metrics_window_add_quiet(s->window, &load, now_ms);
}

void scaler_sample(struct scaler *s, const struct data_plane *data_plane, const char *service, int64_t now_ms)
{
    struct service_traffic traffic;
    bool is_fresh = data_plane->ops->is_fresh(data_plane->owner);
    s->is_quiet = is_fresh && add_quiet(s, data_plane, service, now_ms);
    if (s->is_quiet)
        return;
    bool is_known = is_fresh && data_plane->ops->service_traffic(data_plane->owner, service, &traffic);
    if (s->window == NULL && !is_known)
        return;
    if (s->window == NULL)
        s->window = metrics_window_new();
    s->knows_refused |= is_known;
    if (is_known) {
        s->refused_count = traffic.no_endpoint;
        metrics_window_add(s->window, now_ms, &traffic);
    } else
        metrics_window_add_gap(s->window);
}

bool scaler_has_traffic(const struct scaler *s, int64_t now_ms)
{
    return s->window != NULL && metrics_window_is_warm(s->window, now_ms);
}

bool scaler_decide(struct scaler *s, const struct scaler_sight *sight, int64_t now_ms,
                   struct scaling_decision *decision)
{
    if (s->policy == NULL)
        return false;
    size_t n = 0;
    const struct load_sample *samples = s->window != NULL ? metrics_window_samples(s->window, &n) : NULL;
    s->state.pending_count = sight->pending_count;
    s->state.occupied_count = sight->occupied_count;
    if (sight->pending_count > 0)
        s->state.complete_since_ms = now_ms;
    *decision = s->policy->decide(&s->spec, samples, n, &s->state, now_ms);
    scaling_state_remember(&s->state, &s->spec, decision, now_ms);
    s->is_blind = !decision->is_known;
    return decision->changed;
}

void scaler_accept(struct scaler *s, const struct scaling_decision *decision, int64_t now_ms)
{
    bool is_out = decision->desired > s->state.desired;
    snprintf(s->last_decision, sizeof s->last_decision, "scale %s %lld -> %lld: %s", is_out ? "out" : "in",
             (long long)s->state.desired, (long long)decision->desired, decision->why);
    s->last_decision_at_wall_us = clock_wall_us();
    s->out_count += is_out;
    s->in_count += !is_out;
    scaling_state_set_desired(&s->state, decision->desired, now_ms);
}

void scaler_record(const struct scaler *s, const char *service, int64_t desired, struct store_record *out)
{
    *out = (struct store_record){
        .desired = desired,
        .min = s->spec.min,
        .max = s->spec.max,
        .config_desired = s->config_desired,
        .config_min = s->config_min,
        .config_max = s->config_max,
        .updated_wall_us = clock_wall_us(),
    };
    snprintf(out->service, sizeof out->service, "%s", service);
}

static bool check_range(const char *field, int64_t value, int64_t low, int64_t high, struct error *error)
{
    if (value == -1 || (value >= low && value <= high))
        return true;
    return error_set(error, "%s: %lld is not allowed, it must be from %lld to %lld", field, (long long)value,
                     (long long)low, (long long)high);
}

bool scaler_check_patch(const struct scaler *s, const char *service, const struct service_patch *patch,
                        struct store_record *record, struct error *error)
{
    bool has_limits = patch->min != -1 || patch->max != -1;
    if (has_limits && s->policy == NULL)
        return error_set(error, "%s: the service has no scaling in its configuration",
                         patch->min != -1 ? "min" : "max");
    if (!check_range("min", patch->min, 0, SCALER_TASKS_MAX, error) ||
        !check_range("max", patch->max, 1, SCALER_TASKS_MAX, error))
        return false;
    scaler_record(s, service, s->state.desired, record);
    if (patch->min != -1)
        record->min = patch->min;
    if (patch->max != -1)
        record->max = patch->max;
    if (record->min > record->max)
        return error_set(error, "%s: min %lld would be larger than max %lld", patch->min != -1 ? "min" : "max",
                         (long long)record->min, (long long)record->max);
    if (!check_range("desiredCount", patch->desired_count, record->min, record->max, error))
        return false;
    if (patch->desired_count != -1)
        record->desired = patch->desired_count;
    if (record->desired < record->min)
        record->desired = record->min;
    if (record->desired > record->max)
        record->desired = record->max;
    return true;
}

void scaler_apply_patch(struct scaler *s, const struct store_record *record, int64_t now_ms)
{
    s->spec.min = record->min;
    s->spec.max = record->max;
    scaling_state_set_desired(&s->state, record->desired, now_ms);
}

void scaler_describe_patch(const struct scaler *s, const struct store_record *r, struct error *out)
{
    if (s->policy == NULL)
        error_set(out, "set by an operator: desired %lld -> %lld", (long long)s->state.desired, (long long)r->desired);
    else
        error_set(out, "set by an operator: desired %lld -> %lld, min %lld -> %lld, max %lld -> %lld",
                  (long long)s->state.desired, (long long)r->desired, (long long)s->spec.min, (long long)r->min,
                  (long long)s->spec.max, (long long)r->max);
}
