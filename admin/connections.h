/* connections: how many clients an evhttp server holds and for how long. evhttp has a timeout between two reads only,
 * so that a client that sends a byte now and then keeps its place for ever, and one that reads a long answer for longer than
 * that is cut off; here each connection has a deadline, moved on by complete requests and by answers according to their
 * length, and where all places are taken the one that was without a request for longest makes room: idle
 * or dripping clients keep nobody waiting. What a client sends while an answer leaves, evhttp would read without end; here
 * it stays with the client beyond a limit. Control thread only; embedded in its owner.
 *
 *   accept -> adopted (deadline set) -> request complete (deadline moved) -> answered (deadline moved) -> closed by the peer,
 * by evhttp, or by the deadline */
#ifndef ADMIN_CONNECTIONS_H
#define ADMIN_CONNECTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/http.h>
#include <event2/listener.h>

#include "base/loop.h"

#define CONNECTIONS_MAX 64
#define CONNECTIONS_DEADLINE_MS 10000
#define CONNECTIONS_SILENCE_S 10                  /* between two reads of a request */
#define CONNECTIONS_READER_BYTES_PER_S (64 << 10) /* whoever reads an answer more slowly than this is cut off */
#define CONNECTIONS_INPUT_BYTES_MAX ((1 << 20) + (64 << 10)) /* that wait to be understood: more than a request has */

struct connection;

typedef void (*connections_gone_cb)(void *owner);

struct connections {
    struct loop *loop;               /* borrowed */
    struct evconnlistener *listener; /* borrowed */
    struct timer sweep;
    LIST_HEAD(, connection) open; /* owned */
    size_t open_count;
};

/* Before the listener accepts. */
void connections_init(struct connections *c, struct loop *loop, struct evhttp *http, struct evconnlistener *listener);

/* Before evhttp_free(); open connections are closed. */
void connections_fini(struct connections *c);

/* Right before the answer to a complete request is handed to evhttp, with how many bytes of body: they have
 * CONNECTIONS_DEADLINE_MS and what their length needs to leave, and then the next request has CONNECTIONS_DEADLINE_MS. */
void connections_begin_answer(struct connections *c, struct evhttp_request *request, size_t bytes, int64_t now_ms);

/* Who will answer its request later hears when the connection goes, CONNECTIONS_DEADLINE_MS from now at the latest; null: nobody.
 * Until it is answered nothing is read from it: a client that ends is seen by the answer, or by that deadline. */
void connections_watch(struct connections *c, struct evhttp_connection *evcon, connections_gone_cb on_gone,
                       void *owner);

/* Closes what is past its deadline; what the timer calls. */
void connections_sweep(struct connections *c, int64_t now_ms);

#endif
