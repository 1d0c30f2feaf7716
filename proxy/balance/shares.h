/* shares: what unequal weights mean, prepared once for a list of endpoints so that a choice costs little. Immutable: made
 * with a snapshot, read by all workers. Pure. */
#ifndef PROXY_BALANCE_SHARES_H
#define PROXY_BALANCE_SHARES_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/balance/balancer.h"

/* The caller owns it. Null when all weights are equal: then nothing has to be prepared. */
struct shares *shares_new(const struct endpoint_view *views, size_t count);
void shares_free(struct shares *shares); /* null is fine */

/* An endpoint at random, each as often as its weight says. O(1). */
size_t shares_draw(const struct shares *shares, uint64_t random);
/* Whose turn that is: in every round, each endpoint has the turns of its weight, spread over the round. O(log n). */
size_t shares_turn(const struct shares *shares, uint64_t turn);

/* The worth of moving a request from a, which was drawn, to b: 0, none; at 1 and beyond it is to be moved, in between with
 * that probability.
 *
 * What a carries beyond b's load taken to a's weight is its surplus. Were that moved whenever there is one, the heavy would
 * lose their share at low load: with one request in flight it is on them most of the time, and the light ones are free. So
 * the surplus of a heavier endpoint counts less, by the square of the weights' ratio: once for how often it is drawn, once
 * for how often it is the one that carries the request. Then as much is moved one way as the other when the loads are
 * as the weights, whatever their number, and everything goes to b when a is far above its share. Equal weights: the whole
 * surplus, never a fraction. */
static inline double shares_move_worth(const struct load_table *loads, const struct endpoint_view *a,
                                       const struct endpoint_view *b)
{
    double ratio = (double)b->weight / a->weight;
    double surplus =
        (double)load_table_in_flight(loads, a->slot) - (double)load_table_in_flight(loads, b->slot) / ratio;
    if (surplus <= 0)
        return 0;
    return ratio < 1 ? surplus * ratio * ratio : surplus;
}

#endif
