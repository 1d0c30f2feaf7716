/* conversation_rig: one real worker of the data plane in the calling thread, without a network and without real time. Its
 * clients and endpoints are the other ends of socket pairs; its loop is turned by hand until nothing is ready any more;
 * its clock stands still unless told otherwise; its random numbers start anew with each conversation. To be linked with
 * RIG_WRAPPED (--wrap, see Makefile): the system calls of the worker go through here, where they can be told to take or
 * to give less, or to fail. A broken promise prints why and aborts. One thread. */
#ifndef TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_RIG_H
#define TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proxy/process/worker_thread.h"
#include "proxy/upstream/pool.h"

#define RIG_CLIENTS_MAX 4
#define RIG_UPSTREAMS_MAX 8
#define RIG_SLOTS 4 /* rows of services, and of endpoints, that documents may take */
#define RIG_VIA "rig-5d1c93"

/* What happens to connections to endpoints from now on. */
enum rig_connect {
    RIG_CONNECT_WORKS = 0,
    RIG_CONNECT_HANGS, /* until rig_finish_connecting */
    RIG_CONNECT_REFUSED,
    RIG_CONNECT_FAILS_LATER,
    RIG_CONNECT_NO_DESCRIPTOR,
    RIG_CONNECT_COUNT
};

/* The rig's end of a connection. */
struct rig_peer {
    int fd;              /* -1: closed by the rig */
    int worker_fd;       /* -1: closed by the worker */
    bool is_open;        /* a connection has been made here */
    bool is_holding;     /* does not read: what the worker sends piles up */
    bool is_hanging;     /* still connecting */
    bool is_reset;       /* the worker finds a reset where the end would be */
    bool is_ending;      /* half-close when `unsent` is empty */
    bool has_end;        /* the worker has said its last */
    bool has_news;       /* something may be there to be read */
    int connect_error;   /* of a connection that fails later */
    struct buf unsent;   /* what did not fit into the socket yet */
    struct buf sent;     /* all that was put in */
    struct buf received; /* all that has come out */
};

struct rig {
    struct loop *main_loop;
    struct mailbox *main_mailbox;
    struct stats_region *stats;
    struct snapshot_builder *builder;
    struct snapshot *snapshot; /* the newest */
    unsigned old_snapshots;    /* that somebody still holds */
    unsigned kept_rows;        /* that are in use and have left the snapshot */
    unsigned drains_said;      /* that no request begins any more, in this conversation */
    struct worker_thread *thread;
    struct worker *worker; /* of that thread */
    int listen_fd, log_fd, epoll_fd;
    struct rig_peer clients[RIG_CLIENTS_MAX], upstreams[RIG_UPSTREAMS_MAX];
    size_t client_count, upstream_count;
    size_t send_bytes_max, receive_bytes_max; /* of one call of the worker; 0: no limit */
    unsigned limited_calls;                   /* how many calls more that is true for */
    bool has_small_sockets;                   /* those opened from now on */
    enum rig_connect connect;
    int64_t now_us;
    unsigned turn_count; /* of this conversation */
    uint64_t tries_before;
};

/* document: text of a snapshot document; endpoints may have any addresses. */
struct rig *rig_new(const char *document);
void rig_free(struct rig *rig);

/* Another document takes effect; between conversations or within one. Snapshots that nobody holds are freed at once. */
void rig_publish(struct rig *rig, const char *document);
/* Of the rows that it keeps the worker is to give back what is wanted. */
void rig_call_rows_in(struct rig *rig);

/* A conversation is what happens between these two. End closes what is open (or leaves it to the time-outs), and checks
 * that nothing is left of it in the worker. */
void rig_begin(struct rig *rig);
void rig_end(struct rig *rig, bool leaves_it_to_time);
/* Forgets what was sent and received; after rig_end. */
void rig_forget(struct rig *rig);

/* None of these turns the loop. Null: there are RIG_CLIENTS_MAX already. */
struct rig_peer *rig_open_client(struct rig *rig);
struct rig_peer *rig_open_client_with(struct rig *rig, const char *text); /* that is there when it is accepted */
void rig_put(struct rig_peer *peer, const void *bytes, size_t len);
size_t rig_read(struct rig_peer *peer, size_t len); /* so much at most, also of one that is holding */
void rig_half_close(struct rig_peer *peer);         /* behind what is unsent */
void rig_close(struct rig_peer *peer);
void rig_reset(struct rig_peer *peer);
void rig_finish_connecting(struct rig_peer *peer);

/* Until nothing is ready; then checks that whatever is open waits for something that has an end. */
void rig_settle(struct rig *rig);
void rig_pass_time(struct rig *rig, int64_t ms); /* and settles */
void rig_drain(struct rig *rig);                 /* until rig_end */
void rig_retire(struct rig *rig);                /* likewise: another proxy has taken over */
uint64_t rig_tries(const struct rig *rig);       /* requests given to endpoints in this conversation */

__attribute__((noreturn)) void rig_fail(const char *why, const char *detail);

#endif
