/* options: the command line of portico-bench. Pure; texts are borrowed from argv. Times are microseconds. */
#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bench/load/expectation.h"
#include "bench/load/target.h"

#define OPTIONS_FIELDS_MAX 64
#define OPTIONS_THREADS_MAX 64
#define OPTIONS_CONNECTIONS_MAX 1000000

enum load_kind { LOAD_RATE = 0, LOAD_RAMP, LOAD_STEPS, LOAD_TRACE, LOAD_CLOSED };

struct options {
    bool wants_help, wants_version; /* then nothing else is set */

    enum load_kind load;
    double rate_per_s;
    const char *ramp, *steps, *trace_path; /* checked when the plan is made */
    double speed_up, scale;
    int64_t duration_us;  /* 0: without end, or as long as the ramp, the steps or the trace are */
    int64_t requests_max; /* 0: without end */
    bool is_poisson;
    int64_t seed;

    int64_t connections, threads, queue_max, timeout_us;
    bool one_per_connection, spins;

    const char *url_text, *method;
    struct target_url url;
    int64_t body_bytes;
    const char *fields[OPTIONS_FIELDS_MAX];
    size_t field_count;

    struct expectation expectation;

    const char *json_path; /* null: none; "-": standard output */
    bool is_quiet, skips_probe;
};

/* argv[0] is not looked at. False: what is wrong, in one line. */
bool options_parse(struct options *o, int argc, char **argv, struct error *error);

extern const char options_help[];

#endif
