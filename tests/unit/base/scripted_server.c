#include "tests/unit/base/scripted_server.h"

#include "base/check.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 120

static size_t content_length(const char *head)
{
    const char *field = strcasestr(head, "\r\ncontent-length:");
    return field ? strtoul(field + sizeof "\r\ncontent-length:" - 1, NULL, 10) : 0;
}

static void take_requests(struct scripted_conn *conn)
{
    while (!conn->is_closed) {
        const char *at = buf_text(&conn->in);
        const char *end = strstr(at, "\r\n\r\n");
        if (!end)
            return;
        size_t head_len = (size_t)(end - at) + 4;
        char *head = mem_strndup(at, head_len);
        size_t body_len = content_length(head);
        if (conn->in.len < head_len + body_len) {
            free(head);
            return;
        }
        char *body = mem_strndup(at + head_len, body_len);
        buf_consume(&conn->in, head_len + body_len);
        conn->server->request_count++;
        conn->server->on_request(conn->server->owner, conn, head, body);
        free(head);
        free(body);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct scripted_conn *conn = arg;
    char piece[16384];
    (void)what;
    ssize_t len = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
    if (len <= 0) {
        scripted_close(conn);
        return;
    }
    buf_append(&conn->in, piece, (size_t)len);
    take_requests(conn);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct scripted_server *server = arg;
    (void)what;
    int accepted = accept(fd, NULL, NULL);
    check(accepted >= 0);
    struct scripted_conn *conn = mem_alloc(sizeof *conn);
    conn->server = server;
    conn->fd = accepted;
    conn->next = server->conns;
    server->conns = conn;
    server->accepted_count++;
    buf_init(&conn->in, 0);
    event_assign(&conn->event, loop_base(server->loop), accepted, EV_READ | EV_PERSIST, on_readable, conn);
    event_add(&conn->event, NULL);
}

static void start(struct scripted_server *server)
{
    check(listen(server->fd, 64) == 0);
    event_assign(&server->event, loop_base(server->loop), server->fd, EV_READ | EV_PERSIST, on_accept, server);
    event_add(&server->event, NULL);
}

static void listen_unix(struct scripted_server *server)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, server->path, sizeof server->path);
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(server->fd, (struct sockaddr *)&address, sizeof address) == 0);
    start(server);
}

void scripted_server_start_tcp(struct scripted_server *server, struct loop *loop, scripted_request_cb on_request,
                               void *owner)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    *server = (struct scripted_server){ .loop = loop, .on_request = on_request, .owner = owner };
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(server->fd, (struct sockaddr *)&address, sizeof address) == 0);
    check(getsockname(server->fd, (struct sockaddr *)&address, &len) == 0);
    server->port = ntohs(address.sin_port);
    start(server);
}

void scripted_server_start_unix(struct scripted_server *server, struct loop *loop, scripted_request_cb on_request,
                                void *owner)
{
    *server = (struct scripted_server){ .loop = loop, .on_request = on_request, .owner = owner };
    snprintf(server->folder, sizeof server->folder, "/tmp/scripted-XXXXXX");
    check(mkdtemp(server->folder) != NULL);
    snprintf(server->path, sizeof server->path, "%s/s", server->folder);
    listen_unix(server);
}

void scripted_server_refuse_new(struct scripted_server *server)
{
    if (server->fd < 0)
        return;
    event_del(&server->event);
    close(server->fd);
    server->fd = -1;
    if (server->path[0])
        unlink(server->path);
}

void scripted_server_refuse(struct scripted_server *server)
{
    struct scripted_conn *conn;
    scripted_server_refuse_new(server);
    while ((conn = server->conns)) {
        server->conns = conn->next;
        scripted_close(conn);
        buf_fini(&conn->in);
        free(conn);
    }
}

void scripted_server_listen_again(struct scripted_server *server)
{
    listen_unix(server);
}

void scripted_server_stop(struct scripted_server *server)
{
    scripted_server_refuse(server);
    if (server->folder[0])
        rmdir(server->folder);
}

void scripted_send(struct scripted_conn *conn, const char *bytes, size_t len)
{
    while (len > 0 && !conn->is_closed) {
        ssize_t sent = send(conn->fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the client went away */
        bytes += sent;
        len -= (size_t)sent;
    }
}

void scripted_send_text(struct scripted_conn *conn, const char *text)
{
    scripted_send(conn, text, strlen(text));
}

void scripted_answer(struct scripted_conn *conn, int status, const char *body)
{
    char *text =
        mem_printf("HTTP/1.1 %d X\r\nApi-Version: 1.41\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    scripted_send_text(conn, text);
    free(text);
}

void scripted_close(struct scripted_conn *conn)
{
    if (conn->is_closed)
        return;
    conn->is_closed = true;
    event_del(&conn->event);
    close(conn->fd);
}

static bool is_false(void *owner)
{
    return !*(const bool *)owner;
}

void scripted_run_until(struct loop *loop, const bool *condition)
{
    scripted_run_while(loop, is_false, (void *)condition);
}

void scripted_run_while(struct loop *loop, bool (*is_waiting)(void *owner), void *owner)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t give_up = now.tv_sec + PATIENCE_S;
    while (is_waiting(owner)) {
        /* A timer of ours wakes the loop even when nothing else would. */
        event_base_loopexit(loop_base(loop), &(struct timeval){ .tv_usec = 100000 });
        event_base_loop(loop_base(loop), EVLOOP_ONCE);
        clock_gettime(CLOCK_MONOTONIC, &now);
        check(now.tv_sec < give_up);
    }
}

void scripted_run_turns(struct loop *loop, int turns)
{
    for (; turns > 0; turns--)
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}
