/* scripted_server: an HTTP peer that does what a test tells it, on the test's own loop: no thread, no sleep. Every
 * request goes to one callback, which answers, keeps the connection for later, or closes it. */
#ifndef TESTS_UNIT_BASE_SCRIPTED_SERVER_H
#define TESTS_UNIT_BASE_SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"

struct scripted_server;

struct scripted_conn {
    struct scripted_server *server;
    struct scripted_conn *next;
    struct event event;
    int fd;
    struct buf in;
    bool is_closed;
    void *tag; /* the test's */
};

/* head: the whole request head, NUL-terminated. */
typedef void (*scripted_request_cb)(void *owner, struct scripted_conn *conn, const char *head, const char *body);

struct scripted_server {
    struct loop *loop;
    struct event event;
    int fd;
    uint16_t port;   /* of a TCP server */
    char folder[64]; /* of a unix server */
    char path[96];
    struct scripted_conn *conns;
    size_t accepted_count, request_count;
    scripted_request_cb on_request;
    void *owner;
};

void scripted_server_start_tcp(struct scripted_server *server, struct loop *loop, scripted_request_cb on_request,
                               void *owner);
void scripted_server_start_unix(struct scripted_server *server, struct loop *loop, scripted_request_cb on_request,
                                void *owner);
void scripted_server_stop(struct scripted_server *server);       /* closes everything */
void scripted_server_refuse_new(struct scripted_server *server); /* listens no more, and goes on with whom it has */
void scripted_server_refuse(
    struct scripted_server *server); /* closes everything and listens no more, as a dead engine does */
void scripted_server_listen_again(struct scripted_server *server); /* unix only */

void scripted_send(struct scripted_conn *conn, const char *bytes, size_t len);
void scripted_send_text(struct scripted_conn *conn, const char *text);
/* "HTTP/1.1 <status> X" with Content-Length, Api-Version 1.41 and the body. */
void scripted_answer(struct scripted_conn *conn, int status, const char *body);
void scripted_close(struct scripted_conn *conn);

/* Runs the loop until *condition is true; fails the test after 10 s. */
void scripted_run_until(struct loop *loop, const bool *condition);
/* The same with a question. */
void scripted_run_while(struct loop *loop, bool (*is_waiting)(void *owner), void *owner);
/* Takes what is ready now, and what follows from it. */
void scripted_run_turns(struct loop *loop, int turns);

#endif
