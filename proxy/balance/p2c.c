#include "proxy/balance/shares.h"

/* The other of two choices: any but the first. */
static size_t pick_another(const struct balancer_input *in, size_t first, uint32_t random)
{
    size_t other = random % (in->count - 1);
    return other >= first ? other + 1 : other;
}

static size_t pick_by_weight(const struct balancer_input *in)
{
    uint64_t more_random = balancer_mix(in->random);
    size_t a = shares_draw(in->shares, in->random), b = pick_another(in, a, (uint32_t)more_random);
    double worth = shares_move_worth(in->loads, &in->views[a], &in->views[b]);
    return worth > balancer_fraction(more_random) ? b : a;
}

/* Power of two choices (Mitzenmacher 2001): two at random, the less loaded one wins. Close to least-conn's balance at
 * constant cost, and without its herd effect when several workers see the same emptiest endpoint. */
static size_t p2c_pick(const struct balancer_input *in)
{
    if (in->count == 1)
        return 0;
    if (in->shares)
        return pick_by_weight(in);
    size_t a = (size_t)((uint32_t)in->random % in->count), b = pick_another(in, a, (uint32_t)(in->random >> 32));
    return load_table_in_flight(in->loads, in->views[b].slot) < load_table_in_flight(in->loads, in->views[a].slot) ? b
                                                                                                                   : a;
}

const struct balancer_ops balancer_p2c = {
    .name = "p2c",
    .summary = "two endpoints at random, the one with fewer requests in flight for its weight",
    .pick = p2c_pick,
};
