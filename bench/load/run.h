/* run: one measurement from its options to its result: resolves, tries one request, starts the load threads, shows a line
 * each second, adds up, judges. Main thread. */
#ifndef BENCH_LOAD_RUN_H
#define BENCH_LOAD_RUN_H

#include "base/error.h"
#include "bench/load/options.h"
#include "bench/load/plan.h"
#include "bench/load/series.h"
#include "bench/load/tally.h"
#include "bench/load/target.h"
#include "bench/load/verdict.h"

struct run {
    const struct options *options; /* borrowed */
    struct plan plan;
    struct target_address address;
    struct buf request;
    int stop_flag; /* atomic; set it to 1 from a signal handler */

    /* the result */
    int64_t started_wall_us;
    double elapsed_s; /* from the start to the last answer or failure */
    struct tally *tally;
    struct series *series;
    struct verdict verdict;
};

/* Plan and request, without asking anybody. False: the options are not usable. run_fini() in any case. */
bool run_prepare(struct run *run, const struct options *o, struct error *error);

/* False: nothing could be measured. */
bool run_measure(struct run *run, struct error *error);

void run_fini(struct run *run);

#endif
