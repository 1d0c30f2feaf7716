/* termination: how an exchange ended, in two letters for the access log, after HAProxy's termination state (its
 * configuration manual, 8.5). Pure; any thread.
 *
 *   first, who ended it:  -  nobody: it is complete        second, what was under way:  R  request head or body
 *                         C  the client went away                                        C  connecting to an endpoint
 *                         S  the endpoint refused or broke off, or there is none         H  waiting for a response head
 *                         P  the proxy refused                                           D  response body
 *                         c  the client took too long                                    T  tunnel
 *                         s  the endpoint took too long                                  -  nothing
 *                         R  the proxy had no memory, descriptor or row of counters left for it
 *                         K  the proxy had to end, and the time to drain was over */
#ifndef PROXY_LOG_TERMINATION_H
#define PROXY_LOG_TERMINATION_H

#include <stdbool.h>

/* Why an exchange ended, for the access log. */
enum exchange_end {
    EXCHANGE_END_COMPLETE = 0,
    EXCHANGE_END_NO_ROUTE,
    EXCHANGE_END_AMBIGUOUS_PATH, /* its encoded slashes would lead elsewhere if they were slashes */
    EXCHANGE_END_NO_ENDPOINT,
    EXCHANGE_END_REFUSED_METHOD,
    EXCHANGE_END_REFUSED_EXPECTATION,
    EXCHANGE_END_LOOP,
    EXCHANGE_END_FORWARDS_SPENT, /* Max-Forwards was 0: the answer is ours */
    EXCHANGE_END_RATE_LIMITED,
    EXCHANGE_END_CONNECT_FAILED,
    EXCHANGE_END_CONNECT_TIMEOUT,
    EXCHANGE_END_UPSTREAM_BROKEN,
    EXCHANGE_END_UPSTREAM_MALFORMED,
    EXCHANGE_END_RESPONSE_TIMEOUT,
    EXCHANGE_END_REQUEST_TIMEOUT, /* all tries together took too long */
    EXCHANGE_END_BODY_TIMEOUT,
    EXCHANGE_END_TUNNEL_TIMEOUT,
    EXCHANGE_END_BODY_MALFORMED,
    EXCHANGE_END_CLIENT_GONE,
    EXCHANGE_END_NO_BUFFER,
    EXCHANGE_END_NO_ROW,      /* its endpoint or service has left, and others need the row of counters */
    EXCHANGE_END_DRAIN_LIMIT, /* the proxy had to end */
    EXCHANGE_END_COUNT
};

const char *exchange_end_to_str(enum exchange_end end);

/* What was under way when it ended. */
enum termination_phase {
    TERMINATION_REQUEST = 0,     /* the client still owes some of the request, or no endpoint has been chosen yet */
    TERMINATION_REQUEST_BLOCKED, /* the endpoint does not take what there is of the request */
    TERMINATION_CONNECT,
    TERMINATION_HEAD,         /* the endpoint owes a response head */
    TERMINATION_DATA,         /* the endpoint owes some of the response */
    TERMINATION_DATA_BLOCKED, /* the client does not take what there is of the response */
    TERMINATION_TUNNEL,
    TERMINATION_PHASE_COUNT
};

struct termination {
    char text[3];
};

struct termination termination_of(enum exchange_end end, enum termination_phase phase);

/* What is never left out of a sampled log: 5xx, no answer at all, and what broke off. A request that the proxy answered
 * with less than 500 because it refused it is no failure. */
bool termination_is_failure(const char *termination, int status);

#endif
