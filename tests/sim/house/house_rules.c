#include "tests/sim/house/house_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "controller/reconciler.h"
#include "daemon/publish/publisher.h"
#include "discovery/task_registry.h"
#include "proxy/client/clients.h"
#include "proxy/client/conn.h"
#include "proxy/exchange/exchange_parts.h"
#include "proxy/route/route_table.h"
#include "proxy/upstream/pool.h"
#include "proxy/worker/worker.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/house_control.h"
#include "tests/sim/house/house_proxy.h"
#include "tests/sim/house/sim_clients.h"
#include "tests/sim/house/sim_engine.h"
#include "tests/sim/house/sim_net.h"
#include "tests/sim/house/sim_tasks.h"

#define OLD_MS 1500     /* shorter than every time-out and every deregistration delay */
#define TROUBLE_MS 1000 /* so long after trouble, requests may still meet what it left */
#define STEADY_MS 1000  /* so long something must have been there for it to count */
#define LEDGER_MAX 4096 /* requests that are remembered */
#define SNAPSHOTS_MAX 9 /* one in the workers, and those under way (PUBLISHER_UNACKED_MAX) */
#define ROTATION_MAX 64

struct entry {
    uint32_t id, seen_count;
    uint32_t address;      /* of the task that saw it last */
    bool has_whole_upload; /* of a tunnel */
};

/* Endpoints of a worker's present snapshot. */
struct rotation_list {
    const struct snapshot *snapshot;
    uint64_t serial;
    char ids[ROTATION_MAX][TASK_ID_SIZE];
    uint32_t slots[ROTATION_MAX];
    size_t count;
};

static struct {
    int64_t trouble_at_ms, proxy_killed_at_ms;
    struct {
        int64_t configured_at_ms; /* 0: it is not */
        int64_t asked;
        int64_t routable_before;
        bool has_created; /* in this turn of control */
    } services[HOUSE_SERVICES];
    struct entry ledger[LEDGER_MAX];
    struct rotation_list rotations[HOUSE_WORKERS];
} rules;

void rules_reset(void)
{
    memset(&rules, 0, sizeof rules);
}

void rules_note_trouble(void)
{
    rules.trouble_at_ms = house_now_ms();
}

void rules_note_killed_proxy(void)
{
    rules_note_trouble();
    rules.proxy_killed_at_ms = house_now_ms();
}

void rules_note_configured(size_t service, bool is_configured)
{
    if (is_configured && rules.services[service].configured_at_ms == 0)
        rules.services[service].configured_at_ms = house_now_ms();
    if (!is_configured)
        rules.services[service].configured_at_ms = 0;
}

bool rules_is_configured(size_t service)
{
    return rules.services[service].configured_at_ms != 0;
}

void rules_note_asked(size_t service, int64_t desired)
{
    rules.services[service].asked = desired;
}

/* ---- requests ---- */

void rules_on_request(const struct wish *wish, const struct container *container)
{
    struct entry *entry = &rules.ledger[wish->id % LEDGER_MAX];
    uint32_t most = wish->is_post ? 1 : 2;
    if (entry->id != wish->id)
        *entry = (struct entry){ .id = wish->id };
    entry->address = container->address;
    if (++entry->seen_count > most)
        house_violated("request %u was sent %u times, the last time to %s", wish->id, entry->seen_count,
                       container->name);
}

const char *rules_excuse_of(const struct request *request)
{
    size_t service = request->wish.service;
    int64_t started_at_ms = request->started_at_ms;
    if (request->wish.answer >= WISH_HARMLESS_COUNT)
        return "it asked for that";
    if (house_now_ms() - started_at_ms > OLD_MS)
        return "it took its time";
    if (rules.trouble_at_ms > started_at_ms - TROUBLE_MS)
        return "there was trouble";
    int64_t configured_at_ms = rules.services[service].configured_at_ms;
    if (configured_at_ms == 0 || started_at_ms - configured_at_ms < STEADY_MS)
        return "its service is new, or gone";
    if (!engine_has_steady_task(service, house_now_ms() - started_at_ms + STEADY_MS))
        return "no task was there for long enough";
    return NULL;
}

void rules_on_refusal(const struct request *request, int status)
{
    bool is_possible = status == 404 || status == 408 || status == 502 || status == 503 || status == 504;
    if (!is_possible || !rules_excuse_of(request))
        house_violated("request %u to s%zu was answered %d without a reason", request->wish.id, request->wish.service,
                       status);
}

/* A connection that has been idle for long may be closed at any time, also just when something is sent on it. */
void rules_on_cut(const struct request *request, int64_t idle_since_ms)
{
    bool was_idle = idle_since_ms != 0 && house_now_ms() - idle_since_ms > OLD_MS;
    if (!was_idle && !rules_excuse_of(request))
        house_violated("request %u to s%zu was cut off without a reason", request->wish.id, request->wish.service);
}

void rules_on_short_end(const struct request *request)
{
    if (rules.proxy_killed_at_ms < request->started_at_ms)
        house_violated("request %u to s%zu got a part of its answer that ends as if it were the whole",
                       request->wish.id, request->wish.service);
}

void rules_on_tunnel_upload(const struct wish *wish)
{
    struct entry *entry = &rules.ledger[wish->id % LEDGER_MAX];
    entry->has_whole_upload |= entry->id == wish->id;
}

bool rules_has_tunnel_upload(const struct wish *wish)
{
    const struct entry *entry = &rules.ledger[wish->id % LEDGER_MAX];
    return entry->id != wish->id || entry->has_whole_upload;
}

void rules_on_tunnel_cut(const struct request *request)
{
    const struct entry *entry = &rules.ledger[request->wish.id % LEDGER_MAX];
    const struct container *c = engine_find_address(entry->address);
    bool was_stopped = entry->id != request->wish.id || !c || c->state != CONTAINER_RUNNING;
    if (!was_stopped && rules.trouble_at_ms <= request->started_at_ms - TROUBLE_MS)
        house_violated("tunnel %u to s%zu was cut off without a reason", request->wish.id, request->wish.service);
}

/* ---- what control believes and what workers do ---- */

static void list_rotation(const struct snapshot *snapshot, struct rotation_list *list)
{
    list->count = 0;
    for (uint32_t slot = 0; slot < STATS_SERVICES_MAX; slot++) {
        const struct snapshot_service *service = snapshot->services[slot];
        for (size_t i = 0; service && i < service->endpoint_count && list->count < ROTATION_MAX; i++) {
            const struct endpoint *endpoint = service->endpoints[i].endpoint;
            snprintf(list->ids[list->count], TASK_ID_SIZE, "%.*s", (int)strcspn(endpoint->key, " "), endpoint->key);
            list->slots[list->count++] = endpoint->slot;
        }
    }
}

static const struct rotation_list *rotation_of(const struct worker *w)
{
    struct rotation_list *list = &rules.rotations[w->index];
    const struct snapshot *snapshot = worker_snapshot(w);
    if (snapshot && (list->snapshot != snapshot || list->serial != snapshot->serial))
        list_rotation(snapshot, list);
    list->snapshot = snapshot;
    list->serial = snapshot ? snapshot->serial : 0;
    return list;
}

static void check_rotation(const struct worker *w)
{
    const struct publisher *publisher = house_control_publisher();
    const struct rotation_list *list = rotation_of(w);
    for (size_t i = 0; publisher && w->snapshot && i < list->count; i++) {
        if (publisher_is_out_of_rotation(publisher, list->ids[i]))
            house_violated("worker %u sends to %.12s..., which control counts as out of rotation", w->index,
                           list->ids[i] + 56);
    }
}

static void count_routable(void *owner, const struct task *task)
{
    *(int64_t *)owner += task_is_routable(task);
}

static int64_t routable_of(size_t service)
{
    char name[16];
    int64_t count = 0;
    snprintf(name, sizeof name, "s%zu", service);
    task_registry_each_of(house_control_registry(), name, count_routable, &count);
    return count;
}

void rules_before_control(void)
{
    for (size_t s = 0; s < HOUSE_SERVICES; s++)
        rules.services[s].routable_before = routable_of(s);
}

static void check_floor(size_t s)
{
    int64_t desired = house_control_desired(s), before = rules.services[s].routable_before, after = routable_of(s);
    if (after < (desired < before ? desired : before))
        house_violated("s%zu: control has left %lld of %lld routable tasks, desired %lld", s, (long long)after,
                       (long long)before, (long long)desired);
}

/* At the end of the turn: what is drained in the same turn makes room. */
static void check_ceiling(size_t s)
{
    size_t all = engine_count_active(s), desired = (size_t)house_control_desired(s);
    if (rules.services[s].has_created && all > desired + RECONCILER_SURGE)
        house_violated("s%zu: created up to %zu tasks, desired %zu", s, all, desired);
    rules.services[s].has_created = false;
}

void rules_after_control(void)
{
    for (size_t s = 0; s < HOUSE_SERVICES; s++) {
        check_floor(s);
        check_ceiling(s);
    }
}

/* ---- orders ---- */

void rules_on_create(size_t service)
{
    rules.services[service].has_created = true;
}

void rules_on_stop(const struct container *c)
{
    size_t open = tasks_open_requests(c), tunnels = tasks_open_tunnels(c);
    int64_t drained_ms = c->draining_since_ms ? house_now_ms() - c->draining_since_ms : 0;
    if (house_proxy_serves_by(c->id))
        house_violated("%s is stopped, and a worker may still send it requests", c->name);
    if (open > 0 && drained_ms < HOUSE_DEREGISTRATION_MS - HOUSE_TICK_MS)
        house_violated("%s is stopped after %lld ms, with %zu requests under way", c->name, (long long)drained_ms,
                       open);
    if (tunnels > 0 && drained_ms < HOUSE_TUNNEL_DEREGISTRATION_MS - HOUSE_TICK_MS)
        house_violated("%s is stopped after %lld ms, with %zu tunnels open", c->name, (long long)drained_ms, tunnels);
}

/* ---- counters ---- */

/* In flight, and those of them that are tunnels. */
static size_t exchanges_at(const struct worker *w, uint32_t slot, size_t *tunnels)
{
    size_t count = 0;
    *tunnels = 0;
    const struct conn *c;
    TAILQ_FOREACH (c, &w->clients->conns, link) {
        bool is_there = c->side.exchange && c->side.exchange->upstream && c->side.exchange->upstream->slot == slot;
        count += is_there;
        *tunnels += is_there && exchange_is_tunnel(c->side.exchange);
    }
    return count;
}

static void check_endpoint_counter(const struct worker *w, uint32_t slot)
{
    uint64_t counted = w->endpoints[slot].in_flight;
    size_t tunnels = 0, there = exchanges_at(w, slot, &tunnels);
    if (w->endpoints[slot].tunnels != tunnels)
        house_violated("worker %u counts %llu tunnels at an endpoint, there are %zu", w->index,
                       (unsigned long long)w->endpoints[slot].tunnels, tunnels);
    if (counted != there)
        house_violated("worker %u counts %llu requests in flight at an endpoint, there are %zu", w->index,
                       (unsigned long long)counted, there);
}

static void check_counters(const struct worker *w)
{
    const struct rotation_list *list = rotation_of(w);
    const struct conn *c;
    size_t exchanges = 0, conns = 0;
    TAILQ_FOREACH (c, &w->clients->conns, link) {
        conns++;
        exchanges += c->side.exchange != NULL;
        if (c->side.exchange && c->side.exchange->upstream)
            check_endpoint_counter(w, c->side.exchange->upstream->slot);
    }
    for (size_t i = 0; w->snapshot && i < list->count; i++)
        check_endpoint_counter(w, list->slots[i]);
    if (exchanges != w->exchange_count)
        house_violated("worker %u counts %u exchanges, there are %zu", w->index, w->exchange_count, exchanges);
    if (conns != w->clients->conn_count || w->stats->connections_open != conns)
        house_violated("worker %u counts %u connections, there are %zu", w->index, w->clients->conn_count, conns);
}

static size_t connections_of(const struct worker *w)
{
    size_t count = w->clients->conn_count + w->stats->upstream_idle;
    const struct conn *c;
    TAILQ_FOREACH (c, &w->clients->conns, link)
        count += c->side.exchange && c->side.exchange->upstream;
    return count;
}

/* Besides them a proxy has its link to control, if there is one. */
static void check_descriptors(void)
{
    size_t known = 0, open = net_stream_count(NET_PROXY);
    for (size_t i = 0; i < HOUSE_WORKERS; i++)
        known += house_proxy_worker(i) ? connections_of(house_proxy_worker(i)) : 0;
    if (open != known && open != known + 1)
        house_violated("a proxy has %zu streams open, and %zu connections", open, known);
}

void rules_check_step(void)
{
    check_descriptors();
    for (size_t i = 0; i < HOUSE_WORKERS; i++) {
        const struct worker *w = house_proxy_worker(i);
        if (!w)
            continue;
        check_rotation(w);
        check_counters(w);
    }
    if (house_proxy_snapshots() > SNAPSHOTS_MAX)
        house_violated("%zu snapshots live", house_proxy_snapshots());
    if (house_control_rejections() > 0)
        house_violated("a snapshot was refused");
}

/* ---- quiet ---- */

static bool has_come_to_rest(const struct worker *w)
{
    struct publisher_status status;
    publisher_status(house_control_publisher(), &status);
    return w && w->snapshot && w->clients->conn_count == 0 && w->exchange_count == 0 &&
           worker_snapshot(w)->serial == status.acked_serial && status.sent_serial == status.acked_serial;
}

static bool is_as_asked(void)
{
    for (size_t s = 0; s < HOUSE_SERVICES; s++) {
        if (rules_is_configured(s) && house_control_desired(s) != rules.services[s].asked)
            return false;
    }
    return true;
}

bool rules_are_quiet(void)
{
    bool is_quiet = house_control_is_alive() && house_proxy_is_alive() && clients_waiting() == 0 &&
                    clients_connected() == 0 && tasks_busy_count() == 0 && engine_is_idle() &&
                    house_control_is_steady() && is_as_asked();
    for (size_t i = 0; i < HOUSE_WORKERS && is_quiet; i++)
        is_quiet = has_come_to_rest(house_proxy_worker(i));
    return is_quiet;
}

static void check_memory(const struct worker *w)
{
    if (w->buffers.used_bytes != 0)
        house_violated("worker %u is at rest and has %llu bytes of buffers", w->index,
                       (unsigned long long)w->buffers.used_bytes);
    if (w->retry_count != 0 || w->due_count != 0)
        house_violated("worker %u is at rest and has %u retries and %u exchanges to send", w->index, w->retry_count,
                       w->due_count);
    for (uint32_t slot = 0; slot < STATS_SERVICES_MAX; slot++) {
        const struct snapshot_service *service = worker_snapshot(w)->services[slot];
        if (service && (w->services[slot].in_flight != 0 || w->service_uses[slot].count != 0))
            house_violated("worker %u is at rest, counts %llu requests in flight for %s and has %u uses of its row",
                           w->index, (unsigned long long)w->services[slot].in_flight, service->name,
                           w->service_uses[slot].count);
    }
}

static size_t endpoints_of(const struct worker *w, size_t service)
{
    char host[16];
    snprintf(host, sizeof host, "s%zu.sim", service);
    const struct snapshot *snapshot = worker_snapshot(w);
    uint32_t slot = route_table_match(snapshot->routes->table, slice_of(host), slice_of("/1"));
    if (slot == UINT32_MAX || !snapshot->services[slot]) {
        house_violated("worker %u has no route for s%zu", w->index, service);
        return 0;
    }
    return snapshot->services[slot]->endpoint_count;
}

static void check_service(size_t s)
{
    int64_t wanted = rules_is_configured(s) ? rules.services[s].asked : 0, running = 0, others = 0;
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        const struct container *c = engine_at(i);
        bool is_running = c->state == CONTAINER_RUNNING;
        running += c->service == s && is_running;
        others += c->service == s && c->state != CONTAINER_GONE && !is_running;
    }
    if (running != wanted || others != 0)
        house_violated("s%zu: %lld tasks run and %lld others are left, asked for was %lld", s, (long long)running,
                       (long long)others, (long long)wanted);
    for (size_t i = 0; i < HOUSE_WORKERS && rules_is_configured(s); i++) {
        size_t has = endpoints_of(house_proxy_worker(i), s);
        if (has != (size_t)wanted)
            house_violated("s%zu: worker %zu sends to %zu tasks, there are %lld", s, i, has, (long long)wanted);
    }
}

void rules_check_quiet(void)
{
    if (!rules_are_quiet()) {
        house_violated(
            "left in peace, it does not come to rest: %s, desired is %s asked, %zu requests wait, %zu clients, %zu "
            "tasks are busy",
            house_control_is_steady() ? "steady" : "not steady", is_as_asked() ? "as" : "not as", clients_waiting(),
            clients_connected(), tasks_busy_count());
        return;
    }
    for (size_t i = 0; i < HOUSE_WORKERS; i++)
        check_memory(house_proxy_worker(i));
    for (size_t s = 0; s < HOUSE_SERVICES; s++)
        check_service(s);
    if (house_proxy_snapshots() != 1)
        house_violated("all is at rest, and %zu snapshots live", house_proxy_snapshots());
}
