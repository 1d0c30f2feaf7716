#include "tests/sim/house/house_faults.h"

#include <stdio.h>

#include "base/check.h"
#include "controller/reconciler.h"
#include "controller/record_book.h"
#include "daemon/publish/publication.h"
#include "daemon/publish/publisher.h"
#include "daemon/publish/snapshot_writer.h"
#include "discovery/task.h"
#include "proxy/exchange/exchange_parts.h"
#include "proxy/io/buffer_pool.h"
#include "proxy/io/deadline.h"
#include "proxy/stats.h"
#include "proxy/upstream/pool.h"
#include "proxy/worker/worker.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/house_control.h"

#define TASKS_MAX 64

static enum house_fault planted;

void house_plant(enum house_fault fault)
{
    planted = fault;
}

const char *house_fault_to_str(enum house_fault fault)
{
#define HOUSE_FAULT_TEXT(name, text) text,
    static const char *const texts[] = { HOUSE_FAULTS(HOUSE_FAULT_TEXT) };
#undef HOUSE_FAULT_TEXT
    return texts[fault];
}

/* ---- between data plane and control ---- */

void __real_publication_acknowledge(struct publication *p, uint64_t serial);
void __wrap_publication_acknowledge(struct publication *p, uint64_t serial);

void __wrap_publication_acknowledge(struct publication *p, uint64_t serial)
{
    __real_publication_acknowledge(p, planted == HOUSE_FAULT_ACK_COUNTS_FOR_LATER ? serial + 1 : serial);
}

bool __real_publisher_is_out_of_rotation(const struct publisher *p, const char *task_id);
bool __wrap_publisher_is_out_of_rotation(const struct publisher *p, const char *task_id);

bool __wrap_publisher_is_out_of_rotation(const struct publisher *p, const char *task_id)
{
    return planted == HOUSE_FAULT_ROTATION_IS_A_GUESS || __real_publisher_is_out_of_rotation(p, task_id);
}

bool __real_stats_read_endpoint(const struct stats_region *region, const char *id, struct endpoint_stats *sum);
bool __wrap_stats_read_endpoint(const struct stats_region *region, const char *id, struct endpoint_stats *sum);

bool __wrap_stats_read_endpoint(const struct stats_region *region, const char *id, struct endpoint_stats *sum)
{
    bool found = __real_stats_read_endpoint(region, id, sum);
    if (planted == HOUSE_FAULT_IN_FLIGHT_IS_ZERO)
        sum->in_flight = 0;
    if (planted == HOUSE_FAULT_TUNNELS_ARE_REQUESTS)
        sum->tunnels = 0;
    return found;
}

uint64_t __real_publisher_serial_base(uint64_t earlier_lives);
uint64_t __wrap_publisher_serial_base(uint64_t earlier_lives);

uint64_t __wrap_publisher_serial_base(uint64_t earlier_lives)
{
    return __real_publisher_serial_base(planted == HOUSE_FAULT_SERIALS_BEGIN_AGAIN ? 0 : earlier_lives);
}

bool __real_task_is_routable(const struct task *task);
bool __wrap_task_is_routable(const struct task *task);

bool __wrap_task_is_routable(const struct task *task)
{
    struct task seen = *task;
    if (planted == HOUSE_FAULT_DRAINING_STAYS && seen.admin == TASK_ADMIN_DRAINING)
        seen.admin = TASK_ADMIN_READY;
    return __real_task_is_routable(&seen);
}

struct filter {
    snapshot_filter_cb next;
    void *owner;
};

static void note_any(void *owner, const struct task *task)
{
    *(bool *)owner |= __real_task_is_routable(task);
}

static bool has_tasks(void *owner, const char *service)
{
    const struct filter *filter = owner;
    bool has_any = false;
    task_registry_each_of(house_control_registry(), service, note_any, &has_any);
    return has_any && filter->next(filter->owner, service);
}

json_t *__real_snapshot_write_routes(const struct route_book *routes, snapshot_filter_cb is_published, void *owner);
json_t *__wrap_snapshot_write_routes(const struct route_book *routes, snapshot_filter_cb is_published, void *owner);

json_t *__wrap_snapshot_write_routes(const struct route_book *routes, snapshot_filter_cb is_published, void *owner)
{
    struct filter filter = { is_published, owner };
    if (planted == HOUSE_FAULT_EMPTY_LOSES_ROUTE)
        return __real_snapshot_write_routes(routes, has_tasks, &filter);
    return __real_snapshot_write_routes(routes, is_published, owner);
}

/* ---- in the data plane ---- */

void __real_exchange_release_upstream(struct exchange *x, bool is_reusable);
void __wrap_exchange_release_upstream(struct exchange *x, bool is_reusable);

/* Called from another file than its own for tries that failed only. */
void __wrap_exchange_release_upstream(struct exchange *x, bool is_reusable)
{
    struct worker *w = x->worker;
    uint32_t slot = x->upstream ? x->upstream->slot : STATS_SLOT_NONE;
    __real_exchange_release_upstream(x, is_reusable);
    if (planted == HOUSE_FAULT_RETRY_STAYS_COUNTED && slot != STATS_SLOT_NONE)
        STATS_ADD(w->endpoints[slot].in_flight, 1);
}

void __real_buffer_give_back(struct buffer_pool *pool, struct buffer *buffer);
void __wrap_buffer_give_back(struct buffer_pool *pool, struct buffer *buffer);

void __wrap_buffer_give_back(struct buffer_pool *pool, struct buffer *buffer)
{
    if (planted != HOUSE_FAULT_BUFFERS_LEAK || !house_chance(1))
        __real_buffer_give_back(pool, buffer);
}

void __real_worker_notify(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot);
void __wrap_worker_notify(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot);

void __wrap_worker_notify(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot)
{
    if (planted != HOUSE_FAULT_SNAPSHOTS_LEAK || kind != WORKER_RETURNED_SNAPSHOT)
        __real_worker_notify(w, kind, snapshot);
}

void __real_worker_notify_row(struct worker *w, enum worker_notice_kind kind, struct snapshot_row row);
void __wrap_worker_notify_row(struct worker *w, enum worker_notice_kind kind, struct snapshot_row row);

/* The main thread frees it, and gives it to somebody else. */
void __wrap_worker_notify_row(struct worker *w, enum worker_notice_kind kind, struct snapshot_row row)
{
    if (planted != HOUSE_FAULT_ROWS_ARE_NOT_KEPT)
        __real_worker_notify_row(w, kind, row);
}

bool __real_http_method_is_idempotent(enum http_method method);
bool __wrap_http_method_is_idempotent(enum http_method method);

bool __wrap_http_method_is_idempotent(enum http_method method)
{
    return planted == HOUSE_FAULT_ALL_ARE_IDEMPOTENT || __real_http_method_is_idempotent(method);
}

enum h1_result __real_h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                       struct h1_request *request, enum h1_error *error);
enum h1_result __wrap_h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                       struct h1_request *request, enum h1_error *error);

enum h1_result __wrap_h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                       struct h1_request *request, enum h1_error *error)
{
    enum h1_result result = __real_h1_parse_request(buf, len, limits, resume_at, request, error);
    if (planted == HOUSE_FAULT_OLD_CLIENTS_ARE_NEW)
        request->head.version = HTTP_1_1;
    return result;
}

void __real_deadline_start_in_lane(struct deadline_table *table, struct deadline *d, enum deadline_kind kind,
                                   uint32_t lane, int64_t now_ms);
void __wrap_deadline_start_in_lane(struct deadline_table *table, struct deadline *d, enum deadline_kind kind,
                                   uint32_t lane, int64_t now_ms);

void __wrap_deadline_start_in_lane(struct deadline_table *table, struct deadline *d, enum deadline_kind kind,
                                   uint32_t lane, int64_t now_ms)
{
    if (planted == HOUSE_FAULT_NO_RESPONSE_DEADLINE && kind == DEADLINE_RESPONSE)
        deadline_stop(table, d);
    else
        __real_deadline_start_in_lane(table, d, kind, lane, now_ms);
}

void __real_upstream_give_back(struct upstream *u, bool is_reusable);
void __wrap_upstream_give_back(struct upstream *u, bool is_reusable);

void __wrap_upstream_give_back(struct upstream *u, bool is_reusable)
{
    __real_upstream_give_back(u, is_reusable || planted == HOUSE_FAULT_REUSED_TOO_EARLY);
}

/* ---- in control ---- */

bool __real_record_book_take(struct record_book *book, const char *service, struct store_record *out);
bool __wrap_record_book_take(struct record_book *book, const char *service, struct store_record *out);

bool __wrap_record_book_take(struct record_book *book, const char *service, struct store_record *out)
{
    return __real_record_book_take(book, service, out) && planted != HOUSE_FAULT_DESIRED_IS_FORGOTTEN;
}

void __real_reconciler_plan(const struct desired_service *desired, const struct observed_task *tasks, size_t n,
                            int64_t now_ms, struct plan *plan);
void __wrap_reconciler_plan(const struct desired_service *desired, const struct observed_task *tasks, size_t n,
                            int64_t now_ms, struct plan *plan);

void __wrap_reconciler_plan(const struct desired_service *desired, const struct observed_task *tasks, size_t n,
                            int64_t now_ms, struct plan *plan)
{
    struct observed_task seen[TASKS_MAX];
    struct desired_service wanted = *desired;
    check(n <= TASKS_MAX);
    for (size_t i = 0; i < n; i++) {
        seen[i] = tasks[i];
        if (planted == HOUSE_FAULT_NO_FLOOR && tasks[i].task->spec.state == TASK_RUNNING)
            seen[i].is_healthy = seen[i].was_healthy = true;
    }
    if (planted == HOUSE_FAULT_SURGE_OF_TWO)
        wanted.count += wanted.count > 0 ? 2 : 0;
    __real_reconciler_plan(&wanted, seen, n, now_ms, plan);
}
