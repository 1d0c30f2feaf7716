/* generator: one load thread. It walks its part of the schedule, gives each due request to a free connection or lets it
 * wait for one, and counts what comes back. What it needs of the rest of the program is immutable, or series.h. */
#ifndef BENCH_LOAD_GENERATOR_H
#define BENCH_LOAD_GENERATOR_H

#include "base/slice.h"
#include "bench/load/options.h"
#include "bench/load/plan.h"
#include "bench/load/series.h"
#include "bench/load/tally.h"
#include "bench/load/target.h"

/* All borrowed. */
struct generator_setup {
    const struct options *options;
    const struct plan *plan;
    const struct target_address *address;
    struct slice request;
    struct series *series;
    const int *stop_flag; /* atomic: not 0 when the run is to end now */
    unsigned index;       /* of this thread, of options->threads */
};

struct generator;

struct generator *generator_new(const struct generator_setup *setup);
void generator_free(struct generator *g);

/* Opens the connections that are kept alive, before anything is measured. Those that do not come about are tried again
 * when a request needs them. */
void generator_connect(struct generator *g);

/* From start_us (monotonic) until each due request has ended. */
void generator_run(struct generator *g, int64_t start_us);

const struct tally *generator_tally(const struct generator *g);

#endif
