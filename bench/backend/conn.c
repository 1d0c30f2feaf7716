#include "bench/backend/conn.h"

#include <errno.h>

#include "bench/backend/settings.h"
#include "bench/tcp.h"

#define HEAD_BYTES_MAX (64u << 10)
#define SHORT_BODY_BYTES 66
#define LINGER_US 1000000

static int health_status = 200; /* of all threads */

static void conn_set_list(struct conn *c, struct conn_list *list)
{
    if (c->list)
        TAILQ_REMOVE(c->list, c, link);
    c->list = list;
    if (list)
        TAILQ_INSERT_TAIL(list, c, link);
}

static void conn_wait(struct conn *c, enum conn_state state, int64_t for_us)
{
    c->state = state;
    /* From now, not from the start of the turn: what came before in this turn is not to shorten the delay. */
    alarms_set(&c->server->alarms, &c->alarm, server_clock_us() + for_us);
}

static void conn_leave_place(struct conn *c)
{
    c->server->served_count -= c->holds_place;
    c->holds_place = false;
}

/* ---- request ---- */

static bool path_is(const struct conn *c, const char *path)
{
    return request_path_is(&c->request, c->in.data, path);
}

static double query(const struct conn *c, const char *name, double fallback, double max)
{
    return request_query(&c->request, c->in.data, name, fallback, max);
}

/* Answered at once, however busy the backend is. */
static bool is_control(const struct conn *c)
{
    return path_is(c, "/health") || path_is(c, "/set-health") || path_is(c, "/stall");
}

static void request_respond(struct conn *c, int status, uint64_t body_bytes)
{
    c->state = CONN_WRITING;
    response_start(&c->response, &c->request, c->in.data, status, body_bytes, server_hostname, &c->out);
}

static void request_refuse(struct conn *c, int status)
{
    c->request = (struct request){ .wants_close = true };
    c->response.text.len = 0;
    c->response.is_text = true;
    c->response.is_json = false;
    bytes_print(&c->response.text, "%d\n", status);
    request_respond(c, status, c->response.text.len);
}

static int request_decide_status(struct conn *c)
{
    int status = (int)query(c, "status", 200, 599);
    double fail = query(c, "fail", 0, 1);
    if (fail > 0 && delay_source_uniform(&c->server->delays) < fail)
        return 500;
    if (path_is(c, "/health"))
        return __atomic_load_n(&health_status, __ATOMIC_RELAXED);
    if (status < 200)
        return 400;
    if (!path_is(c, "/set-health"))
        return status;
    __atomic_store_n(&health_status, status, __ATOMIC_RELAXED);
    return 200;
}

static void request_answer(struct conn *c)
{
    struct request *q = &c->request;
    struct response *r = &c->response;
    double size = query(c, "size", -1, 1e15);
    q->wants_close |= c->server->is_stopping || query(c, "close", 0, 1) > 0;
    r->text.len = 0;
    r->is_text = size < 0;
    r->is_json = r->is_text && path_is(c, "/echo");
    if (r->is_json)
        response_add_echo(&r->text, q, c->in.data, server_hostname);
    else if (r->is_text)
        bytes_print(&r->text, "%s%*s\n", server_hostname, (int)strlen(server_hostname) - SHORT_BODY_BYTES + 1,
                    " served");
    request_respond(c, request_decide_status(c), r->is_text ? r->text.len : (uint64_t)size);
}

/* The query's delay, or else the default one. */
static int64_t request_delay_us(struct conn *c)
{
    struct delay delay = { 0 };
    size_t len;
    if (!is_control(c))
        delay = settings.delay;
    for (size_t i = 0; i < DELAY_NAME_COUNT; i++) {
        const char *text = request_query_text(&c->request, c->in.data, delay_names[i].query, &len);
        if (text)
            delay_parse(&delay, &delay_names[i], text, len);
    }
    return delay_draw_us(&delay, &c->server->delays);
}

static void request_serve(struct conn *c)
{
    if (path_is(c, "/stall"))
        server_stall((int64_t)(query(c, "ms", 1000, 3.6e6) * 1000));
    int64_t delay_us = request_delay_us(c);
    if (delay_us > 0)
        conn_wait(c, CONN_SERVING, delay_us);
    else
        request_answer(c);
}

/* ---- steps: true when there is something new to look at ---- */

static bool conn_read(struct conn *c)
{
    if (!c->is_readable)
        return false;
    bytes_reserve(&c->in, c->state == CONN_READING_BODY ? 16384 : 2048);
    size_t room = c->in.size - c->in.len;
    ssize_t n = recv(c->fd, c->in.data + c->in.len, room, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        conn_close(c);
        return false;
    }
    c->in.len += n > 0 ? (size_t)n : 0;
    /* Less than there was room for: drained, and the next edge tells when there is more. */
    c->is_readable = n < 0 ? errno == EINTR : (size_t)n == room || c->is_eof;
    return n > 0 || c->is_readable;
}

static bool conn_step_head(struct conn *c)
{
    while (c->in.len >= 2 && memcmp(c->in.data, "\r\n", 2) == 0) /* RFC 9112 2.2: empty lines before a request */
        memmove(c->in.data, c->in.data + 2, c->in.len -= 2);
    const char *end = c->in.len ? memmem(c->in.data, c->in.len, "\r\n\r\n", 4) : NULL;
    if (!end) {
        if (c->in.len < HEAD_BYTES_MAX)
            return conn_read(c);
        request_refuse(c, 431);
        return true;
    }
    int status = request_parse(&c->request, c->in.data, (size_t)(end + 4 - c->in.data));
    c->state = CONN_READING_BODY;
    c->request.body.wants_checksum = path_is(c, "/echo");
    if (status)
        request_refuse(c, status);
    else if (c->request.wants_continue && c->in.len == c->request.head_len)
        send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
    return true;
}

static bool conn_step_body(struct conn *c)
{
    int result = request_body_take(&c->request.body, &c->in, c->request.head_len);
    if (result == 0)
        return conn_read(c);
    if (result < 0)
        request_refuse(c, 400);
    else if (settings.concurrency == 0 || is_control(c))
        request_serve(c);
    else {
        c->state = CONN_QUEUED;
        conn_set_list(c, &c->server->queue);
    }
    return true;
}

static void request_finish(struct conn *c)
{
    conn_leave_place(c);
    if (c->request.wants_close) {
        shutdown(c->fd, SHUT_WR);
        conn_wait(c, CONN_LINGERING, LINGER_US);
        c->in.len = 0;
        return;
    }
    memmove(c->in.data, c->in.data + c->request.head_len, c->in.len - c->request.head_len);
    c->in.len -= c->request.head_len;
    c->state = CONN_READING_HEAD;
}

static bool conn_step_write(struct conn *c)
{
    ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        conn_close(c);
    if (n < 0)
        return errno == EINTR;
    c->sent += (size_t)n;
    if (c->sent < c->out.len)
        return true;
    c->out.len = c->sent = 0;
    if (c->response.body_left == 0)
        request_finish(c);
    else if (c->response.pause_us)
        conn_wait(c, CONN_PAUSED, c->response.pause_us);
    else
        response_add_piece(&c->response, &c->out);
    return true;
}

static bool conn_step(struct conn *c)
{
    switch (c->state) {
    case CONN_READING_HEAD:
        return conn_step_head(c);
    case CONN_READING_BODY:
        return conn_step_body(c);
    case CONN_WRITING:
        return conn_step_write(c);
    case CONN_LINGERING:
        c->in.len = 0;
        return conn_read(c);
    case CONN_QUEUED:
    case CONN_SERVING:
    case CONN_PAUSED:
        break;
    }
    return false;
}

/* ---- connection ---- */

void conn_open(struct server *s, int fd)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (!c || !tcp_watch(s->epoll_fd, fd, c)) {
        fprintf(stderr, "backend: accept: %s\n", strerror(errno));
        exit(1);
    }
    tcp_set_nodelay(fd);
    c->fd = fd;
    c->server = s;
    LIST_INSERT_HEAD(&s->all, c, all_link);
}

void conn_close(struct conn *c)
{
    conn_leave_place(c);
    alarms_unset(&c->server->alarms, &c->alarm);
    conn_set_list(c, &c->server->dead);
    c->is_dead = true;
    close(c->fd);
}

void conn_free(struct conn *c)
{
    conn_set_list(c, NULL);
    LIST_REMOVE(c, all_link);
    free(c->in.data);
    free(c->out.data);
    free(c->response.text.data);
    free(c);
}

void conn_advance(struct conn *c)
{
    while (!c->is_dead && conn_step(c))
        ;
}

void conn_take_place(struct conn *c)
{
    conn_set_list(c, NULL);
    c->holds_place = true;
    c->server->served_count++;
    request_serve(c);
    conn_advance(c);
}

void conn_on_alarm(struct conn *c)
{
    alarms_unset(&c->server->alarms, &c->alarm);
    if (c->state == CONN_LINGERING) {
        conn_close(c);
        return;
    }
    if (c->state == CONN_SERVING)
        request_answer(c);
    else
        response_add_piece(&c->response, &c->out);
    c->state = CONN_WRITING;
    conn_advance(c);
}
