/* house_control: the control process: what daemon/control.c puts together, but for the configuration's file, the admin API
 * and the HTTP client (sim_engine stands for Docker and the health checks). What survives it: the store, the shared
 * counters, and what the supervisor counts. */
#ifndef TESTS_SIM_HOUSE_HOUSE_CONTROL_H
#define TESTS_SIM_HOUSE_HOUSE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOUSE_DEREGISTRATION_MS 2000        /* of every service */
#define HOUSE_TUNNEL_DEREGISTRATION_MS 5000 /* likewise */
#define HOUSE_TICK_MS 250                   /* of the controller */

struct publisher;
struct task_registry;

void house_control_reset(void); /* an empty store, no process */
void house_control_close(void); /* the process ends, if there is one, and the store is closed */

void house_control_start(int stats_fd);
void house_control_kill(void); /* what it said that has not left it is lost */
bool house_control_is_alive(void);
void house_control_set_link(int fd); /* from the supervisor */
void house_control_turn(void);

/* The configuration of a start and of each reload: YAML, as a user writes it. False: it was refused. */
bool house_control_configure(const char *text);
/* As the admin API does: false: it was refused. */
bool house_control_scale(size_t service, int64_t desired);
bool house_control_drain(const char *task_id);

int64_t house_control_desired(size_t service);      /* 0: no such service */
bool house_control_is_steady(void);                 /* all services */
struct publisher *house_control_publisher(void);    /* null: dead */
struct task_registry *house_control_registry(void); /* null: dead */
uint64_t house_control_rejections(void);            /* of snapshots, by all proxies together */

#endif
