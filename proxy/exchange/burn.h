/* burn: makes a build slower on purpose, by PORTICO_BURN_NS_PER_REQUEST of CPU time for each request. Never set in a release: it
 * is how the benchmark harness proves that it sees such a difference (docs/benchmarks.md). Any thread. */
#ifndef PROXY_EXCHANGE_BURN_H
#define PROXY_EXCHANGE_BURN_H

#include "base/clock.h"

#ifndef PORTICO_BURN_NS_PER_REQUEST
#define PORTICO_BURN_NS_PER_REQUEST 0
#endif

static inline void burn_for_a_request(void)
{
    if (PORTICO_BURN_NS_PER_REQUEST == 0)
        return;
    int64_t until_us = clock_now_us() + PORTICO_BURN_NS_PER_REQUEST / 1000;
    while (clock_now_us() < until_us)
        ;
}

#endif
