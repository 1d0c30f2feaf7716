/* sim_clients: clients with keep-alive connections. Each sends requests, sometimes several without waiting, in pieces, and
 * reads the answers in pieces. What comes must be exactly one whole answer for each, of the right request; what a client may
 * be refused, and when, house_rules says. */
#ifndef TESTS_SIM_HOUSE_SIM_CLIENTS_H
#define TESTS_SIM_HOUSE_SIM_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/house/sim_message.h"

#define CLIENTS_MAX 12

struct request {
    struct wish wish;
    int64_t started_at_ms;
};

/* Requests: answered: 2xx; refused: another status; cut: without a whole answer; given up: by their client; owed: of the
 * answered, those that had to be; tunnels: of the answered, those that were one. */
struct clients_sum {
    uint64_t asked, answered, refused, cut, given_up, owed, tunnels;
};

void clients_reset(void);
bool clients_step(void);    /* one of them does something; false: none had anything to do */
bool clients_give_up(void); /* one of them goes away, whatever it waits for */
/* No further requests, and none that is not answered whole is begun: what is under way is finished. */
void clients_set_quiet(bool is_quiet);
void clients_set_hostile(bool are_hostile); /* they ask for answers that go wrong */
size_t clients_waiting(void);               /* requests without an answer so far */
size_t clients_connected(void);
struct clients_sum clients_sum(void);

/* For scenarios: a client that has nothing to do asks this service for something. False: none is free. */
bool clients_ask(const struct wish *wish);
uint32_t clients_next_id(void);
void clients_hold_tunnels(bool hold); /* they do not end them */

#endif
