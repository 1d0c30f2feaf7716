#include "proxy/exchange/exchange_parts.h"

#include "base/check.h"
#include "proxy/worker/worker.h"

#include <errno.h>

#define RETRIES_ALWAYS_ALLOWED 3 /* whatever the budget */
#define RANDOM_PICKS 3           /* before all endpoints are looked at for the fittest */

static const struct upstream_events events = { exchange_on_connected, exchange_on_upstream_readable,
                                               exchange_on_upstream_writable };

/* What speaks for an endpoint: the later, the more. */
enum fitness {
    FITNESS_TRIED = 0, /* it has failed this request */
    FITNESS_STALE,     /* a pooled connection to it broke: it may have closed that, or be dying */
    FITNESS_SHUNNED,   /* it has refused a connection lately: to be refused again costs only a try */
    FITNESS_GOOD
};

static uint8_t count_tries(const struct exchange *x, uint32_t slot)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < x->try_count; i++)
        count += x->tried_slots[i] == slot;
    return count;
}

static enum fitness fitness_of(const struct exchange *x, uint32_t slot)
{
    uint8_t tries = count_tries(x, slot);
    bool is_stale = tries == 1 && x->was_stale && x->tried_slots[0] == slot;
    if (tries > 0 && !is_stale)
        return FITNESS_TRIED;
    if (is_stale)
        return FITNESS_STALE;
    bool is_shunned = upstream_pool_is_shunned(&x->worker->pools[slot], worker_now_ms(x->worker));
    return is_shunned ? FITNESS_SHUNNED : FITNESS_GOOD;
}

/* The first of the fittest from `start` on; null when all have been tried. */
static const struct endpoint_view *scan(const struct exchange *x, const struct snapshot_service *service, size_t start)
{
    const struct endpoint_view *best = NULL;
    enum fitness most = FITNESS_TRIED;
    for (size_t step = 0; step < service->endpoint_count && most < FITNESS_GOOD; step++) {
        const struct endpoint_view *view = &service->endpoints[(start + step) % service->endpoint_count];
        enum fitness fitness = fitness_of(x, view->slot);
        best = fitness > most ? view : best;
        most = fitness > most ? fitness : most;
    }
    return best;
}

static const struct endpoint_view *pick(struct exchange *x, const struct snapshot *snapshot)
{
    struct worker *w = x->worker;
    const struct snapshot_service *service = snapshot->services[x->service_slot];
    if (!service || service->endpoint_count == 0)
        return NULL;
    for (int i = 0; i < RANDOM_PICKS; i++) {
        struct balancer_input input = { .views = service->endpoints,
                                        .count = service->endpoint_count,
                                        .shares = service->shares,
                                        .loads = &w->loads,
                                        .random = worker_random(w),
                                        .cursor = &w->cursors[service->slot] };
        size_t at = snapshot->settings.balancer->pick(&input);
        if (fitness_of(x, service->endpoints[at].slot) == FITNESS_GOOD)
            return &service->endpoints[at];
    }
    return scan(x, service, worker_random(w) % service->endpoint_count);
}

static bool reads_leniently(const struct snapshot *snapshot, uint32_t service_slot)
{
    return settings_responses(&snapshot->settings, &snapshot->services[service_slot]->settings) == RESPONSES_LENIENT;
}

static void set_endpoint(struct exchange *x, const struct endpoint_view *view)
{
    exchange_use_endpoint(x, view->endpoint);
    x->tried_slots[x->try_count++] = view->slot;
    x->head_sent = 0;
    x->request_state = REQUEST_SENDING;
    x->tried_at_us = x->worker->now_us;
    x->connected_at_us = 0;
    x->is_reused = false;
}

/* It names one client, and stands for all that follows on the connection. */
static bool begins_with_proxy_header(const struct exchange *x)
{
    return x->method_at > 0;
}

static void take_upstream(struct exchange *x, struct upstream *u)
{
    struct worker *w = x->worker;
    x->upstream = u;
    STATS_ADD(w->endpoints[u->slot].in_flight, 1);
    STATS_ADD(w->endpoints[u->slot].requests, 1);
}

enum step exchange_connect_failed(struct exchange *x, enum exchange_end end, int status)
{
    struct worker *w = x->worker;
    STATS_ADD(w->stats->upstream_connect_failures, 1);
    exchange_blame_endpoint(x);
    upstream_pool_shun(&w->pools[x->endpoint->slot], worker_now_ms(w));
    return exchange_step_retry(x, end, status, true);
}

static bool is_out_of_descriptors(int cause)
{
    return cause == EMFILE || cause == ENFILE;
}

static enum step connect_anew(struct exchange *x, const struct endpoint *endpoint)
{
    struct worker *w = x->worker;
    struct upstream *u = upstream_connect(w, endpoint, &events, x);
    if (!u && is_out_of_descriptors(errno) && w->free_descriptor(w))
        u = upstream_connect(w, endpoint, &events, x);
    if (!u && (is_out_of_descriptors(errno) || errno == ENOMEM || errno == ENOBUFS))
        return exchange_step_fail(x, EXCHANGE_END_NO_BUFFER, 503); /* ours, not the endpoint's fault */
    if (!u)
        return exchange_connect_failed(x, EXCHANGE_END_CONNECT_FAILED, 502);
    u->is_personal = begins_with_proxy_header(x);
    take_upstream(x, u);
    deadline_start(&w->deadlines, &x->deadline, DEADLINE_CONNECT, worker_now_ms(w));
    return STEP_BLOCKED;
}

static enum step reuse(struct exchange *x, struct upstream *u)
{
    x->is_reused = true;
    take_upstream(x, u);
    bool can_wait = x->request_body.is_complete && !x->is_spilled;
    return can_wait && exchange_send_soon(x) ? STEP_BLOCKED : exchange_send_request(x);
}

enum step exchange_try(struct exchange *x)
{
    struct worker *w = x->worker;
    bool is_retry = x->try_count > 0;
    /* The newest one, at a later try too: what is not in it has left the rotation, and may be stopping. A service that is
     * gone has no endpoints. */
    const struct snapshot *snapshot = worker_snapshot(w);
    const struct endpoint_view *view = pick(x, snapshot);
    if (!view) {
        STATS_ADD(w->services[x->service_slot].no_endpoint, 1);
        if (is_retry)
            return STEP_FAIL; /* the outcome says why the last one failed */
        return exchange_step_fail(x, EXCHANGE_END_NO_ENDPOINT, 503);
    }
    set_endpoint(x, view);
    x->reads_leniently = reads_leniently(snapshot, x->service_slot);
    if (x->host_at)
        exchange_name_endpoint(x);
    /* A pooled connection may be closed already, unnoticed; the last chance is not staked on one. */
    bool wants_new = is_retry || begins_with_proxy_header(x);
    struct upstream *u = wants_new ? NULL : upstream_pool_take(w, view->slot, &events, x);
    return u ? reuse(x, u) : connect_anew(x, view->endpoint);
}

void exchange_on_connected(void *taker, int cause)
{
    struct exchange *x = taker;
    x->connected_at_us = cause ? 0 : x->worker->now_us;
    exchange_settle(x, cause ? exchange_connect_failed(x, EXCHANGE_END_CONNECT_FAILED, 502) : exchange_send_request(x));
}

/* Those of the requests under way that may be at a later try. One endpoint that dies must not cost what was in flight on
 * it, however large its share. 0 %: no more than the few that are always allowed. */
static uint64_t retry_limit(const struct exchange *x)
{
    const struct worker *w = x->worker;
    uint64_t percent = (uint64_t)worker_snapshot(w)->settings.retry_budget_percent;
    uint64_t limit = (percent * w->exchange_count + 99) / 100;
    uint32_t lost = percent > 0 ? w->pools[x->endpoint->slot].lost_count : 0;
    limit = limit < lost ? lost : limit;
    return limit < RETRIES_ALWAYS_ALLOWED ? RETRIES_ALWAYS_ALLOWED : limit;
}

/* Retries that pile up on a failing service would bury it: only so many at a time. What nobody has worked on is no
 * load. False: there are too many. */
static bool take_retry(struct exchange *x)
{
    struct worker *w = x->worker;
    if (x->is_retrying)
        return true;
    if (w->retry_count >= retry_limit(x)) {
        STATS_ADD(w->stats->retries_over_budget, 1);
        return false;
    }
    x->is_retrying = true;
    w->retry_count++;
    return true;
}

/* Safe are: a request that no endpoint can have acted on, and once an idempotent one that can be sent again whole (RFC
 * 9110 9.2.2, RFC 9112 9.3.1). What a pooled connection cost is not one of the further endpoints that are allowed. */
static bool may_try_again(const struct exchange *x, bool was_unprocessed)
{
    int64_t tries = 1 + worker_snapshot(x->worker)->settings.retries + x->was_stale;
    bool is_open = x->try_count < tries && x->try_count < EXCHANGE_TRIES_MAX && x->response_state == RESPONSE_AWAITED;
    if (was_unprocessed)
        return is_open;
    return is_open && !x->is_spilled && !x->has_spent_replay && http_method_is_idempotent(x->method);
}

void exchange_blame_endpoint(struct exchange *x)
{
    STATS_ADD(x->worker->endpoints[x->endpoint->slot].failures, 1);
}

enum step exchange_try_again(struct exchange *x)
{
    struct worker *w = x->worker;
    bool was_unprocessed = x->outcome.was_unprocessed;
    uint32_t slot = x->endpoint->slot;
    uint64_t in_flight = w->endpoints[slot].in_flight;
    upstream_pool_note_loss(&w->pools[slot], in_flight > w->retry_count ? in_flight - w->retry_count : 0,
                            worker_now_ms(w));
    x->was_stale |= x->is_reused && x->outcome.end == EXCHANGE_END_UPSTREAM_BROKEN;
    exchange_release_upstream(x, false);
    deadline_stop(&w->deadlines, &x->deadline);
    if (!may_try_again(x, was_unprocessed) || !(was_unprocessed || take_retry(x)))
        return STEP_FAIL;
    x->has_spent_replay |= !was_unprocessed;
    x->resume_at = 0;
    STATS_ADD(w->services[x->service_slot].retries, 1);
    return exchange_try(x);
}
