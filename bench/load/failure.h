/* failure: why a request counts as an error; one kind each. Any thread; the texts are static. */
#ifndef BENCH_LOAD_FAILURE_H
#define BENCH_LOAD_FAILURE_H

/* X(identifier, name in the report) */
#define FAILURE_LIST(X)                                                                    \
    X(CONNECT, "connect")       /* no connection came about */                             \
    X(RESET, "reset")           /* the connection ended before the head was whole */       \
    X(TIMEOUT, "timeout")       /* not answered in time, or too long in the queue */       \
    X(STATUS_1XX, "status_1xx") /* whole answers with a status that is not expected */     \
    X(STATUS_2XX, "status_2xx")                                                            \
    X(STATUS_3XX, "status_3xx")                                                            \
    X(STATUS_4XX, "status_4xx")                                                            \
    X(STATUS_5XX, "status_5xx")                                                            \
    X(SHORT_BODY, "short_body") /* the connection ended within the body */                 \
    X(WRONG_BODY, "wrong_body") /* a whole body that is not the expected one */            \
    X(MALFORMED, "malformed")   /* not HTTP/1, or bytes that nobody asked for behind it */ \
    X(OVERRUN, "overrun")       /* was due while the queue was full; never sent */

enum failure {
    FAILURE_NONE = 0,
#define FAILURE_VALUE(id, name) FAILURE_##id,
    FAILURE_LIST(FAILURE_VALUE)
#undef FAILURE_VALUE
        FAILURE_COUNT
};

const char *failure_to_str(enum failure failure); /* "none" for FAILURE_NONE */

#endif
