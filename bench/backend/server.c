#include "bench/backend/server.h"

#include <errno.h>
#include <stddef.h>
#include <sys/timerfd.h>
#include <time.h>

#include "bench/backend/conn.h"
#include "bench/backend/settings.h"
#include "bench/tcp.h"

char server_hostname[HOST_NAME_MAX + 1];
int server_stop_fd;

static int64_t stall_until_us; /* atomic, of all threads */

static void die(const char *what)
{
    fprintf(stderr, "backend: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void server_accept(struct server *s)
{
    int fd;
    while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        conn_open(s, fd);
}

/* Takes what the kernel has queued, then finishes what was begun; connections without a request are closed. */
static void server_stop(struct server *s)
{
    s->is_stopping = true;
    server_accept(s);
    close(s->listen_fd);
    epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, server_stop_fd, NULL);
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
    } else if (event->data.ptr == &server_stop_fd) {
        server_stop(s);
    } else if (event->data.ptr == &s->timer_fd) {
        s->armed_us = INT64_MAX; /* edge-triggered: need not be read */
    } else if (!c->is_dead) {
        c->is_eof |= (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        c->is_readable |= c->is_eof || (event->events & EPOLLIN);
        if (event->events & (EPOLLHUP | EPOLLERR))
            conn_close(c);
        else
            conn_advance(c);
    }
}

static struct conn *conn_of_alarm(struct alarm *alarm)
{
    return (struct conn *)((char *)alarm - offsetof(struct conn, alarm));
}

static void server_end_turn(struct server *s)
{
    struct alarm *alarm;
    struct conn *c;
    while ((alarm = alarms_first(&s->alarms)) && alarm->due_us <= server_clock_us())
        conn_on_alarm(conn_of_alarm(alarm));
    while ((c = TAILQ_FIRST(&s->queue)) && s->served_count < settings.concurrency)
        conn_take_place(c);
    while ((c = TAILQ_FIRST(&s->dead)))
        conn_free(c);
}

/* A timerfd is exact to the microsecond; the timeout of epoll_wait is rounded, and late by the timer slack. It is set
 * only when it would come too late: too early costs nothing but a turn. */
static void server_arm_timer(struct server *s)
{
    struct alarm *first = alarms_first(&s->alarms);
    if (!first || first->due_us >= s->armed_us)
        return;
    s->armed_us = first->due_us;
    struct itimerspec at = { .it_value = { .tv_sec = first->due_us / 1000000,
                                           .tv_nsec = first->due_us % 1000000 * 1000 } };
    if (timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        die("timerfd_settime");
}

static void wait_out_stall(void)
{
    int64_t until_us = __atomic_load_n(&stall_until_us, __ATOMIC_RELAXED);
    if (until_us == 0 || until_us <= server_clock_us())
        return;
    struct timespec until = { .tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000 };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static void *server_run(void *arg)
{
    struct server *s = arg;
    struct epoll_event events[256];
    while (!s->is_stopping || !LIST_EMPTY(&s->all)) {
        server_arm_timer(s);
        int n = epoll_wait(s->epoll_fd, events, 256, -1);
        wait_out_stall();
        for (int i = 0; i < n; i++)
            server_on_event(s, &events[i]);
        server_end_turn(s);
    }
    return NULL;
}

int64_t server_clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void server_stall(int64_t for_us)
{
    __atomic_store_n(&stall_until_us, server_clock_us() + for_us, __ATOMIC_RELAXED);
    wait_out_stall();
}

void server_start(struct server *s, unsigned index)
{
    struct epoll_event listening = { .events = EPOLLIN, .data.ptr = &s->listen_fd };
    struct epoll_event stopping = { .events = EPOLLIN, .data.ptr = &server_stop_fd };
    struct epoll_event timing = { .events = EPOLLIN | EPOLLET, .data.ptr = &s->timer_fd };
    delay_source_init(&s->delays, (uint64_t)server_clock_us() + index);
    TAILQ_INIT(&s->queue);
    TAILQ_INIT(&s->dead);
    s->armed_us = INT64_MAX;
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    s->listen_fd = tcp_listen(settings.address, (uint16_t)settings.port);
    if (s->listen_fd < 0)
        die("listen");
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, server_stop_fd, &stopping) != 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->timer_fd, &timing) != 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &listening) != 0 ||
        pthread_create(&s->thread, NULL, server_run, s) != 0)
        die("thread");
}

void server_join(struct server *s)
{
    pthread_join(s->thread, NULL);
}
