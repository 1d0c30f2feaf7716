/* sim_tasks: the programs in the containers. Each takes connections, reads requests whole and gives the answer that they
 * ask for, a piece at a time, whenever it is told to go on. */
#ifndef TESTS_SIM_HOUSE_SIM_TASKS_H
#define TESTS_SIM_HOUSE_SIM_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct container;

void tasks_reset(void);
bool tasks_step(void);                                 /* one of them does something; false: none had anything to do */
void tasks_end(const struct container *c);             /* its program has ended */
size_t tasks_open_requests(const struct container *c); /* begun, or about to, and not answered whole */
size_t tasks_open_tunnels(const struct container *c);  /* of these */
size_t tasks_busy_count(void);                         /* connections with such a request */
bool tasks_close_idle(void);           /* one connection that waits for a request is closed, as servers do */
void tasks_hold_tunnels(bool hold);    /* they do not end them first */
void tasks_set_silent(bool is_silent); /* some connections to what is gone are not even refused */

#endif
