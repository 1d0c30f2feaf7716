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

struct creation {
    struct actuator *actuator;
    struct creation *next;
    char service[TASK_NAME_SIZE];
    char name[TASK_NAME_SIZE]; /* known before the engine answers: the registry may be faster */
    char task_id[TASK_ID_SIZE];
    bool is_answered;
    bool is_seen, was_seen; /* in this turn, in any */
    int64_t answered_at_ms;
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

static void on_started(void *owner, enum runtime_result result, const char *id, const char *text)
{
    struct creation *creation = owner;
    struct actuator *a = creation->actuator;
    char service[TASK_NAME_SIZE], task_id[TASK_ID_SIZE];
    snprintf(service, sizeof service, "%s", creation->service);
    snprintf(task_id, sizeof task_id, "%s", id);
    if (result == RUNTIME_OK) {
        creation->is_answered = true;
        creation->answered_at_ms = clock_now_ms();
        snprintf(creation->task_id, sizeof creation->task_id, "%s", id);
    } else {
        creation_free(creation); /* should it exist after all, the registry will show it */
    }
    struct actuator_outcome outcome = { ACTION_CREATE, result, service, task_id, text };
    a->on_outcome(a->owner, &outcome);
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
    snprintf(creation->service, sizeof creation->service, "%s", target->service_name);
    make_name(creation->name, target);
    struct task_order order = { .service = target->service, .revision = target->revision, .name = creation->name };
    a->runtime->ops->create_and_start(a->runtime, &order, on_started, creation);
}

static void on_ended(void *owner, enum runtime_result result, const char *text)
{
    struct ending *ending = owner;
    struct actuator *a = ending->actuator;
    if (result == RUNTIME_OK) {
        ending->phase = ENDING_DONE;
        ending->failure_count = 0;
        ending->until_ms = clock_now_ms() + ACTUATOR_SETTLE_MS;
    } else {
        ending->phase = ENDING_FAILED;
        ending->until_ms = clock_now_ms() + reconciler_backoff_ms(++ending->failure_count);
    }
    struct actuator_outcome outcome = { ending->kind, result, ending->service, ending->task_id, text };
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
    ending->phase = ENDING_ASKED;
    ending->is_seen = true;
    if (action->kind == ACTION_STOP)
        a->runtime->ops->stop(a->runtime, ending->task_id, target->stop_timeout_ms, on_ended, ending);
    else
        a->runtime->ops->remove(a->runtime, ending->task_id, on_ended, ending);
}

void actuator_run(struct actuator *a, const struct actuator_target *target, const struct action *action, int64_t now_ms)
{
    log_info("service %s: %s %.12s%s(%s)", target->service_name, action_kind_to_str(action->kind), action->task_id,
             action->task_id[0] != '\0' ? " " : "", action->reason);
    switch (action->kind) {
    case ACTION_CREATE:
        run_create(a, target);
        break;
    case ACTION_STOP:
    case ACTION_REMOVE:
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

struct actuator_view actuator_see_task(struct actuator *a, const struct task *task, int64_t now_ms)
{
    struct actuator_view view = { 0 };
    struct creation *creation = find_creation(a, task);
    if (creation != NULL) {
        creation->is_seen = creation->was_seen = true;
        view.is_starting = true;
        view.is_busy = !creation->is_answered;
        if (creation->is_answered && task->spec.state != TASK_PENDING)
            creation_free(creation);
    }
    struct ending *ending;
    HASH_FIND_STR(a->endings, task->spec.id, ending);
    if (ending != NULL)
        view.is_busy |= is_ending_busy(ending, task, now_ms);
    return view;
}

static bool is_given_up(const struct creation *c, int64_t now_ms)
{
    if (!c->is_answered)
        return false;
    return (c->was_seen && !c->is_seen) || now_ms - c->answered_at_ms >= ACTUATOR_APPEAR_MS;
}

void actuator_end_turn(struct actuator *a, int64_t now_ms)
{
    for (struct creation *c = a->creations, *next_creation; c != NULL; c = next_creation) {
        next_creation = c->next;
        if (is_given_up(c, now_ms)) {
            log_warn("service %s: task %.12s was started and did not stay", c->service, c->task_id);
            creation_free(c);
        }
    }
    struct ending *ending, *next;
    HASH_ITER (hh, a->endings, ending, next)
        if (!ending->is_seen && ending->phase != ENDING_ASKED)
            ending_free(ending);
}

int64_t actuator_creating_count(const struct actuator *a, const char *service)
{
    int64_t count = 0;
    for (const struct creation *c = a->creations; c != NULL; c = c->next)
        count += service == NULL || (!c->is_seen && strcmp(c->service, service) == 0);
    return count;
}
