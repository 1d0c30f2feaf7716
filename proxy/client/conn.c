#include "proxy/client/conn.h"

#include "base/check.h"
#include "base/log.h"
#include "proxy/exchange/exchange.h"
#include "proxy/exchange/reply.h"
#include "proxy/client/clients.h"
#include "proxy/client/listener.h"
#include "proxy/worker/worker.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECEIVE_BYTES BUFFER_MEDIUM_BYTES
#define BODY_RECEIVE_BYTES BUFFER_BODY_BYTES
#define RECEIVES_PER_TURN 8
#define FIRST_REQUEST_GRACE_MS 1000 /* one taken from the queue while draining has a request coming */

const char *conn_state_to_str(enum conn_state state)
{
    static const char *const names[] = { "IDLE",      "READING_HEAD",         "IN_EXCHANGE", "REPLYING",
                                         "LINGERING", "READING_PROXY_HEADER", "CLOSED" };
    _Static_assert(sizeof names / sizeof *names == CONN_STATE_COUNT, "a name for each state");
    return names[state];
}

const char *conn_close_reason_to_str(enum conn_close_reason reason)
{
    static const char *const names[] = { "closed by client", "done",          "broken",         "head time-out",
                                         "idle time-out",    "body time-out", "reply time-out", "aborted response",
                                         "no buffer",        "draining",      "shed",           "PROXY header",
                                         "client limit" };
    _Static_assert(sizeof names / sizeof *names == CONN_CLOSE_REASON_COUNT, "a text for each reason");
    return names[reason];
}

static void conn_set_state(struct conn *c, enum conn_state state)
{
    static const enum deadline_kind kinds[CONN_STATE_COUNT] = {
        [CONN_IDLE] = DEADLINE_IDLE,
        [CONN_READING_HEAD] = DEADLINE_HEAD,
        [CONN_IN_EXCHANGE] = DEADLINE_NONE,
        [CONN_REPLYING] = DEADLINE_REPLY,
        [CONN_LINGERING] = DEADLINE_LINGER,
        [CONN_CLOSED] = DEADLINE_NONE,
        [CONN_READING_PROXY_HEADER] = DEADLINE_HEAD,
    };
    enum deadline_kind kind = state == CONN_IDLE && !c->has_served ? DEADLINE_FRESH : kinds[state];
    c->state = state;
    if (kind == DEADLINE_NONE)
        deadline_stop(&c->worker->deadlines, &c->deadline);
    else
        deadline_start(&c->worker->deadlines, &c->deadline, kind, worker_now_ms(c->worker));
}

void conn_close(struct conn *c, enum conn_close_reason reason)
{
    struct worker *w = c->worker;
    if (c->state == CONN_CLOSED)
        return;
    log_debug("%s: %s -> CLOSED, %s", c->side.peer, conn_state_to_str(c->state), conn_close_reason_to_str(reason));
    conn_set_state(c, CONN_CLOSED);
    if (c->side.exchange && exchange_leaves_end_open(c->side.exchange))
        channel_reset_on_close(&c->side.channel);
    if (c->side.exchange)
        exchange_abort(c->side.exchange,
                       reason == CONN_CLOSE_DRAINING ? EXCHANGE_END_DRAIN_LIMIT : EXCHANGE_END_COMPLETE);
    channel_close(&c->side.channel, &w->buffers);
    free(c->proxied);
    c->proxied = NULL;
    TAILQ_REMOVE(&w->clients->conns, c, link);
    graveyard_bury(&w->clients->yard, c);
    conn_leave_client_table(c);
    c->listener->conn_count--;
    w->clients->conn_count--;
    STATS_SET(w->stats->connections_open, w->clients->conn_count);
}

/* Our last byte is out. The client may still be sending: closing now would reset the connection and could destroy the
 * answer on its way (RFC 9112 9.6), so half-close and wait for its end. */
static void conn_linger(struct conn *c)
{
    channel_consume(&c->side.channel, &c->worker->buffers, buffer_len(c->side.channel.in));
    if (c->side.has_eof) {
        conn_close(c, CONN_CLOSE_DONE);
        return;
    }
    conn_set_state(c, CONN_LINGERING);
    channel_set_reading(&c->side.channel, true);
    channel_shut_down(&c->side.channel);
}

static bool conn_put(struct conn *c, const char *bytes, size_t len)
{
    size_t sent = 0;
    if (channel_send(&c->side.channel, bytes, len, &sent) == CHANNEL_BROKEN) {
        conn_close(c, CONN_CLOSE_BROKEN);
        return false;
    }
    if (sent == len)
        return true;
    c->side.channel.out = buffer_take(&c->worker->buffers, len - sent);
    if (!c->side.channel.out) {
        conn_close(c, CONN_CLOSE_NO_BUFFER);
        return false;
    }
    memcpy(c->side.channel.out->data, bytes + sent, len - sent);
    c->side.channel.out->end = (uint32_t)(len - sent);
    return true;
}

void conn_reply(struct conn *c, int status, bool keep_alive, bool is_head_request)
{
    char answer[REPLY_BYTES_MAX];
    keep_alive = keep_alive && !worker_is_leaving(c->worker);
    size_t len = reply_write(status, keep_alive, is_head_request, http_date_line(&c->worker->date), answer);
    check(!c->side.channel.out);
    if (!conn_put(c, answer, len))
        return;
    if (keep_alive)
        conn_finish_exchange(c, CLIENT_ASKS_NEXT);
    else if (c->side.channel.out)
        conn_set_state(c, CONN_REPLYING);
    else
        conn_linger(c);
}

/* Refused before it became an exchange: nobody else would count it. */
static void refuse(struct conn *c, enum h1_error cause)
{
    STATS_ADD(c->worker->stats->requests_malformed, 1);
    STATS_ADD(c->worker->stats->requests_severe, 1);
    struct slice head = { buffer_at(c->side.channel.in), buffer_len(c->side.channel.in) };
    fault_in_head(&c->worker->fault, "request-head", h1_error_to_str(cause), head, c->worker->request.head.head_bytes);
    conn_log_refusal(c, CONN_REFUSAL_MALFORMED, h1_error_to_status(cause));
    conn_reply(c, h1_error_to_status(cause), false, false);
}

static void count_doubtful(struct worker *w, const struct h1_request *request)
{
    STATS_ADD(w->stats->requests_acceptable, request->desync == H1_ACCEPTABLE);
    STATS_ADD(w->stats->requests_ambiguous, request->desync == H1_AMBIGUOUS);
    STATS_ADD(w->stats->requests_severe, request->desync == H1_SEVERE);
}

/* True: other servers might read it differently, and the mode does not allow to send it on in our reading. */
static bool is_too_doubtful(const struct worker *w, const struct h1_request *request)
{
    enum desync_mode mode = worker_snapshot(w)->settings.desync;
    return mode == DESYNC_MODE_STRICTEST || (mode == DESYNC_MODE_DEFENSIVE && request->desync == H1_SEVERE);
}

static void refuse_doubtful(struct conn *c)
{
    conn_log_refusal(c, CONN_REFUSAL_DESYNC, 400);
    conn_reply(c, 400, false, false);
}

/* What asks for https:// expects that nobody between could read or change it (RFC 9110 7.4). Who is trusted has seen to that. */
static bool is_misdirected(const struct conn *c, const struct h1_request *request)
{
    return request->head.scheme == HTTP_SCHEME_HTTPS && !c->side.is_trusted;
}

static void refuse_misdirected(struct conn *c)
{
    conn_log_refusal(c, CONN_REFUSAL_MISDIRECTED, 421);
    conn_reply(c, 421, false, false);
}

void conn_stop_reading(struct conn *c)
{
    channel_set_reading(&c->side.channel, false);
    if (c->deadline.kind == DEADLINE_NONE)
        deadline_start(&c->worker->deadlines, &c->deadline, DEADLINE_LOOK, worker_now_ms(c->worker));
}

/* Nothing may follow what others may read differently, neither here nor behind it (RFC 9112 6.1). */
static void note_doubt(const struct worker *w, const struct h1_request *head, struct client_request *request)
{
    bool is_ambiguous = head->desync >= H1_AMBIGUOUS;
    request->closes_both =
        head->desync == H1_SEVERE || (is_ambiguous && worker_snapshot(w)->settings.desync != DESYNC_MODE_MONITOR);
    request->doubt = h1_desync_to_str(head->desync);
    request->doubt_reason = h1_desync_reason_to_str(head->desync_reason);
}

static void start_exchange(struct conn *c)
{
    struct worker *w = c->worker;
    const struct h1_request *head = &w->request;
    struct client_request request = { .head = &head->head,
                                      .is_over_rate = w->limits_requests && !conn_take_request(c) };
    if (head->desync != H1_COMPLIANT)
        note_doubt(w, head, &request);
    conn_set_state(c, CONN_IN_EXCHANGE);
    /* The first one, or one behind another: it may be over before watching its client is worth a system call. */
    if (!c->side.channel.is_reading)
        deadline_start(&w->deadlines, &c->deadline, DEADLINE_WATCH, worker_now_ms(w));
    c->resume_at = 0;
    c->has_served = true;
    /* Behind a body old clients send a CRLF that belongs to nothing (h1/request.c). It may still be on its way. */
    c->is_last = !head->head.keep_alive && head->head.body == HTTP_BODY_NONE;
    exchange_start(w, &c->side, &request);
}

/* w->request is a whole head, and can be read. */
static void take_request(struct conn *c)
{
    struct worker *w = c->worker;
    bool is_doubtful = w->request.desync != H1_COMPLIANT;
    if (is_doubtful)
        count_doubtful(w, &w->request);
    if (is_doubtful && is_too_doubtful(w, &w->request))
        refuse_doubtful(c);
    else if (is_misdirected(c, &w->request))
        refuse_misdirected(c);
    else
        start_exchange(c);
}

/* Handles complete heads that `in` holds. Exchanges that end at once come back here by conn_finish_exchange, which then
 * only sets the state: the loop goes on, the stack does not grow. */
static void conn_handle_input(struct conn *c)
{
    struct worker *w = c->worker;
    if (c->is_handling_head)
        return;
    c->is_handling_head = true;
    while ((c->state == CONN_IDLE || c->state == CONN_READING_HEAD) && c->side.channel.in && !c->side.channel.out) {
        enum h1_error cause = H1_OK;
        size_t resume_at = c->resume_at;
        enum h1_result result = h1_parse_request(buffer_at(c->side.channel.in), buffer_len(c->side.channel.in),
                                                 &w->head_limits, &resume_at, &w->request, &cause);
        c->resume_at = (uint32_t)resume_at;
        if (result == H1_MORE) {
            if (c->state == CONN_IDLE)
                conn_set_state(c, CONN_READING_HEAD);
            break;
        }
        if (result == H1_BAD)
            refuse(c, cause);
        else
            take_request(c);
    }
    c->is_handling_head = false;
}

/* A client that sends no more and has got all its answers is done; half a request is not a request. */
static void close_if_done(struct conn *c)
{
    if (c->side.has_eof && !c->side.channel.out && conn_may_begin(c))
        conn_close(c, CONN_CLOSE_BY_CLIENT);
}

static void conn_on_eof(struct conn *c)
{
    c->side.has_eof = true;
    channel_set_reading(&c->side.channel, false);
    if (c->state == CONN_IN_EXCHANGE) {
        conn_stop_reading(c);
        exchange_on_client_eof(c->side.exchange);
    } else if (c->state == CONN_LINGERING)
        conn_close(c, CONN_CLOSE_DONE);
    else
        close_if_done(c);
}

/* Bytes that cannot be used before an answer has gone out stay in the socket. */
static void pause_when_full(struct conn *c)
{
    if (c->state == CONN_IDLE && c->side.channel.out && c->side.channel.in)
        channel_set_reading(&c->side.channel, false);
}

static void conn_on_bytes(struct conn *c)
{
    switch (c->state) {
    case CONN_READING_PROXY_HEADER:
        if (!conn_take_proxy_header(c))
            break;
        conn_set_state(c, CONN_IDLE);
        conn_handle_input(c);
        pause_when_full(c);
        break;
    case CONN_IDLE:
    case CONN_READING_HEAD:
        conn_handle_input(c);
        pause_when_full(c);
        break;
    case CONN_IN_EXCHANGE:
        exchange_on_client_bytes(c->side.exchange);
        break;
    case CONN_REPLYING:
    case CONN_LINGERING:
        channel_consume(&c->side.channel, &c->worker->buffers, buffer_len(c->side.channel.in));
        break;
    default:
        break;
    }
}

/* On with what was received while something else was in hand, then with reading. */
static void conn_resume(struct conn *c)
{
    conn_handle_input(c);
    if (c->state == CONN_IDLE || c->state == CONN_READING_HEAD)
        channel_set_reading(&c->side.channel, !c->side.has_eof);
    pause_when_full(c);
    close_if_done(c);
}

/* Its listener or its client has used up its share of this moment: the rest of the body is read later. Nobody is waited
 * for meanwhile but us. */
static void throttle(struct conn *c)
{
    channel_set_reading(&c->side.channel, false);
    deadline_start(&c->worker->deadlines, &c->deadline, DEADLINE_THROTTLE, worker_now_ms(c->worker));
    exchange_on_throttle(c->side.exchange, true);
}

/* False: there is nothing more to receive now, or not here. */
static bool receive_once(struct conn *c)
{
    struct worker *w = c->worker;
    bool is_body = c->state == CONN_IN_EXCHANGE;
    bool is_counted = w->clients->limits_body_bytes && is_body && conn_counts_body_bytes(c);
    size_t before = buffer_len(c->side.channel.in);
    if (is_counted && !conn_may_read_body(c)) {
        throttle(c);
        return false;
    }
    switch (channel_receive(&c->side.channel, &w->buffers, is_body ? BODY_RECEIVE_BYTES : RECEIVE_BYTES)) {
    case CHANNEL_OK:
        if (is_counted)
            conn_take_body_bytes(c, buffer_len(c->side.channel.in) - before);
        conn_on_bytes(c);
        return is_body && c->state == CONN_IN_EXCHANGE && c->side.channel.has_more && c->side.channel.is_reading;
    case CHANNEL_EOF:
        conn_on_eof(c);
        return false;
    case CHANNEL_BROKEN:
        conn_close(c, CONN_CLOSE_BROKEN);
        return false;
    case CHANNEL_NO_BUFFER:
        conn_close(c, CONN_CLOSE_NO_BUFFER);
        return false;
    default:
        return false;
    }
}

static void on_readable(struct conn *c)
{
    for (int i = 0; i < RECEIVES_PER_TURN && receive_once(c); i++)
        ;
}

static void on_writable(struct conn *c)
{
    enum channel_result result = channel_flush(&c->side.channel, &c->worker->buffers);
    if (result == CHANNEL_BROKEN) {
        conn_close(c, CONN_CLOSE_BROKEN);
    } else if (result == CHANNEL_OK) {
        channel_set_writing(&c->side.channel, false);
        if (c->state == CONN_IN_EXCHANGE)
            exchange_on_client_writable(c->side.exchange);
        else if (c->state == CONN_REPLYING)
            conn_linger(c);
        else
            conn_resume(c);
    }
}

static void conn_on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *c = arg;
    worker_enter(c->worker);
    if (what & EV_WRITE)
        on_writable(c);
    else
        on_readable(c);
}

/* Who connects mostly has something to say, and it is there. What is answered before the end of this turn is never watched;
 * a request that is under way is when it has lasted for a tick. */
static void begin_reading(struct conn *c)
{
    on_readable(c);
    if (c->state == CONN_CLOSED || c->state == CONN_IN_EXCHANGE)
        return;
    channel_set_reading(&c->side.channel, !c->side.has_eof);
    pause_when_full(c);
}

void conn_open(struct listener *listener, int fd, const union endpoint_address *peer)
{
    struct worker *w = listener->worker;
    bool has_proxy_header = worker_snapshot(w)->settings.listeners[listener->index].proxy_protocol;
    struct conn *c = slab_take(&w->clients->yard.slab);
    if (!c) {
        STATS_ADD(w->stats->connections_refused, 1);
        close(fd);
        return;
    }
    c->side.ops = &conn_client_ops;
    c->worker = w;
    c->listener = listener;
    channel_open(&c->side.channel, w->base, fd, transport_plain(), conn_on_event, c);
    TAILQ_INSERT_TAIL(&w->clients->conns, c, link);
    listener->conn_count++;
    w->clients->conn_count++;
    STATS_SET(w->stats->connections_open, w->clients->conn_count);
    STATS_ADD(w->stats->connections_accepted, 1);
    conn_set_state(c, has_proxy_header ? CONN_READING_PROXY_HEADER : CONN_IDLE);
    if (conn_admit(c, peer))
        begin_reading(c);
}

/* Nothing that the client has sent can be lost to it by closing at once: it has said that this is all, and all has
 * come: bytes that come later would make a reset of the end. */
static bool may_close_at_once(const struct conn *c)
{
    const struct channel *ch = &c->side.channel;
    return c->is_last && !ch->in && !ch->has_more && channel_ends_by_closing(ch);
}

void conn_finish_exchange(struct conn *c, enum client_next next)
{
    if (next == CLIENT_IS_ANSWERED && may_close_at_once(c)) {
        conn_close(c, CONN_CLOSE_DONE);
        return;
    }
    if (next != CLIENT_ASKS_NEXT) {
        conn_linger(c);
        return;
    }
    conn_set_state(c, CONN_IDLE);
    if (!c->is_handling_head)
        conn_resume(c);
}

static void time_out_head(struct conn *c)
{
    conn_log_refusal(c, CONN_REFUSAL_HEAD_TIMEOUT, 408);
    conn_reply(c, 408, false, false);
}

/* Whoever is not read may be gone. An end behind what has not been read yet is heard in its time where it does not mean
 * that: of a tunnel, and when the settings say so. */
static void look_for_client(struct conn *c)
{
    enum channel_result peer = channel_look(&c->side.channel);
    bool is_heard_later =
        exchange_is_tunnel(c->side.exchange) || worker_snapshot(c->worker)->settings.answers_half_closed;
    if (peer == CHANNEL_BROKEN)
        conn_close(c, CONN_CLOSE_BROKEN);
    else if (peer == CHANNEL_EOF && !c->side.has_eof && !is_heard_later)
        exchange_on_client_eof(c->side.exchange);
}

static void on_look(struct conn *c, bool is_throttled)
{
    look_for_client(c);
    if (c->state != CONN_IN_EXCHANGE)
        return;
    if (!is_throttled) {
        conn_stop_reading(c);
        return;
    }
    channel_set_reading(&c->side.channel, !c->side.has_eof);
    exchange_on_throttle(c->side.exchange, false);
}

/* The request takes a while: from now on the client is watched, if what it sends has a use. */
static void watch_client(struct conn *c)
{
    if (c->side.channel.in || c->side.has_eof)
        conn_stop_reading(c);
    else
        channel_set_reading(&c->side.channel, true);
}

static void conn_on_deadline(struct deadline *d, enum deadline_kind kind)
{
    struct conn *c = (struct conn *)((char *)d - offsetof(struct conn, deadline));
    bool is_idle = kind == DEADLINE_IDLE || kind == DEADLINE_FRESH || kind == DEADLINE_LINGER;
    if (kind == DEADLINE_LOOK || kind == DEADLINE_THROTTLE || kind == DEADLINE_WATCH) {
        if (c->side.channel.is_reading)
            return;
        if (kind == DEADLINE_WATCH)
            watch_client(c);
        else
            on_look(c, kind == DEADLINE_THROTTLE);
        return;
    }
    STATS_ADD(c->worker->stats->client_timeouts, !is_idle);
    if (kind == DEADLINE_HEAD && c->state == CONN_READING_PROXY_HEADER)
        conn_close(c, CONN_CLOSE_HEAD_TIMEOUT);
    else if (kind == DEADLINE_HEAD)
        time_out_head(c);
    else if (kind == DEADLINE_REPLY)
        conn_close(c, CONN_CLOSE_REPLY_TIMEOUT);
    else
        conn_close(c, kind == DEADLINE_LINGER ? CONN_CLOSE_DONE : CONN_CLOSE_IDLE_TIMEOUT);
}

void conn_set_up(struct worker *w)
{
    static const enum deadline_kind kinds[] = { DEADLINE_HEAD,   DEADLINE_FRESH, DEADLINE_IDLE,  DEADLINE_REPLY,
                                                DEADLINE_LINGER, DEADLINE_LOOK,  DEADLINE_WATCH, DEADLINE_THROTTLE };
    graveyard_init(&w->clients->yard, sizeof(struct conn), offsetof(struct conn, grave), &w->dead);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        deadline_table_on(&w->deadlines, kinds[i], conn_on_deadline);
}

bool conn_may_begin(const struct conn *c)
{
    return c->state == CONN_IDLE || c->state == CONN_READING_HEAD || c->state == CONN_READING_PROXY_HEADER;
}

void conn_drain(struct conn *c)
{
    bool had_its_turn = c->has_served || worker_now_ms(c->worker) - c->deadline.since_ms > FIRST_REQUEST_GRACE_MS;
    if (c->state == CONN_IDLE && !c->side.channel.out && had_its_turn)
        conn_close(c, CONN_CLOSE_DRAINING);
}
