/* house_rules: what must hold. Violations go to house_violated().
 *
 *  Of requests (told by clients and tasks):
 *  - Each gets one whole answer, of its own task, with its own bytes; or it can see that it got none (sim_clients.c).
 *  - It is refused or cut off only where there is a reason outside of the house: it asked for an answer that goes wrong, or
 *    took its time; a proxy was killed, or tasks died, just before or meanwhile; its service was not configured, or had no
 *    task that has been healthy for a while. Reloads, restarts of control, deployments and scaling are no such reason.
 *  - A tunnel goes on until its client or its task ends it, and nothing is lost in it; it is cut off only where its task was
 *    stopped, or there was trouble.
 *  - One that must not be repeated reaches one task, once; any other two at most.
 *
 *  Of orders to the engine:
 *  - No container is stopped before it has left every worker's rotation, and its requests and tunnels have ended, or their
 *    deregistration delay is over. None is removed while it runs.
 *  - Nothing is created beyond desired + RECONCILER_SURGE, and no turn of control takes the routable tasks below
 *    min(desired, those that were before it).
 *
 *  At every step:
 *  - What control counts as out of rotation is in no worker's snapshot.
 *  - The counters of each worker are those of its open exchanges and tunnels; it has no descriptor open but for its connections.
 *  - A proxy has few snapshots, and refuses none.
 *
 *  When all is quiet:
 *  - Nothing is in flight, no memory is held for requests, no old snapshot lives.
 *  - As many tasks run as were asked for last, and no other container is left.
 *  - Each worker goes by exactly these, and has a route for every service that is configured. */
#ifndef TESTS_SIM_HOUSE_HOUSE_RULES_H
#define TESTS_SIM_HOUSE_HOUSE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct container;
struct request;
struct wish;

void rules_reset(void);

/* Something went wrong outside of the house: for a while, requests may fail. */
void rules_note_trouble(void);
void rules_note_killed_proxy(void); /* which is trouble too */
void rules_note_configured(size_t service, bool is_configured);
bool rules_is_configured(size_t service);
void rules_note_asked(size_t service, int64_t desired); /* somebody wants so many */

void rules_on_request(const struct wish *wish, const struct container *container); /* a task has its head */
const char *rules_excuse_of(const struct request *request); /* why it need not be answered; null: it must be */
void rules_on_refusal(const struct request *request, int status);
/* idle_since_ms: 0: the connection was in use before. */
void rules_on_cut(const struct request *request, int64_t idle_since_ms);
/* An answer that only the end of its connection ends, to a client of HTTP/1.0, from a task that said its length: whatever goes wrong,
 * the client must see a reset. Only who is killed cannot see to that. */
void rules_on_short_end(const struct request *request);
void rules_on_tunnel_cut(const struct request *request); /* behind its 101 */
/* All that was sent into a tunnel has come to its task; has it? True also of those that are not remembered. */
void rules_on_tunnel_upload(const struct wish *wish);
bool rules_has_tunnel_upload(const struct wish *wish);

void rules_on_create(size_t service);
void rules_on_stop(const struct container *container);
void rules_before_control(void); /* around each turn of control */
void rules_after_control(void);
void rules_check_step(void);
bool rules_are_quiet(void); /* what should come to rest has */
void rules_check_quiet(void);

#endif
