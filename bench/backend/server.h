/* server: one thread of the backend with its own listener (SO_REUSEPORT), epoll instance and connections. */
#ifndef BENCH_BACKEND_SERVER_H
#define BENCH_BACKEND_SERVER_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bench/backend/alarms.h"
#include "bench/backend/delay.h"

struct conn;
TAILQ_HEAD(conn_list, conn);

struct server {
    pthread_t thread;
    int epoll_fd, listen_fd, timer_fd;
    int64_t armed_us; /* what timer_fd is set to; INT64_MAX: nothing */
    struct alarms alarms;
    struct conn_list queue, dead;
    LIST_HEAD(, conn) all;
    int64_t served_count; /* of --concurrency places */
    struct delay_source delays;
    bool is_stopping;
};

extern char server_hostname[HOST_NAME_MAX + 1];
extern int server_stop_fd; /* an eventfd: readable when all are to stop */

int64_t server_clock_us(void); /* monotonic */

/* No thread answers anything for so long from now; what is under way waits too. */
void server_stall(int64_t for_us);

void server_start(struct server *s, unsigned index); /* ends the program when it cannot */
void server_join(struct server *s);

#endif
