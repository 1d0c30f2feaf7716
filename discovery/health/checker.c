#include "discovery/health/checker.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fair_queue.h"
#include "base/mem.h"
#include "base/tcp_probe.h"
#include "base/wake_list.h"
#include "config/status_ranges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <uthash.h>

/* Of an answer; what is beyond does not matter, the status decides. */
#define ANSWER_BYTES_MAX (64u << 10)
/* After a probe that our own limit did not let out. */
#define NOT_SENT_RETRY_MS 100
#define PROBE_FIELDS_MAX 20 /* healthCheck.headers has at most 16 */

/* A black-holed address is told by its first SYN; a new task behind a thousand of those cannot wait for each. */
#define NEW_CONNECT_TIMEOUT_MS 500

/* Probes of one lane never wait for those of another. */
enum probe_lane {
    PROBE_LANE_NEW = 0, /* not in rotation: what it may gain it should gain at once */
    PROBE_LANE_UP,      /* in rotation: what is lost must be seen */
    PROBE_LANE_HUNG,    /* its last probe ended by a time-out, and so may this one */
    PROBE_LANE_COUNT
};

static const struct {
    size_t places, share;
    enum fair_order order;
} lane_limits[PROBE_LANE_COUNT] = {
    [PROBE_LANE_NEW] = { HEALTH_CHECKS_IN_LANE_MAX, HEALTH_CHECKS_OF_SERVICE_MAX, FAIR_NEWEST_FIRST },
    [PROBE_LANE_UP] = { HEALTH_CHECKS_IN_LANE_MAX, HEALTH_CHECKS_OF_SERVICE_MAX, FAIR_OLDEST_FIRST },
    [PROBE_LANE_HUNG] = { 2 * HEALTH_CHECKS_IN_LANE_MAX, 2 * HEALTH_CHECKS_OF_SERVICE_MAX, FAIR_OLDEST_FIRST },
};

/* One task that is checked. It sleeps while its turn is idle, and is being asked while its turn is out. */
struct watch {
    struct fair_item turn; /* first */
    char id[TASK_ID_SIZE];
    char name[TASK_NAME_SIZE];
    char address[TASK_ADDRESS_SIZE];
    int64_t life_us; /* when it started: another life starts at UNKNOWN again */
    struct group *group;
    enum probe_lane lane;  /* that it waits in, or was asked from */
    bool is_hung;          /* its last probe ended by a time-out */
    struct task_check own; /* what the task asks for, where no configuration says */
    struct health_state state;
    struct sleeper sleeper; /* while sleeping */
    struct http_call *call; /* while asking for a path; else null */
    struct tcp_probe probe; /* while asking without one; else idle */
    bool is_seen;           /* by the comparison under way */
    TAILQ_ENTRY(watch) of_group;
    UT_hash_handle hh;
};

/* One service. Lives while it has settings or watches. */
struct group {
    char service[TASK_NAME_SIZE];
    struct health_checker *checker;
    bool is_configured;
    bool sends_proxy_header;
    struct config_health_check check; /* owned: health_check_copy() */
    TAILQ_HEAD(, watch) watches;
    UT_hash_handle hh;
};

struct health_checker {
    struct http_client *http;
    struct tcp_prober *prober; /* owned */
    struct wake_list *wakes;   /* owned */
    struct task_registry *registry;
    struct group *groups;  /* uthash, by service */
    struct watch *watches; /* uthash, by task id */
    struct fair_queue lanes[PROBE_LANE_COUNT];
    uint64_t outcomes[CHECK_OUTCOME_COUNT];
    unsigned short random_seed[3];
};

static void checker_pump(struct health_checker *checker);

/* ---- one watch ---- */

static void watch_rest(struct watch *watch)
{
    struct health_checker *checker = watch->group->checker;
    sleeper_stop(&watch->sleeper);
    if (watch->call)
        http_client_cancel(checker->http, watch->call);
    watch->call = NULL;
    tcp_probe_stop(&watch->probe);
    fair_queue_leave(&checker->lanes[watch->lane], &watch->turn);
}

static enum probe_lane lane_of(const struct watch *watch)
{
    if (watch->is_hung)
        return PROBE_LANE_HUNG;
    return watch->state.health == TASK_HEALTH_UP ? PROBE_LANE_UP : PROBE_LANE_NEW;
}

static void watch_get_ready(struct watch *watch)
{
    struct health_checker *checker = watch->group->checker;
    watch_rest(watch);
    watch->lane = lane_of(watch);
    fair_queue_put(&checker->lanes[watch->lane], &watch->turn, watch->group->service);
    checker_pump(checker);
}

static void watch_on_wake(void *owner)
{
    watch_get_ready(owner);
}

static void watch_sleep(struct watch *watch, int64_t delay_ms)
{
    struct health_checker *checker = watch->group->checker;
    int64_t now_ms = clock_now_ms();
    delay_ms = health_add_jitter(delay_ms, (uint32_t)nrand48(checker->random_seed));
    sleeper_start(&watch->sleeper, now_ms + health_wake_together(now_ms, delay_ms));
}

/* The service's settings; those that the task asks for itself where there are none. */
static struct config_health_check check_of(const struct watch *watch)
{
    if (watch->group->is_configured)
        return watch->group->check;
    struct config_health_check wish = { .path = watch->own.path[0] ? (char *)(uintptr_t)watch->own.path : NULL,
                                        .interval_ms = watch->own.interval_ms,
                                        .timeout_ms = watch->own.timeout_ms };
    return health_check_effective(&wish);
}

/* What follows from an answer. words: of TASK_WORDS_SIZE. */
static void watch_settle(struct watch *watch, const struct config_health_check *check, enum check_outcome outcome,
                         const char *words)
{
    struct health_checker *checker = watch->group->checker;
    fair_queue_leave(&checker->lanes[watch->lane], &watch->turn);
    watch->is_hung = outcome == CHECK_CONNECT_TIMEOUT || outcome == CHECK_NO_ANSWER;
    checker->outcomes[outcome]++;
    watch->state = health_next(watch->state, outcome, check, clock_now_ms());
    watch_sleep(watch, outcome == CHECK_NOT_SENT ? NOT_SENT_RETRY_MS : health_next_delay_ms(&watch->state, check));
    /* The last use of the watch: whoever is told may make the registry drop the task. */
    task_registry_set_probe(checker->registry, watch->id, watch->state.health, words);
    checker_pump(checker);
}

static long long whole_ms(int64_t us)
{
    return (us + 999) / 1000;
}

/* ---- with a path ---- */

static enum check_outcome outcome_of(const struct config_health_check *check, const struct http_response *response)
{
    switch (response->outcome) {
    case HTTP_OUTCOME_ANSWERED:
    case HTTP_OUTCOME_TOO_LARGE:
        return status_ranges_match(check->matcher, response->status) ? CHECK_PASSED : CHECK_BAD_STATUS;
    case HTTP_OUTCOME_NOT_SENT:
        return CHECK_NOT_SENT;
    case HTTP_OUTCOME_CONNECT_TIMEOUT:
        return CHECK_CONNECT_TIMEOUT;
    case HTTP_OUTCOME_TIMEOUT:
    case HTTP_OUTCOME_SILENT:
        return CHECK_NO_ANSWER;
    case HTTP_OUTCOME_CLOSED:
        return CHECK_CLOSED;
    case HTTP_OUTCOME_BAD_ANSWER:
    case HTTP_OUTCOME_STOPPED:
        return CHECK_BAD_ANSWER;
    default:
        return CHECK_CONNECT_FAILED;
    }
}

static void watch_on_answer(void *owner, const struct http_response *response)
{
    struct watch *watch = owner;
    char words[TASK_WORDS_SIZE];
    struct config_health_check check = check_of(watch);
    enum check_outcome outcome = outcome_of(&check, response);
    watch->call = NULL;
    if (outcome == CHECK_PASSED || outcome == CHECK_BAD_STATUS)
        snprintf(words, sizeof words, "status %d in %lld ms", response->status, whole_ms(response->total_us));
    else
        snprintf(words, sizeof words, "%.120s", response->cause);
    watch_settle(watch, &check, outcome, words);
}

/* The fields of a probe's request; lines are owned. */
struct probe_head {
    char *lines[PROBE_FIELDS_MAX];
    size_t count;
};

static void head_add(struct probe_head *head, const char *name, const char *value)
{
    if (head->count < PROBE_FIELDS_MAX)
        head->lines[head->count++] = mem_printf("%s: %s", name, value);
}

static struct probe_head head_of(const struct config_health_check *check)
{
    struct probe_head head = { 0 };
    bool has_agent = false;
    for (size_t i = 0; i < check->header_count; i++) {
        head_add(&head, check->headers[i].name, check->headers[i].value);
        has_agent |= strcasecmp(check->headers[i].name, "User-Agent") == 0;
    }
    if (!has_agent)
        head_add(&head, "User-Agent", "portico-health-check");
    if (check->host)
        head_add(&head, "Host", check->host);
    return head;
}

static int64_t connect_timeout_of(const struct watch *watch, const struct config_health_check *check)
{
    bool is_impatient = watch->lane == PROBE_LANE_NEW && check->timeout_ms > NEW_CONNECT_TIMEOUT_MS;
    return is_impatient ? NEW_CONNECT_TIMEOUT_MS : check->timeout_ms;
}

static void watch_get(struct watch *watch, const struct config_health_check *check)
{
    struct health_checker *checker = watch->group->checker;
    struct probe_head head = head_of(check);
    char *url = mem_printf("http://%s%s", watch->address, check->path);
    watch->call = http_client_send(checker->http, &(struct http_request){
                                                      .url = url,
                                                      .headers = (const char *const *)head.lines,
                                                      .header_count = head.count,
                                                      .connect_timeout_ms = connect_timeout_of(watch, check),
                                                      .total_timeout_ms = check->timeout_ms,
                                                      .response_bytes_max = ANSWER_BYTES_MAX,
                                                      .fresh_connection = true,
                                                      .sends_proxy_header = watch->group->sends_proxy_header,
                                                      .on_done = watch_on_answer,
                                                      .owner = watch,
                                                  });
    for (size_t i = 0; i < head.count; i++)
        free(head.lines[i]);
    free(url);
}

/* ---- without a path ---- */

static const enum check_outcome outcome_of_connect[TCP_PROBE_OUTCOME_COUNT] = {
    [TCP_PROBE_CONNECTED] = CHECK_PASSED,
    [TCP_PROBE_REFUSED] = CHECK_CONNECT_FAILED,
    [TCP_PROBE_TIMEOUT] = CHECK_CONNECT_TIMEOUT,
    [TCP_PROBE_NOT_SENT] = CHECK_NOT_SENT,
};

static void watch_on_connect(void *owner, const struct tcp_probe_result *result)
{
    struct watch *watch = owner;
    char words[TASK_WORDS_SIZE];
    struct config_health_check check = check_of(watch);
    if (result->outcome == TCP_PROBE_CONNECTED)
        snprintf(words, sizeof words, "connected in %lld ms", whole_ms(result->took_us));
    else if (result->outcome == TCP_PROBE_TIMEOUT)
        snprintf(words, sizeof words, "not connected within %lld ms", (long long)connect_timeout_of(watch, &check));
    else
        snprintf(words, sizeof words, "%s: %s", result->outcome == TCP_PROBE_NOT_SENT ? "not sent" : "cannot connect",
                 strerror(result->error));
    watch_settle(watch, &check, outcome_of_connect[result->outcome], words);
}

static void watch_ask(struct watch *watch)
{
    struct config_health_check check = check_of(watch);
    if (check.path)
        watch_get(watch, &check);
    else
        tcp_probe_start(&watch->probe, watch->address, connect_timeout_of(watch, &check));
}

static void checker_pump(struct health_checker *checker)
{
    struct fair_item *turn;
    for (size_t lane = 0; lane < PROBE_LANE_COUNT; lane++)
        while ((turn = fair_queue_take(&checker->lanes[lane])))
            watch_ask((struct watch *)turn);
}

/* ---- groups ---- */

static struct group *find_group(const struct health_checker *checker, const char *service)
{
    struct group *group;
    HASH_FIND_STR(checker->groups, service, group);
    return group;
}

static struct group *find_or_add_group(struct health_checker *checker, const char *service)
{
    struct group *group = find_group(checker, service);
    if (group)
        return group;
    group = mem_alloc(sizeof *group);
    group->checker = checker;
    struct config_health_check fallback = health_check_effective(NULL);
    group->check = health_check_copy(&fallback);
    snprintf(group->service, sizeof group->service, "%s", service);
    TAILQ_INIT(&group->watches);
    HASH_ADD_STR(checker->groups, service, group);
    return group;
}

static void watch_drop(struct watch *watch)
{
    watch_rest(watch);
    TAILQ_REMOVE(&watch->group->watches, watch, of_group);
    HASH_DEL(watch->group->checker->watches, watch);
    free(watch);
}

static void group_drop_if_unused(struct group *group)
{
    if (group->is_configured || !TAILQ_EMPTY(&group->watches))
        return;
    HASH_DEL(group->checker->groups, group);
    health_check_fini(&group->check);
    free(group);
}

/* ---- what the registry says ---- */

static void watch_begin(struct watch *watch, const struct task *task)
{
    snprintf(watch->name, sizeof watch->name, "%s", task->spec.name);
    snprintf(watch->address, sizeof watch->address, "%s", task->spec.address);
    watch->own = task->spec.check;
    watch->life_us = task->spec.started_at_wall_us;
    watch->state = (struct health_state){ .health = task->probe_health, /* of an earlier process, or UNKNOWN */
                                          .was_up = task->probe_health == TASK_HEALTH_UP,
                                          .began_at_ms = clock_now_ms() };
    watch->is_hung = false;
    watch_get_ready(watch);
}

static struct watch *find_watch(const struct health_checker *checker, const char *id)
{
    struct watch *watch;
    HASH_FIND_STR(checker->watches, id, watch);
    return watch;
}

static void compare_task(void *owner, const struct task *task)
{
    struct group *group = owner;
    struct health_checker *checker = group->checker;
    if (task->spec.state != TASK_RUNNING || !task->spec.address[0])
        return;
    struct watch *watch = find_watch(checker, task->spec.id);
    if (watch && watch->group != group) { /* it moved to this service */
        struct group *old = watch->group;
        watch_drop(watch);
        group_drop_if_unused(old);
        watch = NULL;
    }
    bool is_new = watch == NULL;
    if (is_new) {
        watch = mem_alloc(sizeof *watch);
        watch->group = group;
        snprintf(watch->id, sizeof watch->id, "%s", task->spec.id);
        sleeper_init(&watch->sleeper, checker->wakes, watch_on_wake, watch);
        tcp_probe_init(&watch->probe, checker->prober, watch_on_connect, watch);
        TAILQ_INSERT_TAIL(&group->watches, watch, of_group);
        HASH_ADD_STR(checker->watches, id, watch);
    }
    watch->is_seen = true;
    bool is_reset = task->probe_health == TASK_HEALTH_UNKNOWN && watch->state.health != TASK_HEALTH_UNKNOWN;
    if (is_new || is_reset || watch->life_us != task->spec.started_at_wall_us ||
        strcmp(watch->address, task->spec.address) != 0)
        watch_begin(watch, task);
}

static void checker_on_change(void *owner, const char *service)
{
    struct health_checker *checker = owner;
    struct group *group = find_or_add_group(checker, service);
    struct watch *watch, *next;
    TAILQ_FOREACH (watch, &group->watches, of_group)
        watch->is_seen = false;
    task_registry_each_of(checker->registry, service, compare_task, group);
    for (watch = TAILQ_FIRST(&group->watches); watch; watch = next) {
        next = TAILQ_NEXT(watch, of_group);
        if (!watch->is_seen)
            watch_drop(watch);
    }
    group_drop_if_unused(group);
}

static void watch_existing(void *owner, const struct task *task)
{
    compare_task(find_or_add_group(owner, task->spec.service), task);
}

/* ---- public ---- */

struct health_checker *health_checker_new(struct loop *loop, struct http_client *http, struct task_registry *registry)
{
    struct health_checker *checker = mem_alloc(sizeof *checker);
    checker->http = http;
    checker->prober = tcp_prober_new(loop);
    checker->wakes = wake_list_new(loop);
    checker->registry = registry;
    for (size_t lane = 0; lane < PROBE_LANE_COUNT; lane++)
        fair_queue_init(&checker->lanes[lane], lane_limits[lane].places, lane_limits[lane].share,
                        lane_limits[lane].order);
    memcpy(checker->random_seed, &(int64_t){ clock_now_us() }, sizeof checker->random_seed);
    task_registry_set_health_listener(registry, checker_on_change, checker);
    task_registry_each(registry, watch_existing, checker);
    return checker;
}

void health_checker_free(struct health_checker *checker)
{
    struct watch *watch, *next_watch;
    struct group *group, *next_group;
    if (!checker)
        return;
    task_registry_set_health_listener(checker->registry, NULL, NULL);
    HASH_ITER (hh, checker->watches, watch, next_watch)
        watch_drop(watch);
    HASH_ITER (hh, checker->groups, group, next_group) {
        group->is_configured = false;
        group_drop_if_unused(group);
    }
    for (size_t lane = 0; lane < PROBE_LANE_COUNT; lane++)
        fair_queue_fini(&checker->lanes[lane]);
    tcp_prober_free(checker->prober);
    wake_list_free(checker->wakes);
    free(checker);
}

void health_checker_configure(struct health_checker *checker, const char *service,
                              const struct config_health_check *check, bool sends_proxy_header)
{
    struct group *group = find_or_add_group(checker, service);
    struct watch *watch;
    struct config_health_check effective = health_check_effective(check);
    sends_proxy_header = sends_proxy_header && effective.path; /* for a TCP check nothing is sent at all */
    if (group->is_configured == (check != NULL) && group->sends_proxy_header == sends_proxy_header &&
        health_check_equals(&group->check, &effective)) { /* reloads in a row put nobody's next probe off */
        group_drop_if_unused(group);
        return;
    }
    health_check_fini(&group->check);
    group->check = health_check_copy(&effective);
    group->is_configured = check != NULL;
    group->sends_proxy_header = sends_proxy_header;
    TAILQ_FOREACH (watch, &group->watches, of_group) {
        struct config_health_check now = check_of(watch);
        if (watch->turn.state == FAIR_IDLE) /* not to wait out an interval that has become shorter */
            watch_sleep(watch, health_next_delay_ms(&watch->state, &now));
        else if (watch->turn.state == FAIR_OUT) /* its answer would be judged by the new rules */
            watch_get_ready(watch);
    }
    group_drop_if_unused(group);
}

void health_checker_status(const struct health_checker *checker, struct health_checker_status *out)
{
    *out = (struct health_checker_status){ .watched_count = HASH_COUNT(checker->watches) };
    for (size_t lane = 0; lane < PROBE_LANE_COUNT; lane++) {
        out->in_flight_count += checker->lanes[lane].out_count;
        out->waiting_count += checker->lanes[lane].waiting_count;
    }
    memcpy(out->outcomes, checker->outcomes, sizeof out->outcomes);
}
