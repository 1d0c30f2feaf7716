/* sim_loop: libevent as far as Portico uses it, on the fake clock and the fake sockets. The linker puts it in libevent's
 * place (ld --wrap). Nothing ever waits: a loop has a turn when somebody gives it one; then it calls back whoever has
 * something to hear, in an order that the seed draws. */
#ifndef TESTS_SIM_HOUSE_SIM_LOOP_H
#define TESTS_SIM_HOUSE_SIM_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

/* What happens while a thread stands in a loop that only ends when it is stopped: gives it its turns, and returns when
 * sim_loop_is_stopped(). */
typedef void (*sim_loop_wait_cb)(struct event_base *base);
void sim_loop_set_wait(sim_loop_wait_cb wait);

void sim_loop_turn(struct event_base *base);
bool sim_loop_is_stopped(const struct event_base *base);
size_t sim_loop_count(void); /* that exist */

#endif
