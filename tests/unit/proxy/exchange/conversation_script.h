/* conversation_script: a conversation as bytes, so that a test can write it down and a fuzzer can find it. Two bytes first:
 * which proxy ('a' default, 'b' small limits, 'c' lenient behind trusted proxies, 'd' PROXY protocol both ways, 'e' limits
 * for each client, 'f' no retries and no idle connections to endpoints), and '@' plus the sum of
 *
 *     1 clients' bytes come one by one     2 endpoints' bytes come one by one     4 the worker's sends take one byte
 *     8 sockets are small                 16 time ends what is open, nobody closes it
 *
 * Then steps with 0x1e between them, of one letter and what it needs; '&' in front of it: the next step comes at the same
 * time. A client is there from the start.
 *
 *     C bytes, U bytes     the client sends, the endpoint sends
 *     L n, M n             the same with (n & 63) + 1 KiB of filling
 *     n, 0 1 2 3           a new client, which one is meant from now on
 *     u n                  which connection to an endpoint is meant: else the newest that is open
 *     h x r, H X R         half-close, close, reset by the client, by the endpoint
 *     b, B                 the client, the endpoint reads no more, or again
 *     t n                  time passes (1: 20 ms, 2: 100 ms, 3: 1 s, 4: 2 s, 5: 5 s, 6: 10 s, 7: 30 s, 8: 60 s, 9: 600 s)
 *     w n, p n             the worker's sends, receives move n & 15 bytes at most; 0: no limit
 *     k n, K               enum rig_connect for the next connections; those that hang are made
 *     m n                  ceiling of the worker's buffers, in 16 KiB
 *     d                    the worker drains
 *     s n                  a snapshot with (n & 3) both endpoints, the second only, none, without the service
 *     S n                  a snapshot with the settings of another proxy, and its service's; both together six times
 *
 * Afterwards the rig is asked whether anything is left, and what went out at both sides is read strictly: a broken
 * promise aborts. One thread. */
#ifndef TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_SCRIPT_H
#define TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SCRIPT_THEN "\x1e"

struct script_limits {
    unsigned step_count;    /* more are not taken */
    unsigned single_bytes;  /* that come one by one, before the rest comes at once */
    unsigned limited_calls; /* sends and receives that are cut, before others are not */
};

/* What was read, a line for each message; see struct reading. */
struct script_result {
    struct buf requests;  /* of all connections to endpoints, in the order of their making */
    struct buf responses; /* of all clients */
};

/* result: null, or to be given to script_result_fini. */
void script_run(const uint8_t *script, size_t len, const struct script_limits *limits, struct script_result *result);
void script_result_fini(struct script_result *result);
void script_free_rigs(void);

#endif
