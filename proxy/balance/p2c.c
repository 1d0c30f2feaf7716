#include "proxy/balance/balancer.h"

/* Power of two choices (Mitzenmacher 2001): two at random, the less loaded one wins. Close to least-conn's balance at
 * constant cost, and without its herd effect when several workers see the same emptiest endpoint. */
static size_t p2c_pick(const struct balancer_input *in)
{
    if (in->count == 1)
        return 0;
    size_t a = (size_t)((uint32_t)in->random % in->count);
    size_t b = (size_t)((uint32_t)(in->random >> 32) % (in->count - 1));
    if (b >= a)
        b++;
    return balancer_is_less_loaded(in, &in->views[b], &in->views[a]) ? b : a;
}

const struct balancer_ops balancer_p2c = {
    .name = "p2c",
    .summary = "two endpoints at random, the one with fewer requests in flight for its weight",
    .pick = p2c_pick,
};
