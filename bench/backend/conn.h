/* conn: one client connection of the backend: reads requests, serves them for as long as they are to take, answers. Owned
 * by its server and its thread; freed by conn_free() only, at the end of a turn of the loop. */
#ifndef BENCH_BACKEND_CONN_H
#define BENCH_BACKEND_CONN_H

#include "bench/backend/request.h"
#include "bench/backend/response.h"
#include "bench/backend/server.h"

enum conn_state {
    CONN_READING_HEAD = 0,
    CONN_READING_BODY,
    CONN_QUEUED,  /* whole request read, waits for one of --concurrency places */
    CONN_SERVING, /* the delay runs */
    CONN_WRITING,
    CONN_PAUSED,   /* between two pieces of a slow body */
    CONN_LINGERING /* answered for the last time: reads to the end, so that no reset overtakes the response */
};

struct conn {
    int fd;
    enum conn_state state;
    bool is_readable, is_eof, is_dead, holds_place;
    struct bytes in, out;
    size_t sent;
    struct request request;
    struct response response;
    struct alarm alarm;
    struct server *server;
    struct conn_list *list; /* queue or dead, when it is in one */
    TAILQ_ENTRY(conn) link;
    LIST_ENTRY(conn) all_link;
};

void conn_open(struct server *s, int fd);
void conn_close(struct conn *c); /* it is in the server's list of dead ones then */
void conn_free(struct conn *c);

void conn_advance(struct conn *c);    /* as far as it goes now */
void conn_take_place(struct conn *c); /* the next of the queue is served */
void conn_on_alarm(struct conn *c);

#endif
