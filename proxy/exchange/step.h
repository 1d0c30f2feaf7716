/* step: what a part of an exchange has come to. The parts return it; proxy/exchange/exchange.c alone ends, fails or retries an
 * exchange by it. Pure; any thread. */
#ifndef PROXY_EXCHANGE_STEP_H
#define PROXY_EXCHANGE_STEP_H

#include <stdbool.h>

#include "proxy/exchange/client_side.h"
#include "proxy/log/termination.h"

enum step {
    STEP_BLOCKED = 0, /* something is waited for, under a deadline */
    STEP_MORE,        /* what there was has been dealt with, and nothing is in the way of more */
    STEP_DONE,        /* the exchange is complete */
    STEP_RETRY,       /* the present try has failed, and its client knows nothing of it: another may be made */
    STEP_FAIL,        /* it cannot go on: answered with `status`, or broken off when the answer has begun */
    STEP_GONE         /* its client is to hear no more, or cannot */
};

/* Why, behind RETRY, FAIL and GONE. */
struct outcome {
    enum exchange_end end;           /* of GONE, COMPLETE: the client has gone by itself */
    int status;                      /* of FAIL; of RETRY, if there is no other try */
    bool was_unprocessed;            /* of RETRY: no endpoint can have acted on the request */
    enum client_departure departure; /* of GONE */
};

#endif
