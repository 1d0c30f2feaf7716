#include "proxy/balance/balancer.h"

/* In turn, an endpoint of weight w getting w turns of every round. The cursor counts turns, so a pool that shrinks or
 * grows only shifts the phase. */
static size_t round_robin_pick(const struct balancer_input *in)
{
    uint64_t round = 0; /* in->count > 0 and weights are at least 1 */
    for (size_t i = 0; i < in->count; i++)
        round += in->views[i].weight;
    uint64_t turn = (*in->cursor)++ % round; /* NOLINT(clang-analyzer-core.DivideZero) */
    for (size_t i = 0; i < in->count; i++) {
        if (turn < in->views[i].weight)
            return i;
        turn -= in->views[i].weight;
    }
    return in->count - 1;
}

const struct balancer_ops balancer_round_robin = {
    .name = "round_robin",
    .summary = "each endpoint in turn, as often as its weight says",
    .pick = round_robin_pick,
};
