/* backend: an HTTP/1.1 server that behaves as it is told. The task image of the demo and of the tests (alone in a
 * container, as PID 1) and the upstream of the benchmarks.
 *
 * Options, each with an environment variable: see OPTIONS below. Query parameters of any path:
 *   delay_ms=N      serve for N ms instead of --delay-ms        status=N     answer 200..599
 *   size=N          body of N bytes, byte i is 'a' + i % 26     chunked=1    chunked body
 *   slow_body_ms=N  pause between two pieces of the body        pieces=N     of which a slow body has N (10)
 *   fail=P          answer 500 with probability P               close=1      close the connection afterwards
 * Paths: /health answers at once (neither default delay nor --concurrency); /set-health?status=N changes its answer;
 * /echo answers with the request as JSON (bodyAdler32 is zlib's); all others with a line of 66 bytes, host name first.
 *
 * Each thread owns a listener (SO_REUSEPORT), an epoll instance, and its connections. --concurrency needs one queue, so
 * it implies one thread. A request holds its place from the start of its service until its response is written. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>

#include "bench/bytes.h"
#include "bench/request.h"
#include "bench/response.h"
#include "bench/tcp.h"

#define HEAD_BYTES_MAX (64u << 10)
#define SHORT_BODY_BYTES 66
#define LINGER_US 1000000
#define THREADS_MAX 64

static const char *address = "0.0.0.0";
static int64_t port = 8080, thread_count = 1, delay_ms, startup_delay_ms, concurrency, graceful;
static const struct option {
    const char *flag, *variable;
    int64_t *value, max;
} OPTIONS[] = {
    { "--port", "PORT", &port, 65535 },
    { "--threads", "THREADS", &thread_count, THREADS_MAX },
    { "--delay-ms", "SERVICE_TIME_MS", &delay_ms, 3600000 },
    { "--startup-delay-ms", "STARTUP_DELAY_MS", &startup_delay_ms, 3600000 },
    { "--concurrency", "CONCURRENCY", &concurrency, 1000000 }, /* 0: no limit */
    { "--graceful", "GRACEFUL", &graceful, 1 },                /* SIGTERM finishes what is in flight */
};

enum conn_state {
    CONN_READING_HEAD = 0,
    CONN_READING_BODY,
    CONN_QUEUED,  /* whole request read, waits for one of --concurrency places */
    CONN_SERVING, /* the delay runs */
    CONN_WRITING,
    CONN_PAUSED,   /* between two pieces of a slow body */
    CONN_LINGERING /* answered for the last time: reads to the end, so that no reset overtakes the response */
};

TAILQ_HEAD(conn_list, conn);

struct conn {
    int fd;
    enum conn_state state;
    bool is_readable, is_eof, is_dead, holds_place;
    struct bytes in, out;
    size_t sent;
    struct request request;
    struct response response;
    int64_t due_us;
    struct server *server;
    struct conn_list *list; /* the one of timers, queue, dead it is in */
    TAILQ_ENTRY(conn) link;
    LIST_ENTRY(conn) all_link;
};

struct server {
    pthread_t thread;
    int epoll_fd, listen_fd;
    struct conn_list timers, queue, dead; /* timers: sorted by due_us */
    LIST_HEAD(, conn) all;
    int64_t served_count, now_us;
    uint64_t random;
    bool is_stopping;
};

static char hostname[HOST_NAME_MAX + 1];
static int stop_fd;
static int health_status = 200;

static void die(const char *what)
{
    fprintf(stderr, "backend: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void conn_list_at_end(struct conn *c, struct conn_list *list)
{
    if (c->list)
        TAILQ_REMOVE(c->list, c, link);
    c->list = list;
    if (list)
        TAILQ_INSERT_TAIL(list, c, link);
}

static void conn_set_timer(struct conn *c, enum conn_state state, int64_t in_us)
{
    struct conn *after;
    c->state = state;
    c->due_us = c->server->now_us + in_us;
    conn_list_at_end(c, &c->server->timers); /* delays are mostly equal: its place is at or near the end */
    while ((after = TAILQ_PREV(c, conn_list, link)) && after->due_us > c->due_us) {
        TAILQ_REMOVE(c->list, after, link);
        TAILQ_INSERT_AFTER(c->list, c, after, link);
    }
}

static void conn_leave_place(struct conn *c)
{
    c->server->served_count -= c->holds_place;
    c->holds_place = false;
}

/* Freed at the end of the loop's turn: this turn's events may still point to it. */
static void conn_close(struct conn *c)
{
    conn_leave_place(c);
    conn_list_at_end(c, &c->server->dead);
    c->is_dead = true;
    close(c->fd);
}

static void conn_free(struct conn *c)
{
    conn_list_at_end(c, NULL);
    LIST_REMOVE(c, all_link);
    free(c->in.data);
    free(c->out.data);
    free(c->response.text.data);
    free(c);
}

/* ---- request ---- */

static void request_respond(struct conn *c, int status, uint64_t body_bytes)
{
    conn_list_at_end(c, NULL);
    c->state = CONN_WRITING;
    response_start(&c->response, &c->request, c->in.data, status, body_bytes, hostname, &c->out);
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
    int status = (int)request_query(&c->request, c->in.data, "status", 200, 599);
    double fail = request_query(&c->request, c->in.data, "fail", 0, 1);
    c->server->random = c->server->random * 6364136223846793005u + 1442695040888963407u;
    if ((double)(c->server->random >> 11) * 0x1p-53 < fail)
        return 500;
    if (request_path_is(&c->request, c->in.data, "/health"))
        return __atomic_load_n(&health_status, __ATOMIC_RELAXED);
    if (status < 200)
        return 400;
    if (!request_path_is(&c->request, c->in.data, "/set-health"))
        return status;
    __atomic_store_n(&health_status, status, __ATOMIC_RELAXED);
    return 200;
}

static void request_answer(struct conn *c)
{
    struct request *q = &c->request;
    struct response *r = &c->response;
    double size = request_query(q, c->in.data, "size", -1, 1e15);
    q->wants_close |= c->server->is_stopping || request_query(q, c->in.data, "close", 0, 1) > 0;
    r->text.len = 0;
    r->is_text = size < 0;
    r->is_json = r->is_text && request_path_is(q, c->in.data, "/echo");
    if (r->is_json)
        response_add_echo(&r->text, q, c->in.data, hostname);
    else if (r->is_text)
        bytes_print(&r->text, "%s%*s\n", hostname, (int)strlen(hostname) - SHORT_BODY_BYTES + 1, " served");
    request_respond(c, request_decide_status(c), r->is_text ? r->text.len : (uint64_t)size);
}

static void request_serve(struct conn *c)
{
    double default_ms = request_path_is(&c->request, c->in.data, "/health") ? 0 : (double)delay_ms;
    int64_t in_us = (int64_t)(request_query(&c->request, c->in.data, "delay_ms", default_ms, 3.6e6) * 1000);
    if (in_us > 0)
        conn_set_timer(c, CONN_SERVING, in_us);
    else
        request_answer(c);
}

/* ---- connection ---- */

/* True when there is something new to look at. */
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
    c->request.body.wants_checksum = request_path_is(&c->request, c->in.data, "/echo");
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
    else if (concurrency == 0 || request_path_is(&c->request, c->in.data, "/health"))
        request_serve(c);
    else {
        c->state = CONN_QUEUED;
        conn_list_at_end(c, &c->server->queue);
    }
    return true;
}

static void request_finish(struct conn *c)
{
    conn_leave_place(c);
    if (c->request.wants_close) {
        shutdown(c->fd, SHUT_WR);
        conn_set_timer(c, CONN_LINGERING, LINGER_US);
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
        conn_set_timer(c, CONN_PAUSED, c->response.pause_us);
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

static void conn_advance(struct conn *c)
{
    while (!c->is_dead && conn_step(c))
        ;
}

static void conn_on_timer(struct conn *c)
{
    conn_list_at_end(c, NULL);
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

/* ---- server ---- */

static void server_accept(struct server *s)
{
    int fd;
    while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof(*c));
        if (!c || !tcp_watch(s->epoll_fd, fd, c))
            die("accept");
        tcp_set_nodelay(fd);
        c->fd = fd;
        c->server = s;
        LIST_INSERT_HEAD(&s->all, c, all_link);
    }
}

/* Takes what the kernel has queued, then finishes what was begun; connections without a request are closed. */
static void server_stop(struct server *s)
{
    s->is_stopping = true;
    server_accept(s);
    close(s->listen_fd);
    epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, stop_fd, NULL);
    struct conn *c;
    LIST_FOREACH (c, &s->all, all_link) {
        c->is_readable = true;
        conn_advance(c);
        if (!c->is_dead && c->state == CONN_READING_HEAD && c->in.len == 0)
            conn_close(c);
    }
}

static void server_on_event(struct server *s, const struct epoll_event *event)
{
    struct conn *c = event->data.ptr;
    if (event->data.ptr == &s->listen_fd) {
        if (!s->is_stopping)
            server_accept(s);
    } else if (event->data.ptr == &stop_fd) {
        server_stop(s);
    } else if (!c->is_dead) {
        c->is_eof |= (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        c->is_readable |= c->is_eof || (event->events & EPOLLIN);
        if (event->events & (EPOLLHUP | EPOLLERR))
            conn_close(c);
        else
            conn_advance(c);
    }
}

static void server_end_turn(struct server *s)
{
    struct conn *c;
    s->now_us = clock_us();
    while ((c = TAILQ_FIRST(&s->timers)) && c->due_us <= s->now_us)
        conn_on_timer(c);
    while ((c = TAILQ_FIRST(&s->queue)) && s->served_count < concurrency) {
        c->holds_place = true;
        s->served_count++;
        request_serve(c);
        conn_advance(c);
    }
    while ((c = TAILQ_FIRST(&s->dead)))
        conn_free(c);
}

static void *server_run(void *arg)
{
    struct server *s = arg;
    struct epoll_event events[256];
    while (!s->is_stopping || !LIST_EMPTY(&s->all)) {
        struct conn *next = TAILQ_FIRST(&s->timers);
        int n = epoll_wait(s->epoll_fd, events, 256, next ? (int)((next->due_us - s->now_us + 999) / 1000) : -1);
        s->now_us = clock_us();
        for (int i = 0; i < n; i++)
            server_on_event(s, &events[i]);
        server_end_turn(s);
    }
    return NULL;
}

static void server_start(struct server *s, unsigned index)
{
    struct epoll_event listening = { .events = EPOLLIN, .data.ptr = &s->listen_fd };
    struct epoll_event stopping = { .events = EPOLLIN, .data.ptr = &stop_fd };
    s->random = (uint64_t)clock_us() + index;
    TAILQ_INIT(&s->timers);
    TAILQ_INIT(&s->queue);
    TAILQ_INIT(&s->dead);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->listen_fd = tcp_listen(address, (uint16_t)port);
    if (s->listen_fd < 0)
        die("listen");
    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, stop_fd, &stopping);
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &listening) != 0 ||
        pthread_create(&s->thread, NULL, server_run, s) != 0)
        die("thread");
}

static void option_set(const struct option *o, const char *text)
{
    char *end;
    errno = EINVAL;
    *o->value = strtoll(text, &end, 10);
    if (end == text || *end || *o->value < 0 || *o->value > o->max)
        die(o->flag);
}

static void options_parse(int argc, char **argv)
{
    const size_t n = sizeof(OPTIONS) / sizeof(OPTIONS[0]);
    for (size_t o = 0; o < n; o++)
        if (getenv(OPTIONS[o].variable))
            option_set(&OPTIONS[o], getenv(OPTIONS[o].variable));
    for (int i = 1; i < argc; i++) {
        size_t o = 0;
        while (o < n && strcmp(argv[i], OPTIONS[o].flag) != 0)
            o++;
        errno = EINVAL;
        if (strcmp(argv[i], "--graceful") == 0)
            graceful = 1;
        else if (i + 1 == argc)
            die(argv[i]);
        else if (strcmp(argv[i], "--address") == 0)
            address = argv[++i];
        else if (o == n)
            die(argv[i]);
        else
            option_set(&OPTIONS[o], argv[++i]);
    }
    if (thread_count == 0 || concurrency > 0)
        thread_count = 1;
}

int main(int argc, char **argv)
{
    static struct server servers[THREADS_MAX];
    sigset_t signals;
    int signal_number;
    options_parse(argc, argv);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* PID 1 has no default action: taken with sigwait, here and below */
    struct timespec startup = { .tv_sec = startup_delay_ms / 1000, .tv_nsec = startup_delay_ms % 1000 * 1000000 };
    if (sigtimedwait(&signals, NULL, &startup) > 0)
        return 0;
    gethostname(hostname, sizeof(hostname) - 1);
    tcp_raise_file_limit();
    stop_fd = eventfd(0, EFD_CLOEXEC);
    for (int64_t i = 0; i < thread_count; i++)
        server_start(&servers[i], (unsigned)i);
    sigwait(&signals, &signal_number);
    if (!graceful)
        return 0;
    eventfd_write(stop_fd, 1);
    for (int64_t i = 0; i < thread_count; i++)
        pthread_join(servers[i].thread, NULL);
    return 0;
}
