/* upgrade_order: `portico upgrade`: tells the supervisor that runs with a state directory to upgrade itself, and waits for
 * what comes of it. A process of its own. */
#ifndef DAEMON_UPGRADE_ORDER_H
#define DAEMON_UPGRADE_ORDER_H

#define UPGRADE_ORDER_LIMIT_S 120 /* a trial and a take-over have limits that are shorter together */

/* The exit code: 0 upgraded, 1 refused, or nobody runs there; says which. */
int upgrade_order(const char *state_dir);

#endif
