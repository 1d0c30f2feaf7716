#include "proxy/balance/shares.h"

/* Starts at a random place, so that ties do not all go to the first. */
static size_t pick_least(const struct balancer_input *in)
{
    size_t best = (size_t)(in->random % in->count);
    uint64_t least = load_table_in_flight(in->loads, in->views[best].slot);
    for (size_t step = 1; step < in->count && least > 0; step++) {
        size_t i = (size_t)((in->random + step) % in->count);
        uint64_t load = load_table_in_flight(in->loads, in->views[i].slot);
        if (load < least) {
            best = i;
            least = load;
        }
    }
    return best;
}

/* One is drawn by weight, and the request moved to where that is worth most. */
static size_t least_conn_pick(const struct balancer_input *in)
{
    if (!in->shares)
        return pick_least(in);
    uint64_t more_random = balancer_mix(in->random);
    size_t drawn = shares_draw(in->shares, in->random), best = drawn, start = (uint32_t)more_random % in->count;
    double most = 0;
    for (size_t step = 0; step < in->count; step++) {
        size_t i = (start + step) % in->count;
        double worth = shares_move_worth(in->loads, &in->views[drawn], &in->views[i]);
        if (worth > most) {
            best = i;
            most = worth;
        }
    }
    return most > balancer_fraction(more_random) ? best : drawn;
}

const struct balancer_ops balancer_least_conn = {
    .name = "least_conn",
    .summary = "the endpoint with the fewest requests in flight for its weight; looks at all of them",
    .pick = least_conn_pick,
};
