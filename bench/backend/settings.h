/* settings: options of the backend, each with an environment variable. Written before the threads start. */
#ifndef BENCH_BACKEND_SETTINGS_H
#define BENCH_BACKEND_SETTINGS_H

#include <stdint.h>

#include "bench/backend/delay.h"

#define SETTINGS_THREADS_MAX 64

struct settings {
    const char *address;
    int64_t port, threads, startup_delay_ms;
    int64_t concurrency; /* requests served at a time; 0: no limit */
    int64_t graceful;    /* SIGTERM finishes what is in flight */
    struct delay delay;
};

extern struct settings settings;

void settings_read(int argc, char **argv); /* ends the program when something is wrong */

#endif
