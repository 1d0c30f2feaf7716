/* report: the result for people. Main thread. */
#ifndef BENCH_LOAD_REPORT_H
#define BENCH_LOAD_REPORT_H

#include <stdio.h>

#include "bench/load/run.h"

void report_print(const struct run *run, FILE *out);

#endif
