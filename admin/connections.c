#include "admin/connections.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/bufferevent.h>

/* connection_on_adopt() reads the evhttp_connection out of the bufferevent's callback argument, where all of 2.1 keeps
 * it; 2.2 has evhttp_set_max_connections() and evhttp_set_newreqcb(), which make that needless. */
#if (LIBEVENT_VERSION_NUMBER >> 16) != 0x0201
#error "admin/connections.c is written for libevent 2.1"
#endif

#define SWEEP_EVERY_MS 1000
#define ACCEPT_ERROR_LINE_MS 60000

struct connection {
    LIST_ENTRY(connection) link;
    struct connections *all;         /* borrowed */
    struct bufferevent *stream;      /* (ref held until adopted) */
    struct event *adopt;             /* owned; runs once, right after evhttp has taken the stream */
    struct evhttp_connection *evcon; /* borrowed; null until adopted */
    int64_t deadline_at_ms;
    connections_gone_cb on_gone; /* null: nobody waits */
    void *owner;                 /* borrowed; of on_gone */
};

static void connection_free(struct connection *connection)
{
    struct connections *all = connection->all;
    if (connection->on_gone)
        connection->on_gone(connection->owner);
    LIST_REMOVE(connection, link);
    all->open_count--;
    event_free(connection->adopt);
    if (!connection->evcon)
        bufferevent_decref(connection->stream);
    free(connection);
    if (all->open_count < CONNECTIONS_MAX)
        evconnlistener_enable(all->listener);
}

static void connection_on_close(struct evhttp_connection *evcon, void *arg)
{
    (void)evcon;
    connection_free(arg);
}

/* The one that has been without a whole request for longest: it is idle, or its bytes drip. False: none is adopted yet. */
static bool close_oldest(struct connections *c)
{
    struct connection *connection, *oldest = NULL;
    LIST_FOREACH (connection, &c->open, link) {
        if (connection->evcon && (!oldest || connection->deadline_at_ms <= oldest->deadline_at_ms))
            oldest = connection;
    }
    if (oldest)
        evhttp_connection_free(oldest->evcon); /* calls connection_on_close */
    return oldest != NULL;
}

static void connection_on_adopt(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct connection *connection = arg;
    void *evcon = NULL;
    bufferevent_getcb(connection->stream, NULL, NULL, NULL, &evcon);
    if (!evcon) { /* evhttp could not use the socket and let go of the stream */
        connection_free(connection);
        return;
    }
    bufferevent_decref(connection->stream);
    connection->evcon = evcon;
    evhttp_connection_set_closecb(connection->evcon, connection_on_close, connection);
    if (connection->all->open_count >= CONNECTIONS_MAX)
        close_oldest(connection->all);
}

/* No descriptor is free, say: the listener stays readable and would be tried again without end. The next sweep goes on. */
static void connections_on_accept_error(struct evconnlistener *listener, void *http)
{
    static int64_t said_at_ms;
    int64_t now_ms = clock_now_ms();
    const char *why = strerror(errno);
    (void)http;
    if (said_at_ms == 0 || now_ms - said_at_ms >= ACCEPT_ERROR_LINE_MS)
        log_error("admin: no connection can be accepted: %s; tried again each second", why);
    said_at_ms = now_ms;
    evconnlistener_disable(listener);
}

/* evhttp asks for the stream of a connection that it has just accepted. */
static struct bufferevent *connections_on_accept(struct event_base *base, void *arg)
{
    struct connections *c = arg;
    struct bufferevent *stream = bufferevent_socket_new(base, -1, 0);
    check(stream != NULL);
    struct connection *connection = mem_alloc(sizeof *connection);
    *connection =
        (struct connection){ .all = c, .stream = stream, .deadline_at_ms = clock_now_ms() + CONNECTIONS_DEADLINE_MS };
    connection->adopt = event_new(base, -1, 0, connection_on_adopt, connection);
    check(connection->adopt != NULL);
    bufferevent_incref(stream);
    bufferevent_setwatermark(stream, EV_READ, 0, CONNECTIONS_INPUT_BYTES_MAX);
    event_active(connection->adopt, EV_TIMEOUT, 0);
    LIST_INSERT_HEAD(&c->open, connection, link);
    if (++c->open_count >= CONNECTIONS_MAX && !close_oldest(c))
        evconnlistener_disable(c->listener); /* all came in this turn; one that is adopted can make room */
    return stream;
}

static void connections_on_sweep(void *owner)
{
    struct connections *c = owner;
    connections_sweep(c, clock_now_ms());
    if (c->open_count < CONNECTIONS_MAX)
        evconnlistener_enable(c->listener);
}

void connections_init(struct connections *c, struct loop *loop, struct evhttp *http, struct evconnlistener *listener)
{
    *c = (struct connections){ .loop = loop, .listener = listener };
    LIST_INIT(&c->open);
    evhttp_set_timeout(http, CONNECTIONS_SILENCE_S);
    evhttp_set_bevcb(http, connections_on_accept, c);
    evconnlistener_set_error_cb(listener, connections_on_accept_error);
    timer_init(&c->sweep, loop, connections_on_sweep, c);
    timer_start_every(&c->sweep, SWEEP_EVERY_MS);
}

void connections_fini(struct connections *c)
{
    struct connection *connection, *next;
    timer_stop(&c->sweep);
    connections_sweep(c, INT64_MAX);
    for (connection = LIST_FIRST(&c->open); connection;
         connection = next) { /* not adopted yet: evhttp_free() closes them */
        next = LIST_NEXT(connection, link);
        connection_free(connection);
    }
    evconnlistener_disable(c->listener);
}

/* evhttp goes on reading while it writes, to learn of the client's end: its time-out for silence would end an answer that
 * is on its way. */
static void expect_silence(struct evhttp_connection *evcon, bool on)
{
    const struct timeval silence = { .tv_sec = CONNECTIONS_SILENCE_S };
    bufferevent_set_timeouts(evhttp_connection_get_bufferevent(evcon), on ? NULL : &silence, on ? NULL : &silence);
}

static void connection_on_answered(struct evhttp_request *request, void *arg)
{
    struct connection *connection = arg;
    connection->deadline_at_ms = clock_now_ms() + CONNECTIONS_DEADLINE_MS;
    expect_silence(evhttp_request_get_connection(request), false);
}

void connections_begin_answer(struct connections *c, struct evhttp_request *request, size_t bytes, int64_t now_ms)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(request);
    struct connection *connection;
    LIST_FOREACH (connection, &c->open, link) {
        if (connection->evcon != evcon)
            continue;
        int64_t reading_ms = (int64_t)bytes * 1000 / CONNECTIONS_READER_BYTES_PER_S;
        connection->deadline_at_ms = now_ms + CONNECTIONS_DEADLINE_MS + reading_ms;
        expect_silence(evcon, true);
        evhttp_request_set_on_complete_cb(request, connection_on_answered, connection);
    }
}

/* While an answer waits, evhttp ends the program when the client sends more (evhttp_read_cb() knows no such state), and
 * lets go of the request, which is then nobody's, when the client ends. Sending the answer reads again. */
void connections_watch(struct connections *c, struct evhttp_connection *evcon, connections_gone_cb on_gone, void *owner)
{
    struct connection *connection;
    if (on_gone)
        bufferevent_disable(evhttp_connection_get_bufferevent(evcon), EV_READ);
    LIST_FOREACH (connection, &c->open, link) {
        if (connection->evcon == evcon) {
            connection->on_gone = on_gone;
            connection->owner = owner;
            connection->deadline_at_ms = clock_now_ms() + CONNECTIONS_DEADLINE_MS;
        }
    }
}

void connections_sweep(struct connections *c, int64_t now_ms)
{
    struct connection *connection, *next;
    for (connection = LIST_FIRST(&c->open); connection; connection = next) {
        next = LIST_NEXT(connection, link);
        if (connection->evcon && now_ms >= connection->deadline_at_ms)
            evhttp_connection_free(connection->evcon); /* calls connection_on_close */
    }
}
