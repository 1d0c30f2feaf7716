#include "tests/sim/house/sim_tasks.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/house_rules.h"
#include "tests/sim/house/sim_engine.h"
#include "tests/sim/house/sim_message.h"
#include "tests/sim/house/sim_net.h"

#define LINES_MAX 256
#define RECEIVE_BYTES 8192

#define TUNNEL_MS_MAX 24000 /* until the task ends it, if its client has not */

enum line_state {
    LINE_FREE = 0,
    LINE_FRESH,
    LINE_IDLE,
    LINE_HEAD,
    LINE_BODY,
    LINE_ANSWERING,
    LINE_HANGING,
    LINE_TUNNEL
};

/* A connection to a task. */
struct line {
    enum line_state state;
    int fd;
    const struct container *container;
    struct buf in, out;
    size_t sent;
    struct wish wish;
    struct body_reader body;
    bool has_end, has_shut; /* of a tunnel: the client has said its last; we have */
    int64_t shuts_at_ms;
};

static struct {
    struct line lines[LINES_MAX];
    size_t used; /* those beyond are free */
    bool is_silent, hold_tunnels;
} tasks;

static void hang_up(struct line *line, bool resets)
{
    net_close(line->fd, resets);
    buf_fini(&line->in);
    buf_fini(&line->out);
    *line = (struct line){ .state = LINE_FREE };
    while (tasks.used > 0 && tasks.lines[tasks.used - 1].state == LINE_FREE)
        tasks.used--;
}

static enum net_answer on_dialled(uint32_t address, int fd)
{
    const struct container *c = engine_find_address(address);
    if (!c || !container_answers(c)) {
        rules_note_trouble();
        return tasks.is_silent && house_chance(30) ? NET_IS_SILENT : NET_REFUSES;
    }
    for (size_t i = 0; i < LINES_MAX; i++) {
        if (tasks.lines[i].state != LINE_FREE)
            continue;
        tasks.lines[i] = (struct line){ .state = LINE_FRESH, .fd = fd, .container = c };
        tasks.used = i < tasks.used ? tasks.used : i + 1;
        return NET_ACCEPTS;
    }
    check(!"there is room for a connection");
    return NET_REFUSES;
}

void tasks_reset(void)
{
    for (size_t i = 0; i < LINES_MAX; i++) {
        buf_fini(&tasks.lines[i].in);
        buf_fini(&tasks.lines[i].out);
        tasks.lines[i] = (struct line){ .state = LINE_FREE };
    }
    tasks.used = 0;
    tasks.is_silent = tasks.hold_tunnels = false;
    net_set_dialled(on_dialled);
}

void tasks_set_silent(bool is_silent)
{
    tasks.is_silent = is_silent;
}

void tasks_hold_tunnels(bool hold)
{
    tasks.hold_tunnels = hold;
}

/* ---- requests come ---- */

static void note_upload(const struct line *line)
{
    if (line->body.at == line->wish.upload_bytes)
        rules_on_tunnel_upload(&line->wish);
}

static void begin_answer(struct line *line)
{
    line->state = LINE_ANSWERING;
    line->sent = 0;
    switch (line->wish.answer) {
    case WISH_HANGS:
        line->state = LINE_HANGING;
        break;
    case WISH_RESETS:
        hang_up(line, true);
        break;
    case WISH_SWITCH:
        line->state = LINE_TUNNEL;
        line->shuts_at_ms = house_now_ms() + (int64_t)house_random(TUNNEL_MS_MAX);
        body_reader_init_tunnel(&line->body, line->wish.id);
        note_upload(line);
        wish_write_answer(&line->wish, &line->out);
        break;
    default:
        wish_write_answer(&line->wish, &line->out);
    }
}

static void take_head(struct line *line)
{
    size_t len = head_length(line->in.at, line->in.len);
    if (line->in.len > 0)
        line->state = LINE_HEAD;
    if (len == 0)
        return;
    if (!wish_read(buf_text(&line->in), &line->wish)) {
        house_violated("a task got a request that nobody made: %.60s", line->in.at);
        return;
    }
    log_info("task %s has request %u", line->container->name, line->wish.id);
    rules_on_request(&line->wish, line->container);
    body_reader_init(&line->body, line->in.at, len, line->wish.id, BODY_NONE);
    buf_consume(&line->in, len);
    line->state = LINE_BODY;
}

static void take_body(struct line *line)
{
    buf_consume(&line->in, body_reader_take(&line->body, line->in.at, line->in.len));
    if (line->body.is_wrong)
        house_violated("the body of request %u came to its task with other bytes", line->wish.id);
    if (line->body.is_done)
        begin_answer(line);
}

static bool is_readable(const struct line *line)
{
    return !line->has_end && net_is_readable(line->fd);
}

/* Who ends before everything has come has gone away, or was cut off. */
static void take_end(struct line *line)
{
    if (line->state == LINE_TUNNEL && line->body.at == line->wish.upload_bytes)
        line->has_end = true;
    else
        hang_up(line, false);
}

static void take_tunnelled(struct line *line, const char *bytes, size_t len)
{
    body_reader_take(&line->body, bytes, len);
    if (line->body.is_wrong || line->body.at > line->wish.upload_bytes)
        house_violated("other bytes came through tunnel %u than were sent", line->wish.id);
    note_upload(line);
}

/* False: there was nothing. */
static bool receive(struct line *line)
{
    char piece[RECEIVE_BYTES];
    ssize_t got = net_receive(line->fd, piece, sizeof piece);
    if (got == NET_BLOCKED)
        return false;
    if (got == 0) {
        take_end(line);
        return true;
    }
    if (got < 0) {
        hang_up(line, false);
        return true;
    }
    if (line->state == LINE_TUNNEL) {
        take_tunnelled(line, piece, (size_t)got);
        return true;
    }
    if (line->state == LINE_ANSWERING || line->state == LINE_HANGING) {
        house_violated("request %u has not been answered, and its task gets another on the same connection",
                       line->wish.id);
        return true;
    }
    buf_append(&line->in, piece, (size_t)got);
    if (line->state != LINE_BODY)
        take_head(line);
    if (line->state == LINE_BODY)
        take_body(line);
    return true;
}

/* ---- answers go ---- */

static void finish_answer(struct line *line)
{
    bool is_last = line->wish.answer == WISH_LAST || line->wish.answer == WISH_UNTIL_CLOSE;
    buf_fini(&line->out);
    line->state = LINE_IDLE;
    if (is_last)
        hang_up(line, false);
}

static bool send_piece(struct line *line)
{
    size_t left = line->out.len - line->sent, len = 1 + house_random(left);
    bool breaks = line->wish.answer == WISH_BREAKS && line->sent > line->out.len / 2;
    if (breaks) {
        hang_up(line, house_chance(50));
        return true;
    }
    if (house_chance(70))
        len = left;
    if (line->wish.answer == WISH_BREAKS)
        len = 1 + line->out.len / 3;
    ssize_t put = net_send(line->fd, line->out.at + line->sent, len);
    if (put == NET_BROKEN)
        hang_up(line, false);
    if (put < 0)
        return put == NET_BROKEN;
    line->sent += (size_t)put;
    if (line->sent == line->out.len && line->state == LINE_ANSWERING)
        finish_answer(line);
    return true;
}

/* Whoever ends first, the other hears of it and ends too. */
static bool go_on_tunnel(struct line *line)
{
    if (is_readable(line))
        return receive(line);
    if (line->sent < line->out.len)
        return send_piece(line);
    if (line->has_end) {
        hang_up(line, false);
        return true;
    }
    if (line->has_shut || line->body.at < line->wish.upload_bytes || tasks.hold_tunnels ||
        house_now_ms() < line->shuts_at_ms)
        return false;
    line->has_shut = true;
    net_shut(line->fd);
    return true;
}

static bool go_on(struct line *line)
{
    if (line->state == LINE_FREE)
        return false;
    if (line->state == LINE_TUNNEL)
        return go_on_tunnel(line);
    if (is_readable(line))
        return receive(line);
    return line->state == LINE_ANSWERING && send_piece(line);
}

bool tasks_step(void)
{
    size_t from = tasks.used > 0 ? house_random(tasks.used) : 0;
    for (size_t i = 0; i < tasks.used; i++) {
        if (go_on(&tasks.lines[(from + i) % tasks.used]))
            return true;
    }
    return false;
}

bool tasks_close_idle(void)
{
    struct line *line = tasks.used > 0 ? &tasks.lines[house_random(tasks.used)] : NULL;
    if (!line || line->state != LINE_IDLE)
        return false;
    hang_up(line, false);
    return true;
}

void tasks_end(const struct container *c)
{
    for (size_t i = 0; i < LINES_MAX; i++) {
        if (tasks.lines[i].state != LINE_FREE && tasks.lines[i].container == c)
            hang_up(&tasks.lines[i], false);
    }
}

/* What has been sent to it counts, read or not. A connection without a request so far was made for one. */
static bool is_open(struct line *line, const struct container *c)
{
    if (line->state == LINE_FREE || line->container != c)
        return false;
    while (line->state != LINE_FREE && is_readable(line) && receive(line))
        ;
    if (line->state == LINE_TUNNEL && line->has_end)
        return net_has_peer(line->fd); /* half closed */
    return line->state != LINE_FREE && line->state != LINE_IDLE;
}

size_t tasks_open_requests(const struct container *c)
{
    size_t count = 0;
    for (size_t i = 0; i < LINES_MAX; i++)
        count += is_open(&tasks.lines[i], c);
    return count;
}

size_t tasks_open_tunnels(const struct container *c)
{
    size_t count = 0;
    for (size_t i = 0; i < LINES_MAX; i++)
        count += is_open(&tasks.lines[i], c) && tasks.lines[i].state == LINE_TUNNEL;
    return count;
}

size_t tasks_busy_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < tasks.used; i++)
        count += tasks.lines[i].state != LINE_FREE && tasks.lines[i].state != LINE_IDLE;
    return count;
}
