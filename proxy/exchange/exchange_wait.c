#include "proxy/exchange/exchange_parts.h"

#include "proxy/worker/worker.h"

#include <stddef.h>

/* One deadline says whom the exchange waits for now, so that a time-out can be blamed on the right side: 408 and no word against
 * the endpoint, or 504 and one more failure of it. Whoever has just moved bytes, or has just been asked for some, calls
 * exchange_await(), which looks at the state anew; nobody has to know what it was before.
 *
 * The client's time-out is not one of silence: a byte now and then would hold a request for ever. It is a window in which a least
 * number of bytes has to move, and begins anew only when they have. For a reader the bytes that count are those that its
 * machine has acknowledged, not those that our kernel has taken. */

/* Its turn to speak, also before the body: whoever has asked whether to send it waits for a word (RFC 9110 10.1.1). */
static bool is_endpoint_asked(const struct exchange *x)
{
    return x->request_body.is_complete || x->awaits_continue || x->request_state == REQUEST_REFUSED;
}

bool exchange_waits_for_client(const struct exchange *x)
{
    if (x->response_state != RESPONSE_AWAITED || x->client->channel.is_writing)
        return x->client->channel.is_writing;
    bool is_connected = x->upstream && x->upstream->state == UPSTREAM_BUSY;
    return is_connected && !x->upstream->channel.is_writing && !is_endpoint_asked(x);
}

static enum deadline_kind awaited(const struct exchange *x)
{
    if (exchange_waits_for_client(x))
        return DEADLINE_BODY;
    if (x->upstream && x->upstream->channel.is_writing)
        return DEADLINE_UPLOAD;
    return x->response_state == RESPONSE_AWAITED ? DEADLINE_RESPONSE : DEADLINE_STREAM;
}

/* That a client has to move within the time-out for bodies. */
static uint64_t least_bytes(const struct exchange *x)
{
    const struct proxy_settings *settings = &worker_snapshot(x->worker)->settings;
    return (uint64_t)settings->body_bytes_per_second_min * (uint64_t)settings->body_ms / 1000;
}

/* Since the last time. The kernel takes megabytes for a slow reader and then nothing for long: what counts is what has
 * arrived there. */
static uint64_t take_acked_bytes(struct exchange *x)
{
    uint64_t acked = x->client->ops->acked_bytes(x->client), moved = acked - x->acked_bytes;
    x->acked_bytes = acked;
    x->acked_at_ms = worker_now_ms(x->worker);
    return moved;
}

/* What was acknowledged before a window is not of it. A system call: not more often than deadlines are exact. */
static void begin_window(struct exchange *x, uint64_t moved)
{
    bool is_reader = x->response_state != RESPONSE_AWAITED;
    x->window_bytes = moved;
    if (is_reader && worker_now_ms(x->worker) - x->acked_at_ms >= DEADLINE_TICK_MS)
        take_acked_bytes(x);
}

void exchange_await(struct exchange *x)
{
    struct worker *w = x->worker;
    enum deadline_kind kind = awaited(x);
    if (kind == DEADLINE_BODY) {
        uint64_t moved = x->request_body.relayed_bytes + exchange_sent_bytes(x), least = least_bytes(x);
        if (x->deadline.kind == DEADLINE_BODY && moved < x->window_bytes + (least > 0 ? least : 1))
            return; /* the window goes on */
        begin_window(x, moved);
    }
    if (kind == DEADLINE_RESPONSE)
        deadline_start_in_lane(&w->deadlines, &x->deadline, kind, x->service_slot, worker_now_ms(w));
    else
        deadline_start(&w->deadlines, &x->deadline, kind, worker_now_ms(w));
}

void exchange_on_throttle(struct exchange *x, bool is_throttled)
{
    if (x->request_body.is_complete || x->response_state == RESPONSE_TUNNELLING)
        return;
    if (is_throttled && x->deadline.kind == DEADLINE_BODY)
        deadline_stop(&x->worker->deadlines, &x->deadline);
    else if (!is_throttled && x->deadline.kind == DEADLINE_NONE)
        exchange_await(x);
}

static enum step timed_out(struct exchange *x, enum exchange_end end, bool is_client)
{
    STATS_ADD(x->worker->stats->client_timeouts, is_client);
    STATS_ADD(x->worker->stats->upstream_timeouts, !is_client);
    if (!is_client)
        exchange_blame_endpoint(x);
    return exchange_step_fail(x, end, is_client ? 408 : 504);
}

static enum step body_timed_out(struct exchange *x)
{
    struct worker *w = x->worker;
    uint64_t moved = x->client->channel.is_writing ? take_acked_bytes(x) : 0;
    if (moved == 0 || moved < least_bytes(x))
        return timed_out(x, EXCHANGE_END_BODY_TIMEOUT, true);
    deadline_start(&w->deadlines, &x->deadline, DEADLINE_BODY, worker_now_ms(w));
    return STEP_BLOCKED;
}

static enum step response_timed_out(struct exchange *x)
{
    STATS_ADD(x->worker->stats->upstream_timeouts, 1);
    exchange_blame_endpoint(x);
    return exchange_step_retry(x, EXCHANGE_END_RESPONSE_TIMEOUT, 504, false);
}

static enum step tunnel_timed_out(struct exchange *x)
{
    return exchange_step_gone(x, EXCHANGE_END_TUNNEL_TIMEOUT, CLIENT_TUNNEL_TIMEOUT);
}

void exchange_end_tunnel(struct exchange *x)
{
    exchange_settle(x, tunnel_timed_out(x));
}

static enum step pass_deadline(struct exchange *x, enum deadline_kind kind)
{
    switch (kind) {
    case DEADLINE_CONNECT:
        return exchange_connect_failed(x, EXCHANGE_END_CONNECT_TIMEOUT, 504);
    case DEADLINE_RESPONSE:
        return response_timed_out(x);
    case DEADLINE_TUNNEL:
        return tunnel_timed_out(x);
    case DEADLINE_BODY:
        return body_timed_out(x);
    default:
        return timed_out(x, EXCHANGE_END_BODY_TIMEOUT, false);
    }
}

static void on_deadline(struct deadline *d, enum deadline_kind kind)
{
    struct exchange *x = (struct exchange *)((char *)d - offsetof(struct exchange, deadline));
    exchange_settle(x, pass_deadline(x, kind));
}

static void on_request_deadline(struct deadline *d, enum deadline_kind kind)
{
    struct exchange *x = (struct exchange *)((char *)d - offsetof(struct exchange, request_deadline));
    (void)kind;
    exchange_settle(x, timed_out(x, EXCHANGE_END_REQUEST_TIMEOUT, exchange_waits_for_client(x)));
}

/* By the newest snapshot, also for those that wait already; one that has left it has what all have. */
static int64_t response_span_ms(void *owner, uint32_t lane)
{
    static const struct service_settings of_none;
    _Static_assert(STATS_SERVICES_MAX <= DEADLINE_LANES, "each service has a lane");
    const struct snapshot *snapshot = worker_snapshot(owner);
    const struct snapshot_service *service = snapshot->services[lane];
    return settings_response_ms(&snapshot->settings, service ? &service->settings : &of_none);
}

void exchange_set_up_deadlines(struct worker *w)
{
    static const enum deadline_kind kinds[] = { DEADLINE_CONNECT, DEADLINE_RESPONSE, DEADLINE_BODY,
                                                DEADLINE_UPLOAD,  DEADLINE_STREAM,   DEADLINE_TUNNEL };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        deadline_table_on(&w->deadlines, kinds[i], on_deadline);
    deadline_table_on(&w->deadlines, DEADLINE_REQUEST, on_request_deadline);
    deadline_table_on_lanes(&w->deadlines, response_span_ms, w);
}
