#include "controller/service.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "discovery/revision.h"

#define DEFAULT_DELAY_MS 30000 /* of a service whose configuration we no longer have */
#define DEFAULT_TUNNEL_DELAY_MS 600000
#define IMPAIRED_FAILURES 2 /* one failure is an accident */
#define IMAGE_SHOWN "%.19s" /* "sha256:" and 12 digits */

static const char *const phase_names[] = { "steady", "converging", "impaired" };
static_assert(sizeof phase_names / sizeof phase_names[0] == SERVICE_PHASE_COUNT, "one name each");

const char *service_phase_to_str(enum service_phase phase)
{
    return (unsigned)phase < SERVICE_PHASE_COUNT ? phase_names[phase] : "unknown";
}

struct service *service_new(const char *name, int64_t now_ms)
{
    struct service *s = mem_alloc(sizeof *s);
    snprintf(s->name, sizeof s->name, "%s", name);
    s->stop_timeout_ms = s->deregistration_delay_ms = DEFAULT_DELAY_MS;
    s->tunnel_deregistration_delay_ms = DEFAULT_TUNNEL_DELAY_MS;
    s->has_news = true;
    scaler_init(&s->scaler, now_ms);
    task_watch_init(&s->watch);
    return s;
}

void service_free(struct service *s)
{
    scaler_fini(&s->scaler);
    task_watch_fini(&s->watch);
    free(s);
}

/* To be called when the definition or the image may be another. */
static void set_revision(struct service *s)
{
    char revision[TASK_REVISION_SIZE];
    revision_make(s->definition, s->image.id, revision);
    if (!revision_is_same(revision, s->revision)) {
        s->backoff = (struct start_backoff){ .total_count = s->backoff.total_count };
        s->scaler.state.saturated_rate = 0; /* what the old tasks could do says nothing about the new ones */
    }
    snprintf(s->revision, sizeof s->revision, "%s", revision);
}

static void set_definition(struct service *s, const struct config_service *config)
{
    char definition[TASK_REVISION_SIZE];
    runtime_definition_of(config, definition);
    if (strcmp(definition, s->definition) == 0) {
        image_pin_doubt(&s->image);
        return;
    }
    snprintf(s->definition, sizeof s->definition, "%s", definition);
    image_pin_begin(&s->image);
    set_revision(s);
}

void service_recall_image(struct service *s, const struct store_image *image)
{
    bool is_of_definition = image != NULL && strcmp(image->definition, s->definition) == 0;
    s->is_image_stored = image != NULL;
    image_pin_recall(&s->image, is_of_definition ? image->image_id : NULL);
    set_revision(s);
}

void service_set_config(struct service *s, const struct config_service *config, const struct store_record *record,
                        int64_t now_ms)
{
    set_definition(s, config);
    struct store_record running;
    if (record == NULL && s->config != NULL) {
        scaler_record(&s->scaler, s->name, s->scaler.state.desired, &running);
        record = &running;
    }
    s->config = config;
    s->stop_timeout_ms = config->stop_timeout_ms;
    s->deregistration_delay_ms = config->deregistration_delay_ms;
    s->tunnel_deregistration_delay_ms = config->tunnel_deregistration_delay_ms;
    scaler_set_config(&s->scaler, config, record, now_ms);
}

void service_retire(struct service *s, struct event_log *events, int64_t now_ms)
{
    if (s->config != NULL)
        event_log_add(events, s->name, "removed from the configuration: its tasks are drained");
    s->config = NULL;
    s->definition[0] = s->revision[0] = '\0';
    s->is_deploying = false;
    s->backoff = (struct start_backoff){ .total_count = s->backoff.total_count };
    scaler_retire(&s->scaler, now_ms);
}

bool service_is_managed(const struct service *s)
{
    return s->config != NULL;
}

bool service_is_gone(const struct service *s)
{
    return s->config == NULL && s->watch.observed_count == 0;
}

static enum service_phase phase_of(const struct service *s, int64_t creating_count)
{
    const struct task_counts *counts = &s->watch.counts;
    if (s->config == NULL && s->watch.counts.managed_running + s->watch.counts.managed_draining == 0) {
        if (counts->running + counts->pending > 0 && counts->healthy == 0)
            return SERVICE_IMPAIRED;
        return counts->healthy < counts->running + counts->pending ? SERVICE_CONVERGING : SERVICE_STEADY;
    }
    int64_t desired = s->scaler.state.desired;
    if (s->backoff.is_image_missing || s->backoff.failure_count >= IMPAIRED_FAILURES)
        return counts->managed_healthy < desired || s->is_deploying ? SERVICE_IMPAIRED : SERVICE_CONVERGING;
    bool is_steady = counts->managed_healthy == desired && counts->on_their_way == 0 && creating_count == 0 &&
                     counts->managed_draining == 0 && counts->managed_ended == 0 && counts->other_revision == 0 &&
                     !image_pin_is_open(&s->image, desired) && strcmp(s->counted_revision, s->revision) == 0;
    return is_steady ? SERVICE_STEADY : SERVICE_CONVERGING;
}

/* Whether it will stay as it is when nobody says otherwise. */
static bool is_at_rest(const struct service *s, int64_t creating_count)
{
    const struct task_counts *counts = &s->watch.counts;
    if (s->config == NULL) /* a task that is still being created must not be */
        return creating_count == 0 &&
               counts->managed_running + counts->managed_pending + counts->managed_draining + counts->managed_ended ==
                   0;
    return s->is_adopted && !s->is_deploying && s->backoff.failure_count == 0 &&
           phase_of(s, creating_count) == SERVICE_STEADY && (s->scaler.policy == NULL || s->scaler.is_quiet);
}

bool service_needs_look(const struct service *s, int64_t creating_count, int64_t now_ms)
{
    return s->has_news || now_ms - s->looked_at_ms >= SERVICE_REST_MS || !is_at_rest(s, creating_count);
}

void service_begin_turn(struct service *s, int64_t now_ms)
{
    s->has_news = false;
    s->looked_at_ms = now_ms;
    snprintf(s->counted_revision, sizeof s->counted_revision, "%s", s->revision);
    task_watch_begin_turn(&s->watch);
}

void service_see_task(struct service *s, const struct task *task, const struct task_facts *facts, int64_t now_ms)
{
    if (s->config == NULL) {
        /* At every look, for every task: a comparison costs a tenth of writing it anew. */
        if (strcmp(s->host, task->spec.host) != 0)
            snprintf(s->host, sizeof s->host, "%s", task->spec.host);
        if (strcmp(s->path, task->spec.path) != 0)
            snprintf(s->path, sizeof s->path, "%s", task->spec.path);
    }
    task_watch_see(&s->watch, task, facts, s->revision, now_ms);
}

/* False: one of a batch that failed together; it counts once. */
static bool count_failure(struct start_backoff *b, int64_t now_ms)
{
    b->total_count++;
    if (b->failure_count > 0 && now_ms < b->next_start_at_ms)
        return false;
    b->failure_count++;
    b->next_start_at_ms = now_ms + reconciler_backoff_ms(b->failure_count);
    b->last_failure_at_ms = now_ms;
    return true;
}

void service_note_failed_start(struct service *s, const char *what, struct event_log *events, int64_t now_ms)
{
    if (!count_failure(&s->backoff, now_ms)) {
        log_info("service %s: start failed too: %s", s->name, what);
        return;
    }
    event_log_warn(events, s->name, "start failed %lld time%s, next try in %g s: %s",
                   (long long)s->backoff.failure_count, s->backoff.failure_count == 1 ? "" : "s",
                   (double)(s->backoff.next_start_at_ms - now_ms) / 1000, what);
}

/* result: RUNTIME_IMAGE_MISSING or RUNTIME_PULL_FAILED. */
static void note_missing_image(struct service *s, enum runtime_result result, const char *text,
                               struct event_log *events, int64_t now_ms)
{
    char what[480];
    s->backoff.is_image_missing = true;
    snprintf(what, sizeof what, "the image %s: %s",
             result == RUNTIME_PULL_FAILED ? "could not be pulled" : "is missing", text);
    service_note_failed_start(s, what, events, now_ms);
}

struct loss_report {
    struct service *service;
    struct event_log *events;
    struct stopped_book *stopped;
    int64_t now_ms;
};

static void on_loss(void *owner, const struct task_loss *loss)
{
    struct loss_report *report = owner;
    struct service *s = report->service;
    char what[160];
    if (loss->has_exit_code)
        snprintf(what, sizeof what, "task %.12s ended with exit code %d after %.1f s", loss->id, (int)loss->exit_code,
                 (double)loss->lived_ms / 1000);
    else
        snprintf(what, sizeof what, "task %.12s disappeared after %.1f s", loss->id, (double)loss->lived_ms / 1000);
    if (loss->is_signalled) {
        event_log_add(report->events, s->name, "%s: somebody had it stopped", what);
        return;
    }
    bool is_current = revision_is_same(loss->revision, s->revision);
    if (is_current && loss->lived_ms < SERVICE_PROVEN_MS) {
        service_note_failed_start(s, what, report->events, report->now_ms);
        return;
    }
    if (is_current)
        count_failure(&s->backoff, report->now_ms);
    event_log_add(report->events, s->name, "%s", what);
}

static void on_departure(void *owner, const struct task_departure *departure)
{
    struct loss_report *report = owner;
    struct last_words words = { .exit_code = departure->has_exit_code ? departure->exit_code : -1,
                                .started_at_wall_us = departure->started_at_wall_us,
                                .output_problem = "it was not read before the container was gone" };
    snprintf(words.name, sizeof words.name, "%s", departure->name);
    snprintf(words.image_id, sizeof words.image_id, "%s", departure->image_id);
    snprintf(words.revision, sizeof words.revision, "%s", departure->revision);
    stopped_book_note(report->stopped, departure->id, report->service->name, &departure->cause, &words);
}

static void forgive(struct service *s, int64_t now_ms)
{
    struct start_backoff *b = &s->backoff;
    if (b->failure_count == 0)
        return;
    bool is_complete = s->watch.counts.current_healthy >= s->scaler.state.desired &&
                       now_ms - b->last_failure_at_ms >= SERVICE_PROVEN_MS;
    if (is_complete || task_watch_has_proven(&s->watch, s->revision, b->last_failure_at_ms, SERVICE_PROVEN_MS, now_ms))
        *b = (struct start_backoff){ .total_count = b->total_count };
}

void service_end_turn(struct service *s, struct event_log *events, struct stopped_book *stopped, int64_t now_ms)
{
    struct loss_report report = { s, events, stopped, now_ms };
    task_watch_end_turn(&s->watch, now_ms, on_loss, on_departure, &report);
    forgive(s, now_ms);
}

static void settle_image(struct service *s, const char *id, struct event_log *events)
{
    const char *name = s->config->image;
    const struct task_counts *counts = &s->watch.counts;
    bool is_known = s->image.id[0] != '\0', is_running = counts->managed_running + counts->managed_pending > 0;
    if (is_known && strcmp(s->image.id, id) != 0)
        event_log_add(events, s->name, "image %s moved from " IMAGE_SHOWN " to " IMAGE_SHOWN "%s", name, s->image.id,
                      id, is_running ? ", rolling" : "");
    else if (!is_known)
        log_info("service %s: image %s is %s", s->name, name, id);
    image_pin_settle(&s->image, id);
    s->backoff.is_image_missing = false;
    set_revision(s);
}

bool service_follow_image(struct service *s, struct event_log *events, int64_t now_ms)
{
    char id[TASK_IMAGE_ID_SIZE];
    if (s->image.phase == IMAGE_LOOKING) {
        switch (image_pin_look(s->watch.observed, s->watch.observed_count, s->definition, id)) {
        case IMAGE_SIGHT_ONE:
            settle_image(s, id, events);
            break;
        case IMAGE_SIGHT_SEVERAL:
            image_pin_settle(&s->image, "");
            event_log_warn(events, s->name,
                           "its tasks run different images of the name %s; when the configuration is read again they"
                           " are brought to one",
                           s->config->image);
            break;
        default:
            image_pin_doubt(&s->image);
        }
    }
    bool is_waiting = s->image.id[0] == '\0' && now_ms < s->backoff.next_start_at_ms;
    return s->image.phase == IMAGE_DUE && image_pin_is_open(&s->image, s->scaler.state.desired) && !is_waiting;
}

/* No answer is no reason to replace a task, nor to have none. */
static void keep_image(struct service *s, const struct image_answer *answer, struct event_log *events)
{
    bool is_missing = answer->result == RUNTIME_IMAGE_MISSING,
         is_known = is_missing || answer->result == RUNTIME_PULL_FAILED,
         is_told = is_known && s->backoff.is_image_missing;
    image_pin_settle(&s->image, "");
    if (is_told) /* by the creation that failed */
        return;
    if (s->image.id[0] == '\0')
        event_log_warn(events, s->name, "cannot tell which image %s is, tasks are created by its name: %s",
                       s->config->image, answer->text);
    else
        event_log_warn(events, s->name, "%s %s %s, tasks are created from " IMAGE_SHOWN " as before: %s",
                       is_known ? "image" : "cannot tell whether image", s->config->image,
                       is_missing ? "is missing"
                       : is_known ? "could not be pulled"
                                  : "has moved",
                       s->image.id, answer->text);
}

void service_note_image(struct service *s, const struct image_answer *answer, struct event_log *events,
                        struct stopped_book *stopped, int64_t now_ms)
{
    if (s->config == NULL || !image_pin_awaits(&s->image, answer->question))
        return;
    bool is_untried = answer->result == RUNTIME_UNREACHABLE;
    bool is_missing = answer->result == RUNTIME_IMAGE_MISSING || answer->result == RUNTIME_PULL_FAILED;
    if (answer->result == RUNTIME_OK) {
        settle_image(s, answer->id, events);
    } else if (is_untried || (is_missing && s->image.id[0] == '\0')) {
        image_pin_doubt(&s->image); /* and is asked again */
        if (is_untried)
            return;
        stopped_book_note_failed_start(stopped, s->name, "", "", s->revision, answer->text);
        note_missing_image(s, answer->result, answer->text, events, now_ms);
    } else {
        keep_image(s, answer, events);
    }
}

/* With the time that its checks need to notice. A retired service has no task that is waited for. */
static int64_t start_grace_of(const struct config_service *config)
{
    if (config == NULL)
        return 0;
    const struct config_health_check *check = &config->health_check;
    return check->start_period_ms + check->interval_ms * (check->healthy_threshold + 1) + check->timeout_ms;
}

void service_plan(struct service *s, const struct service_means *means, int64_t now_ms, struct plan *plan)
{
    struct desired_service desired = {
        .count = s->scaler.state.desired,
        .revision = s->revision,
        .may_create = s->config != NULL && means->has_runtime && image_pin_lets_create(&s->image),
        .is_unreachable = !means->is_reachable,
        .creating_count = means->creating.current,
        .creating_outdated_count = means->creating.outdated,
        .lingering_count = means->creating.lingering,
        .create_budget = means->create_budget,
        .failure_count = s->backoff.failure_count,
        .next_start_at_ms = s->backoff.next_start_at_ms,
        .start_grace_ms = start_grace_of(s->config),
        .deregistration_delay_ms = s->deregistration_delay_ms,
        .tunnel_deregistration_delay_ms = s->tunnel_deregistration_delay_ms,
    };
    reconciler_plan(&desired, s->watch.observed, s->watch.observed_count, now_ms, plan);
    for (size_t i = 0; i < plan->action_count; i++)
        if (plan->actions[i].task_id[0] != '\0')
            task_watch_order_end(&s->watch, &plan->actions[i]);
}

void service_note_deployment(struct service *s, int64_t creating_count, struct event_log *events)
{
    if (s->config == NULL)
        return;
    const struct task_counts *counts = &s->watch.counts;
    if (!s->is_deploying && counts->other_revision > 0) {
        s->is_deploying = true;
        event_log_add(events, s->name, "deployment begins: %lld task%s to replace by revision %s, image %s",
                      (long long)counts->other_revision, counts->other_revision == 1 ? "" : "s", s->revision,
                      s->config->image);
    } else if (s->is_deploying && counts->other_revision == 0 && creating_count == 0 &&
               counts->current_healthy >= s->scaler.state.desired) {
        s->is_deploying = false;
        event_log_add(events, s->name, "deployment ends: %lld healthy task%s of revision %s",
                      (long long)counts->current_healthy, counts->current_healthy == 1 ? "" : "s", s->revision);
    }
}

void service_note_refusals(struct service *s, struct event_log *events, int64_t now_ms)
{
    if (s->scaler.knows_refused)
        outage_follow(&s->outage, s->scaler.refused_count, s->watch.observed, s->watch.observed_count, s->name, events,
                      now_ms);
}

void service_note_outcome(struct service *s, const struct actuator_outcome *outcome, struct event_log *events,
                          int64_t now_ms)
{
    if (outcome->kind == ACTION_CREATE && outcome->result == RUNTIME_OK) {
        s->backoff.is_image_missing = false;
        log_info("service %s: task %.12s was started", s->name, outcome->task_id);
        return;
    }
    if (outcome->kind == ACTION_REMOVE && outcome->result != RUNTIME_OK)
        task_watch_note_failed_removal(&s->watch, outcome->task_id);
    if (outcome->kind != ACTION_CREATE) {
        char summary[LAST_WORDS_SUMMARY_SIZE] = "";
        if (outcome->last_words != NULL)
            last_words_summarize(outcome->last_words, summary);
        if (outcome->result == RUNTIME_OK && summary[0] != '\0')
            event_log_warn(events, s->name, "task %.12s had ended: %s", outcome->task_id, summary);
        else if (outcome->result == RUNTIME_OK)
            log_info("service %s: %s %.12s: done", s->name, action_kind_to_str(outcome->kind), outcome->task_id);
        else
            event_log_add(events, s->name, "%s of task %.12s failed: %s", action_kind_to_str(outcome->kind),
                          outcome->task_id, outcome->text);
        return;
    }
    if (outcome->task_id[0] != '\0') /* it is told of here, and not once more when it disappears */
        task_watch_expect_end(&s->watch, outcome->task_id);
    if (outcome->result == RUNTIME_CANCELLED || outcome->result == RUNTIME_UNREACHABLE) {
        log_info("service %s: a creation came to nothing: %s", s->name, outcome->text);
        return;
    }
    if (outcome->result == RUNTIME_IMAGE_MISSING) {
        note_missing_image(s, outcome->result, outcome->text, events, now_ms);
        image_pin_doubt(&s->image); /* the name may stand for one that is there */
        return;
    }
    s->backoff.is_image_missing = false;
    service_note_failed_start(s, outcome->text, events, now_ms);
}

static void fill_counts(const struct service *s, int64_t creating_count, struct service_status *out)
{
    const struct task_counts *counts = &s->watch.counts;
    if (s->config != NULL) { /* against the desired count only our own tasks count */
        out->desired_count = s->scaler.state.desired;
        out->min = s->scaler.policy != NULL ? s->scaler.spec.min : out->desired_count;
        out->max = s->scaler.policy != NULL ? s->scaler.spec.max : out->desired_count;
        out->running_count = counts->managed_running;
        out->pending_count = counts->managed_pending + creating_count;
        out->healthy_count = counts->managed_healthy;
        out->draining_count = counts->managed_draining;
        return;
    }
    out->running_count = counts->running;
    out->pending_count = counts->pending;
    out->healthy_count = counts->healthy;
    out->draining_count = counts->draining;
    out->desired_count = out->min = out->max = counts->managed_running > 0 ? 0 : counts->running;
}

void service_fill_status(const struct service *s, int64_t creating_count, int64_t now_ms, struct service_status *out)
{
    const struct config_service *config = s->config;
    *out = (struct service_status){
        .name = s->name,
        .host = config != NULL ? config->host : s->host,
        .path = config != NULL ? config->path : s->path,
        .image = config != NULL ? config->image : NULL,
        .image_id = config != NULL && s->image.id[0] != '\0' ? s->image.id : NULL,
        .policy = s->scaler.policy != NULL ? s->scaler.policy->name : NULL,
        .managed = config != NULL,
        .phase = phase_of(s, creating_count),
        .has_traffic = scaler_has_traffic(&s->scaler, now_ms),
        .last_decision = s->scaler.last_decision,
        .last_decision_at_wall_us = s->scaler.last_decision_at_wall_us,
        .scale_out_count = s->scaler.out_count,
        .scale_in_count = s->scaler.in_count,
        .start_failure_count = s->backoff.total_count,
    };
    fill_counts(s, creating_count, out);
    if (!out->has_traffic)
        return;
    out->requests_per_second = metrics_window_rate(s->scaler.window);
    out->in_flight = metrics_window_in_flight(s->scaler.window);
    out->latency_p99_ms = metrics_window_p99_ms(s->scaler.window);
}
