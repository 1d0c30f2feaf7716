/* exchange_parts: what the exchange*.c files have from each other, and nobody else. After a call that can end the exchange,
 * x->conn->exchange tells whether it has. One worker. */
#ifndef PROXY_EXCHANGE_EXCHANGE_PARTS_H
#define PROXY_EXCHANGE_EXCHANGE_PARTS_H

#include "proxy/exchange/exchange.h"
#include "proxy/upstream/pool.h"

/* exchange_try.c: chooses an endpoint and connects or reuses; answers by itself when there is none. */
void exchange_try(struct exchange *x);
/* The present try has failed. Tries again where that is safe, else answers with status, or aborts when the response
 * began. */
void exchange_try_failed(struct exchange *x, enum exchange_end end, int status, bool was_unprocessed);
/* There is no connection to the endpoint of the present try, so nobody has had the request: the endpoint is to blame, and
 * shunned for a while. */
void exchange_connect_failed(struct exchange *x, enum exchange_end end, int status);
void exchange_blame_endpoint(struct exchange *x); /* counts a failure of the endpoint of the present try */
/* exchange_head.c: builds `head`. service: null when there is no route. False: no buffer. */
bool exchange_build_head(struct exchange *x, const struct h1_request *request, const char *head,
                         const struct snapshot_service *service);
/* The present endpoint is what a request without Host is for. */
void exchange_name_endpoint(struct exchange *x);
/* exchange_request.c */
/* A whole request or response need not leave at once: sent together at the end of the turn, those of a turn wake each
 * receiver once. False: too many wait, send it now. */
bool exchange_send_soon(struct exchange *x);
void exchange_gather_body(struct exchange *x); /* what has come of a body goes into `head`, while it fits */
void exchange_send_request(struct exchange *x);
/* exchange_response.c */
void exchange_relay_response(struct exchange *x);
/* exchange_tunnel.c: w->response is a 101 that fits the request; its head has been put into the client's `out`. */
void exchange_start_tunnel(struct exchange *x);
void exchange_pump_to_upstream(struct exchange *x);
void exchange_pump_to_client(struct exchange *x);
void exchange_tunnel_on_client_eof(struct exchange *x);
void exchange_tunnel_on_upstream_eof(struct exchange *x);
/* The events of its upstream connection; the taker is the exchange. */
void exchange_on_connected(void *taker, int cause);
void exchange_on_upstream_readable(void *taker);
void exchange_on_upstream_writable(void *taker);
/* exchange_wait.c: whom it waits for, and for how long. The client owes or does not take some of a body: it must keep up a
 * rate. Else the endpoint is waited for. */
bool exchange_waits_for_client(const struct exchange *x);
void exchange_await(struct exchange *x); /* something has moved, or may now: the time-out begins anew */
void exchange_set_up_deadlines(struct worker *w);
/* exchange_log.c: one line for the access log, which is on. */
void exchange_log(struct exchange *x);
/* exchange.c */
void exchange_repin(struct exchange *x);         /* lets go of its snapshot for the newest; between tries */
void exchange_count_latency(struct exchange *x); /* the response head has come, or the end without one */
void exchange_end_retry(struct exchange *x);     /* there will be no further try */
/* The endpoint has said its last: its connection is free for others, and it has nothing in flight for this client. */
void exchange_end_response(struct exchange *x);
void exchange_finish(struct exchange *x);                                  /* complete: next request */
void exchange_fail(struct exchange *x, enum exchange_end end, int status); /* answer, or abort when it began */
void exchange_release_upstream(struct exchange *x, bool is_reusable);
/* Of the response's content: what waits for the client in memory has not gone to it. */
uint64_t exchange_sent_bytes(const struct exchange *x);

#endif
