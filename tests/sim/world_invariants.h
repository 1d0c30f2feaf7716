/* world_invariants: what must hold at every step of every simulated world, whatever the test is about. Called by the
 * world itself; a violation goes to world_violated().
 *
 *  - Floor: no turn of the controller takes the containers that serve (all revisions) below min(desired, those that
 *    served before it).
 *  - Ceiling: nothing is created beyond desired + RECONCILER_SURGE, counting what is being created and leaving out what
 *    drains, ends or is cancelled.
 *  - What exists counts: a managed container that the registry does not show is a creation under way.
 *  - An engine that is away is not called. */
#ifndef TESTS_SIM_WORLD_INVARIANTS_H
#define TESTS_SIM_WORLD_INVARIANTS_H

#include "tests/sim/controller_world.h"

void world_check_create(struct world *w, const char *service);
void world_check_reachable(struct world *w);
void world_check_before_tick(struct world *w);
void world_check_after_tick(struct world *w);

#endif
