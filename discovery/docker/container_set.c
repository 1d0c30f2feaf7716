#include "discovery/docker/container_set.h"

#include "base/clock.h"
#include "base/fair_queue.h"
#include "base/log.h"
#include "base/mem.h"
#include "discovery/docker/label_policy.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* After a look that the engine could not answer (a timeout, a 500). */
#define RETRY_MS 500
#define RETRY_SLOWEST_MS 30000

/* None waits for another: what happens now not for a list, and neither for what the engine could not answer last. */
enum look_lane { LOOK_FOR_EVENT = 0, LOOK_FOR_LIST, LOOK_AGAIN, LOOK_LANE_COUNT };

static const int64_t deadlines_ms[LOOK_LANE_COUNT] = {
    [LOOK_FOR_EVENT] = CONTAINER_LOOK_SOON_MS,
    [LOOK_FOR_LIST] = CONTAINER_LOOK_SOON_MS,
    [LOOK_AGAIN] = DOCKER_INSPECT_DEADLINE_MS,
};

static const struct {
    size_t max;
    const char *words;
} kinds[CONTAINER_KIND_COUNT] = {
    [CONTAINER_OWN] = { CONTAINER_OWN_MAX, "with the labels of our own tasks" },
    [CONTAINER_OF_OTHERS] = { CONTAINER_OF_OTHERS_MAX, "with " DOCKER_LABEL_ENABLE },
};

struct container {
    struct fair_item turn; /* first; it waits for a look, or the look is out */
    char id[TASK_ID_SIZE];
    struct container_set *set;
    enum container_kind kind;
    enum look_lane lane;       /* of its turn */
    struct docker_call *call;  /* while its turn is out */
    char *document;            /* owned; what the engine said of it, while its lender is asked for; null otherwise */
    char lender[TASK_ID_SIZE]; /* the container whose network it uses; empty: its own, or not known */
    bool is_listed;            /* by the sync under way, which waits for a look at it */
    bool is_ignored;           /* its labels were refused, or there is no room for it */
    bool is_killed;            /* it got its stop signal, in the life that began at killed_life_us */
    int64_t killed_life_us;
    int stop_signal; /* 0: not known yet */
    int64_t stop_timeout_ms;
    bool restarts;           /* it will be back when it has ended */
    struct timer still_runs; /* while is_killed: when to look whether it does */
    unsigned failed_looks;   /* in a row */
    int64_t retry_at_ms;     /* 0: its last look did not fail, or the next one is under way */
    uint64_t sync_round;
    unsigned warning_hash; /* of what was last said about it, so that it is said once */
    UT_hash_handle hh;
};

struct container_set {
    struct container_set_parts parts;
    struct container *containers; /* uthash, by id */
    struct fair_queue lanes[LOOK_LANE_COUNT];
    size_t counts[CONTAINER_KIND_COUNT], listed_count, borrowers_count;
    uint64_t sync_round, looks_count;
    bool is_full_reported[CONTAINER_KIND_COUNT]; /* since the last sync began */
    struct timer retry;
    int64_t retry_at_ms; /* when `retry` is due; 0: it is not armed */
};

static void set_pump(struct container_set *set);
static void container_on_still_runs(void *owner);

/* ---- containers ---- */

static struct container *find(const struct container_set *set, const char *id)
{
    struct container *c;
    HASH_FIND_STR(set->containers, id, c);
    return c;
}

static void report_full(struct container_set *set, enum container_kind kind, const char *id)
{
    char text[200];
    if (set->is_full_reported[kind])
        return;
    set->is_full_reported[kind] = true;
    snprintf(text, sizeof text, "%zu containers %s are known, which is the limit: %.12s and later ones are ignored",
             kinds[kind].max, kinds[kind].words, id);
    log_warn("docker: %s", text);
    set->parts.on_refusal(set->parts.owner, "", text);
}

static struct container *find_or_add(struct container_set *set, const char *id, enum container_kind kind)
{
    struct container *c = find(set, id);
    if (c)
        return c;
    if (set->counts[kind] >= kinds[kind].max) {
        report_full(set, kind, id);
        return NULL;
    }
    c = mem_alloc(sizeof *c);
    c->set = set;
    c->kind = kind;
    c->sync_round = set->sync_round;
    set->counts[kind]++;
    snprintf(c->id, sizeof c->id, "%s", id);
    timer_init(&c->still_runs, set->parts.loop, container_on_still_runs, c);
    HASH_ADD_STR(set->containers, id, c);
    return c;
}

static void drop_look(struct container *c)
{
    if (c->turn.state == FAIR_OUT)
        docker_engine_cancel(c->set->parts.engine, c->call);
    fair_queue_leave(&c->set->lanes[c->lane], &c->turn);
    free(c->document);
    c->document = NULL;
    c->retry_at_ms = 0;
}

static void set_listed(struct container *c, bool listed)
{
    c->set->listed_count += (size_t)listed - (size_t)c->is_listed;
    c->is_listed = listed;
}

static void set_lender(struct container *c, const char *lender)
{
    c->set->borrowers_count += (size_t)(lender[0] != '\0') - (size_t)(c->lender[0] != '\0');
    snprintf(c->lender, sizeof c->lender, "%s", lender);
}

static void set_ignored(struct container *c, bool is_ignored)
{
    if (c->is_ignored != is_ignored)
        c->set->parts.on_ignored(c->set->parts.owner, is_ignored);
    c->is_ignored = is_ignored;
}

static void forget(struct container *c)
{
    drop_look(c);
    set_ignored(c, false);
    set_lender(c, "");
    timer_stop(&c->still_runs);
    set_listed(c, false);
    c->set->counts[c->kind]--;
    HASH_DEL(c->set->containers, c);
    free(c);
}

/* Only where no container is in use any more: the owner may end its sync, which forgets some. */
static void tell_if_settled(struct container_set *set, size_t listed_before)
{
    if (listed_before > 0 && set->listed_count == 0)
        set->parts.on_settled(set->parts.owner);
}

/* ---- looks ---- */

static void wait_for_turn(struct container *c, enum look_lane lane)
{
    c->lane = lane;
    fair_queue_put(&c->set->lanes[lane], &c->turn, "");
    set_pump(c->set);
}

/* Asks, or asks again: an answer under way may be from before the event that made us want this one. */
static void look(struct container *c, enum look_lane lane)
{
    if (c->failed_looks > 0)
        lane = LOOK_AGAIN;
    if (c->turn.state == FAIR_WAITING && c->lane <= lane && !c->document)
        return;
    if (c->turn.state == FAIR_OUT && c->lane < lane)
        lane = c->lane;
    drop_look(c);
    wait_for_turn(c, lane);
}

static void warn_once(struct container *c, const char *service, const char *text)
{
    unsigned hash = 5381;
    for (const char *at = text; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    if (hash != c->warning_hash && text[0]) {
        log_warn("docker: %s%s", text, c->is_ignored ? "; it is ignored" : "");
        if (c->is_ignored)
            c->set->parts.on_refusal(c->set->parts.owner, service, text);
    }
    c->warning_hash = hash;
}

static void remove_task(struct container *c)
{
    if (task_registry_find(c->set->parts.registry, c->id))
        task_registry_remove(c->set->parts.registry, c->id);
}

/* False: there is no room for it. */
static bool apply(struct container *c, struct docker_container *seen)
{
    struct task_spec *spec = &seen->spec;
    c->stop_signal = seen->stop_signal;
    c->stop_timeout_ms = seen->stop_timeout_ms;
    c->restarts = seen->restarts;
    if (c->is_killed && (spec->state != TASK_RUNNING || spec->started_at_wall_us != c->killed_life_us))
        c->is_killed = false;
    if (c->is_killed)
        spec->state = TASK_STOPPING;
    spec->is_signalled = c->killed_life_us != 0 && spec->started_at_wall_us == c->killed_life_us;
    return task_registry_apply(c->set->parts.registry, c->set->parts.provider, spec);
}

/* The engine did not say: what is known stays, and counts as seen. */
static void keep_known(struct container *c)
{
    const struct task *task = task_registry_find(c->set->parts.registry, c->id);
    if (task) {
        struct task_spec spec = task->spec;
        task_registry_apply(c->set->parts.registry, c->set->parts.provider, &spec);
    }
}

static void arm_retry(struct container_set *set, int64_t at_ms)
{
    int64_t now_ms = clock_now_ms();
    if (set->retry_at_ms != 0 && set->retry_at_ms <= at_ms)
        return;
    set->retry_at_ms = at_ms;
    timer_start(&set->retry, at_ms > now_ms ? at_ms - now_ms : 0);
}

/* Later again, more and more slowly. */
static void put_off(struct container *c)
{
    int64_t delay_ms = RETRY_MS;
    for (unsigned i = 0; i < c->failed_looks && delay_ms < RETRY_SLOWEST_MS; i++)
        delay_ms *= 2;
    c->failed_looks++;
    c->retry_at_ms = clock_now_ms() + (delay_ms < RETRY_SLOWEST_MS ? delay_ms : RETRY_SLOWEST_MS);
    arm_retry(c->set, c->retry_at_ms);
    keep_known(c);
}

/* lender: as docker_container_parse() has it. May forget the container. */
static void take_inspected(struct container *c, struct slice body, struct slice lender)
{
    struct docker_container seen;
    struct error warning;
    enum docker_verdict verdict = docker_container_parse(body, lender, &c->set->parts.scope, &seen, &warning);
    if (seen.spec.id[0] && strcmp(seen.spec.id, c->id) != 0) {
        error_set(&warning, "container %.12s: the engine answers with another one", c->id);
        verdict = DOCKER_VERDICT_UNREADABLE;
        seen.spec.managed = false;
    }
    set_listed(c, verdict == DOCKER_VERDICT_BORROWS && c->is_listed);
    if (verdict == DOCKER_VERDICT_UNREADABLE) {
        if (seen.spec.managed && !task_registry_find(c->set->parts.registry, c->id))
            set_ignored(c, !apply(c, &seen));
        warn_once(c, "", warning.text);
        put_off(c);
        return;
    }
    set_lender(c, seen.lender);
    c->set->counts[c->kind]--; /* what it claimed to be has been looked at; it keeps its place */
    c->kind = seen.spec.managed ? CONTAINER_OWN : CONTAINER_OF_OTHERS;
    c->set->counts[c->kind]++;
    if (verdict == DOCKER_VERDICT_BORROWS) {
        c->document = mem_strndup(body.at, body.len); /* not before the second answer has it been looked at */
        wait_for_turn(c, c->lane);
        return;
    }
    c->failed_looks = 0;
    set_ignored(c, verdict == DOCKER_VERDICT_INVALID);
    warn_once(c, seen.spec.service, warning.text);
    bool is_gone = verdict == DOCKER_VERDICT_NOT_OURS || (verdict == DOCKER_VERDICT_TASK && !seen.spec.managed &&
                                                          seen.spec.state == TASK_STOPPED && !seen.restarts);
    if (verdict == DOCKER_VERDICT_TASK && !is_gone)
        set_ignored(c, !apply(c, &seen));
    else
        remove_task(c);
    if (is_gone)
        forget(c);
}

/* Nothing that we made is ever unseen: before the list is complete, and somebody may create another in its place. */
static bool may_be_one_that_nobody_counts(const struct container *c)
{
    return c->kind == CONTAINER_OWN && !task_registry_find(c->set->parts.registry, c->id);
}

/* The engine hangs over it. Others get its place, and no list waits for it any more. */
static void look_apart(struct container *c)
{
    set_listed(c, c->is_listed && may_be_one_that_nobody_counts(c));
    keep_known(c);
    c->failed_looks++;
    look(c, LOOK_AGAIN);
}

static void take_failure(struct container *c, const struct docker_answer *answer)
{
    struct container_set *set = c->set;
    bool is_lost = answer->result == DOCKER_UNREACHABLE; /* which has been said */
    if (answer->result == DOCKER_TIMEOUT && c->lane != LOOK_AGAIN) {
        look_apart(c);
        return;
    }
    set_listed(c, false);
    if (!is_lost)
        warn_once(c, "", answer->text);
    put_off(c);
    if (is_lost)
        set->parts.on_lost(set->parts.owner);
}

/* Of the container itself; lent: the document of it that came before, and the answer is its lender's. */
static void take_answer(struct container *c, const struct docker_answer *answer, const char *lent)
{
    bool is_gone = answer->result == DOCKER_NOT_FOUND;
    if (answer->result == DOCKER_OK) {
        take_inspected(c, lent ? slice_of(lent) : answer->body, lent ? answer->body : SLICE_LITERAL(""));
    } else if (is_gone && lent) {
        take_inspected(c, slice_of(lent), SLICE_LITERAL("{}"));
    } else if (is_gone) {
        remove_task(c);
        forget(c);
    } else {
        take_failure(c, answer);
    }
}

static void on_inspected(void *owner, const struct docker_answer *answer)
{
    struct container *c = owner;
    struct container_set *set = c->set;
    size_t listed_before = set->listed_count;
    char *document = c->document;
    c->document = NULL;
    fair_queue_leave(&set->lanes[c->lane], &c->turn);
    take_answer(c, answer, document);
    free(document);
    set_pump(set);
    tell_if_settled(set, listed_before);
}

static void set_pump(struct container_set *set)
{
    struct fair_item *turn;
    for (size_t lane = 0; lane < LOOK_LANE_COUNT; lane++)
        while ((turn = fair_queue_take(&set->lanes[lane]))) {
            struct container *c = (struct container *)turn;
            set->looks_count++;
            c->call = docker_engine_inspect(set->parts.engine, c->document ? c->lender : c->id, deadlines_ms[lane],
                                            on_inspected, c);
        }
}

static void set_on_retry(void *owner)
{
    struct container_set *set = owner;
    struct container *c, *next;
    struct docker_engine_status engine;
    int64_t now_ms = clock_now_ms();
    set->retry_at_ms = 0;
    docker_engine_status(set->parts.engine, &engine);
    if (engine.state != DOCKER_ENGINE_REACHABLE)
        return; /* container_set_look_again() goes on */
    HASH_ITER (hh, set->containers, c, next) {
        if (c->retry_at_ms != 0 && c->retry_at_ms <= now_ms)
            look(c, LOOK_AGAIN);
        else if (c->retry_at_ms != 0)
            arm_retry(set, c->retry_at_ms);
    }
}

/* ---- events ---- */

/* Any other signal may mean anything: many programs read their configuration again at SIGHUP, write their stacks at
 * SIGQUIT. If it ends the container all the same, `die` follows at once. Podman
 * does not say which it was. */
static bool ends_it(const struct container *c, int signal)
{
    int stop_signal = c->stop_signal ? c->stop_signal : SIGTERM;
    return signal == SIGKILL || signal == stop_signal;
}

/* It had its signal and its time, and goes on. */
static void container_on_still_runs(void *owner)
{
    struct container *c = owner;
    if (!c->is_killed)
        return;
    c->is_killed = false;
    log_warn("docker: container %.12s still runs %lld ms after its stop signal: it is used again", c->id,
             (long long)(c->stop_timeout_ms + CONTAINER_STOP_MARGIN_MS));
    look(c, LOOK_FOR_EVENT);
}

/* The new state in the registry at once; what only an inspection can tell comes later. */
static void take_state(struct container *c, const struct task_spec *known, const struct docker_event *event)
{
    struct task_spec spec = *known;
    switch (event->action) {
    case DOCKER_EVENT_KILL:
        c->is_killed = true;
        timer_start(&c->still_runs, c->stop_timeout_ms + CONTAINER_STOP_MARGIN_MS);
        c->killed_life_us = spec.started_at_wall_us;
        spec.is_signalled = true;
        spec.state = TASK_STOPPING;
        break;
    case DOCKER_EVENT_PAUSE: /* it runs, and answers nobody; what it was before is asked when it goes on */
        spec.has_engine_health = true;
        spec.engine_health = TASK_HEALTH_DOWN;
        break;
    case DOCKER_EVENT_HEALTH:
        spec.has_engine_health = true;
        spec.engine_health = event->health;
        spec.engine_words[0] = '\0'; /* of the state before; the look brings the new ones */
        break;
    case DOCKER_EVENT_DIE:
        c->is_killed = false;
        spec.state = TASK_STOPPED;
        spec.exit_code = event->exit_code;
        spec.address[0] = '\0';
        break;
    default:
        return;
    }
    task_registry_apply(c->set->parts.registry, c->set->parts.provider, &spec);
}

/* Whether an inspection is needed, or one under way has become doubtful. May forget the container. */
static void take_known(struct container *c, const struct task *task, const struct docker_event *event)
{
    bool is_foreign = !task->spec.managed;
    bool is_doubtful = c->turn.state != FAIR_IDLE || c->retry_at_ms != 0;
    if (event->action == DOCKER_EVENT_KILL && !ends_it(c, event->signal))
        return;
    if (event->action == DOCKER_EVENT_STOP && task->spec.state == TASK_STOPPED)
        return; /* it comes after die, which said all */
    if (event->action == DOCKER_EVENT_DIE && is_foreign && !c->restarts) {
        remove_task(c);
        forget(c);
        return;
    }
    bool needs_look = event->action == DOCKER_EVENT_CREATE || event->action == DOCKER_EVENT_START ||
                      event->action == DOCKER_EVENT_CHANGED || event->action == DOCKER_EVENT_STOP ||
                      (event->action == DOCKER_EVENT_HEALTH && event->health == TASK_HEALTH_DOWN) ||
                      event->action == DOCKER_EVENT_UNPAUSE;
    if (event->action == DOCKER_EVENT_START)
        c->is_killed = false;
    struct task_spec known = task->spec;
    take_state(c, &known, event);
    if (needs_look || is_doubtful)
        look(c, LOOK_FOR_EVENT);
}

/* It is gone, back, or on another network: so is who uses its network. */
static void look_at_borrowers(struct container_set *set, const struct docker_event *event)
{
    struct container *c, *next;
    bool says_much = event->action == DOCKER_EVENT_START || event->action == DOCKER_EVENT_DIE ||
                     event->action == DOCKER_EVENT_DESTROY || event->action == DOCKER_EVENT_CHANGED;
    if (set->borrowers_count == 0 || !says_much)
        return;
    HASH_ITER (hh, set->containers, c, next)
        if (strcmp(c->lender, event->id) == 0)
            look(c, LOOK_FOR_EVENT);
}

static void set_on_event(struct container_set *set, const struct docker_event *event)
{
    struct container *c = find(set, event->id);
    look_at_borrowers(set, event);
    /* `stop` comes after `die`, which said all. */
    if (!c && (!event->has_our_label || event->action == DOCKER_EVENT_STOP))
        return;
    if (event->action == DOCKER_EVENT_DESTROY) {
        if (c) {
            remove_task(c);
            forget(c);
        }
        return;
    }
    if (!c)
        c = find_or_add(set, event->id, event->has_managed_label ? CONTAINER_OWN : CONTAINER_OF_OTHERS);
    if (!c)
        return;
    const struct task *task = task_registry_find(set->parts.registry, c->id);
    if (task)
        take_known(c, task, event);
    else
        look(c, LOOK_FOR_EVENT);
}

/* ---- public ---- */

struct container_set *container_set_new(const struct container_set_parts *parts)
{
    struct container_set *set = mem_alloc(sizeof *set);
    set->parts = *parts;
    for (size_t lane = 0; lane < LOOK_LANE_COUNT; lane++)
        fair_queue_init(&set->lanes[lane], CONTAINER_LOOKS_MAX, CONTAINER_LOOKS_MAX, FAIR_OLDEST_FIRST);
    timer_init(&set->retry, parts->loop, set_on_retry, set);
    return set;
}

void container_set_free(struct container_set *set)
{
    struct container *c, *next;
    if (!set)
        return;
    timer_stop(&set->retry);
    HASH_ITER (hh, set->containers, c, next)
        forget(c);
    for (size_t lane = 0; lane < LOOK_LANE_COUNT; lane++)
        fair_queue_fini(&set->lanes[lane]);
    free(set);
}

void container_set_set_joinable(struct container_set *set, struct joinable_services joinable)
{
    set->parts.scope.joinable = joinable;
}

void container_set_enforce_policy(struct container_set *set)
{
    struct container *c, *next;
    HASH_ITER (hh, set->containers, c, next) {
        const struct task *task = task_registry_find(set->parts.registry, c->id);
        if (task && !task->spec.managed && !label_policy_may_join(set->parts.scope.policy, task->spec.service))
            remove_task(c); /* the next look says why */
    }
}

void container_set_look_again(struct container_set *set)
{
    struct container *c, *next;
    HASH_ITER (hh, set->containers, c, next) {
        c->failed_looks = 0;
        if (c->retry_at_ms != 0)
            look(c, LOOK_FOR_LIST);
    }
}

void container_set_take_event(struct container_set *set, const struct docker_event *event)
{
    size_t listed_before = set->listed_count;
    set_on_event(set, event);
    tell_if_settled(set, listed_before);
}

void container_set_begin_sync(struct container_set *set)
{
    struct container *c, *next;
    set->sync_round++;
    memset(set->is_full_reported, 0, sizeof set->is_full_reported);
    HASH_ITER (hh, set->containers, c, next)
        set_listed(c, false);
}

void container_set_list(struct container_set *set, const char *id, enum container_kind kind)
{
    struct container *c = find_or_add(set, id, kind);
    if (!c)
        return;
    c->sync_round = set->sync_round;
    set_listed(c, true);
    look(c, LOOK_FOR_LIST);
}

bool container_set_is_settled(const struct container_set *set)
{
    return set->listed_count == 0;
}

void container_set_end_sync(struct container_set *set)
{
    struct container *c, *next;
    HASH_ITER (hh, set->containers, c, next)
        if (c->sync_round != set->sync_round)
            forget(c);
}

void container_set_status(const struct container_set *set, struct container_set_status *out)
{
    struct container *c, *next;
    *out = (struct container_set_status){ .known_count = HASH_COUNT(set->containers), .looks_count = set->looks_count };
    for (size_t lane = 0; lane < LOOK_LANE_COUNT; lane++)
        out->waiting_count += set->lanes[lane].waiting_count + set->lanes[lane].out_count;
    HASH_ITER (hh, set->containers, c, next)
        out->ignored_count += c->is_ignored;
}
