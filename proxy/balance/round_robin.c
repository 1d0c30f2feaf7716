#include "proxy/balance/shares.h"

/* In turn, an endpoint of weight w getting w turns of every round. The cursor counts turns, so a pool that shrinks or
 * grows only shifts the phase. */
static size_t round_robin_pick(const struct balancer_input *in)
{
    uint64_t turn = (*in->cursor)++;
    return in->shares ? shares_turn(in->shares, turn) : (size_t)(turn % in->count);
}

const struct balancer_ops balancer_round_robin = {
    .name = "round_robin",
    .summary = "each endpoint in turn, as often as its weight says, the turns of a heavy one spread over the round",
    .pick = round_robin_pick,
};
