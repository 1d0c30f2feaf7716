/* plan: the arrivals that the options ask for. Reads the trace file; main thread. */
#ifndef BENCH_LOAD_PLAN_H
#define BENCH_LOAD_PLAN_H

#include "bench/load/options.h"
#include "bench/load/schedule.h"

struct plan {
    struct schedule_plan schedule; /* without pieces: closed loop */
    double duration_s;             /* of the schedule, or of sending in the closed loop; INFINITY: until requests_max */
    int64_t planned_count;         /* -1: not known before (closed loop by time) */
    char *text;                    /* "rate 1000 for 10 s, even"; owned */
};

/* False: the ramp, the steps or the trace are not usable. plan_fini() in any case. */
bool plan_make(struct plan *plan, const struct options *o, struct error *error);
void plan_fini(struct plan *plan);

#endif
