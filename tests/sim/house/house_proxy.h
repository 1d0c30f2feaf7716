/* house_proxy: the proxy's process, all of it from proxy_run() down, and the supervisor's part between the two processes.
 * The process stands in its main loop; the world goes on from there (house_proxy_live), and its workers, which are threads
 * elsewhere, get their turns by hand. */
#ifndef TESTS_SIM_HOUSE_HOUSE_PROXY_H
#define TESTS_SIM_HOUSE_HOUSE_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOUSE_WORKERS 2
#define HOUSE_PORT 0 /* of the listener, in sim_net */

struct worker;

void house_supervisor_open(void); /* the shared counters */
void house_supervisor_close(void);
int house_supervisor_stats_fd(void);
void house_supervisor_relink(void); /* a new stream for the two of them, as far as they live */

/* A process from its start to its end. Whatever happens in its life happens in `life`, which is to return when
 * house_proxy_is_over(). */
void house_proxy_live(void (*life)(void));
bool house_proxy_is_alive(void);
bool house_proxy_is_over(void);
void house_proxy_kill(void);

void house_proxy_turn_main(void);
void house_proxy_turn_worker(size_t index);
struct worker *house_proxy_worker(size_t index); /* null: there is none */
bool house_proxy_serves_by(const char *task_id); /* some worker has it in its present snapshot */

size_t house_proxy_snapshots(void); /* that live */

#endif
