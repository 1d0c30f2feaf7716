#include "tests/sim/house/sim_clients.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/house_proxy.h"
#include "tests/sim/house/house_rules.h"
#include "tests/sim/house/sim_net.h"

#define PIPELINED_MAX 3
#define RECEIVE_BYTES 16384
#define RESTS_PERCENT 60 /* of the clients that have nothing to do; of the others, so many go away: */
#define GOES_PERCENT 3
#define HTTP_1_0_PERCENT 10
#define TUNNEL_MS_MAX 8000 /* until the client ends it */

struct client {
    int fd; /* -1: not connected */
    struct buf in, out;
    size_t sent;
    struct request requests[PIPELINED_MAX]; /* the oldest first */
    size_t request_count;
    bool has_head; /* of the answer to the oldest */
    bool is_last;  /* the connection ends behind it */
    bool is_tunnel, has_shut;
    int64_t shuts_at_ms; /* a tunnel */
    bool has_bytes;
    int status;
    struct body_reader body;
    int64_t idle_since_ms;
    uint64_t request_number; /* of this connection */
};

static struct {
    struct client clients[CLIENTS_MAX];
    bool is_quiet, are_hostile, hold_tunnels;
    uint32_t last_id;
    struct clients_sum sum;
} all;

void clients_reset(void)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        buf_fini(&all.clients[i].in);
        buf_fini(&all.clients[i].out);
    }
    memset(&all, 0, sizeof all);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        all.clients[i].fd = -1;
}

static void forget_connection(struct client *c)
{
    c->fd = -1;
    c->request_count = c->request_number = c->sent = 0;
    c->has_head = c->is_last = c->has_bytes = c->is_tunnel = c->has_shut = false;
    c->in.len = c->out.len = 0;
}

static void hang_up(struct client *c, bool resets)
{
    net_close(c->fd, resets);
    forget_connection(c);
}

/* ---- asking ---- */

uint32_t clients_next_id(void)
{
    return ++all.last_id;
}

static uint32_t some_bytes(void)
{
    return (uint32_t)(house_chance(5) ? house_random(60000) : house_random(600));
}

static struct wish make_wish(size_t service)
{
    struct wish wish = { .id = clients_next_id(), .service = service };
    wish.answer = (enum wish_answer)house_random(WISH_HARMLESS_COUNT);
    if (all.are_hostile && house_chance(10))
        wish.answer = (enum wish_answer)(WISH_HARMLESS_COUNT + house_random(WISH_COUNT - WISH_HARMLESS_COUNT));
    else if (house_chance(60))
        wish.answer = WISH_LENGTH;
    wish.upload = house_chance(60) ? UPLOAD_NONE : (enum wish_upload)house_random(UPLOAD_COUNT);
    wish.is_post = wish.upload != UPLOAD_NONE && house_chance(50);
    wish.upload_bytes = some_bytes();
    wish.answer_bytes = some_bytes();
    wish.is_1_0 = wish.answer != WISH_SWITCH && house_chance(HTTP_1_0_PERCENT);
    wish.keeps_alive = house_chance(50);
    if (wish.answer == WISH_SWITCH || (wish.is_1_0 && wish.upload == UPLOAD_CHUNKED))
        wish.upload = UPLOAD_NONE;
    wish.is_post = wish.is_post && wish.upload != UPLOAD_NONE;
    return wish;
}

static void ask(struct client *c, const struct wish *wish)
{
    c->requests[c->request_count++] = (struct request){ .wish = *wish, .started_at_ms = house_now_ms() };
    wish_write_request(wish, &c->out);
    log_info("client %zu asks: request %u to s%zu, upload %d of %u bytes, answer %d of %u", (size_t)(c - all.clients),
             wish->id, wish->service, (int)wish->upload, wish->upload_bytes, (int)wish->answer, wish->answer_bytes);
    all.sum.asked++;
}

static bool connect_client(struct client *c)
{
    c->fd = net_dial(HOUSE_PORT, (192u << 24) + (uint32_t)(c - all.clients) + 1);
    c->idle_since_ms = house_now_ms();
    return c->fd >= 0;
}

static bool ask_something(struct client *c)
{
    size_t service = house_random(HOUSE_SERVICES);
    if (!rules_is_configured(service) || (c->fd < 0 && !connect_client(c)))
        return false;
    struct wish wish = make_wish(service);
    ask(c, &wish);
    return true;
}

bool clients_ask(const struct wish *wish)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &all.clients[i];
        if (c->request_count > 0 || (c->fd < 0 && !connect_client(c)))
            continue;
        ask(c, wish);
        return true;
    }
    return false;
}

/* False: it takes no more now. */
static bool send_piece(struct client *c)
{
    size_t left = c->out.len - c->sent, len = house_chance(60) ? left : 1 + house_random(left);
    ssize_t put = net_send(c->fd, c->out.at + c->sent, len);
    if (put == NET_BLOCKED)
        return false;
    if (put == NET_BROKEN) {
        c->sent = c->out.len = 0; /* what there is to read tells the rest */
        return true;
    }
    c->sent += (size_t)put;
    if (c->sent == c->out.len)
        c->sent = c->out.len = 0;
    return true;
}

/* ---- answers ---- */

/* A body that ends with its connection is whole wherever its task ends; one that only does so for a client of HTTP/1.0, where the task
 * has ended it. */
static void check_length(const struct client *c)
{
    const struct request *request = &c->requests[0];
    if (c->body.at == (request->wish.answer == WISH_NONE ? 0 : request->wish.answer_bytes))
        return;
    if (request->wish.answer == WISH_UNTIL_CLOSE)
        rules_on_cut(request, 0);
    else if (c->body.kind == BODY_UNTIL_CLOSE)
        rules_on_short_end(request);
    else
        house_violated("request %u got %llu bytes that end as if they were whole", request->wish.id,
                       (unsigned long long)c->body.at);
}

static void finish_answer(struct client *c)
{
    const struct request *request = &c->requests[0];
    log_info("client %zu has its answer to request %u: %d", (size_t)(c - all.clients), request->wish.id, c->status);
    all.sum.owed += !rules_excuse_of(request);
    if (c->status / 100 == 2 || c->is_tunnel) {
        all.sum.answered++;
        check_length(c);
    } else {
        all.sum.refused++;
        rules_on_refusal(request, c->status);
    }
    c->idle_since_ms = request->started_at_ms; /* its answer may have been there long before it was read */
    memmove(c->requests, c->requests + 1, --c->request_count * sizeof *c->requests);
    c->has_head = c->has_bytes = false;
}

static bool is_closing(const char *head, size_t len)
{
    const char *connection = head_field(head, len, "Connection");
    return connection && strncasecmp(connection, "close", 5) == 0;
}

/* What it asked for itself, and the answer agrees to. */
static bool is_kept(const struct client *c, const char *head, size_t len)
{
    const char *connection = head_field(head, len, "Connection");
    return c->requests[0].wish.keeps_alive && connection && strncasecmp(connection, "keep-alive", 10) == 0;
}

static void begin_tunnel(struct client *c, size_t head_len)
{
    const struct wish *wish = &c->requests[0].wish;
    c->is_tunnel = c->has_head = c->is_last = true;
    c->shuts_at_ms = house_now_ms() + (int64_t)house_random(TUNNEL_MS_MAX);
    body_reader_init_tunnel(&c->body, wish->id);
    buf_consume(&c->in, head_len);
    wish_write_upload(wish, &c->out);
}

/* Its own, and not what became of another's. */
static void take_head(struct client *c, size_t len)
{
    const struct request *request = &c->requests[0];
    const char *head = buf_text(&c->in), *id = head_field(head, len, "X-Id");
    c->status = atoi(head + 9);
    if ((c->status / 100 == 2 || c->status == 101) && (!id || (uint32_t)atoi(id) != request->wish.id))
        house_violated("request %u got the answer of %d", request->wish.id, id ? atoi(id) : 0);
    if (strncmp(head, "HTTP/1.1 ", 9) != 0) {
        house_violated("request %u got no answer, but: %.40s", request->wish.id, head);
    } else if (c->status == 101 && request->wish.answer == WISH_SWITCH) {
        begin_tunnel(c, len);
        return;
    } else if (c->status / 100 == 1) {
        if (request->wish.is_1_0)
            house_violated("request %u is of HTTP/1.0, and got %d", request->wish.id, c->status);
        buf_consume(&c->in, len);
        return;
    }
    bool has_body = c->status != 204;
    c->is_last = request->wish.is_1_0 ? !is_kept(c, head, len) : is_closing(head, len);
    body_reader_init(&c->body, head, len, c->status / 100 == 2 ? request->wish.id : 0,
                     has_body ? BODY_UNTIL_CLOSE : BODY_NONE);
    bool is_open_ended = c->body.kind == BODY_UNTIL_CLOSE && !request->wish.is_1_0;
    if (is_open_ended || (c->body.kind == BODY_CHUNKED && request->wish.is_1_0))
        house_violated("the end of the answer to request %u cannot be told", request->wish.id);
    c->has_head = true;
    buf_consume(&c->in, len);
}

static void take_answers(struct client *c)
{
    while (c->request_count > 0 && c->in.len > 0) {
        size_t len = c->has_head ? 0 : head_length(c->in.at, c->in.len);
        c->has_bytes = true;
        if (len > 0)
            take_head(c, len);
        else if (!c->has_head)
            return;
        if (!c->has_head)
            continue;
        buf_consume(&c->in, body_reader_take(&c->body, c->in.at, c->in.len));
        if (c->body.is_wrong)
            house_violated("the answer to request %u has the bytes of another", c->requests[0].wish.id);
        if (!c->body.is_done)
            return;
        finish_answer(c);
        if (c->is_last)
            return;
    }
    if (c->request_count == 0 && c->in.len > 0)
        house_violated("a client got an answer that it did not ask for: %.40s", buf_text(&c->in));
}

/* All of both directions has come. */
static bool is_tunnel_over(const struct client *c)
{
    const struct wish *wish = &c->requests[0].wish;
    return c->body.at == wish->answer_bytes && c->out.len == 0 && rules_has_tunnel_upload(wish);
}

/* Requests behind the first have not been looked at: they may be asked again. So may that one, where the answer before it
 * said that it would be the last. */
static void note_end(struct client *c, bool is_reset)
{
    bool was_idle = c->request_number > 0 && !c->has_bytes;
    log_info("client %zu %s, %zu requests wait", (size_t)(c - all.clients), is_reset ? "is reset" : "sees the end",
             c->request_count);
    if (c->is_tunnel && !is_reset && is_tunnel_over(c)) {
        all.sum.tunnels++;
        finish_answer(c);
    } else if (!is_reset && c->has_head && c->body.kind == BODY_UNTIL_CLOSE && !c->is_tunnel) {
        finish_answer(c); /* to a client of HTTP/1.0 */
    }
    all.sum.cut += c->request_count;
    if (c->is_tunnel && c->request_count > 0)
        rules_on_tunnel_cut(&c->requests[0]);
    else if (c->request_count > 0 && (c->has_head || !c->is_last))
        rules_on_cut(&c->requests[0], was_idle ? c->idle_since_ms : 0);
    hang_up(c, is_reset);
}

static void receive_piece(struct client *c)
{
    char piece[RECEIVE_BYTES];
    size_t len = house_chance(70) ? sizeof piece : 1 + house_random(500);
    ssize_t got = net_receive(c->fd, piece, len);
    if (got == NET_BLOCKED)
        return;
    if (got <= 0) {
        note_end(c, got == NET_BROKEN);
        return;
    }
    buf_append(&c->in, piece, (size_t)got);
    size_t before = c->request_count;
    take_answers(c);
    c->request_number += before - c->request_count;
}

/* ---- what it does next ---- */

static bool go_away(struct client *c)
{
    bool is_there = c->fd >= 0;
    if (is_there)
        hang_up(c, false);
    return is_there;
}

static bool go_on_idle(struct client *c)
{
    if (c->is_last || all.is_quiet || house_chance(GOES_PERCENT))
        return go_away(c);
    return ask_something(c);
}

static bool go_on_tunnel(struct client *c)
{
    if (c->has_shut || c->out.len > 0 || all.hold_tunnels || (!all.is_quiet && house_now_ms() < c->shuts_at_ms))
        return false;
    net_shut(c->fd);
    c->has_shut = true;
    return true;
}

/* Behind the last request nothing may be asked before its answer has come. */
static bool asks_alone(const struct client *c)
{
    const struct wish *last = &c->requests[c->request_count - 1].wish;
    return last->is_1_0 || last->answer == WISH_SWITCH;
}

static bool go_on(struct client *c)
{
    if (c->fd >= 0 && net_is_readable(c->fd)) {
        receive_piece(c);
        return true;
    }
    if (c->fd >= 0 && c->out.len > c->sent && send_piece(c))
        return true;
    if (c->is_tunnel)
        return go_on_tunnel(c);
    if (c->request_count == 0)
        return house_chance(RESTS_PERCENT) ? false : go_on_idle(c);
    return c->request_count < PIPELINED_MAX && !c->is_last && !asks_alone(c) && !all.is_quiet && house_chance(10) &&
           ask_something(c);
}

bool clients_step(void)
{
    size_t from = house_random(CLIENTS_MAX);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (go_on(&all.clients[(from + i) % CLIENTS_MAX]))
            return true;
    }
    return false;
}

bool clients_give_up(void)
{
    struct client *c = &all.clients[house_random(CLIENTS_MAX)];
    if (c->fd < 0)
        return false;
    all.sum.given_up += c->request_count;
    hang_up(c, house_chance(50));
    return true;
}

void clients_set_quiet(bool is_quiet)
{
    all.is_quiet = is_quiet;
}

void clients_hold_tunnels(bool hold)
{
    all.hold_tunnels = hold;
}

void clients_set_hostile(bool are_hostile)
{
    all.are_hostile = are_hostile;
}

size_t clients_waiting(void)
{
    size_t count = 0;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        count += all.clients[i].request_count;
    return count;
}

size_t clients_connected(void)
{
    size_t count = 0;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        count += all.clients[i].fd >= 0;
    return count;
}

struct clients_sum clients_sum(void)
{
    return all.sum;
}
