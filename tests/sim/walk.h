/* walk: a random walk of one simulated world: changes of mind, of the definition and of circumstances, kills of control,
 * troubles of the engine. What must hold is checked at every step (tests/sim/world_invariants.h) and at the end, when
 * all is left in peace: exactly what was asked for last is there, and nothing else. The same seed walks the same way. */
#ifndef TESTS_SIM_WALK_H
#define TESTS_SIM_WALK_H

#include "tests/sim/controller_world.h"

struct walk {
    uint64_t seed;
    int steps;                               /* changes, 0.1 to 5 s apart */
    bool is_troubled;                        /* containers and the engine fail too, not only minds change */
    bool hides_unusable, forgets_unanswered; /* planted faults, see struct world */
};

#define WALK_PEACE_MS 600000 /* longer than every back-off, grace and delay of the world together */

/* Null, or the first thing that was wrong. Valid until the next walk. */
const char *walk_run(struct world *w, const struct walk *walk);

/* ---- for longer tests ---- */
uint64_t walk_random(struct world *w, uint64_t limit); /* below limit */
void walk_harm_one(struct world *w); /* a container falls ill, dies or loses its address; or gets it back */
void walk_make_peace(struct world *w);

#endif
