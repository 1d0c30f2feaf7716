#include "discovery/task_registry.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#define PROVIDERS_MAX 16

/* What the registry keeps of a task; callers see the first member only. */
struct entry {
    struct task task;
    struct service *service;
    TAILQ_ENTRY(entry) of_service;
    UT_hash_handle hh;
};

struct service {
    char name[TASK_NAME_SIZE];
    TAILQ_HEAD(, entry) entries;
    size_t count;
    unsigned pins;  /* somebody walks over it or is being told about it */
    bool is_marked; /* changed by the sync that is ending */
    UT_hash_handle hh;
};

struct provider_slot {
    char name[TASK_NAME_SIZE];
    uint64_t round;
    uint64_t ended_round;     /* of the newest complete list; 0: none yet */
    bool is_full_reported[2]; /* of others, of our own; since the last sync */
    bool is_recalled;         /* an earlier process's tasks were put in */
};

struct listener {
    task_registry_cb on_change;
    void *owner;
};

enum { LISTENER_PUBLISHER = 0, LISTENER_CONTROLLER, LISTENER_HEALTH, LISTENER_MEMORY, LISTENER_COUNT };

struct task_registry {
    struct entry *entries;    /* uthash, by spec.id */
    struct service *services; /* uthash, by name; those with tasks, or pinned */
    struct provider_slot providers[PROVIDERS_MAX];
    uint8_t provider_count;
    struct listener listeners[LISTENER_COUNT];
    size_t managed_count;
    task_registry_health_cb on_health;
    void *health_owner;
    unsigned walks; /* task_registry_each under way */
};

/* ---- services ---- */

static struct service *find_service(const struct task_registry *r, const char *name)
{
    struct service *service;
    HASH_FIND_STR(r->services, name, service);
    return service;
}

static struct service *find_or_add_service(struct task_registry *r, const char *name)
{
    struct service *service = find_service(r, name);
    if (service)
        return service;
    service = mem_alloc(sizeof *service);
    snprintf(service->name, sizeof service->name, "%s", name);
    TAILQ_INIT(&service->entries);
    HASH_ADD_STR(r->services, name, service);
    return service;
}

static void service_unpin(struct task_registry *r, struct service *service)
{
    check(service->pins > 0);
    if (--service->pins > 0 || service->count > 0)
        return;
    HASH_DEL(r->services, service);
    free(service);
}

/* The change is complete when this is called: a listener may read and change the registry. */
static void tell(struct task_registry *r, struct service *service)
{
    service->pins++;
    for (size_t i = 0; i < LISTENER_COUNT; i++)
        if (r->listeners[i].on_change)
            r->listeners[i].on_change(r->listeners[i].owner, service->name);
    service_unpin(r, service);
}

static void join_service(struct task_registry *r, struct entry *entry)
{
    entry->service = find_or_add_service(r, entry->task.spec.service);
    entry->service->count++;
    TAILQ_INSERT_TAIL(&entry->service->entries, entry, of_service);
}

static struct service *leave_service(struct entry *entry)
{
    struct service *service = entry->service;
    TAILQ_REMOVE(&service->entries, entry, of_service);
    service->count--;
    return service;
}

/* ---- tasks ---- */

static struct entry *find_entry(const struct task_registry *r, const char *id)
{
    struct entry *entry;
    HASH_FIND(hh, r->entries, id, strlen(id), entry);
    return entry;
}

/* Returns the service that it was in, pinned. */
static struct service *remove_entry(struct task_registry *r, struct entry *entry)
{
    check(r->walks == 0); /* a walk would step on it */
    struct service *service = leave_service(entry);
    service->pins++;
    HASH_DELETE(hh, r->entries, entry); /* NOLINT(clang-analyzer-unix.Malloc): it does not follow uthash */
    r->managed_count -= entry->task.spec.managed;
    free(entry);
    return service;
}

static void report_health(const struct task_registry *r, const struct task *task, enum task_health before)
{
    enum task_health now = task_health_of(task);
    if (r->on_health && task->spec.state == TASK_RUNNING && now != TASK_HEALTH_UNKNOWN && now != before)
        r->on_health(r->health_owner, task, before);
}

static void set_probe(struct task *task, enum task_health health)
{
    if (task->probe_health == health)
        return;
    task->probe_health = health;
    task->probe_changed_at_ms = clock_now_ms();
}

static void note_health(struct task *task)
{
    task->was_healthy |= task_health_of(task) == TASK_HEALTH_UP;
}

#define START_PERIOD_MS (5 * 60 * 1000) /* as healthCheck.startPeriod has it, of a container that says none */

/* Found running by a control process that has just started, and for longer than it may take to become healthy: an earlier
 * process has seen it healthy, or given it up. */
static bool ran_long_before_us(const struct task_registry *r, uint8_t provider, const struct task_spec *spec)
{
    int64_t start_period_ms = spec->start_period_ms > 0 ? spec->start_period_ms : START_PERIOD_MS;
    return !task_registry_is_synced(r, provider) && spec->state == TASK_RUNNING && spec->started_at_wall_us > 0 &&
           (clock_wall_us() - spec->started_at_wall_us) / 1000 > start_period_ms;
}

static void terminate_texts(struct task_spec *spec)
{
    spec->id[sizeof spec->id - 1] = '\0';
    spec->name[sizeof spec->name - 1] = '\0';
    spec->service[sizeof spec->service - 1] = '\0';
    spec->address[sizeof spec->address - 1] = '\0';
    spec->host[sizeof spec->host - 1] = '\0';
    spec->path[sizeof spec->path - 1] = '\0';
    spec->revision[sizeof spec->revision - 1] = '\0';
    spec->image_id[sizeof spec->image_id - 1] = '\0';
    spec->proxy_protocol[sizeof spec->proxy_protocol - 1] = '\0';
    spec->check.path[sizeof spec->check.path - 1] = '\0';
    spec->problem[sizeof spec->problem - 1] = '\0';
    spec->engine_words[sizeof spec->engine_words - 1] = '\0';
}

static bool checks_equal(const struct task_check *a, const struct task_check *b)
{
    return strcmp(a->path, b->path) == 0 && a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms;
}

static bool specs_equal(const struct task_spec *a, const struct task_spec *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->service, b->service) == 0 &&
           strcmp(a->address, b->address) == 0 && strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0 &&
           strcmp(a->revision, b->revision) == 0 && strcmp(a->image_id, b->image_id) == 0 &&
           strcmp(a->proxy_protocol, b->proxy_protocol) == 0 && a->managed == b->managed && a->weight == b->weight &&
           a->state == b->state && a->has_engine_health == b->has_engine_health &&
           a->engine_health == b->engine_health && a->started_at_wall_us == b->started_at_wall_us &&
           a->exit_code == b->exit_code && a->start_period_ms == b->start_period_ms &&
           checks_equal(&a->check, &b->check) && a->is_signalled == b->is_signalled &&
           strcmp(a->problem, b->problem) == 0;
}

static bool has_room(const struct task_registry *r, bool is_managed)
{
    return is_managed ? task_registry_managed_room(r) > 0 : task_registry_foreign_count(r) < TASK_REGISTRY_MAX;
}

/* Null: there is no room. Nobody has been told of it yet. */
static struct entry *add_entry(struct task_registry *r, uint8_t provider, const struct task_spec *spec)
{
    struct provider_slot *slot = &r->providers[provider];
    if (!has_room(r, spec->managed)) {
        if (!slot->is_full_reported[spec->managed])
            log_warn("tasks: %d of %s are known, which is the limit; %s (%.12s) and later ones of %s are left out, as "
                     "portico_tasks_refused counts",
                     spec->managed ? TASK_REGISTRY_MANAGED_MAX : TASK_REGISTRY_MAX,
                     spec->managed ? "our own" : "others", spec->name, spec->id, slot->name);
        slot->is_full_reported[spec->managed] = true;
        return NULL;
    }
    struct entry *entry = mem_alloc(sizeof *entry);
    entry->task.spec = *spec;
    entry->task.provider = provider;
    entry->task.sync_round = slot->round;
    entry->task.first_seen_at_ms = entry->task.probe_changed_at_ms = clock_now_ms();
    HASH_ADD_KEYPTR(hh, r->entries, entry->task.spec.id, strlen(entry->task.spec.id), entry);
    r->managed_count += spec->managed;
    join_service(r, entry);
    return entry;
}

static bool add_task(struct task_registry *r, uint8_t provider, const struct task_spec *spec)
{
    struct entry *entry = add_entry(r, provider, spec);
    if (!entry)
        return false;
    entry->task.was_healthy = ran_long_before_us(r, provider, spec);
    tell(r, entry->service);
    return true;
}

static void update_task(struct task_registry *r, struct entry *entry, uint8_t provider, const struct task_spec *spec)
{
    struct task *task = &entry->task;
    task->provider = provider;
    task->sync_round = r->providers[provider].round;
    memcpy(task->spec.engine_words, spec->engine_words, sizeof task->spec.engine_words);
    if (specs_equal(&task->spec, spec))
        return;
    enum task_health before = task_health_of(task);
    bool keeps_probe = spec->state == TASK_RUNNING && task->spec.state == TASK_RUNNING &&
                       strcmp(task->spec.address, spec->address) == 0 &&
                       task->spec.started_at_wall_us == spec->started_at_wall_us;
    bool moves = strcmp(task->spec.service, spec->service) != 0;
    struct service *old = entry->service;
    check(!moves || r->walks == 0); /* a walk would lose its way */
    old->pins++;
    if (moves)
        leave_service(entry);
    r->managed_count += (size_t)spec->managed - (size_t)task->spec.managed;
    task->spec = *spec;
    task->was_healthy &= keeps_probe;
    if (!keeps_probe) {
        set_probe(task, TASK_HEALTH_UNKNOWN);
        task->probe_words[0] = '\0';
    }
    note_health(task);
    report_health(r, task, before);
    if (moves) {
        join_service(r, entry);
        tell(r, entry->service);
    }
    tell(r, old);
    service_unpin(r, old);
}

/* ---- public ---- */

struct task_registry *task_registry_new(void)
{
    return mem_alloc(sizeof(struct task_registry));
}

void task_registry_free(struct task_registry *r)
{
    struct entry *entry, *next_entry;
    struct service *service, *next_service;
    if (!r)
        return;
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): it does not follow uthash */
    HASH_ITER (hh, r->entries, entry, next_entry) {
        HASH_DELETE(hh, r->entries, entry);
        free(entry);
    }
    HASH_ITER (hh, r->services, service, next_service) {
        HASH_DELETE(hh, r->services, service);
        free(service);
    }
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
    free(r);
}

void task_registry_set_listener(struct task_registry *r, task_registry_cb on_change, void *owner)
{
    r->listeners[LISTENER_PUBLISHER] = (struct listener){ on_change, owner };
}

void task_registry_set_controller_listener(struct task_registry *r, task_registry_cb on_change, void *owner)
{
    r->listeners[LISTENER_CONTROLLER] = (struct listener){ on_change, owner };
}

void task_registry_set_health_listener(struct task_registry *r, task_registry_cb on_change, void *owner)
{
    r->listeners[LISTENER_HEALTH] = (struct listener){ on_change, owner };
}

void task_registry_set_memory_listener(struct task_registry *r, task_registry_cb on_change, void *owner)
{
    r->listeners[LISTENER_MEMORY] = (struct listener){ on_change, owner };
}

void task_registry_set_health_reporter(struct task_registry *r, task_registry_health_cb on_health, void *owner)
{
    r->on_health = on_health;
    r->health_owner = owner;
}

uint8_t task_registry_add_provider(struct task_registry *r, const char *name)
{
    check(r->provider_count < PROVIDERS_MAX);
    struct provider_slot *slot = &r->providers[r->provider_count];
    slot->round = 1;
    snprintf(slot->name, sizeof slot->name, "%s", name);
    return r->provider_count++;
}

const char *task_registry_provider_name(const struct task_registry *r, uint8_t provider)
{
    return provider < r->provider_count ? r->providers[provider].name : "?";
}

bool task_registry_is_synced(const struct task_registry *r, uint8_t provider)
{
    return provider < r->provider_count && r->providers[provider].ended_round > 0;
}

bool task_registry_is_known(const struct task_registry *r, uint8_t provider)
{
    return task_registry_is_synced(r, provider) || (provider < r->provider_count && r->providers[provider].is_recalled);
}

void task_registry_begin_recall(struct task_registry *r, uint8_t provider)
{
    check(provider < r->provider_count);
    r->providers[provider].is_recalled = true;
}

bool task_registry_recall(struct task_registry *r, uint8_t provider, const struct task *earlier)
{
    struct task_spec clean = earlier->spec;
    check(provider < r->provider_count);
    terminate_texts(&clean);
    struct entry *entry = NULL;
    if (!task_registry_is_synced(r, provider) && !find_entry(r, clean.id))
        entry = add_entry(r, provider, &clean);
    if (!entry)
        return false;
    entry->task.sync_round = 0; /* also a list that is under way has not named it */
    entry->task.was_healthy = earlier->was_healthy;
    entry->task.admin = earlier->admin;
    entry->task.probe_health = earlier->spec.state == TASK_RUNNING ? earlier->probe_health : TASK_HEALTH_UNKNOWN;
    snprintf(entry->task.probe_words, sizeof entry->task.probe_words, "%s", earlier->probe_words);
    tell(r, entry->service);
    return true;
}

struct task_lists task_registry_lists(const struct task_registry *r, uint8_t provider)
{
    check(provider < r->provider_count);
    return (struct task_lists){ r->providers[provider].round, r->providers[provider].ended_round };
}

bool task_registry_apply(struct task_registry *r, uint8_t provider, const struct task_spec *spec)
{
    struct task_spec clean = *spec;
    check(provider < r->provider_count);
    terminate_texts(&clean);
    struct entry *entry = find_entry(r, clean.id);
    if (!entry)
        return add_task(r, provider, &clean);
    update_task(r, entry, provider, &clean);
    return true;
}

void task_registry_remove(struct task_registry *r, const char *id)
{
    struct entry *entry = find_entry(r, id);
    if (!entry)
        return;
    struct service *service = remove_entry(r, entry);
    tell(r, service);
    service_unpin(r, service);
}

void task_registry_begin_sync(struct task_registry *r, uint8_t provider)
{
    check(provider < r->provider_count);
    r->providers[provider].round++;
    memset(r->providers[provider].is_full_reported, 0, sizeof r->providers[provider].is_full_reported);
}

void task_registry_end_sync(struct task_registry *r, uint8_t provider)
{
    struct entry *entry, *next_entry;
    struct service *service, *next_service;
    check(provider < r->provider_count);
    r->providers[provider].ended_round = r->providers[provider].round;
    HASH_ITER (hh, r->entries, entry, next_entry) {
        if (entry->task.provider != provider || entry->task.sync_round == r->providers[provider].round)
            continue;
        struct service *left = remove_entry(r, entry); /* pinned until it has been told */
        if (left->is_marked)
            left->pins--;
        left->is_marked = true;
    }
    /* A listener may change the registry, so the next one is looked for anew each time. */
    do {
        HASH_ITER (hh, r->services, service, next_service)
            if (service->is_marked)
                break;
        if (service) {
            service->is_marked = false;
            tell(r, service);
            service_unpin(r, service);
        }
    } while (service);
    const struct listener *memory = &r->listeners[LISTENER_MEMORY];
    if (memory->on_change)
        memory->on_change(memory->owner, ""); /* what changed before may be kept now */
}

void task_registry_set_probe(struct task_registry *r, const char *id, enum task_health health, const char *words)
{
    struct entry *entry = find_entry(r, id);
    /* An answer that comes after the task stopped says nothing about its next life. */
    if (!entry || entry->task.spec.state != TASK_RUNNING)
        return;
    struct task *task = &entry->task;
    bool was_last_resort = task_is_last_resort(task);
    snprintf(task->probe_words, sizeof task->probe_words, "%s", words);
    if (task->probe_health == health) {
        if (task_is_last_resort(task) != was_last_resort)
            tell(r, entry->service);
        return;
    }
    enum task_health before = task_health_of(task);
    set_probe(task, health);
    note_health(task);
    report_health(r, task, before);
    tell(r, entry->service);
}

void task_registry_set_admin(struct task_registry *r, const char *id, enum task_admin admin)
{
    struct entry *entry = find_entry(r, id);
    if (!entry || entry->task.admin == admin)
        return;
    entry->task.admin = admin;
    tell(r, entry->service);
}

const struct task *task_registry_find(const struct task_registry *r, const char *id)
{
    const struct entry *entry = find_entry(r, id);
    return entry ? &entry->task : NULL;
}

void task_registry_each(const struct task_registry *r, task_registry_each_cb each, void *owner)
{
    struct task_registry *walked = (struct task_registry *)r; /* the count of walks is no part of what callers see */
    struct entry *entry, *next;
    walked->walks++;
    HASH_ITER (hh, r->entries, entry, next)
        each(owner, &entry->task);
    walked->walks--;
}

void task_registry_each_of(const struct task_registry *r, const char *service, task_registry_each_cb each, void *owner)
{
    struct task_registry *walked = (struct task_registry *)r;
    struct service *found = find_service(r, service);
    struct entry *entry;
    if (!found)
        return;
    walked->walks++;
    found->pins++;
    TAILQ_FOREACH (entry, &found->entries, of_service)
        each(owner, &entry->task);
    service_unpin(walked, found);
    walked->walks--;
}

size_t task_registry_count(const struct task_registry *r)
{
    return HASH_COUNT(r->entries);
}

size_t task_registry_foreign_count(const struct task_registry *r)
{
    return HASH_COUNT(r->entries) - r->managed_count;
}

size_t task_registry_managed_room(const struct task_registry *r)
{
    return r->managed_count < TASK_REGISTRY_MANAGED_MAX ? TASK_REGISTRY_MANAGED_MAX - r->managed_count : 0;
}
