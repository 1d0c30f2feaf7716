/* house: the whole of Portico in one thread, without the world: the real control (registry, controller, publisher) and the
 * real proxy (its main thread, its workers) on one fake clock, with a fake engine, fake sockets, tasks and clients around
 * them. There is one house at a time. What each file of this folder stands for:
 *
 *   sim_loop      libevent, on the fake clock: a loop turns when it is told to
 *   sim_net       the kernel: sockets, listening sockets, eventfds, and the processes that own them
 *   sim_engine    Docker: containers, what is asked of it takes time, and may fail
 *   sim_tasks     the programs in the containers: they answer requests, each in the way that the request asks for
 *   sim_clients   clients, and what they have a right to expect of every answer
 *   house_proxy, house_control   the two processes of the real code, which start, are killed and start again
 *   house_rules   what must hold at every step, and when all is quiet
 *   house_walk    what happens: at random, or as a scenario file has it
 *
 * Everything that is random comes from one seed, so that a seed always walks the same way. */
#ifndef TESTS_SIM_HOUSE_HOUSE_H
#define TESTS_SIM_HOUSE_HOUSE_H

#include <stdbool.h>
#include <stdint.h>

#define HOUSE_SERVICES 3

void house_reset(uint64_t seed); /* the clock stands at its beginning, nothing has been violated */

uint64_t house_random(uint64_t limit); /* below limit, which is > 0 */
bool house_chance(uint64_t percent);

int64_t house_now_ms(void);
int64_t house_now_us(void);
void house_pass_time(int64_t us);

/* What must never be. The first one is kept. */
void house_violated(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *house_violation(void); /* null: none */

#endif
