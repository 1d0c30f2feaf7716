/* tcp_probe: whether something listens at an address, by a TCP handshake and nothing more. One loop's thread only.
 *
 * The handshake is not finished: our side has its answer with the peer's SYN-ACK, and sends a reset in place of the last
 * acknowledgement (RFC 9293 3.10.7.3). The peer's program never hears of it, and neither host keeps a connection in
 * TIME-WAIT, or its connection tracking one for minutes.
 *
 * on_done comes from the loop, never from inside tcp_probe_start(), exactly once unless the probe is stopped. It may start
 * and stop any probe; it must not free the prober. */
#ifndef BASE_TCP_PROBE_H
#define BASE_TCP_PROBE_H

#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/loop.h"

enum tcp_probe_outcome {
    TCP_PROBE_CONNECTED = 0,
    TCP_PROBE_REFUSED, /* or unreachable: see `error` */
    TCP_PROBE_TIMEOUT,
    TCP_PROBE_NOT_SENT, /* the address is malformed, or we have no descriptor, port or memory left: see `error` */
    TCP_PROBE_OUTCOME_COUNT
};

struct tcp_probe_result {
    enum tcp_probe_outcome outcome;
    int error; /* errno; 0 where there is none */
    int64_t took_us;
};

typedef void (*tcp_probe_cb)(void *owner, const struct tcp_probe_result *result);

struct tcp_prober;
#define TCP_PROBER_SPARE_MAX 16 /* sockets of a family that wait for the next probe */

enum tcp_probe_state { TCP_PROBE_IDLE = 0, TCP_PROBE_CONNECTING, TCP_PROBE_DONE, TCP_PROBE_STATE_COUNT };

/* Embedded in its owner; stopped before the owner goes. */
struct tcp_probe {
    struct tcp_prober *prober; /* borrowed */
    enum tcp_probe_state state;
    tcp_probe_cb on_done;
    void *owner;        /* borrowed */
    int fd;             /* owned, while connecting */
    sa_family_t family; /* the same */
    struct event event;
    int64_t started_at_us;
    struct tcp_probe_result result; /* while done, until it is told */
    TAILQ_ENTRY(tcp_probe) link;    /* the same */
};

struct tcp_prober *tcp_prober_new(struct loop *loop);
void tcp_prober_free(struct tcp_prober *prober); /* no probe is under way; null is allowed */

void tcp_probe_init(struct tcp_probe *probe, struct tcp_prober *prober, tcp_probe_cb on_done, void *owner);
/* An idle one. address: "192.0.2.1:80" or "[2001:db8::1]:80", a port from 1 on. */
void tcp_probe_start(struct tcp_probe *probe, const char *address, int64_t timeout_ms);
void tcp_probe_stop(struct tcp_probe *probe); /* idempotent; on_done does not come any more */

#endif
