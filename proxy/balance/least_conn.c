#include "proxy/balance/balancer.h"

/* Starts at a random place, so that ties do not all go to the first. */
static size_t least_conn_pick(const struct balancer_input *in)
{
    size_t best = (size_t)(in->random % in->count);
    for (size_t step = 1; step < in->count; step++) {
        size_t i = (size_t)((in->random + step) % in->count);
        if (balancer_is_less_loaded(in, &in->views[i], &in->views[best]))
            best = i;
    }
    return best;
}

const struct balancer_ops balancer_least_conn = {
    .name = "least_conn",
    .summary = "the endpoint with the fewest requests in flight for its weight; looks at all of them",
    .pick = least_conn_pick,
};
