#include "controller/actuator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <uthash.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "discovery/revision.h"

enum creation_phase {
    CREATION_ASKED = 0,
    CREATION_CANCELLED, /* not to be started any more; no answer yet */
    CREATION_STARTED,
    CREATION_DOUBTFUL, /* it may exist: the answer was lost, or what was left of it could not be removed */
    CREATION_STOPPING,
    CREATION_REMOVING,
};

struct creation {
    struct actuator *actuator;
    struct creation *next;
    char service[TASK_NAME_SIZE], revision[TASK_REVISION_SIZE];
    char name[TASK_NAME_SIZE];  /* known before the engine answers: the registry may be faster */
    char task_id[TASK_ID_SIZE]; /* empty until it is known */
    enum creation_phase phase;
    int64_t phase_since_ms;
    int64_t stop_timeout_ms;
    bool is_seen, was_seen; /* in this turn, in any */
    bool is_failure_told;
    uint64_t doubtful_list; /* the newest list that was begun when it became DOUBTFUL; 0: not noted yet */
};

enum ending_phase { ENDING_ASKED = 0, ENDING_DONE, ENDING_FAILED };

struct ending {
    struct actuator *actuator;
    char task_id[TASK_ID_SIZE]; /* key */
    char service[TASK_NAME_SIZE];
    enum action_kind kind;
    enum ending_phase phase;
    bool is_seen;
    int64_t failure_count;
    int64_t until_ms; /* not asked again before */
    struct stop_cause cause;
    UT_hash_handle hh;
};

struct actuator {
    struct runtime *runtime; /* borrowed */
    actuator_cb on_outcome;
    void *owner;
    struct creation *creations; /* owned */
    struct ending *endings;     /* owned, by task id */
};

struct actuator *actuator_new(struct runtime *runtime, actuator_cb on_outcome, void *owner)
{
    struct actuator *a = mem_alloc(sizeof *a);
    a->runtime = runtime;
    a->on_outcome = on_outcome;
    a->owner = owner;
    return a;
}

static void creation_free(struct creation *creation)
{
    struct creation **link = &creation->actuator->creations;
    while (*link != creation)
        link = &(*link)->next;
    *link = creation->next;
    free(creation);
}

static void ending_free(struct ending *ending)
{
    HASH_DEL(ending->actuator->endings, ending);
    free(ending);
}

void actuator_free(struct actuator *a)
{
    if (a->runtime != NULL)
        a->runtime->ops->abandon(a->runtime);
    while (a->creations != NULL)
        creation_free(a->creations);
    struct ending *ending, *next;
    HASH_ITER (hh, a->endings, ending, next)
        ending_free(ending);
    free(a);
}

static void creation_set_phase(struct creation *creation, enum creation_phase phase, int64_t now_ms)
{
    creation->phase = phase;
    creation->phase_since_ms = now_ms;
    creation->doubtful_list = 0;
}

/* last: a copy, as the creation may be gone. */
static void tell_creation(const struct creation *last, enum runtime_result result, const char *text)
{
    struct actuator *a = last->actuator;
    struct actuator_outcome outcome = { ACTION_CREATE, result,         last->service, last->task_id, text,
                                        last->name,    last->revision, NULL,          NULL };
    a->on_outcome(a->owner, &outcome);
}

static void on_started(void *owner, enum runtime_result result, const char *id, const char *text)
{
    struct creation *creation = owner;
    if (id[0] != '\0')
        snprintf(creation->task_id, sizeof creation->task_id, "%s", id);
    struct creation last = *creation;
    if (result == RUNTIME_OK) {
        creation_set_phase(creation, CREATION_STARTED, clock_now_ms());
    } else if (result == RUNTIME_UNKNOWN || result == RUNTIME_UNREACHABLE || id[0] != '\0') {
        creation->is_failure_told = true;
        creation_set_phase(creation, CREATION_DOUBTFUL, clock_now_ms());
    } else {
        creation_free(creation);
    }
    tell_creation(&last, result, text);
}

/* Service and cluster are for people's eyes and may be cut; the eight digits make it unique. */
static void make_name(char out[TASK_NAME_SIZE], const struct actuator_target *target)
{
    uint32_t random = 0;
    check(getrandom(&random, sizeof random, 0) == (ssize_t)sizeof random);
    snprintf(out, TASK_NAME_SIZE, "portico-%.20s-%.24s-%08x", target->cluster, target->service_name, random);
}

static void run_create(struct actuator *a, const struct actuator_target *target)
{
    struct creation *creation = mem_alloc(sizeof *creation);
    creation->actuator = a;
    creation->next = a->creations;
    a->creations = creation;
    creation->stop_timeout_ms = target->stop_timeout_ms;
    snprintf(creation->service, sizeof creation->service, "%s", target->service_name);
    snprintf(creation->revision, sizeof creation->revision, "%s", target->revision);
    make_name(creation->name, target);
    struct task_order order = {
        .service = target->service, .image_id = target->image_id, .revision = target->revision, .name = creation->name
    };
    a->runtime->ops->create_and_start(a->runtime, &order, on_started, creation);
}

static void log_action(const struct actuator_target *target, const struct action *action)
{
    log_info("service %s: %s %.12s%s(%s)", target->service_name, action_kind_to_str(action->kind), action->task_id,
             action->task_id[0] != '\0' ? " " : "", action->reason);
}

/* The newest first: the list is in that order. */
static struct creation *find_unseen(const struct actuator *a, const struct actuator_target *target, bool is_outdated)
{
    for (struct creation *c = a->creations; c != NULL; c = c->next)
        if (!c->is_seen && c->phase == CREATION_ASKED && strcmp(c->service, target->service_name) == 0 &&
            !revision_is_same(c->revision, target->revision) == is_outdated)
            return c;
    return NULL;
}

static struct creation *find_by_id(const struct actuator *a, const char *task_id)
{
    struct creation *c = a->creations;
    while (c != NULL && strcmp(c->task_id, task_id) != 0)
        c = c->next;
    return c;
}

/* Nothing to do when it has been carried out meanwhile: then the registry shows it, and the next plan knows. */
static void run_cancel(struct actuator *a, const struct actuator_target *target, const struct action *action,
                       int64_t now_ms)
{
    struct creation *c =
        action->task_id[0] != '\0' ? find_by_id(a, action->task_id) : find_unseen(a, target, action->is_outdated);
    if (c == NULL || c->phase != CREATION_ASKED)
        return;
    log_action(target, action);
    creation_set_phase(c, CREATION_CANCELLED, now_ms);
    a->runtime->ops->cancel_start(a->runtime, c);
}

static void on_ended(void *owner, enum runtime_result result, const char *text, const struct last_words *last_words)
{
    struct ending *ending = owner;
    struct actuator *a = ending->actuator;
    char service[TASK_NAME_SIZE], task_id[TASK_ID_SIZE];
    snprintf(service, sizeof service, "%s", ending->service);
    snprintf(task_id, sizeof task_id, "%s", ending->task_id);
    struct stop_cause cause = ending->cause;
    struct actuator_outcome outcome = { ending->kind, result, service, task_id, text, NULL, NULL, last_words, &cause };
    if (result == RUNTIME_OK) {
        ending->phase = ENDING_DONE;
        ending->failure_count = 0;
        ending->until_ms = clock_now_ms() + ACTUATOR_SETTLE_MS;
    } else if (result == RUNTIME_UNREACHABLE) {
        ending_free(ending);
    } else {
        ending->phase = ENDING_FAILED;
        ending->until_ms = clock_now_ms() + reconciler_backoff_ms(++ending->failure_count);
    }
    a->on_outcome(a->owner, &outcome);
}

static void run_ending(struct actuator *a, const struct actuator_target *target, const struct action *action,
                       int64_t now_ms)
{
    struct ending *ending;
    HASH_FIND_STR(a->endings, action->task_id, ending);
    if (ending == NULL) {
        ending = mem_alloc(sizeof *ending);
        ending->actuator = a;
        snprintf(ending->task_id, sizeof ending->task_id, "%s", action->task_id);
        snprintf(ending->service, sizeof ending->service, "%s", target->service_name);
        HASH_ADD_STR(a->endings, task_id, ending);
    } else if (ending->phase == ENDING_ASKED || now_ms < ending->until_ms) {
        return;
    }
    ending->kind = action->kind;
    ending->cause = target->cause != NULL ? *target->cause : (struct stop_cause){ 0 };
    ending->phase = ENDING_ASKED;
    ending->is_seen = true;
    if (action->kind == ACTION_STOP)
        a->runtime->ops->stop(a->runtime, ending->task_id, target->stop_timeout_ms, on_ended, ending);
    else
        a->runtime->ops->remove(a->runtime, ending->task_id, on_ended, ending);
}

bool actuator_is_reachable(const struct actuator *a)
{
    return a->runtime->ops->is_reachable(a->runtime);
}

void actuator_run(struct actuator *a, const struct actuator_target *target, const struct action *action, int64_t now_ms)
{
    switch (action->kind) {
    case ACTION_CREATE:
        log_action(target, action);
        run_create(a, target);
        break;
    case ACTION_CANCEL:
        run_cancel(a, target, action, now_ms);
        break;
    case ACTION_STOP:
    case ACTION_REMOVE:
        log_action(target, action);
        run_ending(a, target, action, now_ms);
        break;
    default:
        check(false);
    }
}

void actuator_begin_turn(struct actuator *a)
{
    for (struct creation *c = a->creations; c != NULL; c = c->next)
        c->is_seen = false;
    struct ending *ending, *next;
    HASH_ITER (hh, a->endings, ending, next)
        ending->is_seen = false;
}

static struct creation *find_creation(const struct actuator *a, const struct task *task)
{
    for (struct creation *c = a->creations; c != NULL; c = c->next)
        if ((c->task_id[0] != '\0' && strcmp(c->task_id, task->spec.id) == 0) || strcmp(c->name, task->spec.name) == 0)
            return c;
    return NULL;
}

static bool is_ending_busy(struct ending *ending, const struct task *task, int64_t now_ms)
{
    ending->is_seen = true;
    if (ending->phase == ENDING_ASKED)
        return true;
    if (ending->kind == ACTION_STOP && task->spec.state == TASK_STOPPED) {
        ending_free(ending); /* the stop is behind us, the removal comes next */
        return false;
    }
    return now_ms < ending->until_ms;
}

static struct actuator_view see_creation(struct creation *c, const struct task *task)
{
    struct actuator_view view = { .is_starting = c->phase == CREATION_ASKED || c->phase == CREATION_STARTED,
                                  .is_busy = c->phase != CREATION_STARTED && c->phase != CREATION_DOUBTFUL };
    c->is_seen = c->was_seen = true;
    snprintf(c->task_id, sizeof c->task_id, "%s", task->spec.id);
    bool is_shown = c->phase == CREATION_STARTED && task->spec.state != TASK_PENDING;
    if (is_shown || c->phase == CREATION_DOUBTFUL) /* from now on a task like any other */
        creation_free(c);
    return view;
}

struct actuator_view actuator_see_task(struct actuator *a, const struct task *task, int64_t now_ms)
{
    struct actuator_view view = { 0 };
    struct creation *creation = find_creation(a, task);
    if (creation != NULL)
        view = see_creation(creation, task);
    struct ending *ending;
    HASH_FIND_STR(a->endings, task->spec.id, ending);
    if (ending != NULL)
        view.is_busy |= is_ending_busy(ending, task, now_ms);
    return view;
}

static void on_cleared(void *owner, enum runtime_result result, const char *text, const struct last_words *last_words);

/* It was started, or may have been, and the registry does not show it. */
static void clear_away(struct creation *c, enum creation_phase phase, int64_t now_ms)
{
    struct runtime *runtime = c->actuator->runtime;
    const char *id_or_name = c->task_id[0] != '\0' ? c->task_id : c->name;
    creation_set_phase(c, phase, now_ms);
    if (phase == CREATION_STOPPING)
        runtime->ops->stop(runtime, id_or_name, c->stop_timeout_ms, on_cleared, c);
    else
        runtime->ops->remove(runtime, id_or_name, on_cleared, c);
}

static void on_cleared(void *owner, enum runtime_result result, const char *text, const struct last_words *last_words)
{
    struct creation *c = owner;
    struct actuator *a = c->actuator;
    if (result != RUNTIME_OK) {
        log_warn("service %s: task %.12s never showed up and cannot be done away with: %s", c->service, c->name, text);
        creation_set_phase(c, CREATION_DOUBTFUL, clock_now_ms()); /* and again, when it was waited for as long */
        return;
    }
    if (c->phase == CREATION_STOPPING) {
        clear_away(c, CREATION_REMOVING, clock_now_ms());
        return;
    }
    struct creation last = *c;
    creation_free(c);
    if (last_words != NULL) {
        struct actuator_outcome removal = { ACTION_REMOVE, RUNTIME_OK, last.service, last_words->id, "", NULL,
                                            NULL,          last_words, NULL };
        a->on_outcome(a->owner, &removal);
    }
    if (!last.is_failure_told)
        tell_creation(&last, RUNTIME_FAILED, "it was started, never showed up, and was removed");
}

/* The registry has shown it and lost it, or shows that it does not exist. */
static bool is_over(struct creation *c, struct task_lists lists)
{
    if (c->phase == CREATION_STARTED)
        return c->was_seen;
    if (c->phase != CREATION_DOUBTFUL)
        return false;
    if (c->doubtful_list == 0)
        c->doubtful_list = lists.begun;
    return lists.ended > c->doubtful_list;
}

void actuator_end_turn(struct actuator *a, struct task_lists lists, int64_t now_ms)
{
    bool is_reachable = actuator_is_reachable(a);
    for (struct creation *c = a->creations, *next_creation; c != NULL; c = next_creation) {
        next_creation = c->next;
        if (c->is_seen)
            continue;
        bool is_waited_for = c->phase == CREATION_STARTED || c->phase == CREATION_DOUBTFUL;
        if (is_over(c, lists))
            creation_free(c);
        else if (is_waited_for && is_reachable && now_ms - c->phase_since_ms >= ACTUATOR_APPEAR_MS)
            clear_away(c, CREATION_STOPPING, now_ms);
    }
    struct ending *ending, *next;
    HASH_ITER (hh, a->endings, ending, next)
        if (!ending->is_seen && ending->phase != ENDING_ASKED)
            ending_free(ending);
}

struct creating_count actuator_creating(const struct actuator *a, const char *service, const char *revision)
{
    struct creating_count count = { 0 };
    for (const struct creation *c = a->creations; c != NULL; c = c->next) {
        if (c->is_seen || c->phase == CREATION_CANCELLED || strcmp(c->service, service) != 0)
            continue;
        bool is_current = revision_is_same(c->revision, revision);
        count.current += is_current;
        count.outdated += !is_current && c->phase == CREATION_ASKED;
        count.lingering += !is_current && c->phase != CREATION_ASKED;
    }
    return count;
}

int64_t actuator_creations(const struct actuator *a)
{
    int64_t count = 0;
    for (const struct creation *c = a->creations; c != NULL; c = c->next)
        count++;
    return count;
}
