/* tiny_upstream: an HTTP server on a loopback port with a thread of its own. Answers each request with its letter and
 * the request target ("a /path"), keeps connections open, and reads bodies that it can delimit by their last chunk.
 * Start and stop it from one thread. */
#ifndef TESTS_UNIT_PROXY_PROCESS_TINY_UPSTREAM_H
#define TESTS_UNIT_PROXY_PROCESS_TINY_UPSTREAM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TINY_UPSTREAM_CONNS_MAX 32

struct tiny_conn {
    char in[8192];
    size_t len;
};

struct tiny_upstream {
    char letter;
    int port;
    pthread_t thread;
    int stop_fds[2];
    struct pollfd fds[2 + TINY_UPSTREAM_CONNS_MAX]; /* the stop pipe, the listener, connections */
    struct tiny_conn conns[TINY_UPSTREAM_CONNS_MAX];
};

/* A listening socket on 127.0.0.1; *port 0: any. Several may share a port. */
static inline int loopback_listen(int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)*port) };
    socklen_t len = sizeof address;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* The length of a whole request at the start of what came, or 0. */
static inline size_t tiny_request_len(struct tiny_conn *conn)
{
    conn->in[conn->len] = '\0';
    char *end = strstr(conn->in, "\r\n\r\n");
    if (end && strstr(conn->in, "Transfer-Encoding: chunked"))
        end = strstr(end, "\r\n0\r\n\r\n") ? strstr(end, "\r\n0\r\n\r\n") + 3 : NULL;
    return end ? (size_t)(end + 4 - conn->in) : 0;
}

static inline bool tiny_answer(struct tiny_upstream *u, int fd, struct tiny_conn *conn)
{
    char answer[4096], target[1024];
    size_t request_len;
    while ((request_len = tiny_request_len(conn)) > 0) {
        if (sscanf(conn->in, "%*s %1023s", target) != 1)
            return false;
        int len = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%c %s",
                           strlen(target) + 2, u->letter, target);
        if (send(fd, answer, (size_t)len, MSG_NOSIGNAL) != len)
            return false;
        memmove(conn->in, conn->in + request_len, conn->len - request_len);
        conn->len -= request_len;
    }
    return true;
}

static inline void tiny_accept(struct tiny_upstream *u)
{
    int fd = accept(u->fds[1].fd, NULL, NULL);
    for (size_t i = 0; fd >= 0 && i < TINY_UPSTREAM_CONNS_MAX; i++) {
        if (u->fds[2 + i].fd < 0) {
            u->fds[2 + i].fd = fd;
            u->conns[i].len = 0;
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

static inline void tiny_read(struct tiny_upstream *u, size_t i)
{
    struct tiny_conn *conn = &u->conns[i];
    int fd = u->fds[2 + i].fd;
    ssize_t got = read(fd, conn->in + conn->len, sizeof conn->in - 1 - conn->len);
    if (got > 0)
        conn->len += (size_t)got;
    if (got > 0 && tiny_answer(u, fd, conn))
        return;
    close(fd);
    u->fds[2 + i].fd = -1;
}

static inline void *tiny_run(void *arg)
{
    struct tiny_upstream *u = arg;
    while (poll(u->fds, 2 + TINY_UPSTREAM_CONNS_MAX, -1) > 0 && !u->fds[0].revents) {
        if (u->fds[1].revents)
            tiny_accept(u);
        for (size_t i = 0; i < TINY_UPSTREAM_CONNS_MAX; i++) {
            if (u->fds[2 + i].fd >= 0 && u->fds[2 + i].revents)
                tiny_read(u, i);
        }
    }
    return NULL;
}

static inline void tiny_upstream_start(struct tiny_upstream *u, char letter)
{
    memset(u, 0, sizeof *u);
    u->letter = letter;
    assert_int_equal(pipe(u->stop_fds), 0);
    for (size_t i = 0; i < TINY_UPSTREAM_CONNS_MAX; i++)
        u->fds[2 + i] = (struct pollfd){ .fd = -1, .events = POLLIN };
    u->fds[0] = (struct pollfd){ .fd = u->stop_fds[0], .events = POLLIN };
    u->fds[1] = (struct pollfd){ .fd = loopback_listen(&u->port), .events = POLLIN };
    assert_int_equal(pthread_create(&u->thread, NULL, tiny_run, u), 0);
}

static inline void tiny_upstream_stop(struct tiny_upstream *u)
{
    assert_int_equal(write(u->stop_fds[1], "x", 1), 1);
    assert_int_equal(pthread_join(u->thread, NULL), 0);
    close(u->stop_fds[1]);
    for (size_t i = 0; i < 2 + TINY_UPSTREAM_CONNS_MAX; i++) {
        if (u->fds[i].fd >= 0)
            close(u->fds[i].fd);
    }
}

#endif
