/* house_walk: a random walk of the whole house. A step is one thing that happens outside of Portico: a client connects,
 * sends, receives or goes away; a task receives or answers; time passes; a container dies or falls ill; the configuration
 * is changed; a process is killed. After it, some of the four threads get a turn, each at least every 50 ms. The weather
 * changes: in calm weather only people change their minds and control is killed, and every request must succeed; in a
 * storm, containers and proxies die too. At the end all is left in peace, and must come to rest (house_rules.h).
 *
 * The same seed walks the same way. */
#ifndef TESTS_SIM_HOUSE_HOUSE_WALK_H
#define TESTS_SIM_HOUSE_HOUSE_WALK_H

#include <stdint.h>

#define HOUSE_PEACE_MS 180000 /* longer than every back-off, grace and time-out together */

struct house_sum {
    uint64_t steps, turns, requests, answered, owed, tunnels, refused, cut, reloads, kills, fake_ms;
};

/* Null, or what was violated; valid until the next walk. Adds to sum. */
const char *house_walk(uint64_t seed, uint64_t steps, struct house_sum *sum);

#endif
