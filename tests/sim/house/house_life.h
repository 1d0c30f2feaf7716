/* house_life: what goes on by itself, whatever happens: time, the turns of the threads, and the supervisor that starts a
 * control again. */
#ifndef TESTS_SIM_HOUSE_HOUSE_LIFE_H
#define TESTS_SIM_HOUSE_HOUSE_LIFE_H

#include <stdint.h>

struct house_sum;

void house_life_open(uint64_t seed);          /* everything is new; no process runs */
void house_life_close(struct house_sum *sum); /* no proxy lives */

void house_life_restart_control_in(int64_t delay_ms);
void house_life_pass_time(int64_t us);
void house_life_turn_some(void); /* of the threads, by chance; those that had none for long in any case */

void house_life_make_peace(void);       /* nothing goes wrong any more, and nobody asks for more */
void house_life_rest(int64_t limit_ms); /* until all is quiet, at most */
void house_life_run(int64_t ms);        /* with whatever goes on */

#endif
